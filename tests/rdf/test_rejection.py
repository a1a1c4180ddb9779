from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from pyoxigraph import Store

from app.errors import SyntaxRejected
from app.rdf.rejection import rejected
from app.rdf.tokens import tokens

QUERIES = sorted((Path(__file__).parents[2] / "data" / "queries").glob("*.rq"))
READ = partial(Store().query, base_iri="http://example.org/")
UPDATE = partial(Store().update, base_iri="http://example.org/")


def told(text: str) -> SyntaxRejected:
    with pytest.raises(SyntaxError) as error:
        READ(text)
    found = rejected(error.value, text, READ)
    assert isinstance(found, SyntaxRejected)
    return found


@pytest.mark.parametrize(
    ("query", "place", "detail"),
    [
        # a word
        ("SELEC * {}", (1, 1), "'SELEC' at line 1, column 1 does not fit there. Did"),
        ("SELECT * { ?s ?p ?o . FILTR(?o > 1) }", (1, 23), "Did you mean FILTER?"),
        ("SELECT ?s { ?s ?p ?o }\nORDER ?s", (2, 7), "'?s' at line 2, column 7 does not fit"),
        ("SELECT ?x, ?y { ?x ?p ?y }", (1, 10), "',' at line 1, column 10 does not fit"),
        ("SELECT COUNT(?x) { ?x ?y ?z }", (1, 8), "'COUNT' at line 1, column 8 does not fit"),
        ("PREFIX ex <http://x/> ASK {}", (1, 8), "'ex' at line 1, column 8 does not fit"),
        ("CLEAR ALL", (1, 1), "'CLEAR' at line 1, column 1 does not fit there."),
        # brackets
        ("ASK {}}", (1, 7), "'}' at line 1, column 7 does not fit there; it closes nothing."),
        ("SELECT * WHERE { ?s ?p }", (1, 24), "something before it may be missing."),
        ("ASK { ?s ?p ?o FILTER(?o > 1 }", (1, 30), ": the ( at line 1, column 22 is not closed"),
        ("ASK {\n{ ?s ?p ?o ]", (2, 12), "the { at line 2, column 1 is not closed yet."),
        # what ends too early
        ("ASK { { } ", (1, 10), "The { at line 1, column 5 is not closed."),
        ("ASK { ?s ?p 'x }", (1, 13), "The string that begins at line 1, column 13 is not"),
        ("ASK { ?s ?p '''x }", (1, 13), "The string that begins at line 1, column 13 is not"),
        ("ASK { ?s ?p <http://x }", (1, 13), "The IRI that begins at line 1, column 13 is not"),
        ("ASK {} LIMIT", (1, 13), "The text ends before it is whole."),
        ("", (1, 1), "The text ends before it is whole."),
        # names
        ("SELECT * { ?s x:y ?o }", (1, 15), "The prefix x: is used without a PREFIX declaration."),
        ("ASK { ?s a 'b'^^xsd:int }", (1, 17), "The prefix xsd: is used without"),
        # the sense
        ("SELECT ?s (COUNT(*) AS ?n) {?s ?p ?o}", (1, 38), "contains a variable that is unbound."),
        (
            "CONSTRUCT { ?s ?p 1 } { ?s ?p ?o } GROUP BY ?s ?p",
            (1, 50),
            "Only a SELECT can have GROUP BY or aggregates; put one in as a subquery.",
        ),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_wrong_and_where(
    query: str, place: tuple[int, int], detail: str
) -> None:
    found = told(query)
    assert detail in found.detail
    assert (found.facts["line"], found.facts["column"]) == place


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_what_does_not_belong_is_found_wherever_it_stands(path: Path) -> None:
    text = path.read_text()
    READ(text)
    found = [token for token in tokens(text) if token.lastgroup != "comment"]
    for token in found[:: max(1, len(found) // 12)]:
        at = token.start()
        refused = told(f"{text[:at]}§ {text[at:]}")
        place = (text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        assert (refused.facts["line"], refused.facts["column"]) == place
        assert refused.detail.startswith("'§' at line ")


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_what_is_cut_off_is_not_taken_for_wrong(path: Path) -> None:
    text = path.read_text()
    end = text.rindex("}")
    refused = told(text[:end])
    assert "is not closed." in refused.detail
    assert refused.facts["line"] == text[:end].rstrip().count("\n") + 1


def test_to_look_for_the_place_runs_nothing() -> None:
    store = Store()
    text = "INSERT DATA { <http://x/a> <http://x/b> 1 } ; CLEAR § ALL"
    with pytest.raises(SyntaxError) as error:
        store.update(text)
    found = rejected(error.value, text, store.update)
    assert found.facts == {"line": 1, "column": 53}
    assert not len(store)


def test_a_long_text_is_told_how_far_it_was_read() -> None:
    text = f"ASK {{ {'?s ?p ?o . ' * 1_000} }} x"
    assert told(text).detail.startswith("Read up to line 1, column ")
    assert told(text.replace("?s", "x:y", 1)).detail.startswith("The prefix x: is used without")
