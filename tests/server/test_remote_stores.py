"""A service whose public queries are answered by a SPARQL server elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyoxigraph import Literal, QueryBoolean, QueryResultsFormat, RdfFormat, parse
from pyoxigraph import parse_query_results as parse_results

from tests.server.conftest import bare_in
from tests.server.peers import Peer
from tests.server.running import RunningServer, lifetec
from tests.server.senders import Senders, count, statements, until

RESULTS = {
    "application/sparql-results+json": QueryResultsFormat.JSON,
    "application/sparql-results+xml": QueryResultsFormat.XML,
    "text/tab-separated-values": QueryResultsFormat.TSV,
}
GRAPHS = {
    "text/turtle": RdfFormat.TURTLE,
    "application/n-triples": RdfFormat.N_TRIPLES,
    "application/ld+json": RdfFormat.JSON_LD,
    "application/rdf+xml": RdfFormat.RDF_XML,
}


class House:
    """A service, the server that answers its queries, and those who send to it."""

    def __init__(self, folder: Path, peer: Peer) -> None:
        self.peer = peer
        self.settings = {**bare_in(folder), **peer.settings, "workers": 1, "query_seconds": 4}
        self.server = RunningServer(folder / "var", **self.settings)
        self.senders = Senders(self.server.data_dir, self.settings)

    def ask(self, query: str, accept: str = "*/*", **more: str) -> httpx.Response:
        """A query in a form."""
        asked = {"query": query, **more}
        url = f"{self.server.url}/sparql"
        return httpx.post(url, data=asked, headers={"accept": accept}, timeout=60)

    def check(self) -> None:
        """Log, working copy and the store elsewhere agree."""
        done = lifetec(self.server.data_dir, "check", **self.settings)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ok   remote graphs" in done.stdout


@pytest.fixture(scope="module", params=["oxigraph", "virtuoso"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    peer: Peer = request.getfixturevalue(request.param)
    peer.clear()
    made = House(tmp_path_factory.mktemp(request.param), peer)
    with contextlib.closing(made.senders), made.server:
        yield made


@pytest.fixture(scope="module")
def dataset(house: House) -> str:
    """A published dataset of 20 statements."""
    iri = house.senders.dataset("sure", "first")
    sent = house.senders.send(house.server, "sure", iri, statements("first", 20))
    assert sent.status_code == 201, sent.text
    return iri


def test_who_is_told_that_it_is_published_sees_it(house: House, dataset: str) -> None:
    assert count(house.server, dataset) == 20
    assert house.peer.rows(f"SELECT ?s {{ GRAPH <{dataset}> {{ ?s ?p '7' }} }}") == [
        {"s": "urn:first:7"}
    ]
    house.check()


def test_the_store_elsewhere_answers_not_the_copy(house: House, dataset: str) -> None:
    house.peer.update("INSERT DATA { GRAPH <urn:theirs> { <urn:a> <urn:b> 'only there' } }")
    try:
        assert house.server.select("SELECT ?o { <urn:a> <urn:b> ?o }") == [{"o": "only there"}]
        whole = house.server.get("/graphs?graph=urn:theirs", accept="application/n-triples")
        assert whole.text.split() == ["<urn:a>", "<urn:b>", '"only', 'there"', "."]
    finally:
        house.peer.update("CLEAR GRAPH <urn:theirs>")


def test_an_answer_says_which_generation_it_shows(house: House, dataset: str) -> None:
    head = house.senders.log.head()
    assert house.ask("ASK {}").headers["x-generation"] == str(head)
    store = house.server.get("/health/ready").json()["store"]
    assert store == {"status": "ready", "generation": head}


@pytest.mark.parametrize("accept", RESULTS)
def test_results_come_in_every_format(accept: str, house: House, dataset: str) -> None:
    rows = house.ask(f"SELECT ?s ?o {{ GRAPH <{dataset}> {{ ?s ?p ?o }} }}", accept)
    assert rows.headers["content-type"].startswith(accept)
    found = parse_results(rows.content, format=RESULTS[accept])
    assert {row["o"] for row in found} == {Literal(str(n)) for n in range(20)}  # type: ignore[union-attr]
    if accept != "text/tab-separated-values":
        asked = house.ask(f"ASK {{ GRAPH <{dataset}> {{ ?s ?p '7' }} }}", accept)
        found = parse_results(asked.content, format=RESULTS[accept])
        assert isinstance(found, QueryBoolean)
        assert bool(found)


def test_csv_is_that_of_the_recommendation(house: House, dataset: str) -> None:
    for columns in ("?s ?o", "*"):
        rows = house.ask(
            f"SELECT {columns} {{ GRAPH <{dataset}> {{ ?s <urn:p:p> ?o FILTER(?o = '7') }} }}",
            "text/csv",
        )
        assert rows.text == "s,o\r\nurn:first:7,7\r\n"


@pytest.mark.parametrize("accept", GRAPHS)
def test_graphs_come_in_every_format(accept: str, house: House, dataset: str) -> None:
    got = house.ask(f"CONSTRUCT {{ ?s ?p ?o }} {{ GRAPH <{dataset}> {{ ?s ?p ?o }} }}", accept)
    assert got.headers["content-type"].startswith(accept)
    assert len({*parse(input=got.content, format=GRAPHS[accept])}) == 20


def test_a_long_answer_comes_whole(house: House) -> None:
    dataset = house.senders.dataset("sure", "long")
    sent = house.senders.send(house.server, "sure", dataset, statements("long", 5_000))
    assert sent.status_code == 201, sent.text
    until(partial(_shows, house, dataset, 5_000), "the store does not follow")
    for accept in ("application/sparql-results+json", "text/tab-separated-values"):
        got = house.ask(f"SELECT * {{ GRAPH <{dataset}> {{ ?s ?p ?o }} }}", accept)
        assert sum(1 for _ in parse_results(got.content, format=RESULTS[accept])) == 5_000  # type: ignore[union-attr,misc]


def _shows(house: House, dataset: str, number: int) -> bool:
    return count(house.server, dataset) == number


def test_the_datasets_of_the_protocol_and_of_the_query_are_passed_on(
    house: House, dataset: str
) -> None:
    by_protocol = {"default-graph-uri": dataset}
    assert _counted(house.ask("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", **by_protocol)) == 20
    assert _counted(house.ask(f"SELECT (COUNT(*) AS ?n) FROM <{dataset}> {{ ?s ?p ?o }}")) == 20
    other = f"SELECT (COUNT(*) AS ?n) FROM NAMED <{dataset}> {{ ?s ?p ?o }}"
    assert _counted(house.ask(other)) == 0
    everything = _counted(house.ask("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"))
    assert everything > 20


def _counted(answer: httpx.Response) -> int:
    return int(answer.json()["results"]["bindings"][0]["n"]["value"])


@pytest.mark.parametrize(
    ("query", "slug"),
    [
        ("SELECT * { ?s ?p ", "syntax"),
        ("INSERT DATA { <urn:a> <urn:b> 1 }", "syntax"),
        ("DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }", "syntax"),
        ("DEFINE get:soft 'soft' SELECT * { ?s ?p ?o }", "syntax"),
        ("SELECT (<bif:sys_connect>() AS ?x) {}", "query-rejected"),
        ("SELECT * { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }", "federation-refused"),
    ],
)
def test_what_is_no_query_of_the_recommendation_goes_nowhere(
    query: str, slug: str, house: House
) -> None:
    refused = house.ask(query)
    assert refused.status_code == 400, refused.text
    assert refused.json()["type"].endswith(f"/{slug}")


def test_a_query_that_takes_too_long_is_a_504_and_the_next_is_answered(
    house: House, dataset: str
) -> None:
    product = " ".join(f"?a{n} ?b{n} ?c{n} ." for n in range(5))
    query = f"SELECT (COUNT(*) AS ?n) {{ {product} FILTER(CONCAT(?c0, ?c1, ?c2, ?c3) = ?c4) }}"
    begun = time.monotonic()
    cut = house.ask(query)
    assert (cut.status_code, time.monotonic() - begun < 20) == (504, True), cut.text
    assert house.ask("ASK {}").status_code == 200


def test_publishing_goes_on_while_the_store_is_away(house: House) -> None:
    dataset = house.senders.dataset("sure", "away")
    house.peer.stop()
    try:
        until(lambda: _store(house)["status"] == "away", "nobody noticed")
        sent = house.senders.send(house.server, "sure", dataset, statements("away", 3))
        assert (sent.status_code, sent.json()["state"]) == (201, "published"), sent.text
        asked = house.ask("ASK { VALUES ?never { 1 } }")
        assert asked.status_code == 503, asked.text
        assert asked.json()["type"].endswith("/store-away")
        assert int(asked.headers["retry-after"]) > 0
        assert house.server.get("/health/ready").status_code == 503
    finally:
        house.peer.start()
    until(lambda: house.server.get("/health/ready").status_code == 200, "it does not follow")
    assert count(house.server, dataset) == 3
    log = house.server.log.read_text()
    assert log.count("the store elsewhere: The store does not answer") <= 2
    assert "tiger" not in log


def _store(house: House) -> dict[str, Any]:
    told: dict[str, Any] = house.server.get("/health/ready").json()["store"]
    return told


def test_what_somebody_changed_there_is_found_and_mended(house: House, dataset: str) -> None:
    house.peer.update(f"DELETE WHERE {{ GRAPH <{dataset}> {{ <urn:first:3> ?p ?o }} }}")
    house.peer.update(f"INSERT DATA {{ GRAPH <{dataset}> {{ <urn:x> <urn:y> 'theirs' }} }}")
    found = lifetec(house.server.data_dir, "check", **house.settings)
    assert found.returncode == 1
    assert f"graph <{dataset}>: 1 quads too many, 1 missing" in found.stdout
    mended = lifetec(house.server.data_dir, "store", "rebuild", **house.settings)
    assert mended.returncode == 0, mended.stderr
    house.check()
    until(lambda: house.server.get("/health/ready").status_code == 200, "it does not go on")
    assert count(house.server, dataset) == 20


def test_a_store_of_another_service_is_refused_at_the_start(house: House, dataset: str) -> None:
    copy = lifetec(house.server.data_dir.parent / "other", "serve", **house.settings)
    assert copy.returncode == 1
    assert "another service writes there" in copy.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"skolemize": "off"}, "LIFETEC_SKOLEMIZE"),
        ({"store": "sparql+ftp://h/"}, "LIFETEC_STORE"),
        ({"store": "sparql+http://me:secret@h/"}, "LIFETEC_STORE_USER"),
        ({"store_password": "secret"}, "LIFETEC_STORE_USER"),
        ({"store_user": "me", "store_token": "secret"}, "not both"),
        ({"store": "disk", "store_user": "me"}, "LIFETEC_STORE_USER is for"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_refused(
    given: dict[str, Any], words: str, tmp_path: Path
) -> None:
    refused = lifetec(tmp_path / "var", "check", **{"store": "sparql+http://127.0.0.1:1/", **given})
    assert refused.returncode == 2
    assert words in refused.stderr
    assert "secret" not in refused.stderr
