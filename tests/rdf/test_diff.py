from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import Literal, NamedNode, Quad

from app.rdf.diff import Diff, canonical_hash, from_n_quads, to_n_quads

G = NamedNode("http://g")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
QUADS = st.builds(
    lambda s, text, tag: Quad(
        NamedNode(f"http://s/{s}"),
        NamedNode("http://p"),
        Literal(text, language="nl") if tag else Literal(text),
        G,
    ),
    st.integers(0, 3),
    TEXTS,
    st.booleans(),
)
SETS = st.frozensets(QUADS, max_size=12)


@given(SETS, SETS)
def test_a_diff_turns_one_set_into_the_other_and_is_harmless_twice(
    before: frozenset[Quad], after: frozenset[Quad]
) -> None:
    diff = Diff.between(before, after)
    once = (before - diff.removed) | diff.added
    assert once == after
    assert (once - diff.removed) | diff.added == after
    assert not diff.added & diff.removed
    assert bool(diff) == (before != after)


@given(SETS)
def test_n_quads_are_read_back_as_written(quads: frozenset[Quad]) -> None:
    data = to_n_quads(quads)
    assert frozenset(from_n_quads(data)) == quads
    assert data.count(b"\n") == len(quads)
    assert data.splitlines() == sorted(data.splitlines())


@given(SETS, SETS)
def test_the_hash_is_that_of_the_set(one: frozenset[Quad], other: frozenset[Quad]) -> None:
    assert canonical_hash(one) == canonical_hash(sorted(one, key=str, reverse=True))
    assert (canonical_hash(one) == canonical_hash(other)) == (one == other)
