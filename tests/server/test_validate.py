"""`POST /api/v1/validate` on a real server with a small seed."""

from __future__ import annotations

import csv
import gzip
import io
import json
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyoxigraph import Quad, RdfFormat, parse, serialize

from app.rdf import media
from app.rdf.terms import SH
from tests.server.listener import Listener
from tests.server.running import ROOT, RunningServer, lifetec

VALIDATE = "/api/v1/validate"
PROBLEM = "https://w3id.org/lifetec/problem/"
BASE = "https://w3id.org/lifetec/"
PREFIXES = """@prefix adms: <http://www.w3.org/ns/adms#> .
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix e: <http://example.org/> .
@prefix locn: <http://www.w3.org/ns/locn#> .
@prefix lt: <https://w3id.org/lifetec/ontology#> .
@prefix org: <http://www.w3.org/ns/org#> .
@prefix prov: <http://www.w3.org/ns/prov#> .
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@base <https://w3id.org/lifetec/> .
"""
FIRST_LINE = PREFIXES.count("\n") + 1
SEED = f"""{PREFIXES}
<graph/demo/all> a dcat:Dataset ; dcterms:title "Demo"@en ; dcterms:description "For a test."@en ;
  dcterms:publisher <id/partner/demo> ;
  dcterms:license <http://publications.europa.eu/resource/authority/licence/CC0> .
<id/partner/demo> a prov:Agent ; skos:prefLabel "Demo" .
<id/organisation/demo-1> a org:Organization ; skos:prefLabel "Invented Institute of Optics"@en .
<id/organisation/demo-2> a org:Organization ; skos:prefLabel "Invented Hospital"@en .
"""
PATCH = """<id/technology/demo-patch> a lt:Technology ;
  skos:prefLabel "Invented patch"@en ; dcterms:creator <id/organisation/demo-1> ;
  dcterms:description "A patch that nobody has made."@en ; lt:trl {trl} .
"""
WRONG = (PREFIXES + PATCH.format(trl=12)).encode()
RIGHT = (PREFIXES + PATCH.format(trl=4)).encode()
OWN = f"""{PREFIXES}
e:S a sh:NodeShape ; sh:targetClass e:T ;
  sh:property [ sh:path e:n ; sh:datatype xsd:positiveInteger ; sh:minCount 1 ] ;
  sh:property [ sh:path e:b ; sh:nodeKind sh:BlankNode ] .
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with our shapes and two organisations, which nobody limits by number."""
    root = tmp_path_factory.mktemp("validate")
    for name in ("ontology_dir", "seed_dir"):
        (root / name).mkdir()
    for name in ("lifetec", "profile", "schemes"):
        text = (ROOT / "ontology" / f"{name}.ttl").read_text("utf-8")
        (root / "ontology_dir" / f"{name}.ttl").write_text(text, "utf-8")
    partners = (ROOT / "data" / "partners.ttl").read_text("utf-8")
    (root / "seed_dir" / "partners.ttl").write_text(partners, "utf-8")
    (root / "seed_dir" / "demo.ttl").write_text(SEED, "utf-8")
    settings = {
        "ontology_dir": root / "ontology_dir",
        "seed_dir": root / "seed_dir",
        "validate_rate": "100000/minute",
        "validate_mb": 1,
        "validate_seconds": 8,
        "validate_memory_mb": 1024,
    }
    with RunningServer(root / "var", **settings) as one:
        before = one.get("/health/ready").json()
        yield one
        after = one.get("/health/ready").json()
        for number in ("generation", "published"):
            assert after[number] == before[number], "checking has published something"


def post(
    server: RunningServer,
    data: bytes = WRONG,
    media_type: str | None = media.TURTLE,
    query: str = "",
    **headers: str,
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if media_type is not None:
        named["content-type"] = media_type
    return httpx.post(f"{server.url}{VALIDATE}{query}", content=data, headers=named, timeout=60)


def form(server: RunningServer, *parts: tuple[str, Any], query: str = "") -> httpx.Response:
    return httpx.post(f"{server.url}{VALIDATE}{query}", files=list(parts), timeout=60)


def group(report: dict[str, Any], constraint: str) -> dict[str, Any]:
    found = [one for one in report["groups"] if one["constraint"] == constraint]
    assert len(found) == 1, report
    only: dict[str, Any] = found[0]
    return only


# ways in


def written(media_type: str) -> bytes:
    data = serialize(
        [quad.triple for quad in parse(WRONG, RdfFormat.TURTLE)],
        format=media.RDF_FORMATS[media_type],
    )
    assert data is not None
    return data


@pytest.mark.parametrize("packed", ["plain", "encoding", "file"])
@pytest.mark.parametrize("media_type", media.RDF_FORMATS)
def test_every_syntax_is_read_as_body_and_as_form(
    media_type: str, packed: str, server: RunningServer
) -> None:
    data = written(media_type)
    sent = data if packed == "plain" else gzip.compress(data)
    headers = {"content_encoding": "gzip"} if packed == "encoding" else {}
    by_body = post(server, sent, media_type, **headers)
    suffix = next(s for s, name in media.SUFFIXES.items() if name == media_type)
    name = f"data.{suffix}" + (".gz" if packed == "file" else "")
    if packed == "file":
        by_form = form(server, ("file", (name, sent, "application/gzip")))
    else:
        request = httpx.Request("POST", server.url, files=[("file", (name, data, media_type))])
        content = request.read()
        by_form = post(
            server,
            gzip.compress(content) if packed == "encoding" else content,
            request.headers["content-type"],
            **headers,
        )
    for reply in (by_body, by_form):
        assert reply.status_code == 200, reply.text
        report = reply.json()
        assert report["conforms"] is False
        assert report["counts"]["violation"] == 1
        result = group(report, "MaxInclusive")["results"][0]
        assert result["entity"] == f"{BASE}id/technology/demo-patch"
    assert group(by_form.json(), "MaxInclusive")["results"][0].get("file", name) == name


def test_files_of_several_syntaxes_are_one_graph(server: RunningServer) -> None:
    rest = b"<https://w3id.org/lifetec/id/organisation/demo-9> "
    rest += b"<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
    rest += b"<http://www.w3.org/ns/org#Organization> .\n"
    refers = (PREFIXES + PATCH.format(trl=4).replace("demo-1>", "demo-9>")).encode()
    alone = form(server, ("file", ("a.ttl", refers))).json()
    assert group(alone, "Or")["severity"] == "violation"
    both = form(server, ("file", ("a.ttl", refers)), ("file", ("b.nt", rest))).json()
    assert not [one for one in both["groups"] if one["constraint"] == "Or"]
    lacking = group(both, "MinCount") if len(both["groups"]) == 1 else both["groups"][0]
    assert lacking["results"][0]["file"] == "b.nt"
    assert lacking["results"][0]["line"] == 1


# the report


def test_a_result_says_entity_type_field_line_and_remedy(server: RunningServer) -> None:
    report = post(server, query="?lang=en").json()
    found = group(report, "MaxInclusive")
    assert found["message"] == "Technology readiness level: write one whole number from 1 to 9."
    assert found["fix"] == "Write 9 or less. For example: 4."
    assert found["results"] == [
        {
            "focus": f"{BASE}id/technology/demo-patch",
            "entity": f"{BASE}id/technology/demo-patch",
            "value": '"12"^^<http://www.w3.org/2001/XMLSchema#integer>',
            "label": "Invented patch",
            "type": "technology",
            "type_label": "technology",
            "field": "trl",
            "field_label": "technology readiness level",
            "line": FIRST_LINE,
        }
    ]
    assert (report["shapes"], report["statements"], report["language"]) == ("service", 5, "en")


def _query(text: str, parameter: str = "day") -> bytes:
    return f"""{PREFIXES}@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
<id/query/demo-q> a sh:SPARQLExecutable ; rdfs:comment "What?"@en ; sh:select \"\"\"{text}\"\"\" ;
  sh:parameter <id/query/demo-q#p> .
<id/query/demo-q#p> sh:name "{parameter}" ; sh:datatype xsd:integer .
""".encode()


_WITH_BLOCK = "SELECT * { VALUES ?day { 1 } ?s ?p ?day }"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_query("SELECT * {\n  VALUES ?day { 1 }\n  ?s ?p ; }"), "(line 3, column"),
        (_query("SELECT * { VALUES ?day { 1 } ?s no:where ?o }"), "The prefix no: is used without"),
        (_query("SELECT * { ?s ?p ?day }"), "VALUES ?day { … }"),
        (_query("SELECT * { # VALUES ?day { 1 }\n ?s ?p ?day }"), "VALUES ?day { … }"),
        (_query(_WITH_BLOCK.replace("day", "format"), "format"), "format and output are taken"),
        (_query(_WITH_BLOCK), None),
    ],
)
def test_a_query_that_could_not_be_asked_by_its_name_is_refused(
    data: bytes, message: str | None, server: RunningServer
) -> None:
    report = post(server, data).json()
    assert report["conforms"] == (message is None), report
    standard = post(server, data, accept="text/turtle")
    results = list(parse(standard.content, format=RdfFormat.TURTLE))
    assert len([q for q in results if q.predicate == SH["result"]]) == (message is not None)
    said = [q.object.value for q in results if q.predicate == SH["resultMessage"]]
    if message:
        (group,) = report["groups"]
        assert message in group["message"]
        assert group["results"][0]["line"] > FIRST_LINE
        assert any(message in one for one in said)


def test_a_query_that_does_not_parse_is_not_published(tmp_path: Path) -> None:
    file = tmp_path / "q.ttl"
    settings: dict[str, Any] = {"seed_dir": tmp_path / "none", "ontology_dir": tmp_path / "none"}
    (tmp_path / "none").mkdir()
    for dataset, text in (("bad", "SELECT * { ?s ?p "), ("good", _WITH_BLOCK)):
        file.write_bytes(_query(text))
        done = lifetec(tmp_path / "var", "load", "--dataset", f"urn:{dataset}", file, **settings)
        assert (done.returncode == 0) == (dataset == "good"), done.stderr
        assert ("line 1, column" in done.stdout + done.stderr) == (dataset == "bad")


@pytest.mark.parametrize("lang", ["en", "nl", "de", "fr"])
def test_texts_are_in_the_asked_language(lang: str, server: RunningServer) -> None:
    words = {"en": "Write 9", "nl": "Schrijf 9", "de": "Schreiben Sie 9", "fr": "Écrivez 9"}
    asked = post(server, query=f"?lang={lang}")
    accepted = post(server, accept_language=f"{lang}-XX, en;q=0.1")
    for reply in (asked, accepted):
        assert reply.headers["content-language"] == lang
        assert group(reply.json(), "MaxInclusive")["fix"].startswith(words[lang])
    assert asked.json() == accepted.json()


def test_warnings_do_not_block_and_the_two_meanings_of_conforms(server: RunningServer) -> None:
    bare = PREFIXES + '<id/organisation/demo-3> a org:Organization ; skos:prefLabel "X"@en .'
    report = post(server, bare.encode()).json()
    assert report["conforms"] is True
    assert report["counts"]["violation"] == 0
    assert report["counts"]["warning"] + report["counts"]["info"] > 0
    standard = post(server, bare.encode(), query="?format=ttl")
    assert conforms(list(parse(standard.content, RdfFormat.TURTLE))) == "false"
    empty = post(server, b"", query="?format=ttl")
    assert conforms(list(parse(empty.content, RdfFormat.TURTLE))) == "true"


def conforms(quads: list[Quad]) -> str:
    (said,) = [quad.object for quad in quads if quad.predicate == SH["conforms"]]
    return str(getattr(said, "value", ""))


@pytest.mark.parametrize(
    ("query", "accept", "content_type"),
    [
        ("", "*/*", "application/json"),
        ("", "text/turtle;q=0.9, application/json;q=0.1", "text/turtle; charset=utf-8"),
        ("", "application/ld+json", "application/ld+json"),
        ("", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("", "text/csv", "text/csv; charset=utf-8"),
        ("?format=jsonld", "text/html", "application/ld+json"),
        ("?format=turtle", "*/*", "text/turtle; charset=utf-8"),
        ("?format=csv", "application/json", "text/csv; charset=utf-8"),
        ("?format=html", "application/json", "text/html; charset=utf-8"),
    ],
)
def test_form_of_the_report(
    query: str, accept: str, content_type: str, server: RunningServer
) -> None:
    reply = post(server, query=query, accept=accept)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == content_type
    assert reply.headers["cache-control"] == "no-store"
    assert "demo-patch" in reply.text


@pytest.mark.parametrize("name", ["ttl", "jsonld"])
def test_the_standard_report_has_all_results(name: str, server: RunningServer) -> None:
    report = post(server).json()
    reply = post(server, query=f"?format={name}")
    quads = list(parse(reply.content, media.RDF_FORMATS[media.SUFFIXES[name]]))
    assert conforms(quads) == "false"
    results = [quad for quad in quads if quad.predicate == SH["result"]]
    assert len(results) == sum(report["counts"].values()) + report["folded"]
    components = {str(q.object) for q in quads if q.predicate == SH["sourceConstraintComponent"]}
    assert str(SH["MaxInclusiveConstraintComponent"]) in components


def test_counts_are_true_where_results_are_capped(server: RunningServer) -> None:
    many = PREFIXES + "".join(
        PATCH.format(trl=12).replace("demo-patch", f"demo-{n}") for n in range(30)
    )
    report = post(server, many.encode()).json()
    found = group(report, "MaxInclusive")
    assert (found["total"], len(found["results"])) == (30, 20)
    assert report["counts"]["violation"] == 30
    rows = list(csv.DictReader(io.StringIO(post(server, many.encode(), query="?format=csv").text)))
    assert len(rows) == sum(report["counts"].values())
    assert sum(row["constraint"] == "MaxInclusive" for row in rows) == 30


@pytest.mark.parametrize(
    ("reference", "nearest"),
    [
        ("<id/organisation/demo-11>", "demo-1"),
        ("<id/organisation/invented-institute-of-optics>", "demo-1"),
        ('"Invented Hospital"', "demo-2"),
        ("<id/organisation/hosptial-invented>", None),
    ],
)
def test_a_wrong_reference_says_what_may_have_been_meant(
    reference: str, nearest: str | None, server: RunningServer
) -> None:
    data = PREFIXES + PATCH.format(trl=4).replace("<id/organisation/demo-1>", reference)
    report = post(server, data.encode()).json()
    (result,) = [r for g in report["groups"] if g["severity"] == "violation" for r in g["results"]]
    assert result["field"] == "creators"
    found = result.get("nearest", {}).get("id")
    assert found == (nearest and f"{BASE}id/organisation/{nearest}")


def test_a_broken_part_is_told_once_with_its_place_in_the_record(server: RunningServer) -> None:
    data = f"""{PREFIXES}
<id/organisation/demo-4> a org:Organization ; skos:prefLabel "Four"@en ;
  org:hasPrimarySite <id/organisation/demo-4#site> .
<id/organisation/demo-4#site> a org:Site ; org:siteAddress <id/organisation/demo-4#address> .
<id/organisation/demo-4#address> a locn:Address ; locn:postCode 3000 .
"""
    report = post(server, data.encode()).json()
    violations = [g for g in report["groups"] if g["severity"] == "violation"]
    (only,) = [result for g in violations for result in g["results"]]
    assert only["field"] == "primary_site.address.post_code"
    assert only["entity"] == f"{BASE}id/organisation/demo-4"
    assert (only["label"], only["line"]) == ("Four", FIRST_LINE + 4)
    assert report["counts"]["violation"] == 1
    assert report["folded"] >= 1


def test_an_unreadable_value_is_not_missing_as_well(server: RunningServer) -> None:
    shapes = OWN.replace("sh:datatype xsd:positiveInteger ; ", "")
    data = f'{PREFIXES} e:a a e:T ; e:n "x"^^xsd:integer .'
    report = form(
        server, ("file", ("a.ttl", data.encode())), ("shapes", ("s.ttl", shapes.encode()))
    ).json()
    assert report["counts"]["violation"] == 0  # SHACL asks for no more than a value
    wrong = PATCH.format(trl='"four"^^xsd:integer')
    strict = post(server, (PREFIXES + wrong).encode()).json()
    assert strict["counts"]["violation"] == 1


def test_cells_that_a_spreadsheet_would_run_are_harmless(server: RunningServer) -> None:
    for evil in ("=HYPERLINK(1)", "+1", "-1", "@SUM(1)"):
        data = WRONG.replace(b"Invented patch", evil.encode())
        reply = post(server, data, query="?format=csv")
        rows = list(csv.DictReader(io.StringIO(reply.text)))
        assert {row["label"] for row in rows} == {f"'{evil}"}


def test_texts_of_strangers_are_escaped_in_the_page(server: RunningServer) -> None:
    data = WRONG.replace(b"Invented patch", b"<script>alert(1)</script>")
    page = post(server, data, query="?format=html&lang=nl")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text
    assert 'href="/validate?lang=de"' in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    shown = server.get("/validate?lang=fr")
    assert 'enctype="multipart/form-data"' in shown.text


# own shapes


@pytest.mark.parametrize(("suffix", "media_type"), media.SUFFIXES.items())
def test_own_shapes_are_exact_shacl_in_any_syntax(
    suffix: str, media_type: str, server: RunningServer
) -> None:
    shapes = serialize(
        [quad.triple for quad in parse(OWN.encode(), RdfFormat.TURTLE)],
        format=media.RDF_FORMATS[media_type],
    )
    assert shapes is not None
    good = f'{PREFIXES} e:a a e:T ; e:n "5"^^xsd:positiveInteger ; e:b [] .'
    bad = f"{PREFIXES} e:a a e:T ; e:n 5 ; e:b e:c . e:other lt:trl 12 ."
    sent = ("shapes", (f"s.{suffix}.gz", gzip.compress(shapes)))
    report = form(server, ("file", ("a.ttl", good.encode())), sent).json()
    assert (report["conforms"], report["shapes"], report["groups"]) == (True, "own", [])
    report = form(server, ("file", ("a.ttl", bad.encode())), sent).json()
    assert {g["constraint"] for g in report["groups"]} == {"Datatype", "NodeKind"}


@pytest.mark.parametrize("text", ["SERVICE <{url}> {{ $this ?p ?o }}", "FROM", "silent"])
def test_own_shapes_reach_nobody(text: str, server: RunningServer) -> None:
    listener = Listener()
    try:
        url = f"http://127.0.0.1:{listener.port}/"
        select = {
            "FROM": f"SELECT $this FROM <{url}> {{ $this ?p ?o }}",
            "silent": f"SELECT $this {{ \\\\u0053ERVICE SILENT <{url}> {{ $this ?p ?o }} }}",
        }.get(text, f"SELECT $this {{ {text.format(url=url)} }}")
        shapes = f"""{PREFIXES} <http://e/> <http://www.w3.org/2002/07/owl#imports> <{url}> .
            e:S a sh:NodeShape ; sh:targetClass e:T ; sh:sparql [ sh:select "{select}" ] ."""
        reply = form(
            server,
            ("file", ("a.ttl", f"{PREFIXES} e:a a e:T .".encode())),
            ("shapes", ("s.ttl", shapes.encode())),
        )
        assert reply.status_code == 400
        assert reply.json()["type"] == f"{PROBLEM}federation-refused"
        assert listener.visits == 0
    finally:
        listener.close()


# bad inputs


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.ttl", WRONG)
    return file.getvalue()


def oversized_report() -> bytes:
    """Data of less than a megabyte that gives a report of more than one in RDF."""
    long = "x" * 2_900  # so that few of them suffice, which are soon checked
    things = "".join(
        f"<id/organisation/demo-{n}> a org:Organization ; lt:trl '{long}' .\n" for n in range(300)
    )
    return (PREFIXES + things).encode()


ENTITY_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>'
)
BOMB = gzip.compress(b"# " + b"0" * (64 << 20))
BAD_BODIES: dict[str, tuple[bytes, str | None, dict[str, str], int, str]] = {
    "broken-turtle": (WRONG[:-3], "text/turtle", {}, 400, "syntax"),
    "undeclared-prefix": (b"<http://a> foo:b 1 .", "text/turtle", {}, 400, "syntax"),
    "broken-trig": (b"<http://g> { <http://a> ", "application/trig", {}, 400, "syntax"),
    "broken-n-triples": (b"<http://a> <http://b> 5 .", "application/n-triples", {}, 400, "syntax"),
    "broken-n-quads": (b"<http://a> <http://b> .", "application/n-quads", {}, 400, "syntax"),
    "broken-json": (b'{"@id": ', "application/ld+json", {}, 400, "syntax"),
    "broken-xml": (b"<rdf:RDF", "application/rdf+xml", {}, 400, "syntax"),
    "relative-iri-in-n-triples": (
        b"<a> <http://b> <http://c> .", "application/n-triples", {}, 400, "syntax"
    ),
    "hostile-iri": (b"<http://a b> <http://b> 1 .", "text/turtle", {}, 400, "syntax"),
    "iri-with-script": (b'<http://a"><script>> <http://b> 1 .', "text/turtle", {}, 400, "syntax"),
    "iri-with-control-character": (
        b"<http://a\x00> <http://b> 1 .", "text/turtle", {}, 400, "syntax"
    ),
    "lone-surrogate": (b'<http://a> <http://b> "\\uD800" .', "text/turtle", {}, 400, "syntax"),
    "wrong-language-tag": (b'<http://a> <http://b> "x"@_ .', "text/turtle", {}, 400, "syntax"),
    "latin-1": ('<http://a> <http://b> "é" .'.encode("latin-1"), "text/turtle", {}, 400, "syntax"),
    "utf-16": (WRONG.decode().encode("utf-16"), "text/turtle", {}, 400, "syntax"),
    "remote-context": (
        b'{"@context": "http://127.0.0.1:9/", "@id": "http://a"}',
        "application/ld+json", {}, 400, "syntax",
    ),
    "entity-bomb": (ENTITY_BOMB, "application/rdf+xml", {}, 400, "syntax"),
    "zip-archive": (zipped(), "text/turtle", {}, 400, "syntax"),
    "truncated-gzip": (gzip.compress(WRONG)[:-9], "text/turtle", {}, 400, "syntax"),
    "truncated-gzip-encoding": (
        gzip.compress(WRONG)[:-9], "text/turtle", {"content-encoding": "gzip"}, 400, "syntax"
    ),
    "no-gzip-at-all": (WRONG, "text/turtle", {"content-encoding": "gzip"}, 400, "syntax"),
    "statements-about-statements": (
        b"<http://a> <http://b> <<( <http://a> <http://b> 1 )>> .",
        "text/turtle", {}, 400, "invalid-request",
    ),
    "deep-json": (
        b'{"@id":"http://a","http://p":' * 500 + b"1" + b"}" * 500,
        "application/ld+json", {}, 413, "too-large",
    ),
    "deep-turtle": (
        b"<http://a> <http://b> " + b"(" * 20_000 + b")" * 20_000 + b" .",
        "text/turtle", {}, 413, "too-large",
    ),
    "too-long": (b"# " + b"0" * (1 << 20), "text/turtle", {}, 413, "too-large"),
    "gzip-bomb": (BOMB, "text/turtle", {}, 413, "too-large"),
    "gzip-bomb-as-encoding": (
        BOMB, "text/turtle", {"content-encoding": "gzip"}, 413, "too-large"
    ),
    "gzip-in-gzip-bomb": (
        gzip.compress(BOMB), "text/turtle", {"content-encoding": "gzip"}, 413, "too-large"
    ),
    "no-media-type": (WRONG, None, {}, 415, "unsupported-media-type"),
    "media-type-of-a-picture": (WRONG, "image/png", {}, 415, "unsupported-media-type"),
    "media-type-of-a-form-field": (
        WRONG, "application/x-www-form-urlencoded", {}, 415, "unsupported-media-type"
    ),
    "wrong-charset": (
        WRONG, "text/turtle; charset=iso-8859-1", {}, 415, "unsupported-media-type"
    ),
    "unknown-encoding": (
        WRONG, "text/turtle", {"content-encoding": "br"}, 415, "unsupported-media-type"
    ),
    "form-without-boundary": (WRONG, "multipart/form-data", {}, 400, "invalid-request"),
    "form-that-is-none": (
        WRONG, "multipart/form-data; boundary=x", {}, 400, "invalid-request"
    ),
    "form-cut-off": (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.ttl"\r\n\r\n<http',
        "multipart/form-data; boundary=x", {}, 400, "invalid-request",
    ),
    "form-with-endless-header": (
        b"--x\r\nContent-Disposition: " + b"a" * 60_000 + b"\r\n\r\n\r\n--x--\r\n",
        "multipart/form-data; boundary=x", {}, 400, "invalid-request",
    ),
    "nothing-acceptable": (WRONG, "text/turtle", {"accept": "image/png"}, 406, "not-acceptable"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_bodies_get_their_problem(name: str, server: RunningServer) -> None:
    data, media_type, headers, status, slug = BAD_BODIES[name]
    reply = post(server, data, media_type, **headers)
    expect_problem(reply, status, slug)
    if name == "broken-turtle":
        assert reply.json()["line"] >= FIRST_LINE


DATA_PART = ("file", ("a.ttl", WRONG))
BAD_FORMS: dict[str, tuple[list[tuple[str, Any]], int, str]] = {
    "no-parts-with-data": ([("shapes", ("s.ttl", OWN.encode()))], 400, "invalid-request"),
    "two-shapes": (
        [DATA_PART, *[("shapes", ("s.ttl", OWN.encode()))] * 2], 400, "invalid-request"
    ),
    "a-field-that-is-no-file": ([DATA_PART, ("note", (None, b"hello"))], 400, "invalid-request"),
    "too-many-parts": ([DATA_PART] * 21, 413, "too-large"),
    "together-too-long": (
        [("file", (f"{n}.ttl", b"# " + b"0" * (1 << 18))) for n in range(5)], 413, "too-large"
    ),
    "together-too-long-when-unpacked": (
        [("file", (f"{n}.ttl", gzip.compress(b"# " + b"0" * (1 << 18)))) for n in range(5)],
        413, "too-large",
    ),
    "unknown-suffix": ([("file", ("a.docx", WRONG))], 415, "unsupported-media-type"),
    "picture-as-shapes": (
        [DATA_PART, ("shapes", ("s.png", b"x", "image/png"))], 415, "unsupported-media-type"
    ),
    "second-file-is-broken": ([DATA_PART, ("file", ("b.ttl", b"<x"))], 400, "syntax"),
    "shapes-that-do-not-parse": (
        [DATA_PART, ("shapes", ("s.ttl", b"[ a"))], 400, "syntax"
    ),
    "shapes-that-do-not-fit-together": (
        [
            DATA_PART,
            ("shapes", ("s.ttl", (PREFIXES + "e:S a sh:NodeShape ; sh:targetClass lt:Technology ;"
                                  "sh:property [ sh:minCount 1 ] .").encode())),
        ],
        400, "invalid-request",
    ),
    "shape-with-a-wrong-pattern": (
        [
            DATA_PART,
            ("shapes", ("s.ttl", (PREFIXES + "e:S a sh:NodeShape ; sh:targetClass lt:Technology ;"
                                  "sh:property [ sh:path lt:trl ; sh:pattern '(' ] .").encode())),
        ],
        400, "invalid-request",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FORMS)
def test_bad_forms_get_their_problem(name: str, server: RunningServer) -> None:
    parts, status, slug = BAD_FORMS[name]
    reply = form(server, *parts)
    expect_problem(reply, status, slug)
    if name == "second-file-is-broken":
        assert reply.json()["file"] == "b.ttl"


@pytest.mark.parametrize(
    ("query", "field"),
    [("?lang=xx", "lang"), ("?format=pdf", "format"), ("?langs=en", "langs"),
     ("?lang=en&lang=de", "lang")],
)  # fmt: skip
def test_bad_parameters_get_their_problem(query: str, field: str, server: RunningServer) -> None:
    reply = post(server, query=query)
    expect_problem(reply, 400, "invalid-request")
    assert reply.json()["field"] == field


def expect_problem(reply: httpx.Response, status: int, slug: str) -> None:
    assert (reply.status_code, reply.json().get("type")) == (status, PROBLEM + slug), reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert len(reply.json()["detail"]) > 10


def test_an_oversized_report_is_refused_where_it_cannot_be_summed_up(
    server: RunningServer,
) -> None:
    reply = post(server, oversized_report(), query="?format=ttl")
    expect_problem(reply, 413, "too-large")
    assert "JSON" in reply.json()["detail"]
    summed = post(server, oversized_report())
    assert summed.status_code == 200
    assert len(summed.content) < 1 << 18
    assert summed.json()["counts"]["violation"] >= 300


def test_a_check_ends_at_its_deadline(server: RunningServer) -> None:
    shapes = f"""{PREFIXES} e:S a sh:NodeShape ; sh:targetClass lt:Technology ;
        sh:property [ sh:path skos:prefLabel ; sh:pattern "^(a+)+$" ] ."""
    data = WRONG.replace(b"Invented patch", b"a" * 60 + b"!")
    began = time.monotonic()
    reply = form(server, ("file", ("a.ttl", data)), ("shapes", ("s.ttl", shapes.encode())))
    expect_problem(reply, 504, "deadline")
    assert time.monotonic() - began < 12
    assert "in parts" in reply.json()["detail"]


def test_what_is_too_long_is_refused_before_it_has_arrived(server: RunningServer) -> None:
    head = f"POST {VALIDATE} HTTP/1.1\r\nHost: x\r\nContent-Type: text/turtle\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as announced:
        announced.sendall(f"{head}Content-Length: 99999999999\r\n\r\n".encode())
        assert announced.recv(4096).startswith(b"HTTP/1.1 413")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as chunked:
        chunked.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(20):
            chunked.sendall(b"10000\r\n" + b"#" * 0x10000 + b"\r\n")
        assert chunked.recv(4096).startswith(b"HTTP/1.1 413")


# rates


def test_rates_are_told_and_kept_for_each_client(bare: dict[str, Any], tmp_path: Path) -> None:
    settings = {**bare, "validate_rate": "3/minute", "trusted_proxies": "127.0.0.1, 10.0.0.0/8"}
    settings["rate_limits"] = "on"
    with RunningServer(tmp_path / "var", **settings) as limited:

        def ask(forwarded: str | None) -> httpx.Response:
            headers = {} if forwarded is None else {"x_forwarded_for": forwarded}
            return post(limited, b"", **headers)

        for left in (2, 1, 0):
            reply = ask("192.0.2.1")
            assert reply.status_code == 200
            assert reply.headers["ratelimit-policy"] == '"validate";q=3;w=60'
            assert reply.headers["ratelimit"].startswith(f'"validate";r={left};t=')
        invented = ask("198.51.100.7, 192.0.2.1, 10.1.1.1")
        expect_problem(invented, 429, "rate-limited")
        assert 1 <= int(invented.headers["retry-after"]) <= 60
        assert invented.headers["ratelimit"].startswith('"validate";r=0;t=')
        assert invented.json()["quota"] == 3
        assert ask("192.0.2.2").status_code == 200
        for n in range(3):
            assert ask(f"2001:db8::{n}").status_code == 200
        assert ask("2001:db8::ffff").status_code == 429
        assert ask("2001:db8:0:1::1").status_code == 200
        refused = post(limited, b"<x", x_forwarded_for="192.0.2.3")
        assert refused.headers["ratelimit"].startswith('"validate";r=2;t=')


def test_without_a_trusted_proxy_nobody_can_pretend(bare: dict[str, Any], tmp_path: Path) -> None:
    settings = {**bare, "validate_rate": "2/minute", "rate_limits": "on"}
    with RunningServer(tmp_path / "var", **settings) as limited:
        replies = [post(limited, b"", x_forwarded_for=f"192.0.2.{n}") for n in range(3)]
        assert [reply.status_code for reply in replies] == [200, 200, 429]
        assert limited.get("/health/live").status_code == 200


def test_rates_can_be_switched_off(bare: dict[str, Any], tmp_path: Path) -> None:
    settings = {**bare, "validate_rate": "1/minute", "rate_limits": "off"}
    with RunningServer(tmp_path / "var", **settings) as free:
        for _ in range(3):
            reply = post(free, b"")
            assert reply.status_code == 200
            assert "ratelimit" not in reply.headers


# descriptions


def described(value: Any, schema: dict[str, Any], schemas: dict[str, Any], at: str = "") -> None:
    """Every member is in the schema, with its type, and none that is required is missing."""
    schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
    assert names.get(type(value), "null") in types, at
    if isinstance(value, dict) and "properties" in schema:
        assert schema["additionalProperties"] is False, at
        assert set(schema["required"]) <= value.keys(), at
        for name, inner in value.items():
            assert name in schema["properties"], f"{at}.{name}"
            described(inner, schema["properties"][name], schemas, f"{at}.{name}")
    for inner in value if isinstance(value, list) else ():
        described(inner, schema["items"], schemas, f"{at}[]")


def test_openapi_describes_the_report(server: RunningServer) -> None:
    document = server.get("/openapi.json").json()
    operation = document["paths"][VALIDATE]["post"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    schemas = document["components"]["schemas"]
    near = WRONG.replace(b"demo-1>", b"demo-11>")
    report = form(server, ("file", ("a.ttl", near))).json()
    shown = [result for g in report["groups"] for result in g["results"]]
    assert any("nearest" in result and "file" in result for result in shown)
    described(report, schema, schemas)
    with pytest.raises(AssertionError):
        described({**report, "unheard": 1}, schema, schemas)
    assert set(operation["requestBody"]["content"]) == {*media.RDF_FORMATS, "multipart/form-data"}


@pytest.mark.parametrize("name", ["Ångström.ttl", "データ.ttl", "\U0001f9ec.ttl"])
def test_a_file_may_have_any_name(server: RunningServer, name: str) -> None:
    report = form(server, ("file", (name, WRONG))).json()
    named = {result.get("file") for g in report["groups"] for result in g["results"]}
    assert named == {name}


def test_the_command_gives_the_same_report(server: RunningServer, tmp_path: Path) -> None:
    file = tmp_path / "a.ttl"
    file.write_bytes(WRONG)
    done = lifetec(server.data_dir, "validate", "--json", "--language", "nl", file,
                   ontology_dir=server.settings["ontology_dir"])  # fmt: skip
    assert done.returncode == 1, done.stderr
    by_http = form(server, ("file", ("a.ttl", WRONG)), query="?lang=nl").json()
    assert json.loads(done.stdout) == {str(file): by_http}
    told = lifetec(server.data_dir, "validate", file, ontology_dir=server.settings["ontology_dir"])
    assert f"line {FIRST_LINE}, technology “Invented patch”, field trl" in told.stdout
