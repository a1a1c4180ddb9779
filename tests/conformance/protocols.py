"""Sends the requests of a test, and compares what is answered with what is promised."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
from pyoxigraph import Dataset, RdfFormat, parse
from rdflib import RDFS, Namespace

from app.rdf import media
from tests.conformance.exchanges import Exchange, read_exchanges
from tests.conformance.manifests import Case
from tests.conformance.results import Solutions, read_result, same
from tests.conformance.service import Service

UT = Namespace("http://www.w3.org/2009/sparql/tests/test-update#")

_PREFIXES = """@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix v: <http://www.w3.org/2006/vcard/ns#> .
"""
"""Which some of the expected bodies leave out."""

_NO_DOT = re.compile(rb'"(?=\s*(?:--|\Z))')
_EXISTING = b"<urn:s> <urn:p> <urn:o> ."

_AFTER_POST = (
    _PREFIXES
    + """
<http://$HOST$/$GRAPHSTORE$/person/1> a foaf:Person ;
    foaf:name "Jane Doe" ;
    foaf:businessCard [ a v:VCard ; v:fn "Jane Doe" ] .
"""
)


def mended(name: str, exchange: Exchange) -> Exchange:
    """A request as its test means it; some that the manifests state cannot be as they say.

    - Statements that are posted lack the dot after them, so they are no Turtle.
    - What shall be mismatched is Turtle that is announced as Turtle, in some versions.
    - After "Jane Doe" was posted, some versions expect what was there before.
    - The same graph is named with and without `.ttl`, in some versions.
    - Two named graphs are given as one, their `&` and `=` encoded, in some versions.
    """
    test = name.rpartition("#")[2]
    target = re.sub(r"/person/1$", "/person/1.ttl", exchange.target)
    target = target.replace("%26named-graph-uri%3D", "&named-graph-uri=")
    exchange = replace(exchange, target=target)
    if test == "put__mismatched_payload":
        return replace(
            exchange, headers={**exchange.headers, "content-type": "application/rdf+xml"}
        )
    if test == "get_of_post__existing_graph":
        return replace(exchange, content=_AFTER_POST)
    if exchange.method == "POST" and test.startswith("post__"):
        return replace(exchange, body=_NO_DOT.sub(rb"\g<0> .", exchange.body))
    return exchange


class Conversation:
    """What is said on one service; `location` is where the last graph without a name went."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._host = service.server.url.partition("//")[2]
        self._location = ""

    def run(self, case: Case) -> None:
        """All requests of a test."""
        exchanges = [mended(case.name, exchange) for exchange in read_exchanges(case)]
        assert exchanges, f"{case.name} states no request"
        for graph in case.manifest.objects(case.node, UT.graphData):
            self._put(case, case.manifest.value(graph, UT.graph), case.one(graph, RDFS.label))
        if case.name.endswith("#delete__existing_graph"):  # which no test has made
            headers = {"content-type": "text/turtle", **self._service.authorization}
            target = self._place(exchanges[0].target)
            self._service.http.put(target, content=_EXISTING, headers=headers).raise_for_status()
        for exchange in exchanges:
            self._check(exchange, self._send(exchange))

    def _put(self, case: Case, file: object, name: object) -> None:
        path = case.folder / str(file).rpartition("/")[2]
        headers = {"content-type": media.of_file(path.name), **self._service.authorization}
        reply = self._service.http.put(
            "/graphs", params={"graph": str(name)}, content=path.read_bytes(), headers=headers
        )
        assert reply.is_success, reply.text

    def _place(self, text: str) -> str:
        """A text with the names of this server."""
        return (
            text.replace("/$GRAPHSTORE$", "/graphs")
            .replace("$GRAPHSTORE$", "/graphs")
            .replace("$HOST$", self._host)
            .replace("$NEWPATH$", self._location)
        )

    def _send(self, exchange: Exchange) -> httpx.Response:
        target = self._place(exchange.target)
        kind = media.bare(exchange.headers.get("content-type"))
        updates = kind == "application/sparql-update" or b"update=" in exchange.body
        if target.startswith("/sparql") and (updates or _is_update(exchange)):
            target = target.replace("/sparql", "/sparql/update", 1).replace("update/", "update")
        if "?graph=/graphs" in target:
            target = target.replace("?graph=", f"?graph=http://{self._host}")
        body = exchange.body
        if target.startswith(("/graphs", "http")):
            body = self._place(body.decode()).encode()
        reply = self._service.http.request(
            exchange.method,
            target,
            headers={**exchange.headers, **self._service.authorization},
            content=body,
        )
        if reply.status_code == httpx.codes.CREATED:
            self._location = reply.headers["location"]
        return reply

    def _check(self, exchange: Exchange, reply: httpx.Response) -> None:
        assert any(reply.status_code in one for one in exchange.statuses), (exchange, reply.text)
        kind = media.bare(reply.headers.get("content-type"))
        if exchange.media_types:
            assert kind in exchange.media_types, reply.headers
        if exchange.unlike is not None:
            found = read_result(reply.content, kind)
            assert isinstance(found, Solutions)
            (row,) = found.rows
            assert str(row["o"]) != f"<{exchange.unlike}>"
        elif exchange.content in {"true", "false"}:
            assert read_result(reply.content, kind) is (exchange.content == "true"), reply.text
        elif exchange.content:
            expected = _graph(_PREFIXES + self._place(exchange.content))
            assert same(expected, read_result(reply.content, kind), ordered=False), reply.text


def _is_update(exchange: Exchange) -> bool:
    """Whether a request without a fitting media type means an update."""
    return any(verb in exchange.body for verb in (b"CLEAR", b"C\0L\0E")) or (
        "update=" in exchange.target
    )


def _graph(text: str) -> Dataset:
    return Dataset(parse(text.encode(), format=RdfFormat.TURTLE, base_iri="http://base/"))
