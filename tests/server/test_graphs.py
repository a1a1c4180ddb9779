"""Whole graphs over the Graph Store Protocol."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from pyoxigraph import RdfFormat, parse

from tests.server.running import RunningServer

ROR = "https://w3id.org/lifetec/graph/lifetec/ror"


@pytest.mark.parametrize(
    ("accept", "rdf_format"),
    [
        ("text/turtle", RdfFormat.TURTLE),
        ("application/n-triples", RdfFormat.N_TRIPLES),
        ("application/ld+json", RdfFormat.JSON_LD),
        ("application/rdf+xml", RdfFormat.RDF_XML),
    ],
)
def test_a_dataset_as_one_graph(accept: str, rdf_format: RdfFormat, seeded: RunningServer) -> None:
    reply = seeded.get(f"/graphs?graph={quote(ROR, safe='')}", accept=accept)
    assert reply.status_code == 200
    assert reply.headers["content-type"].split(";")[0] == accept
    assert reply.headers["access-control-allow-origin"] == "*"
    found = {str(quad.triple) for quad in parse(input=reply.content, format=rdf_format)}
    rows = seeded.select(f"SELECT (COUNT(*) AS ?n) {{ GRAPH <{ROR}> {{ ?s ?p ?o }} }}")
    assert len(found) == int(rows[0]["n"]) > 15_000


def test_head_absence_and_refusals(seeded: RunningServer) -> None:
    head = httpx.head(f"{seeded.url}/graphs", params={"graph": ROR})
    assert (head.status_code, head.content) == (200, b"")
    for query, status, kind in (
        ("graph=http%3A%2F%2Fexample.org%2Fnone", 404, "not-found"),
        ("graph=none", 400, "invalid-request"),
        ("", 400, "invalid-request"),
    ):
        reply = seeded.get(f"/graphs?{query}")
        assert reply.status_code == status
        assert reply.json()["type"].endswith(f"/{kind}")
    written = httpx.put(f"{seeded.url}/graphs?default", content=b"")
    assert (written.status_code, written.headers["www-authenticate"]) == (401, "Bearer")
    patched = httpx.patch(f"{seeded.url}/graphs?default", content=b"")
    assert patched.status_code == 405
    assert {"GET", "PUT", "DELETE"} <= set(patched.headers["allow"].split(", "))


def test_the_default_graph_is_the_union(seeded: RunningServer) -> None:
    reply = seeded.get("/graphs?default", accept="application/n-triples")
    triples = {str(quad.triple) for quad in parse(input=reply.content, format=RdfFormat.N_TRIPLES)}
    rows = seeded.select("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }")
    assert len(triples) == int(rows[0]["n"])
