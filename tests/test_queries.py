"""Every example query answers on the seed, and quickly."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from pyoxigraph import (
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QuerySolutions,
    QueryTriples,
    RdfFormat,
    Store,
    parse,
)

from app.rdf.terms import DCAT, RDFS, SCHEMA, SH, SPEX, type_
from app.submissions.provenance import Provenance

ROOT = Path(__file__).resolve().parent.parent
BASE = "https://w3id.org/lifetec/"
SERVICE = NamedNode(f"{BASE}graph/service")
QUERIES = NamedNode("https://w3id.org/lifetec/graph/lifetec/queries")
SECONDS = 2.0
TEXTS = (SH["select"], SH["ask"], SH["construct"], SPEX["describe"])


@cache
def _seed() -> Store:
    """Each file in its named graph, what it says about itself in the service's graph.

    There the service tells as well of the commit by which each file was published.
    """
    store = Store()
    generation = 0
    for path in sorted([*(ROOT / "ontology").glob("*.ttl"), *(ROOT / "data").glob("*.ttl")]):
        triples = [quad.triple for quad in parse(path=path, format=RdfFormat.TURTLE)]
        datasets = [
            triple.subject
            for triple in triples
            if triple.predicate == type_ and triple.object == DCAT["Dataset"]
        ]
        if not datasets:
            continue
        (dataset,) = datasets
        assert isinstance(dataset, NamedNode)
        store.bulk_extend(
            Quad(
                triple.subject,
                triple.predicate,
                triple.object,
                SERVICE if _describes(triple.subject, dataset) else dataset,
            )
            for triple in triples
        )
        generation += 1
        store.load(_commit(generation, dataset, store), format=RdfFormat.N_QUADS)
    return store


def _commit(generation: int, dataset: NamedNode, store: Store) -> bytes:
    subjects = {quad.subject for quad in store.quads_for_pattern(None, None, None, dataset)}
    named = (one.value for one in subjects if isinstance(one, NamedNode))
    return Provenance(
        base_iri=BASE,
        graph=SERVICE.value,
        generation=generation,
        time=datetime(2026, 11, 23, generation, tzinfo=UTC),
        datasets=(dataset.value,),
        author=f"{BASE}id/partner/lifetec",
        licence=None,
        source_hash="0" * 64,
        submission=None,
        counts={},
        added=len(subjects),
        removed=0,
        entities=sorted({iri.partition("#")[0] for iri in named}),
    ).n_quads()


def _describes(subject: object, dataset: NamedNode) -> bool:
    return isinstance(subject, NamedNode) and subject.value.partition("#")[0] == dataset.value


def _queries() -> list[str]:
    found = _seed().quads_for_pattern(None, type_, SH["SPARQLExecutable"], None)
    return sorted(quad.subject.value for quad in found if isinstance(quad.subject, NamedNode))


def _values(query: str, predicate: NamedNode) -> list[str]:
    quads = _seed().quads_for_pattern(NamedNode(query), predicate, None, None)
    return [quad.object.value for quad in quads if isinstance(quad.object, (Literal, NamedNode))]


def _text(query: str) -> str:
    (text,) = [value for predicate in TEXTS for value in _values(query, predicate)]
    return text


def test_there_are_at_least_thirty_two_queries() -> None:
    assert len(_queries()) >= 32


@pytest.mark.parametrize("query", _queries())
def test_query_has_rows_within_two_seconds(query: str) -> None:
    store, text = _seed(), _text(query)
    begin = time.perf_counter()
    answer = store.query(text, use_default_graph_as_union=True)
    if isinstance(answer, QueryBoolean):
        rows = bool(answer)
    else:
        assert isinstance(answer, (QuerySolutions, QueryTriples))
        rows = bool(list(answer))
    assert rows
    assert time.perf_counter() - begin < SECONDS


@pytest.mark.parametrize("query", _queries())
def test_query_says_what_it_asks(query: str) -> None:
    assert _values(query, RDFS["comment"])
    assert _values(query, SCHEMA["keywords"])
    assert _values(query, SCHEMA["target"]) == ["https://w3id.org/lifetec/sparql"]
    assert _values(query, SH["prefixes"]) == ["https://w3id.org/lifetec/ontology#"]


def test_every_prefix_of_a_query_is_declared() -> None:
    declared = {
        quad.object.value
        for quad in _seed().quads_for_pattern(None, SH["prefix"], None, None)
        if isinstance(quad.object, Literal)
    }
    used = {
        line.split()[1].rstrip(":")
        for query in _queries()
        for line in _text(query).splitlines()
        if line.startswith("PREFIX ")
    }
    assert used <= declared
