"""The service as the suites see it: an empty one, over HTTP, with an administrator's key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
from pyoxigraph import (
    BlankNode,
    DefaultGraph,
    NamedNode,
    Quad,
    RdfFormat,
    Triple,
    parse,
    serialize,
)

from app.accounts import Accounts, Role
from app.rdf import media
from app.service import open_database
from app.settings import Settings
from tests.conformance.results import Result, Solutions, read_result
from tests.server.conftest import bare_in
from tests.server.running import RunningServer

GraphName = NamedNode | BlankNode | DefaultGraph

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
        insertions = [_insertion(quads) for quads in _files(default, named)]
        reply = self.update("\n".join(["DROP ALL;", *insertions]))
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


def _insertion(quads: Iterable[Quad]) -> str:
    """One INSERT DATA, in which a blank node is the same one in every graph."""
    graphs: dict[GraphName, list[Triple]] = {}
    for quad in quads:
        graphs.setdefault(quad.graph_name, []).append(quad.triple)
    blocks = []
    for name, triples in graphs.items():
        text = serialize(triples, format=RdfFormat.N_TRIPLES)
        assert text is not None
        statements = text.decode()
        blocks.append(
            statements if isinstance(name, DefaultGraph) else f"GRAPH {name} {{ {statements} }}"
        )
    return f"INSERT DATA {{ {' '.join(blocks)} }};"


def expected_quads(
    default: list[tuple[Path, str]], named: Mapping[str, tuple[Path, str]]
) -> Iterator[Quad]:
    """What a service shall hold, from files."""
    return chain.from_iterable(_files(default, named))


def _files(
    default: list[tuple[Path, str]], named: Mapping[str, tuple[Path, str]]
) -> Iterator[Iterable[Quad]]:
    """The statements of each file. One for the default graph may have named ones too, as TriG."""
    for path, base in default:
        yield parse(path=path, base_iri=base)
    for name, (path, base) in named.items():
        graph = NamedNode(name)
        found = parse(path=path, base_iri=base)
        yield [Quad(quad.subject, quad.predicate, quad.object, graph) for quad in found]


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
