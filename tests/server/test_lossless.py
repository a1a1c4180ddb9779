"""Every record of the seed, read as JSON-LD, says exactly what the merged graph says."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyoxigraph as ox
import pytest

from app.profile import EntityType, load_profile
from app.rdf.terms import RDF
from tests.server.running import ROOT, RunningServer

PROFILE = load_profile(ROOT / "ontology", ROOT / "shapes", "https://w3id.org/lifetec/")
Graph = Mapping[str, set[ox.Triple]]


@pytest.fixture(scope="module")
def merged(seeded: RunningServer) -> Graph:
    """The statements of the merged graph, by subject."""
    found: dict[str, set[ox.Triple]] = defaultdict(set)
    reply = seeded.get("/graphs?default", accept="application/n-triples")
    assert reply.status_code == 200, reply.text
    for quad in ox.parse(reply.content, ox.RdfFormat.N_TRIPLES):
        assert isinstance(quad.subject, ox.NamedNode)
        found[quad.subject.value].add(quad.triple)
    return found


def pages(server: RunningServer, kind: EntityType) -> Iterator[dict[str, Any]]:
    """All pages of a list."""
    path = f"/api/v1/{kind.collection}?limit=1000"
    while path:
        page = server.get(path).json()
        yield page
        path = (page["next"] or "").removeprefix(server.url)


def described(graph: Graph, entities: Iterable[str]) -> set[ox.Triple]:
    """What is said of entities, and of those of their parts that they lead to."""
    found, pending, seen = set[ox.Triple](), list(entities), set[str]()
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        own = graph.get(node, set())
        found |= own
        parts = f"{node.partition('#')[0]}#"
        pending += [
            one.object.value
            for one in own
            if isinstance(one.object, ox.NamedNode)
            and one.predicate != RDF["type"]  # a class is no part
            and one.object.value.startswith(parts)
        ]
    return found


@pytest.mark.parametrize("kind", PROFILE.types, ids=lambda kind: kind.name)
def test_records_and_context_are_the_merged_graph(
    kind: EntityType, seeded: RunningServer, merged: Graph
) -> None:
    context = seeded.get("/context.jsonld").json()["@context"]
    number = 0
    for page in pages(seeded, kind):
        items = page["items"]
        number += len(items)
        document = json.dumps({**page, "@context": context})
        said = {quad.triple for quad in ox.parse(document.encode(), ox.RdfFormat.JSON_LD)}
        expected = described(merged, (record["id"] for record in items))
        assert said == expected, {
            "lost": sorted(map(str, expected - said))[:5],
            "invented": sorted(map(str, said - expected))[:5],
        }
    assert number == page["total"]
    assert number > 0
