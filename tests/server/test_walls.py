"""Nothing that a stranger sends makes the service call anybody, or swallow its memory."""

from __future__ import annotations

import gzip
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.listener import Listener
from tests.server.running import RunningServer, lifetec


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.close()


def test_the_listener_would_notice(listener: Listener) -> None:
    with socket.create_connection(("127.0.0.1", listener.port)) as visitor:
        visitor.recv(1)
    assert listener.visits == 1


@pytest.mark.parametrize(
    "template",
    [
        "SELECT * {{ SERVICE <http://127.0.0.1:{port}/> {{ ?a ?b ?c }} }}",
        "SELECT * {{ SERVICE SILENT <http://localhost:{port}/> {{ ?a ?b ?c }} }}",
        "ASK {{ BIND(<http://127.0.0.1:{port}/> AS ?s) service ?s {{ ?a ?b ?c }} }}",
        "SELECT * {{ \\u0053ERVICE <http://127.0.0.1:{port}/> {{ ?a ?b ?c }} }}",
        "LOAD <http://127.0.0.1:{port}/>",
    ],
)
def test_queries_reach_nobody(template: str, listener: Listener, seeded: RunningServer) -> None:
    reply = httpx.post(
        f"{seeded.url}/sparql", data={"query": template.format(port=listener.port)}, timeout=30
    )
    assert reply.status_code == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["type"].endswith("/federation-refused")
    assert listener.visits == 0


SHAPES = {
    "sparql": """ex:S a sh:NodeShape ; sh:targetClass ex:T ; sh:sparql [
        sh:select "SELECT $this {{ SERVICE <{url}> {{ $this ?p ?o }} }}" ] .""",
    "sparql-from": """ex:S a sh:NodeShape ; sh:targetClass ex:T ; sh:sparql [
        sh:select "SELECT $this FROM <{url}> {{ $this ?p ?o }}" ] .""",
    "target": """ex:S a sh:NodeShape ; sh:target [ a sh:SPARQLTarget ;
        sh:select "SELECT ?this {{ SERVICE <{url}> {{ ?this ?p ?o }} }}" ] ; sh:minCount 1 .""",
    "rule": """ex:S a sh:NodeShape ; sh:targetClass ex:T ; sh:rule [ a sh:SPARQLRule ;
        sh:construct "CONSTRUCT {{ $this a ex:U }} {{ SERVICE <{url}> {{ $this ?p ?o }} }}" ] .""",
    "imports": """<http://example.org/> a owl:Ontology ; owl:imports <{url}> .""",
    "js": """ex:S a sh:NodeShape ; sh:targetClass ex:T ; sh:js [
        sh:jsLibrary [ sh:jsLibraryURL "{url}"^^xsd:anyURI ] ; sh:jsFunctionName "f" ] .""",
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_strangers_shapes_reach_nobody(kind: str, listener: Listener, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{listener.port}/"
    shapes, data = tmp_path / "shapes.ttl", tmp_path / "data.ttl"
    prefixes = """@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix ex: <http://example.org/> .
        @prefix owl: <http://www.w3.org/2002/07/owl#> .
        @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"""
    shapes.write_text(prefixes + SHAPES[kind].format(url=url))
    data.write_text("@prefix ex: <http://example.org/> . ex:a a ex:T ; ex:p 1 .")
    done = lifetec(tmp_path / "var", "validate", data, "--shapes", shapes)
    assert listener.visits == 0
    assert "Traceback" not in done.stderr
    if kind not in {"imports", "js"}:
        assert done.returncode == 1
        assert "would read from other" in " ".join(done.stderr.split())


def _gzip_bomb(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=9) as file:
        zeros = b"# " + b"0" * (1 << 20) + b"\n"
        for _ in range(1024):
            file.write(zeros)


HOSTILE = {
    "entities.rdf": (
        b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">"""
        b"""<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><rdf:RDF """
        b"""xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">"""
        b"""<rdf:Description rdf:about="http://x"><e:p>&b;</e:p></rdf:Description></rdf:RDF>""",
        "entity declarations",
    ),
    "remote.jsonld": (
        b'{"@context": "http://127.0.0.1:%d/context", "@id": "http://a", "http://b": "c"}',
        "context is not fetched",
    ),
    "deep.ttl": (
        b"<http://a> <http://b> " + b"(" * 200_000 + b")" * 200_000 + b" .",
        "blank nodes hang together",
    ),
    "deep.jsonld": (
        b'{"@id":"http://a","http://p":' * 50_000 + b"1" + b"}" * 50_000,
        "nested deeper",
    ),
    "bomb.ttl.gz": (None, "when unpacked"),
    "latin1.ttl": ('<http://a> <http://b> "é" .'.encode("latin-1"), "UTF-8"),
    "broken.ttl": (b'<http://a> <http://b> "x" .\n<http://a> foo:b "x" .', "line 2 column 12"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_bounded_memory(
    name: str, listener: Listener, tmp_path: Path, bare: dict[str, Any]
) -> None:
    content, words = HOSTILE[name]
    file = tmp_path / name
    if content is None:
        _gzip_bomb(file)
    else:
        file.write_bytes(content.replace(b"%d", str(listener.port).encode()))
    done = lifetec(
        tmp_path / "var", "load", file, "--dataset", "http://example.org/d", **bare,
        submission_memory_mb=1024,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert listener.visits == 0
    most_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert most_kb < 2 * 1024 * 1024
    checked = lifetec(tmp_path / "var", "check", **bare)
    assert checked.returncode == 0
    assert "0 commits" in checked.stdout
