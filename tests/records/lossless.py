"""Reading a record back: record plus context, parsed as JSON-LD, against the merged graph."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyoxigraph as ox

from app.profile import Profile
from app.profile.context import json_ld_context
from app.rdf.terms import RDF
from app.records.graph import Graph
from app.records.names import Names
from app.records.record import RecordBuilder


def build(store: ox.Store, profile: Profile, iri: str, lang: str = "en") -> dict[str, Any]:
    graph = Graph(store, profile.base_iri)
    node = ox.NamedNode(iri)
    return RecordBuilder(graph, profile, Names(graph, profile, lang)).record(
        node, graph.about(node)
    )


def read_back(record: Mapping[str, Any], profile: Profile) -> set[ox.Triple]:
    document = {**record, "@context": json_ld_context(profile)}
    quads = ox.parse(json.dumps(document).encode(), ox.RdfFormat.JSON_LD)
    return {ox.Triple(q.subject, q.predicate, q.object) for q in quads}


def merged(store: ox.Store, subjects: Iterable[str | ox.NamedNode]) -> set[ox.Triple]:
    found = set()
    for subject in subjects:
        node = ox.NamedNode(subject) if isinstance(subject, str) else subject
        for quad in store.quads_for_pattern(node, None, None, None):
            found.add(ox.Triple(quad.subject, quad.predicate, quad.object))
    return found


def entity_and_fragments(store: ox.Store, iri: str) -> set[ox.NamedNode]:
    """The entity and those of its fragments that are reached from it."""
    found, pending = set[ox.NamedNode](), [ox.NamedNode(iri)]
    while pending:
        node = pending.pop()
        if node in found:
            continue
        found.add(node)
        pending += [
            quad.object
            for quad in store.quads_for_pattern(node, None, None, None)
            if quad.predicate != RDF["type"]  # a class is no part
            and isinstance(quad.object, ox.NamedNode)
            and quad.object.value.startswith(f"{iri}#")
        ]
    return found


def assert_lossless(store: ox.Store, profile: Profile, iri: str) -> None:
    expected = merged(store, entity_and_fragments(store, iri))
    actual = read_back(build(store, profile, iri), profile)
    assert actual == expected, {
        "lost": sorted(map(str, expected - actual))[:5],
        "invented": sorted(map(str, actual - expected))[:5],
    }
