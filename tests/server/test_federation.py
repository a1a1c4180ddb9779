"""SERVICE with real endpoints on this machine: what comes back, and what is never reached."""

from __future__ import annotations

import contextlib
import json
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from pyoxigraph import QueryResultsFormat, QuerySolutions, RdfFormat, Store

from tests.server.conftest import bare_in
from tests.server.listener import Listener
from tests.server.running import RunningServer, lifetec

SECONDS = 2
ROWS = 50
RESULTS = "application/sparql-results+json"
P = "http://example.org/p"
DATA = """
    <http://example.org/a> <http://example.org/p> "one" .
    <http://example.org/b> <http://example.org/p> "two\\\\u0041 \\"{}\\""@en .
    <http://example.org/x> <http://example.org/q> _:n .
    <http://example.org/y> <http://example.org/q> _:n .
    _:n <http://example.org/p> "SERVICE <http://x/> {" .
"""


class Endpoint(ThreadingHTTPServer):
    """A SPARQL endpoint with some data, and with all that an endpoint may do wrong."""

    daemon_threads = True

    def __init__(self, elsewhere: int, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.elsewhere = f"http://127.0.0.1:{elsewhere}/sparql"
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.store = Store()
        self.store.bulk_load(DATA.encode(), format=RdfFormat.TURTLE)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def iri(self, path: str, host: str = "127.0.0.1") -> str:
        """An address of it."""
        return f"http://{host}:{self.server_port}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer as the path says."""
        body = self.rfile.read(int(self.headers["content-length"]))
        query = parse_qs(body.decode())["query"][0]
        self.server.asked.append(query)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, f"_{self.path.strip('/')}")(query)

    def _reply(self, body: bytes, status: int = 200, kind: str = RESULTS, **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _sparql(self, query: str) -> None:
        found = self.server.store.query(query)
        assert isinstance(found, QuerySolutions)
        made = found.serialize(format=QueryResultsFormat.JSON)
        assert made is not None
        self._reply(made)

    def _slow(self, query: str) -> None:
        server = self.server
        with server.lock:
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        time.sleep(0.3)
        with server.lock:
            server.at_once -= 1
        self._sparql(query)

    def _never(self, _: str) -> None:
        time.sleep(2 * SECONDS)

    def _endless(self, _: str) -> None:
        self.send_response(200)
        self.send_header("content-type", RESULTS)
        self.end_headers()
        while True:
            self.wfile.write(b" " * 65_536)

    def _redirect(self, _: str) -> None:
        self._reply(b"", 307, location=self.server.elsewhere)

    def _fails(self, _: str) -> None:
        self._reply(b"no", 500)

    def _page(self, _: str) -> None:
        self._reply(b"<p>Welcome", kind="text/html")

    def _packed(self, _: str) -> None:
        self._reply(b"x", content_encoding="gzip")

    def _broken(self, _: str) -> None:
        self._reply(b'{"head":{"vars":["a"]},"results":{"bindings":[{"a"')

    def _injecting(self, _: str) -> None:
        self._reply(
            b'{"head":{"vars":["a) {} } SERVICE <http://x/> {"]},"results":{"bindings":[]}}'
        )

    def _boolean(self, _: str) -> None:
        self._reply(b'{"head":{},"boolean":true}')

    def _many(self, _: str) -> None:
        rows = [{"a": {"type": "literal", "value": str(n)}} for n in range(ROWS + 1)]
        self._reply(json.dumps({"head": {"vars": ["a"]}, "results": {"bindings": rows}}).encode())


WRONG = {
    "never": "no answer within",
    "endless": "more to say than 64 kB",
    "redirect": "sends on",
    "fails": "status 500",
    "page": "did not answer with",
    "packed": "compressed",
    "broken": "cannot be used",
    "injecting": "cannot be used",
    "boolean": "no rows",
    "many": f"more than {ROWS} rows",
}


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with Listener() as one:
        yield one


@pytest.fixture(scope="module")
def endpoint(listener: Listener) -> Iterator[Endpoint]:
    one = Endpoint(listener.port)
    yield one
    one.shutdown()
    one.server_close()


def serving(root: Path, listed: list[str], **settings: Any) -> RunningServer:
    given = {
        **bare_in(root),
        "service_endpoints": ", ".join(listed),
        "service_seconds": SECONDS,
        "service_kb": 64,
        "service_rows": ROWS,
        "service_at_once": 2,
        **settings,
    }
    data = root / "own.nt"
    data.write_text(f'<http://example.org/a> <{P}> "own" .\n')
    loaded = lifetec(root / "var", "load", data, "--dataset", "http://example.org/own", **given)
    assert loaded.returncode == 0, loaded.stderr
    return RunningServer(root / "var", **given)


@pytest.fixture(scope="module")
def federated(
    tmp_path_factory: pytest.TempPathFactory, endpoint: Endpoint
) -> Iterator[RunningServer]:
    """A server that may call the endpoint, though it is on this machine."""
    listed = [endpoint.iri(path) for path in ("sparql", "slow", *WRONG)]
    listed.append(endpoint.iri("sparql", "localhost"))
    root = tmp_path_factory.mktemp("federated")
    with serving(root, listed, service_private="on") as server:
        yield server


def ask(server: RunningServer, query: str) -> httpx.Response:
    return httpx.post(f"{server.url}/sparql", data={"query": query}, timeout=30)


def test_a_block_is_joined_with_the_rest(federated: RunningServer, endpoint: Endpoint) -> None:
    rows = federated.select(
        f"PREFIX e: <http://example.org/>\nPREFIX at: <{endpoint.iri('')}>\n"
        "SELECT * { ?s e:p ?own SERVICE at:sparql { ?s e:p ?theirs FILTER(?theirs != 'x') } }"
    )
    assert rows == [{"s": "http://example.org/a", "own": "own", "theirs": "one"}]
    assert endpoint.asked[-1].startswith("BASE <https://w3id.org/lifetec/>\nPREFIX e: ")


def test_terms_come_as_they_are(federated: RunningServer, endpoint: Endpoint) -> None:
    iri = endpoint.iri("sparql", "localhost")
    reply = ask(federated, f"SELECT * {{ SERVICE <{iri}> {{ <http://example.org/b> <{P}> ?o }} }}")
    assert reply.json()["results"]["bindings"] == [
        {"o": {"type": "literal", "value": 'two\\u0041 "{}"', "xml:lang": "en"}}
    ]
    (row,) = federated.select(
        f"SELECT (COUNT(*) AS ?n) {{ SERVICE <{iri}> {{ ?s <{P}> 'SERVICE <http://x/> {{' }} }}"
    )
    assert row == {"n": "1"}


def test_a_blank_node_is_equal_to_itself_only(federated: RunningServer, endpoint: Endpoint) -> None:
    block = f"SERVICE <{endpoint.iri('sparql')}> {{ ?s <http://example.org/q> ?N }}"
    query = f"SELECT * {{ {block.replace('N', 'one')} {block.replace('N', 'two')} }}"
    rows = federated.select(query)
    assert len(rows) == 2
    assert len({row["one"] for row in rows}) == len({row["two"] for row in rows}) == 1
    assert {row["one"] for row in rows} != {row["two"] for row in rows}
    assert rows[0]["one"].startswith("https://w3id.org/lifetec/.well-known/genid/")
    assert federated.select(query)[0]["one"] != rows[0]["one"]


def test_a_block_cannot_see_what_is_bound_outside(
    federated: RunningServer, endpoint: Endpoint
) -> None:
    block = f"SERVICE <{endpoint.iri('sparql')}> {{ ?s <{P}> ?o FILTER(!BOUND(?outer)) }}"
    assert len(federated.select(f"SELECT * {{ BIND(1 AS ?outer) {block} }}")) == 3


def test_a_block_without_variables_keeps_or_ends_all(
    federated: RunningServer, endpoint: Endpoint
) -> None:
    for value, count in (("one", 1), ("nothing", 0)):
        block = f"SERVICE <{endpoint.iri('sparql')}> {{ <http://example.org/a> <{P}> '{value}' }}"
        assert len(federated.select(f"SELECT * {{ ?s ?p 'own' {block} }}")) == count


def test_nobody_is_called_for_what_is_no_query(
    federated: RunningServer, endpoint: Endpoint
) -> None:
    before = len(endpoint.asked)
    block = f"SERVICE <{endpoint.iri('sparql')}> {{\n?s ?p\n?o }}"
    reply = ask(federated, f"SELECT * {{ {block}\n?s oops ?o }}")
    assert reply.status_code == 400
    problem = reply.json()
    assert problem["type"].endswith("problem/syntax")
    assert problem["line"] == 4
    assert len(endpoint.asked) == before


@pytest.mark.parametrize("path", WRONG)
def test_what_an_endpoint_does_wrong_is_told(
    path: str, federated: RunningServer, endpoint: Endpoint, listener: Listener
) -> None:
    iri = endpoint.iri(path)
    began = time.monotonic()
    failed = ask(federated, f"SELECT * {{ SERVICE <{iri}> {{ ?a ?b ?c }} }}")
    assert failed.status_code == 502, failed.text
    assert time.monotonic() - began < SECONDS + 1
    assert failed.json()["type"].endswith("/service-failed")
    assert failed.json()["endpoint"] == iri
    assert WRONG[path] in failed.json()["detail"]
    silent = f"SELECT * {{ ?s ?p 'own' SERVICE SILENT <{iri}> {{ ?a ?b ?c }} }}"
    if path != "never":  # as long as the first
        assert len(federated.select(silent)) == 1
    assert listener.visits == 0


def test_only_so_many_calls_are_made_at_one_time(
    federated: RunningServer, endpoint: Endpoint
) -> None:
    block = f"SERVICE <{endpoint.iri('slow')}> {{ ?s <{P}> ?o }}"
    endpoint.most_at_once = 0
    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda _: ask(federated, f"ASK {{ {block} }}"), range(6)))
    assert [reply.status_code for reply in replies] == [200] * 6
    assert endpoint.most_at_once == 2


def test_an_answer_of_others_is_not_kept(federated: RunningServer, endpoint: Endpoint) -> None:
    query = f"SELECT * {{ SERVICE <{endpoint.iri('sparql')}> {{ ?kept <{P}> ?o }} }}"
    before = len(endpoint.asked)
    replies = [ask(federated, query) for _ in range(3)]
    assert len(endpoint.asked) == before + 3
    assert all("etag" not in reply.headers for reply in replies)


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[tuple[Endpoint, Path]]:
    """An endpoint behind TLS, whose certificate is for localhost, and that certificate."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = "subjectAltName=DNS:localhost"
    subprocess.run(
        ["openssl", *made.split(), "-addext", names, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    one = Endpoint(0, context)
    yield one, certificate
    one.shutdown()
    one.server_close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_a_certificate_is_checked_against_the_name_on_the_list(
    encrypted: tuple[Endpoint, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, certificate = encrypted
    named, unnamed = (
        endpoint.iri("sparql", host).replace("http:", "https:")
        for host in ("localhost", "127.0.0.1")
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(tmp_path, [named, unnamed], service_private="on") as server:
        asked = [
            ask(server, f"ASK {{ SERVICE <{iri}> {{ ?a ?b ?c }} }}") for iri in (named, unnamed)
        ]
        assert [reply.status_code for reply in asked] == [200, 502]
    assert len(endpoint.asked) == 1


def test_private_addresses_are_not_called(
    endpoint: Endpoint, listener: Listener, tmp_path: Path
) -> None:
    hosts = ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0")
    listed = [f"http://{host}:{listener.port}/sparql" for host in hosts]
    listed.append("http://169.254.169.254/sparql")
    with serving(tmp_path, listed) as server:
        for iri in listed:
            reply = ask(server, f"SELECT * {{ SERVICE <{iri}> {{ ?a ?b ?c }} }}")
            assert reply.status_code == 502, reply.text
            assert "not public" in reply.json()["detail"]
        unlisted = ask(server, f"ASK {{ SERVICE <{endpoint.iri('sparql')}> {{ ?a ?b ?c }} }}")
        assert unlisted.status_code == 400
        assert unlisted.json()["type"].endswith("/federation-refused")
        lines = [
            json.loads(one) for one in server.log.read_text().splitlines() if one.startswith("{")
        ]
        assert [one["reason"] for one in lines] == ["service-failed"] * len(listed) + [
            "federation-refused"
        ]
    assert listener.visits == 0
