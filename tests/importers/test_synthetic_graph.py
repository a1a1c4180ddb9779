"""bench/generate.py: any size, the same bytes for the same arguments, in the shape of the seed."""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from pathlib import Path

from pyoxigraph import Literal, NamedNode, RdfFormat, parse

from app.rdf.terms import DCTERMS, EURIO
from bench.generate import GRAPH, generate


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    one, two, other = (tmp_path / f"{name}.nq.gz" for name in ("one", "two", "other"))
    generate(40, 30, 7, one)
    generate(40, 30, 7, two)
    generate(40, 30, 8, other)
    assert one.read_bytes() == two.read_bytes()
    assert gzip.decompress(one.read_bytes()) != gzip.decompress(other.read_bytes())


def test_counts_agree_with_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "graph.nq"
    counts = generate(100, 60, 1, path)
    quads = list(parse(path=path, format=RdfFormat.N_QUADS))
    assert counts["quads"] == len(quads)
    assert counts["organisation"] == 100
    assert counts["project"] == 60
    assert {quad.graph_name for quad in quads} == {NamedNode(GRAPH)}


def test_a_few_hubs_take_part_in_many_projects_and_most_in_few(tmp_path: Path) -> None:
    path = tmp_path / "graph.nq"
    generate(2_000, 500, 1, path)
    members = Counter(
        quad.object
        for quad in parse(path=path, format=RdfFormat.N_QUADS)
        if quad.predicate == EURIO["isRoleOf"]
    )
    often = [number for _, number in members.most_common()]
    assert often[0] >= 10 * often[len(often) // 2]
    assert often[0] <= 500 * 0.25


def test_dates_of_an_end_come_after_those_of_a_beginning(tmp_path: Path) -> None:
    path = tmp_path / "graph.nq"
    generate(300, 20, 1, path)
    years: dict[object, dict[str, int]] = defaultdict(dict)
    for quad in parse(path=path, format=RdfFormat.N_QUADS):
        if quad.predicate.value.endswith("Date") and isinstance(quad.object, Literal):
            years[quad.subject][quad.predicate.value.rsplit("/", 1)[-1]] = int(
                quad.object.value[:4]
            )
    both = [found for found in years.values() if {"foundingDate", "dissolutionDate"} <= set(found)]
    assert both
    assert all(found["foundingDate"] <= found["dissolutionDate"] for found in both)


def test_fields_of_the_profile_appear_without_being_named(tmp_path: Path) -> None:
    path = tmp_path / "graph.nq"
    generate(200, 20, 1, path)
    predicates = {quad.predicate for quad in parse(path=path, format=RdfFormat.N_QUADS)}
    assert DCTERMS["modified"] in predicates
