"""Values of clients become terms of a query, and never anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import Literal, QuerySolutions, Store

from app.errors import InvalidRequest
from app.sparql.named import KINDS, NamedQuery, Parameter, usable

TEXT = """SELECT ?a ?b { # VALUES ?a { <http://no.example/> }
  VALUES ?a { <http://one.example/> }
  values $b { "VALUES ?a { }" 'x'@en }
}"""


def query(text: str = TEXT, **kinds: str) -> NamedQuery:
    kinds = kinds or {"a": "iri", "b": "string"}
    parameters = [Parameter(name, KINDS[kind]) for name, kind in kinds.items()]
    return NamedQuery("q", "http://q.example/", {}, text, (), usable(parameters, text))


def values(text: str) -> list[tuple[str, str]]:
    found = Store().query(text)
    assert isinstance(found, QuerySolutions)
    return [(str(row["a"]), str(row["b"])) for row in found]


def test_without_values_the_text_is_as_it_was() -> None:
    assert query().bound([]) == TEXT
    assert query().defaults(query().parameters[0]) == "<http://one.example/>"


def test_given_values_take_the_place_of_the_default() -> None:
    text = query().bound([("a", "http://two.example/"), ("a", "urn:x"), ("b", "y")])
    assert values(text) == [("<http://two.example/>", '"y"'), ("<urn:x>", '"y"')]
    assert text.startswith("SELECT ?a ?b { # VALUES ?a { <http://no.example/> }\n")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("iri", "http://a.example/ü?x=1#f", "http://a.example/> } DROP ALL"),
        ("iri", "urn:a", "a"),
        ("text", "imaging, \"deep\" @home@en-GB", "imaging"),
        ("date", "2018-07-01", "2018-7-1"),
        ("integer", "-6", "6.0"),
        ("integer", "6", "٦"),
        ("decimal", "2.5", "2e5"),
        ("boolean", "true", "yes"),
    ],
)  # fmt: skip
def test_values_are_of_the_type_that_is_declared(kind: str, good: str, bad: str) -> None:
    one = query(a=kind)
    assert len(values(one.bound([("a", good)]))) == 2
    with pytest.raises(InvalidRequest, match="a must be"):
        one.bound([("a", bad)])


@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_any_text_stays_a_text(texts: list[str]) -> None:
    if any("\ud800" <= c <= "\udfff" for text in texts for c in text):
        return
    text = query().bound([("b", one) for one in texts])
    assert [b for _, b in values(text)] == [str(Literal(one)) for one in texts]


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidRequest, match="did you mean 'organisation'") as error:
        query("SELECT * { VALUES ?organisation { 1 } }", organisation="integer").bound(
            [("organization", "1")]
        )
    assert error.value.facts["nearest"] == "organisation"


def test_only_variables_with_a_block_are_parameters() -> None:
    text = "SELECT * { VALUES (?a ?b) { (1 2) } VALUES ?format { 1 } FILTER(?a < ?b) }"
    assert query(text, a="integer", format="integer", c="integer").parameters == []


def test_more_values_than_anybody_needs_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="more than 100"):
        query().bound([("b", str(n)) for n in range(101)])
    with pytest.raises(InvalidRequest, match="at most"):
        query().bound([("b", "x" * 2_001)])
