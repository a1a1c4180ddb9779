"""The service as the suites see it: an empty one, over HTTP, with an administrator's key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, parse, serialize

from app.accounts import Accounts, Role
from app.rdf import media
from app.service import open_database
from app.settings import Settings
from tests.conformance.results import Result, Solutions, read_result
from tests.server.conftest import bare_in
from tests.server.running import RunningServer

SETTINGS: dict[str, Any] = {
    "default_graph": "plain",
    "skolemize": "off",
    "rate_limits": "off",
    "validate_rate": "1000000/minute",
}
"""How a service must run to be a SPARQL service and nothing more."""

RESERVED = "https://w3id.org/lifetec/graph/service"

_EVERYTHING = f"""SELECT ?g ?s ?p ?o {{
    {{ ?s ?p ?o }} UNION {{ GRAPH ?g {{ ?s ?p ?o }} FILTER (?g != <{RESERVED}>) }}
}}"""


class Service:
    """What a client of the suites does."""

    def __init__(self, server: RunningServer, key: str) -> None:
        self.server = server
        self.authorization = {"authorization": f"Bearer {key}"}
        self.http = httpx.Client(base_url=server.url, timeout=60)

    def ask(self, query: str, accept: str, **parameters: str) -> httpx.Response:
        """One query operation, by direct POST."""
        headers = {"content-type": "application/sparql-query", "accept": accept}
        return self.http.post("/sparql", content=query.encode(), params=parameters, headers=headers)

    def update(self, text: str, **parameters: str) -> httpx.Response:
        """One update operation, by direct POST."""
        headers = {"content-type": "application/sparql-update", **self.authorization}
        return self.http.post(
            "/sparql/update", content=text.encode(), params=parameters, headers=headers
        )

    def hold(self, default: list[tuple[Path, str]], named: Mapping[str, tuple[Path, str]]) -> None:
        """Have the service hold these files and nothing else; each comes with its base IRI."""
        text = ["DROP ALL;"]
        for path, base in default:
            text.append(f"INSERT DATA {{ {_statements(path, base)} }};")
        for name, (path, base) in named.items():
            text.append(f"INSERT DATA {{ GRAPH <{name}> {{ {_statements(path, base)} }} }};")
        reply = self.update("\n".join(text))
        assert reply.status_code == 200, reply.text

    def held(self) -> Iterator[Quad]:
        """All that the service holds."""
        found = self.result(self.ask(_EVERYTHING, media.RESULTS_JSON))
        assert isinstance(found, Solutions)
        for row in found.rows:
            yield Quad(row["s"], row["p"], row["o"], row.get("g", DefaultGraph()))  # type: ignore[arg-type]

    def result(self, reply: httpx.Response) -> Result:
        """What a query was answered with."""
        assert reply.status_code == 200, reply.text
        return read_result(reply.content, media.bare(reply.headers["content-type"]))


def _statements(path: Path, base_iri: str) -> str:
    triples = [quad.triple for quad in parse(path=path, base_iri=base_iri)]
    text = serialize(triples, format=RdfFormat.N_TRIPLES)
    assert text is not None
    return text.decode()


def expected_quads(
    default: list[tuple[Path, str]], named: Mapping[str, tuple[Path, str]]
) -> Iterator[Quad]:
    """What a service shall hold, from files."""
    for path, base in default:
        yield from parse(path=path, base_iri=base)
    for name, (path, base) in named.items():
        for quad in parse(path=path, base_iri=base):
            yield Quad(quad.subject, quad.predicate, quad.object, NamedNode(name))


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    """A service without data, shapes and ontology; `folder` is empty."""
    settings = {**bare_in(folder), **SETTINGS}
    data = folder / "var"
    of_service = Settings(data_dir=data, **settings)
    with closing(open_database(of_service)) as database:
        key = Accounts(database, of_service.base_iri).issue_key(Role.ADMIN).text
    with RunningServer(data, **settings) as server:
        one = Service(server, key)
        with one.http:
            yield one
