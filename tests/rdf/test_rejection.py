from __future__ import annotations

import pytest
from pyoxigraph import Store

from app.errors import SyntaxRejected
from app.rdf.rejection import rejected


@pytest.mark.parametrize(
    ("query", "place", "detail"),
    [
        ("SELEC", (1, 6), "Read up to line 1, column 6; the mistake is there or before."),
        ("SELECT ?s {}\nORDER ?s", (2, 9), "where BY was looked for"),
        ("SELECT ?s (COUNT(*) AS ?n) {?s ?p ?o}", (1, 38), "contains a variable that is unbound."),
        ("SELECT * { ?s x:y ?o }", (1, 20), "The prefix x: is used without a PREFIX declaration."),
        ('SELECT * { ?s ?p "', (1, 19), "column 19, where LATERAL or SERVICE was looked for"),
    ],
)
def test_a_refusal_says_what_is_wrong_or_where_to_look(
    query: str, place: tuple[int, int], detail: str
) -> None:
    with pytest.raises(SyntaxError) as error:
        Store().query(query)
    told = rejected(error.value, query)
    assert isinstance(told, SyntaxRejected)
    assert detail in told.detail
    assert (told.facts["line"], told.facts["column"]) == place
    assert "[" not in told.detail
