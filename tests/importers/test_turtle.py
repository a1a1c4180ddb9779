from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Triple, parse

from app.importers.turtle import canonical, to_turtle, write_turtle
from app.rdf.terms import SKOS, XSD, type_

_IRIS = st.sampled_from("abcdef").map(lambda name: NamedNode(f"https://example.org/{name}"))
_OBJECTS = _IRIS | st.text(alphabet='ab"\\\n é', max_size=5).map(Literal)
_TRIPLES = st.lists(st.builds(Triple, _IRIS, _IRIS | st.just(type_), _OBJECTS), max_size=30)


@given(_TRIPLES, st.randoms())
def test_order_and_repetition_do_not_change_the_bytes(
    triples: list[Triple], rnd: random.Random
) -> None:
    shuffled = [*triples, *triples[:3]]
    rnd.shuffle(shuffled)
    assert to_turtle(shuffled) == to_turtle(triples)


@given(_TRIPLES)
def test_what_is_written_can_be_read_back(triples: list[Triple]) -> None:
    read = parse(input=to_turtle(triples), format=RdfFormat.TURTLE)
    assert {quad.triple for quad in read} == set(triples)


def test_types_come_first_within_a_subject() -> None:
    subject = NamedNode("https://example.org/s")
    label = Triple(subject, NamedNode("http://a.example/before-all"), Literal("x"))
    kind = Triple(subject, type_, SKOS["Concept"])
    assert canonical([label, kind]) == [kind, label]


def test_literals_are_in_the_normal_form_of_the_engine() -> None:
    subject = NamedNode("https://example.org/s")
    given_ = Triple(subject, SKOS["notation"], Literal("2.50", datatype=XSD["decimal"]))
    (found,) = canonical([given_])
    assert isinstance(found.object, Literal)
    assert found.object.value == "2.5"


def test_blank_nodes_are_refused() -> None:
    triple = Triple(BlankNode(), type_, SKOS["Concept"])
    with pytest.raises(ValueError, match="IRI"):
        canonical([triple])


def test_writing_returns_the_size(tmp_path: Path) -> None:
    path = tmp_path / "a.ttl"
    triple = Triple(NamedNode("https://example.org/s"), type_, SKOS["Concept"])
    assert write_turtle(path, [triple]) == path.stat().st_size
