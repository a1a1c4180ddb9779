from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, serialize

from app.errors import PayloadTooLarge
from app.rdf import media
from app.rdf.parsing import parse_rdf
from app.rdf.skolem import MAX_COMPONENT, skolemise

BASE = "https://example.org/"
P, Q = NamedNode("http://example.org/p"), NamedNode("http://example.org/q")


def ground(quads: list[Quad], scope: str = "d") -> set[Quad]:
    result = set(skolemise(quads, base_iri=BASE, scope=scope))
    assert not any(isinstance(t, BlankNode) for q in result for t in (q.subject, q.object))
    return result


def read(text: str, media_type: str = media.TURTLE, scope: str = "d") -> set[Quad]:
    quads = parse_rdf(text.encode(), media_type, base_iri=BASE, max_bytes=1 << 24)
    return ground(list(quads), scope)


NODES = st.integers(0, 5).map(lambda n: BlankNode(f"n{n}"))
THINGS = st.sampled_from([NamedNode("http://example.org/a"), NamedNode("http://example.org/b")])
TRIPLES = st.lists(
    st.builds(
        Quad,
        NODES | THINGS,
        st.sampled_from([P, Q]),
        NODES | THINGS | st.sampled_from([Literal("x"), Literal("y", language="en")]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(TRIPLES, st.randoms(use_true_random=False))
def test_order_labels_and_syntax_do_not_matter(quads: list[Quad], chance: random.Random) -> None:
    expected = ground(quads)
    renamed = {f"n{n}": BlankNode(f"other{n}") for n in range(6)}
    shuffled = [
        Quad(
            renamed[q.subject.value] if isinstance(q.subject, BlankNode) else q.subject,
            q.predicate,
            renamed[q.object.value] if isinstance(q.object, BlankNode) else q.object,
        )
        for q in quads
    ]
    chance.shuffle(shuffled)
    assert ground(shuffled) == expected
    for name, rdf_format in media.RDF_FORMATS.items():
        triples = name not in media.DATASET_FORMATS
        text = serialize([q.triple for q in quads] if triples else quads, format=rdf_format) or b""
        assert read(text.decode(), name) == expected, name


@settings(max_examples=60, deadline=None)
@given(TRIPLES)
def test_nodes_that_say_different_things_are_not_fused(quads: list[Quad]) -> None:
    """As many distinct statements remain as there were, for components are canonical."""
    before = {t.value for q in quads for t in (q.subject, q.object) if isinstance(t, BlankNode)}
    after = {
        t.value
        for q in ground(quads)
        for t in (q.subject, q.object)
        if isinstance(t, NamedNode) and ".well-known/genid/" in t.value
    }
    assert len(after) <= len(before)
    said = {n: frozenset(map(str, quads_about(quads, n))) for n in before}
    assert len(after) >= len({kinds(quads, n) for n in said})


def quads_about(quads: list[Quad], node: str) -> list[Quad]:
    blank = BlankNode(node)
    return [q for q in quads if blank in (q.subject, q.object)]


def kinds(quads: list[Quad], node: str) -> frozenset[tuple[str, ...]]:
    """What a node says of ground things; nodes that differ in it are different nodes."""
    blank = BlankNode(node)
    said = set()
    for q in quads:
        if q.subject == blank and not isinstance(q.object, BlankNode):
            said.add((">", str(q.predicate), str(q.object)))
        if q.object == blank and not isinstance(q.subject, BlankNode):
            said.add(("<", str(q.predicate), str(q.subject)))
    return frozenset(said)


def test_two_files_with_one_blank_node_each_merge_without_fusing() -> None:
    one = read('<http://a> <http://p> [ <http://q> "one" ] .')
    two = read('<http://b> <http://p> [ <http://q> "two" ] .')
    values = {(q.subject, q.object) for q in one | two if isinstance(q.object, Literal)}
    assert len({subject for subject, _ in values}) == 2
    assert len(one | two) == 4


def entity(n: int) -> str:
    return (
        f'<http://e/{n}> a <http://T> ; <http://site> [ <http://city> "city {n}" ; '
        f'<http://geo> [ <http://wkt> "POINT({n} 0)" ] ] .\n'
    )


def test_one_entity_more_changes_only_its_own_triples() -> None:
    fifty = read("".join(entity(n) for n in range(50)))
    more = read("".join(entity(n) for n in [50, *range(50)]))
    assert fifty < more
    assert len(more - fifty) == len(read(entity(50))) == 5


def test_equal_structures_of_two_scopes_stay_apart() -> None:
    text = '[] <http://p> "same" .'
    assert read(text, scope="one") == read(text, scope="one")
    assert not read(text, scope="one") & read(text, scope="two")


def test_lists_and_cycles_get_a_node_each() -> None:
    numbers = read('<http://s> <http://p> ( "a" "b" "c" ) .')
    assert len({q.subject for q in numbers}) == 4
    ring = "".join(f"_:n{n} <http://next> _:n{(n + 1) % 6} .\n" for n in range(6))
    assert len({q.subject for q in read(ring)}) == 6
    assert read(ring) == read("\n".join(reversed(ring.splitlines())))


def test_two_equal_components_are_one_statement_said_twice() -> None:
    assert len(read('<http://s> <http://p> [ <http://q> "x" ], [ <http://q> "x" ] .')) >= 2


def chain(length: int) -> list[Quad]:
    return [Quad(BlankNode(f"c{n}"), P, BlankNode(f"c{n + 1}")) for n in range(length - 1)]


def test_a_component_of_more_nodes_than_the_limit_is_refused() -> None:
    assert len(ground(chain(300))) == 299
    with pytest.raises(PayloadTooLarge, match="blank nodes"):
        ground(chain(MAX_COMPONENT + 1))


def test_many_small_components_are_no_large_one() -> None:
    quads = [Quad(BlankNode(f"b{n}"), P, Literal(str(n))) for n in range(MAX_COMPONENT + 100)]
    assert len(ground(quads)) == MAX_COMPONENT + 100


def test_ground_quads_pass_unchanged() -> None:
    quads = [Quad(P, P, Literal("x"), NamedNode("http://g")), Quad(P, Q, P)]
    assert ground(quads) == set(quads)
    data = serialize([q.triple for q in quads], format=RdfFormat.N_TRIPLES)
    assert data is not None
    assert b"genid" not in data
