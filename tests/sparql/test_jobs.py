"""The query job, through a real pool."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pyoxigraph import (
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QuerySolutions,
    RdfFormat,
    Store,
    parse,
    parse_query_results,
)

from app.errors import AppError, QueryRejected, SyntaxRejected
from app.rdf import media
from app.sandbox.pool import Checkpoint, Limits, Pool
from app.sparql.evaluation import CagedEvaluator
from app.sparql.operation import Query

G1, G2 = "http://example.org/g1", "http://example.org/g2"
P = NamedNode("http://example.org/p")
SUBJECTS = "SELECT ?s { ?s ?p ?o }"
NAMED = "SELECT ?s { GRAPH ?g { ?s ?p ?o } }"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("graph") / "1"
    store = Store(str(path))
    for name, graph in (("one", G1), ("two", G2)):
        subject = NamedNode(f"http://example.org/{name}")
        store.add(Quad(subject, P, Literal(f'{name} "é", \n', language="en"), NamedNode(graph)))
    store.add(Quad(NamedNode("http://example.org/plain"), P, Literal("1")))
    store.flush()
    return Checkpoint(str(path), 1)


class Asked:
    """A loop with one pool, for all tests of this module."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._runner = asyncio.Runner()
        self.pool = self._run(self._started(checkpoint))

    def _run(self, work: Any) -> Any:
        return self._runner.run(work)

    async def _started(self, checkpoint: Checkpoint) -> Pool:
        pool = Pool(light=1, heavy=1, batch=1, queue=4, checkpoint=lambda: checkpoint)
        await pool.start()
        return pool

    def close(self) -> None:
        self._run(self.pool.stop())
        self._runner.close()

    def __call__(self, query: Query, *, union: bool = True) -> tuple[str, bytes]:
        async def ask() -> tuple[str, bytes]:
            limits = Limits(seconds=10, memory_mb=256)
            evaluator = CagedEvaluator(self.pool, base_iri="http://b/", union=union, limits=limits)
            async with evaluator.evaluate(query) as answer:
                return answer.media_type, b"".join([chunk async for chunk in answer.chunks])

        answer: tuple[str, bytes] = self._run(ask())
        return answer


@pytest.fixture(scope="module")
def ask(checkpoint: Checkpoint) -> Iterator[Asked]:
    asked = Asked(checkpoint)
    yield asked
    asked.close()


def subjects(ask: Asked, query: Query, *, union: bool = True) -> set[str]:
    _, body = ask(query, union=union)
    solutions = parse_query_results(body, format=media.RESULT_FORMATS[media.RESULTS_JSON])
    assert isinstance(solutions, QuerySolutions)
    return {str(row["s"]).removeprefix("<http://example.org/").rstrip(">") for row in solutions}


@pytest.mark.parametrize("media_type", media.RESULT_FORMATS)
def test_select_is_written_in_every_result_format(ask: Asked, media_type: str) -> None:
    query = Query("SELECT ?o { <http://example.org/one> ?p ?o }", results=media_type)
    said, body = ask(query)
    assert said == media_type
    if media_type == media.RESULTS_CSV:
        assert body == b'o\r\n"one ""\xc3\xa9"", \n"\r\n'
        return
    solutions = parse_query_results(body, format=media.RESULT_FORMATS[media_type])
    assert isinstance(solutions, QuerySolutions)
    assert [row["o"] for row in solutions] == [Literal('one "é", \n', language="en")]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("SELECT * { ?s ?p ?o }", "s p o"),
        ("PREFIX : <x> BASE <http://x/>\nVERSION '1.2' # *\nselect distinct*{$z ?y [] . ?z ?a ?y}",
         "z y a"),
        ("SELECT REDUCED * { VALUES (?z ?a) { (1 2) } ?z ?p '?b' }", "z a p"),
        ("SELECT * { ?s ?p ?o { SELECT * { ?z ?y ?x } } }", "s p o z y x"),
        # what is hidden has no column, wherever it is named
        ("SELECT * { { SELECT ?z { ?y ?z ?x } } MINUS { ?z ?q ?x } } ORDER BY ?x", "z"),
        ("SELECT * { ?s ?p _:o FILTER NOT EXISTS { ?s ?z ?a } BIND(?k AS ?b) }", "s p b"),
        ("SELECT * { ?s ?p ?o } VALUES ?a { 1 }", "s p o a"),
        ("SELECT * FROM <x:y> WHERE { SELECT ?z (1 AS ?a) { ?z ?p ?o } ORDER BY ?o }", "z a"),
        ("SELECT * {{{ SELECT * { ?z ?y ?x } }}} ", "z y x"),
        # not a star of SELECT
        ("SELECT ?o ?s (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?o ?s", "o s n"),
        # where the words of a text are in doubt, the engine's order stays
        ("SELECT * { ?s ?p ?o FILTER(?p<'>'||?z='c') ?c ?b ?a }", "a b c o p s"),
        ("SELECT * { }", ""),
    ],
)  # fmt: skip
def test_columns_come_in_the_order_of_the_text(ask: Asked, text: str, columns: str) -> None:
    _, csv = ask(Query(text, results=media.RESULTS_CSV))
    assert csv.split(b"\r\n")[0].decode() == columns.replace(" ", ",")
    _, json_results = ask(Query(text))
    assert json.loads(json_results)["head"]["vars"] == columns.split()


def test_columns_written_out_show_the_same_rows(ask: Asked) -> None:
    _, starred = ask(Query("SELECT * { ?s ?p ?o }", results=media.RESULTS_TSV))
    _, listed = ask(Query("SELECT ?s ?p ?o { ?s ?p ?o }", results=media.RESULTS_TSV))
    assert starred == listed
    assert starred.count(b"\n") == 4


@pytest.mark.parametrize("media_type", [media.RESULTS_JSON, media.RESULTS_XML])
@pytest.mark.parametrize(("text", "answer"), [("ASK {}", True), ("ASK { <a:b> ?p ?o }", False)])
def test_ask_is_answered(ask: Asked, media_type: str, text: str, answer: bool) -> None:
    _, body = ask(Query(text, results=media_type))
    result = parse_query_results(body, format=media.RESULT_FORMATS[media_type])
    assert isinstance(result, QueryBoolean)
    assert bool(result) is answer


@pytest.mark.parametrize("media_type", media.GRAPH_FORMATS)
@pytest.mark.parametrize(
    "text",
    ["CONSTRUCT WHERE { <http://example.org/one> ?p ?o }", "DESCRIBE <http://example.org/one>"],
    ids=["construct", "describe"],
)
def test_graphs_are_written_in_every_graph_format(ask: Asked, text: str, media_type: str) -> None:
    said, body = ask(Query(text, graphs=media_type))
    assert said == media_type
    found = [quad.object for quad in parse(body, format=media.RDF_FORMATS[media_type])]
    assert found == [Literal('one "é", \n', language="en")]


def test_aliases_are_said_as_they_were_asked(ask: Asked) -> None:
    assert ask(Query("ASK {}", results="application/json")) == (
        "application/json",
        b'{"head":{},"boolean":true}',
    )
    said, body = ask(Query("CONSTRUCT WHERE { ?s ?p ?o }", graphs="text/plain"))
    assert said == "text/plain"
    assert len(list(parse(body, format=RdfFormat.N_TRIPLES))) == 3


@pytest.mark.parametrize(
    ("query", "kind", "words", "facts"),
    [
        (Query("SELECT (<http://x/f>(1) AS ?y) {}"), QueryRejected, "http://x/f", {}),
        (
            Query("SELECT * {\n  ?s ?p }"),
            SyntaxRejected,
            "something before it may be missing",
            {"line": 2, "column": 9},
        ),
        (Query("SELECT * { . ?s ?p ?o }"), SyntaxRejected, "'.'", {"line": 1, "column": 12}),
        (Query("SELEC"), SyntaxRejected, "Did you mean SELECT", {"line": 1}),
        (Query("ASK { ex:a ?p ?o }"), SyntaxRejected, "prefix ex: is used without", {"line": 1}),
        (Query("CLEAR ALL"), SyntaxRejected, "'CLEAR' at line 1, column 1", {"line": 1}),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(
    ask: Asked, query: Query, kind: type[AppError], words: str, facts: dict[str, int]
) -> None:
    with pytest.raises(kind, match=words) as error:
        ask(query)
    assert type(error.value) is kind
    assert facts.items() <= error.value.facts.items()
    assert ask(Query("ASK {}"))[1]  # and the worker goes on


@pytest.mark.parametrize(
    ("query", "union", "expected"),
    [
        (Query(SUBJECTS), True, {"one", "two", "plain"}),
        (Query(SUBJECTS), False, {"plain"}),
        (Query(NAMED), True, {"one", "two"}),
        (Query(NAMED), False, {"one", "two"}),
        # the protocol's dataset; a side that is not stated is empty
        (Query(SUBJECTS, (G1,), ()), True, {"one"}),
        (Query(SUBJECTS, (G1, G2), ()), True, {"one", "two"}),
        (Query(NAMED, (G1,), ()), True, set()),
        (Query(SUBJECTS, (), (G1,)), True, set()),
        (Query(NAMED, (), (G1,)), True, {"one"}),
        (Query(SUBJECTS, ("http://example.org/none",), ()), True, set()),
        # the query's own dataset wins over the union
        (Query(f"SELECT ?s FROM <{G1}> {{ ?s ?p ?o }}"), True, {"one"}),
        (Query(f"SELECT ?s FROM <{G1}> {{ ?s ?p ?o }}"), False, {"one"}),
        (Query(f"SELECT ?s FROM NAMED <{G1}> {{ ?s ?p ?o }}"), True, set()),
        (Query(f"SELECT ?s FROM NAMED <{G1}> {{ GRAPH ?g {{ ?s ?p ?o }} }}"), True, {"one"}),
        # the protocol's dataset wins over the query's (§2.1.4)
        (Query(f"SELECT ?s FROM <{G1}> {{ ?s ?p ?o }}", (G2,), ()), True, {"two"}),
        (Query(f"SELECT ?s FROM <{G1}> {{ ?s ?p ?o }}", (), (G2,)), True, set()),
    ],
)
def test_the_dataset_of_a_query(ask: Asked, query: Query, union: bool, expected: set[str]) -> None:
    assert subjects(ask, query, union=union) == expected


def test_an_empty_list_of_graphs_is_an_empty_dataset_to_the_engine() -> None:
    store = Store()
    store.add(Quad(P, P, P))
    assert [*store.query(SUBJECTS, default_graph=[], named_graphs=[])] == []  # type: ignore[misc]


def test_relative_iris_are_resolved_against_the_base(ask: Asked) -> None:
    _, body = ask(Query("SELECT (<a> AS ?x) {}", results=media.RESULTS_TSV))
    assert body == b"?x\n<http://b/a>\n"
