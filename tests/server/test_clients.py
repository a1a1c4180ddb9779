"""Real SPARQL clients against a running server, in every format that they ask for."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
from typing import Any

import pytest
import rdflib
import SPARQLWrapper
from pyoxigraph import RdfFormat, parse
from rdflib.plugins.stores.sparqlstore import SPARQLStore

from tests.server.running import RunningServer

KU_LEUVEN = "https://w3id.org/lifetec/id/organisation/ror-05f950310"
LABEL = "PREFIX skos: <http://www.w3.org/2004/02/skos/core#> "
SELECT = f"{LABEL} SELECT ?name {{ <{KU_LEUVEN}> skos:prefLabel ?name }}"
ASK = f"{LABEL} ASK {{ <{KU_LEUVEN}> skos:prefLabel ?name }}"
CONSTRUCT = f"{LABEL} CONSTRUCT WHERE {{ <{KU_LEUVEN}> skos:prefLabel ?name }}"
DESCRIBE = f"DESCRIBE <{KU_LEUVEN}>"


def _curl(server: RunningServer, query: str, accept: str, *more: str) -> tuple[str, bytes]:
    """The content type and body of a GET by curl."""
    curl = shutil.which("curl")
    assert curl, "curl is needed"
    words = ["--silent", "--fail-with-body", "--get", "--include", "--header", f"Accept: {accept}"]
    asked = ["--data-urlencode", f"query={query}", *more, f"{server.url}/sparql"]
    done = subprocess.run(
        [curl, *words, *asked],
        capture_output=True,
        timeout=60,
        check=True,
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    types = [
        line for line in head.decode().split("\r\n") if line.lower().startswith("content-type")
    ]
    return types[0].partition(": ")[2], body


@pytest.mark.parametrize(
    ("accept", "content_type", "name_in"),
    [
        (
            "application/sparql-results+json",
            "application/sparql-results+json",
            lambda body: json.loads(body)["results"]["bindings"][0]["name"]["value"],
        ),
        (
            "application/json",
            "application/json",
            lambda body: json.loads(body)["results"]["bindings"][0]["name"]["value"],
        ),
        (
            "application/sparql-results+xml",
            "application/sparql-results+xml",
            lambda body: ET.fromstring(body)[1][0][0][0].text,
        ),
        ("text/csv", "text/csv; charset=utf-8", lambda body: body.decode().split("\r\n")[1]),
        (
            "text/tab-separated-values",
            "text/tab-separated-values; charset=utf-8",
            lambda body: body.decode().split("\n")[1].strip('"'),
        ),
        (
            "text/csv;q=0.1, application/sparql-results+json;q=0.9",
            "application/sparql-results+json",
            lambda body: json.loads(body)["results"]["bindings"][0]["name"]["value"],
        ),
    ],
)
def test_curl_select(accept: str, content_type: str, name_in: Any, seeded: RunningServer) -> None:
    assert (got := _curl(seeded, SELECT, accept))[0] == content_type
    assert name_in(got[1]) == "KU Leuven"


def test_curl_finds_the_columns_in_the_order_of_the_query(seeded: RunningServer) -> None:
    query = f"{LABEL} SELECT * {{ ?who skos:prefLabel ?name FILTER(?who = <{KU_LEUVEN}>) }}"
    assert _curl(seeded, query, "text/csv")[1].decode() == f"who,name\r\n{KU_LEUVEN},KU Leuven\r\n"


@pytest.mark.parametrize(
    ("accept", "rdf_format"),
    [
        ("text/turtle", RdfFormat.TURTLE),
        ("application/n-triples", RdfFormat.N_TRIPLES),
        ("application/ld+json", RdfFormat.JSON_LD),
        ("application/rdf+xml", RdfFormat.RDF_XML),
    ],
)
@pytest.mark.parametrize("query", [CONSTRUCT, DESCRIBE])
def test_curl_graphs(query: str, accept: str, rdf_format: RdfFormat, seeded: RunningServer) -> None:
    content_type, body = _curl(seeded, query, accept)
    assert content_type.split(";")[0] == accept
    objects = {getattr(quad.object, "value", "") for quad in parse(input=body, format=rdf_format)}
    assert "KU Leuven" in objects


def test_curl_ask_and_protocol_dataset(seeded: RunningServer) -> None:
    accept = "application/sparql-results+json"
    assert json.loads(_curl(seeded, ASK, accept)[1])["boolean"] is True
    ror = ["--data-urlencode", "default-graph-uri=https://w3id.org/lifetec/graph/lifetec/ror"]
    assert json.loads(_curl(seeded, ASK, accept, *ror)[1])["boolean"] is True
    other = ["--data-urlencode", "default-graph-uri=https://w3id.org/lifetec/graph/lifetec/emdn"]
    assert json.loads(_curl(seeded, ASK, accept, *other)[1])["boolean"] is False
    named = ["--data-urlencode", "named-graph-uri=https://w3id.org/lifetec/graph/lifetec/ror"]
    within = f"{LABEL} ASK {{ GRAPH ?g {{ <{KU_LEUVEN}> skos:prefLabel ?name }} }}"
    assert json.loads(_curl(seeded, within, accept, *named)[1])["boolean"] is True
    assert json.loads(_curl(seeded, ASK, accept, *named)[1])["boolean"] is False


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # inside SPARQLWrapper
@pytest.mark.parametrize("method", [SPARQLWrapper.GET, SPARQLWrapper.POST])
@pytest.mark.parametrize("posted", [SPARQLWrapper.URLENCODED, SPARQLWrapper.POSTDIRECTLY])
@pytest.mark.parametrize(
    ("query", "wanted", "found"),
    [
        (
            SELECT,
            SPARQLWrapper.JSON,
            lambda r: r["results"]["bindings"][0]["name"]["value"] == "KU Leuven",
        ),
        (SELECT, SPARQLWrapper.XML, lambda r: "KU Leuven" in r.toxml()),
        (SELECT, SPARQLWrapper.CSV, lambda r: b"KU Leuven" in r),
        (SELECT, SPARQLWrapper.TSV, lambda r: b"KU Leuven" in r),
        (ASK, SPARQLWrapper.JSON, lambda r: r["boolean"] is True),
        (CONSTRUCT, SPARQLWrapper.TURTLE, lambda r: b"KU Leuven" in r),
        (CONSTRUCT, SPARQLWrapper.RDFXML, lambda r: len(r) == 1),
        (CONSTRUCT, SPARQLWrapper.JSONLD, lambda r: len(r) == 1),
        (DESCRIBE, SPARQLWrapper.RDFXML, lambda r: len(r) > 10),
    ],
)
def test_sparqlwrapper(  # noqa: PLR0917 -- a table
    query: str, wanted: str, found: Any, method: str, posted: str, seeded: RunningServer
) -> None:
    client = SPARQLWrapper.SPARQLWrapper(f"{seeded.url}/sparql")
    client.setMethod(method)
    client.setRequestMethod(posted)
    client.setQuery(query)
    client.setReturnFormat(wanted)
    client.setOnlyConneg(True)
    assert found(client.query().convert())


@pytest.mark.parametrize("method", ["GET", "POST", "POST_FORM"])
@pytest.mark.parametrize("wanted", ["xml", "json", "csv", "tsv"])
def test_rdflib_store_select(wanted: str, method: Any, seeded: RunningServer) -> None:
    store = SPARQLStore(f"{seeded.url}/sparql", returnFormat=wanted, method=method)
    graph = rdflib.Graph(store)
    names = [str(row[0]) for row in graph.query(SELECT)]  # type: ignore[index]
    assert names == ["KU Leuven"]


def test_rdflib_store_reads_the_graph(seeded: RunningServer) -> None:
    graph = rdflib.Graph(SPARQLStore(f"{seeded.url}/sparql", returnFormat="json"))
    name = graph.value(rdflib.URIRef(KU_LEUVEN), rdflib.SKOS.prefLabel)
    assert str(name) == "KU Leuven"
    assert len(list(graph.triples((rdflib.URIRef(KU_LEUVEN), None, None)))) > 10
    described = graph.query(DESCRIBE).graph
    assert described is not None
    assert len(described) > 10


def test_preflight_and_headers_for_browsers(seeded: RunningServer) -> None:
    import httpx  # noqa: PLC0415

    asked = httpx.options(
        f"{seeded.url}/sparql",
        headers={"origin": "https://example.org", "access-control-request-method": "POST"},
    )
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "*"
    assert "POST" in asked.headers["access-control-allow-methods"]
    got = httpx.get(f"{seeded.url}/sparql", params={"query": ASK})
    assert got.headers["access-control-allow-origin"] == "*"
    assert "Accept" in got.headers["vary"]
