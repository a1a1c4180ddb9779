"""Every record of the seed, read as JSON-LD, says exactly what the merged graph says."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyoxigraph as ox
import pytest

from app.profile import EntityType, load_profile
from app.rdf.terms import LT, PROV, RDF
from app.rdf.void import is_total
from tests.server.running import ROOT, RunningServer, lifetec

PROFILE = load_profile(ROOT / "ontology", ROOT / "shapes", "https://w3id.org/lifetec/")
NOTES = ox.NamedNode(f"{PROFILE.base_iri}graph/service")
COUNTED = {PROV["influenced"], LT["claimsAbout"]}
Graph = Mapping[str, set[ox.Triple]]


@pytest.fixture(scope="module")
def merged(seeded: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """The merged graph by subject, without what the service counts and lists with each commit."""
    file = tmp_path_factory.mktemp("merged") / "all.nq"
    done = lifetec(seeded.data_dir, "dump", file, **seeded.settings)
    assert done.returncode == 0, done.stderr
    found: dict[str, set[ox.Triple]] = defaultdict(set)
    for quad in ox.parse(path=str(file), format=ox.RdfFormat.N_QUADS):
        counted = quad.predicate in COUNTED or is_total(quad)
        if quad.graph_name != NOTES or not counted:
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
        bare = [{name: one[name] for name in one if name != "@context"} for one in items]
        document = json.dumps({**page, "items": bare, "@context": context})
        said = {quad.triple for quad in ox.parse(document.encode(), ox.RdfFormat.JSON_LD)}
        expected = described(merged, (record["id"] for record in items))
        assert said == expected, {
            "lost": sorted(map(str, expected - said))[:5],
            "invented": sorted(map(str, said - expected))[:5],
        }
    assert number == page["total"]
    assert number > 0
