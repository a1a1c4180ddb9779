"""Tables of what must not get in: data, and requests, each with the problem that it gets.

Words in braces stand for names of the house in `test_bad_inputs`.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from dataclasses import dataclass, field

from tests.server.publishing import BASE, TURTLE, organisation, turtle

GOOD = turtle(organisation("swift-9", "Nine"))

# what is sent


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.ttl", GOOD)
    return file.getvalue()


def entities(declaration: str) -> bytes:
    return f"""<?xml version="1.0"?><!DOCTYPE r [{declaration}]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
  xmlns:dcterms="http://purl.org/dc/terms/">
  <rdf:Description rdf:about="{BASE}id/organisation/swift-9">
    <dcterms:title>&a;</dcterms:title></rdf:Description></rdf:RDF>""".encode()


def said(values: str) -> bytes:
    """Something about an organisation of the sender's own."""
    return turtle(organisation("swift-9", "Nine", f"; {values}"))


def named(iri: str) -> bytes:
    """An organisation of this name."""
    return turtle(f'<{iri}> a org:Organization ; skos:prefLabel "Mine"@en .')


def knot(size: int) -> str:
    """Blank nodes that all look alike: naming them canonically takes time without bound."""
    pairs = [(a, b) for a in range(size) for b in range(size) if a != b]
    return "".join(f"_:b{a} dcterms:relation _:b{b} .\n" for a, b in pairs)


def many_faults() -> bytes:
    """More results than anybody reads, each with a long value of its own."""
    return said(" , ".join(f'dcterms:modified "{n}{"long " * 1000}"^^xsd:date' for n in range(150))
                .replace(" , dcterms:modified", " ,"))  # fmt: skip


BOMB = gzip.compress(b" " * (8 << 20))
PACKED = {"content-encoding": "gzip"}
QUADS = (
    '<{0}id/organisation/swift-9> <http://www.w3.org/2004/02/skos/core#prefLabel> "x" <{0}{1}> .\n'
)
JSON_LD, XML, N_QUADS, TRIG = (
    f"application/{name}" for name in ("ld+json", "rdf+xml", "n-quads", "trig")
)

BODIES: dict[str, tuple[bytes, str | None, dict[str, str], int, str]] = {
    # syntax and encoding
    "broken-turtle": (GOOD + b"<x> <y", TURTLE, {}, 400, "syntax"),
    "a-page-instead-of-data": (b"<!doctype html><p>404</p>", TURTLE, {}, 400, "syntax"),
    "a-query-instead-of-data": (b"SELECT * { ?s ?p ?o }", TURTLE, {}, 400, "syntax"),
    "latin-1": (said('dcterms:title "é"').decode().encode("latin-1"), TURTLE, {}, 400, "syntax"),
    "utf-16": (GOOD.decode().encode("utf-16"), TURTLE, {}, 400, "syntax"),
    "overlong-utf-8": (said('dcterms:title "\xc0\xaf"').decode().encode("latin-1"),
                       TURTLE, {}, 400, "syntax"),
    "lone-surrogate": (said(r'dcterms:title "\uD800"'), TURTLE, {}, 400, "syntax"),
    "lone-surrogate-in-json": (
        b'{"@id":"http://a","http://purl.org/dc/terms/title":"\\ud800"}', JSON_LD, {}, 400, "syntax"
    ),
    "zero-byte": (said(r'dcterms:title "a\u0000b"'), TURTLE, {}, 400, "syntax"),
    "escape-sequence-of-a-terminal": (said(r'dcterms:title "\u001B[31mred"'), TURTLE, {},
                                      400, "syntax"),
    "wrong-language-tag": (said('dcterms:title "x"@e_n'), TURTLE, {}, 400, "syntax"),
    "remote-context": (b'{"@context":"http://127.0.0.1:9/","@id":"http://a"}',
                       JSON_LD, {}, 400, "syntax"),
    "entity-bomb": (entities('<!ENTITY b "bbb"><!ENTITY a "&b;&b;">'), XML, {}, 400, "syntax"),
    "entity-of-a-file": (entities('<!ENTITY a SYSTEM "file:///etc/passwd">'), XML, {},
                         400, "syntax"),
    "json-that-ends-early": (b'{"@id":"http://a",', JSON_LD, {}, 400, "syntax"),
    "deep-json": (b'{"@id":"http://a","http://p":' * 500 + b"1" + b"}" * 500,
                  JSON_LD, {}, 413, "too-large"),
    "deep-turtle": (turtle("<id/organisation/swift-9> dcterms:relation " + "(" * 20_000
                           + ")" * 20_000 + "."), TURTLE, {}, 413, "too-large"),
    "statements-about-statements": (
        turtle("<id/organisation/swift-9> dcterms:relation <<( <http://a> <http://b> 1 )>> ."),
        TURTLE, {}, 400, "invalid-request",
    ),
    # size and compression
    "too-long": (b"# " + b"0" * (1 << 20), TURTLE, {}, 413, "too-large"),
    "gzip-bomb": (BOMB, TURTLE, {}, 413, "too-large"),
    "gzip-bomb-as-encoding": (BOMB, TURTLE, PACKED, 413, "too-large"),
    "gzip-in-gzip-bomb": (gzip.compress(BOMB), TURTLE, PACKED, 413, "too-large"),
    "truncated-gzip": (gzip.compress(GOOD)[:-9], TURTLE, {}, 400, "syntax"),
    "truncated-gzip-as-encoding": (gzip.compress(GOOD)[:-9], TURTLE, PACKED, 400, "syntax"),
    "no-gzip-at-all": (GOOD, TURTLE, PACKED, 400, "syntax"),
    "zip-archive": (zipped(), TURTLE, {}, 400, "syntax"),
    "blank-nodes-in-a-long-chain": (
        turtle("".join(f"_:b{n} dcterms:relation _:b{n + 1} .\n" for n in range(6000))),
        TURTLE, {}, 413, "too-large",
    ),
    "blank-nodes-in-a-knot": (turtle(knot(12)), TURTLE, {}, 503, "memory"),
    "too-many-faults": (many_faults(), TURTLE, {}, 422, "invalid-data"),
    # kinds of content
    "no-media-type": (GOOD, None, {}, 415, "unsupported-media-type"),
    "a-picture": (GOOD, "image/png", {}, 415, "unsupported-media-type"),
    "a-form-field": (GOOD, "application/x-www-form-urlencoded", {}, 415, "unsupported-media-type"),
    "an-update": (b"CLEAR ALL", "application/sparql-update", {}, 415, "unsupported-media-type"),
    "wrong-charset": (GOOD, "text/turtle; charset=utf-16", {}, 415, "unsupported-media-type"),
    "unknown-encoding": (GOOD, TURTLE, {"content-encoding": "br"}, 415, "unsupported-media-type"),
    "form-without-boundary": (GOOD, "multipart/form-data", {}, 400, "invalid-request"),
    "form-that-is-none": (GOOD, "multipart/form-data; boundary=x", {}, 400, "invalid-request"),
    "form-with-nothing-in-it": (b"--x--\r\n", "multipart/form-data; boundary=x", {},
                                400, "invalid-request"),
    "form-cut-off": (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.ttl"\r\n\r\n' + GOOD,
        "multipart/form-data; boundary=x", {}, 400, "invalid-request",
    ),
    "form-part-without-name": (
        b"--x\r\nContent-Type: text/turtle\r\n\r\n" + GOOD + b"\r\n--x--\r\n",
        "multipart/form-data; boundary=x", {}, 400, "invalid-request",
    ),
    # graphs
    "another-dataset-in-n-quads": (QUADS.format(BASE, "graph/demo/set-2").encode(), N_QUADS, {},
                                   400, "invalid-request"),
    "the-reserved-graph-in-n-quads": (QUADS.format(BASE, "graph/service").encode(), N_QUADS, {},
                                      400, "invalid-request"),
    "a-blank-graph-in-trig": (turtle("_:g { <id/organisation/swift-9> a org:Organization }"),
                              TRIG, {}, 400, "invalid-request"),
    # names of others
    "prefix-of-another": (named("id/organisation/demo-new"), TURTLE, {}, 403, "not-yours"),
    "prefix-that-begins-alike": (named("id/organisation/swiftly-1"), TURTLE, {}, 403, "not-yours"),
    "prefix-alone": (named("id/organisation/swift-"), TURTLE, {}, 403, "not-yours"),
    "no-prefix": (named("id/organisation/nine"), TURTLE, {}, 403, "not-yours"),
    "relative-name": (named("nine"), TURTLE, {}, 403, "not-yours"),
    "removed-thing-of-another": (named("id/organisation/demo-gone"), TURTLE, {}, 403, "not-yours"),
    "another-partner": (named("id/partner/demo"), TURTLE, {}, 403, "not-yours"),
    "term-of-the-ontology": (turtle('<ontology#trl> skos:prefLabel "x"@en .'), TURTLE, {},
                             403, "not-yours"),
    "shape": (turtle('<shapes#Technology> skos:prefLabel "x"@en .'), TURTLE, {}, 403, "not-yours"),
    "code-of-a-list": (turtle('<scheme/kind/x> skos:prefLabel "x"@en .'), TURTLE, {},
                       403, "not-yours"),
    "dataset-of-another": (turtle('<graph/demo/set-2> dcterms:title "x"@en .'), TURTLE, {},
                           403, "not-yours"),
    "the-reserved-graph": (turtle('<graph/service> dcterms:title "x"@en .'), TURTLE, {},
                           403, "not-yours"),
    "commit": (turtle('<commit/1> dcterms:title "x"@en .'), TURTLE, {}, 403, "not-yours"),
    "submission": (turtle('<submission/1> dcterms:title "x"@en .'), TURTLE, {}, 403, "not-yours"),
    "stand-in-for-a-blank-node": (named(".well-known/genid/0-0"), TURTLE, {}, 403, "not-yours"),
    **{
        f"trick-{name}": (named(iri), TURTLE, {}, 403, "not-yours")
        for name, iri in {
            "capitals": "HTTPS://W3ID.ORG/lifetec/id/organisation/demo-new",
            "capitals-in-the-path": "https://w3id.org/LifeTec/id/organisation/demo-new",
            "http": "http://w3id.org/lifetec/id/organisation/demo-new",
            "percent": "https://w3id.org/%6Cifetec/id/organisation/demo-new",
            "percent-twice-hidden-slash": f"{BASE}id/organisation%2Fdemo-new",
            "percent-in-the-prefix": f"{BASE}id/organisation/%64emo-new",
            "slash-behind-the-own-prefix": f"{BASE}id/organisation/swift-1/../demo-new",
            "percent-slash-behind-the-own-prefix": f"{BASE}id/organisation/swift-1%2F..%2Fdemo-new",
            "dots": "https://w3id.org/x/../lifetec/id/organisation/demo-new",
            "dots-inside": f"{BASE}./id/organisation/demo-new",
            "two-slashes": "https://w3id.org//lifetec/id/organisation/demo-new",
            "port": "https://w3id.org:443/lifetec/id/organisation/demo-new",
            "user": "https://me@w3id.org/lifetec/id/organisation/demo-new",
            "final-dot": "https://w3id.org./lifetec/id/organisation/demo-new",
            "wide-letters": "https://ｗ3id.org/lifetec/id/organisation/demo-new",
            "escaped": r"https://w3id.org/\u006Cifetec/id/organisation/demo-new",
            "query": f"{BASE}id/organisation/swift-1?of=demo",
        }.items()
    },
    # what the shapes refuse
    "no-date": (said('dcterms:modified "2026-02-30"^^xsd:date'), TURTLE, {}, 422, "invalid-data"),
    "no-number": (
        turtle('<id/technology/swift-9> a lt:Technology ; skos:prefLabel "x"@en ;'
               ' dcterms:creator <id/organisation/swift-1> ; lt:trl "four"^^xsd:integer .'),
        TURTLE, {}, 422, "invalid-data",
    ),
    "script-as-homepage": (said("foaf:homepage <javascript:alert(1)>"), TURTLE, {},
                           422, "invalid-data"),
    "file-as-homepage": (said("foaf:homepage <file:///etc/passwd>"), TURTLE, {},
                         422, "invalid-data"),
    "data-as-homepage": (said("foaf:homepage <data:text/html,%3Cscript%3E>"), TURTLE, {},
                         422, "invalid-data"),
    "address-with-a-space": (said("foaf:homepage <https://example.org/a b>"), TURTLE, {},
                             400, "syntax"),
    "address-with-a-space-in-json": (
        b'{"@id":"http://a b","http://purl.org/dc/terms/title":"x"}', JSON_LD, {}, 400, "syntax"
    ),
    "person": (turtle('[] a foaf:Person ; foaf:name "A Person" .'), TURTLE, {},
               422, "invalid-data"),
    "mail-of-a-person": (said("foaf:mbox <mailto:anna.smith@example.org>"), TURTLE, {},
                         422, "invalid-data"),
    "two-labels-of-one-language": (said('skos:prefLabel "Ten"@en'), TURTLE, {},
                                   422, "invalid-data"),
    "reference-to-nothing": (said("org:subOrganizationOf <id/organisation/swift-88>"), TURTLE, {},
                             422, "invalid-data"),
    "reference-to-something-removed": (
        said("org:subOrganizationOf <id/organisation/swift-gone>"), TURTLE, {}, 422, "invalid-data"
    ),
    "reference-to-another-type": (said("org:subOrganizationOf <id/technology/demo-patch>"),
                                  TURTLE, {}, 422, "invalid-data"),
    "nothing-but-a-type": (turtle("<id/organisation/swift-9> a org:Organization ."), TURTLE, {},
                           422, "invalid-data"),
    # conditions
    "another-generation": (GOOD, TURTLE, {"if-match": '"1"'}, 412, "precondition-failed"),
    "only-if-there-is-nothing": (GOOD, TURTLE, {"if-none-match": "*"}, 412, "precondition-failed"),
    "condition-that-is-none": (GOOD, TURTLE, {"if-match": "newest"}, 400, "invalid-request"),
    "condition-of-several": (GOOD, TURTLE, {"if-match": '"1", "2"'}, 400, "invalid-request"),
    "condition-without-end": (GOOD, TURTLE, {"if-match": '"' + "9" * 40 + '"'},
                              400, "invalid-request"),
    "both-conditions": (GOOD, TURTLE, {"if-match": "*", "if-none-match": "*"},
                        400, "invalid-request"),
    "negative-condition-by-number": (GOOD, TURTLE, {"if-none-match": '"1"'},
                                     400, "invalid-request"),
    "empty-idempotency-key": (GOOD, TURTLE, {"idempotency-key": '""'}, 400, "invalid-request"),
    "endless-idempotency-key": (GOOD, TURTLE, {"idempotency-key": "k" * 256},
                                400, "invalid-request"),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A request, and the problem that it gets."""

    method: str
    path: str
    key: str | None
    status: int
    slug: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


RDF = {"content-type": TURTLE}
UPDATE = {"content-type": "application/sparql-update"}
ALL = "/api/v1/submissions"
SEND = f"{ALL}?dataset="
GRAPH = f"/graphs?graph={BASE}graph/"


def sent(
    query: str, status: int, slug: str, key: str | None = "swift", headers: dict[str, str] = RDF
) -> Row:
    """A submission of good data."""
    return Row("POST", f"{ALL}{query}", key, status, slug, GOOD, headers)


def asked(path: str, status: int, slug: str, key: str | None = "swift", **headers: str) -> Row:
    """A look at something."""
    return Row("GET", f"{ALL}{path}", key, status, slug, None, headers)


def acted(
    action: str, status: int, slug: str, key: str = "curator", body: bytes | None = None
) -> Row:
    """A decision."""
    return Row("POST", f"{ALL}/{action}", key, status, slug, body)


def updating(text: str, status: int, slug: str, key: str | None = "swift") -> Row:
    """A SPARQL update."""
    return Row("POST", "/sparql/update", key, status, slug, text.encode(), UPDATE)


def inserted(subject: str, graph: str) -> str:
    """An update that brings an organisation into the world."""
    label = '<http://www.w3.org/2004/02/skos/core#prefLabel> "x"@en'
    return f"""INSERT DATA {{ GRAPH <{graph}> {{ <{subject}>
        a <http://www.w3.org/ns/org#Organization> ; {label} }} }}"""


OWN, THEIRS, SERVICE = (f"{BASE}graph/{name}" for name in ("{own}", "{theirs}", "service"))
MINE = f"{BASE}id/organisation/swift-9"
TITLE = "<http://purl.org/dc/terms/title>"

REQUESTS: dict[str, Row] = {
    # keys
    "no-key": sent("?dataset={own}", 401, "unauthenticated", None),
    "malformed-key": sent("?dataset={own}", 401, "unauthenticated", "ltg_'; DROP TABLE keys;--"),
    "unknown-key": sent("?dataset={own}", 401, "unauthenticated", f"ltg_{'0' * 12}_{'0' * 64}"),
    "expired-key": sent("?dataset={own}", 401, "unauthenticated", "{expired}"),
    "revoked-key": sent("?dataset={own}", 401, "unauthenticated", "{revoked}"),
    "key-in-the-address": sent("?dataset={own}&key=ltg_x", 401, "unauthenticated", None),
    "another-scheme": sent("?dataset={own}", 401, "unauthenticated", None,
                           {**RDF, "authorization": "Basic bHRnOng="}),
    "key-of-a-reader": sent("?dataset={own}", 403, "forbidden", "reader"),
    "key-for-another-dataset": sent("?dataset={own}", 403, "forbidden", "{scoped}"),
    "key-of-another-partner": sent("?dataset={own}", 403, "forbidden", "demo"),
    # datasets
    "no-dataset": sent("", 400, "invalid-request"),
    "empty-dataset": sent("?dataset=", 400, "invalid-request"),
    "two-datasets": sent("?dataset={own}&dataset={theirs}", 400, "invalid-request"),
    "dataset-of-another": sent("?dataset={theirs}", 403, "forbidden"),
    "dataset-that-is-not-there": sent("?dataset=swift/none", 404, "not-found"),
    "partner-that-is-not-there": sent("?dataset=nobody/set", 403, "forbidden", "curator"),
    "dataset-in-capitals": sent("?dataset=SWIFT/set-1", 403, "forbidden"),
    "dataset-with-dots": sent("?dataset={own}/../set-1", 403, "forbidden"),
    "dataset-with-dots-by-an-admin": sent("?dataset=demo/../service", 400, "invalid-request",
                                          "admin"),
    "dataset-with-percent-by-an-admin": sent("?dataset=%2573ervice", 400, "invalid-request",
                                             "admin"),
    "dataset-that-is-no-iri": sent("?dataset=a:b%20c", 403, "forbidden"),
    "dataset-that-is-no-iri-by-an-admin": sent("?dataset=a:b%20c", 400, "invalid-request", "admin"),
    "dataset-with-a-line-break-by-an-admin": sent("?dataset=swift/set%0A1", 400,
                                                  "invalid-request", "admin"),
    "dataset-with-zero-byte-by-an-admin": sent("?dataset=swift/%00", 400, "invalid-request",
                                               "admin"),
    "the-service": sent("?dataset=service", 403, "forbidden"),
    "the-service-by-a-curator": sent("?dataset=service", 403, "forbidden", "curator"),
    "the-service-by-an-admin": sent("?dataset=service", 400, "invalid-request", "admin"),
    "the-service-in-capitals-by-an-admin": sent(f"?dataset={BASE.upper()}graph/service", 400,
                                                "invalid-request", "admin"),
    "the-default-graph": sent("?dataset=default", 403, "forbidden"),
    "the-default-graph-by-an-admin": sent("?dataset=default", 400, "invalid-request", "admin"),
    "an-entity-as-dataset-by-an-admin": sent(f"?dataset={MINE}", 400, "invalid-request", "admin"),
    "removal-of-what-others-need": Row("POST", f"{SEND}{{base}}", "swift", 409, "still-referenced",
                                       b"", RDF),
    # parameters
    "unknown-parameter": sent("?dataset={own}&modes=merge", 400, "invalid-request"),
    "unknown-mode": sent("?dataset={own}&mode=append", 400, "invalid-request"),
    "mode-of-another-door": sent("?dataset={own}&mode=update", 400, "invalid-request"),
    "mode-twice": sent("?dataset={own}&mode=merge&mode=replace", 400, "invalid-request"),
    "doubtful-dry-run": sent("?dataset={own}&dry_run=maybe", 400, "invalid-request"),
    "unknown-language": sent("?dataset={own}&lang=xx&dry_run=true", 400, "invalid-request"),
    "force-by-a-partner": sent("?dataset={own}&force=true", 403, "forbidden"),
    # reading
    "id-with-dots": asked("/..%2F..%2Fv1%2Fadmin%2Fkeys", 404, "not-found"),
    "id-with-more-dots": asked("/%2e%2e%2f%2e%2e%2fetc%2fpasswd/report", 404, "not-found"),
    "id-with-zero-byte": asked("/%00", 404, "not-found"),
    "id-with-a-lone-byte": asked("/%ff%fe", 404, "not-found"),
    "id-that-is-sql": asked("/'%20OR%201=1--", 404, "not-found"),
    "id-of-great-length": asked("/" + "a" * 5000, 404, "not-found"),
    "id-of-another": asked("/{waiting}", 404, "not-found"),
    "report-of-another": asked("/{waiting}/report", 404, "not-found"),
    "difference-of-another": asked("/{waiting}/diff", 404, "not-found"),
    "report-by-a-reader": asked("/{published}/report", 403, "forbidden", "reader"),
    "report-without-key": asked("/{published}/report", 401, "unauthenticated", None),
    "report-in-an-unknown-form": asked("/{published}/report?format=pdf", 400, "invalid-request"),
    "report-as-a-picture": asked("/{published}/report", 406, "not-acceptable", accept="image/png"),
    "report-in-an-unknown-language": asked("/{published}/report?lang=xx", 400, "invalid-request"),
    "difference-with-a-wrong-number": asked("/{published}/diff?limit=-1", 400, "invalid-request"),
    "difference-with-too-much": asked("/{published}/diff?limit=1001", 400, "invalid-request"),
    "difference-far-away": asked("/{published}/diff?offset=1e9", 400, "invalid-request"),
    "list-in-an-unknown-state": asked("?state=lost", 400, "invalid-request"),
    "list-of-too-many": asked("?limit=201", 400, "invalid-request"),
    "list-of-none-known": asked("?partner=demo", 400, "invalid-request"),
    "list-by-a-reader": asked("", 403, "forbidden", "reader"),
    # deciding
    "accept-what-is-published": acted("{published}/accept", 409, "conflict"),
    "withdraw-what-is-published": acted("{published}/withdraw", 409, "conflict", "swift"),
    "reject-what-is-published": acted("{published}/reject", 409, "conflict",
                                      body=b'{"reason": "late"}'),
    "revert-what-is-in-review": acted("{waiting}/revert", 409, "conflict"),
    "accept-by-the-sender": acted("{waiting}/accept", 403, "forbidden", "demo"),
    "accept-by-another": acted("{waiting}/accept", 403, "forbidden", "swift"),
    "accept-with-a-parameter": acted("{waiting}/accept?force=true", 400, "invalid-request"),
    "reject-by-the-sender": acted("{waiting}/reject", 403, "forbidden", "demo",
                                  b'{"reason": "mine"}'),
    "reject-without-reason": acted("{waiting}/reject", 400, "invalid-request", body=b"{}"),
    "reject-with-blank-reason": acted("{waiting}/reject", 400, "invalid-request",
                                      body=b'{"reason": " "}'),
    "reject-with-a-long-reason": acted("{waiting}/reject", 400, "invalid-request",
                                       body=b'{"reason": "' + b"x" * 2001 + b'"}'),
    "reject-with-a-list": acted("{waiting}/reject", 400, "invalid-request", body=b"[]"),
    "reject-with-no-json": acted("{waiting}/reject", 400, "invalid-request", body=b"because"),
    "reject-with-deep-json": acted("{waiting}/reject", 400, "invalid-request",
                                   body=b"[" * 16000),
    "reject-with-too-much": acted("{waiting}/reject", 413, "too-large", body=b" " * 20000),
    "reject-with-a-lone-surrogate": acted("{waiting}/reject", 400, "invalid-request",
                                          body=b'{"reason": "\\ud800"}'),
    "reject-with-a-zero-byte": acted("{waiting}/reject", 400, "invalid-request",
                                     body=b'{"reason": "x\\u0000"}'),
    "reject-with-something-else": acted("{waiting}/reject", 400, "invalid-request",
                                        body=b'{"reason": "x", "state": "published"}'),
    "withdraw-by-another": acted("{waiting}/withdraw", 404, "not-found", "swift"),
    "revert-by-another": acted("{published}/revert", 404, "not-found", "demo"),
    "revert-by-force": acted("{published}/revert?force=true", 403, "forbidden", "swift"),
    # methods
    "put-a-submission": Row("PUT", f"{ALL}/{{published}}", "admin", 405, "method-not-allowed"),
    "delete-a-submission": Row("DELETE", f"{ALL}/{{published}}", "admin", 405,
                               "method-not-allowed"),
    "patch-a-submission": Row("PATCH", f"{ALL}/{{published}}", "admin", 405, "method-not-allowed"),
    "accept-by-looking": asked("/{waiting}/accept", 405, "method-not-allowed", "curator"),
    # graphs
    "graph-without-key": Row("PUT", f"{GRAPH}{{own}}", None, 401, "unauthenticated", GOOD, RDF),
    "graph-of-another": Row("PUT", f"{GRAPH}{{theirs}}", "swift", 403, "forbidden", GOOD, RDF),
    "removal-of-a-graph-of-another": Row("DELETE", f"{GRAPH}{{theirs}}", "swift", 403,
                                         "forbidden"),
    "reserved-graph": Row("DELETE", f"{GRAPH}service", "admin", 400, "invalid-request"),
    "reserved-graph-with-a-fragment": Row("PUT", f"{GRAPH}service%23x", "admin", 400,
                                          "invalid-request", GOOD, RDF),
    "all-graphs": Row("DELETE", "/graphs?default", "admin", 400, "invalid-request"),
    "graph-without-name": Row("POST", "/graphs", "swift", 403, "forbidden", GOOD, RDF),
    "graph-that-is-not-there": Row("DELETE", f"{GRAPH}{{unpublished}}", "swift", 404, "not-found"),
    "graph-with-data-of-others": Row(
        "POST", f"{GRAPH}{{own}}", "swift", 403, "not-yours",
        turtle(organisation("demo-new", "Mine")), RDF,
    ),
    "graph-that-breaks-the-shapes": Row(
        "POST", f"{GRAPH}{{own}}", "swift", 422, "invalid-data",
        turtle("<id/organisation/swift-9> a org:Organization ."), RDF,
    ),
    "graph-patched": Row("PATCH", f"{GRAPH}{{own}}", "swift", 405, "method-not-allowed", GOOD, RDF),
    # updates
    "update-without-key": updating(inserted(MINE, OWN), 401, "unauthenticated", None),
    "update-by-a-reader": updating(inserted(MINE, OWN), 403, "forbidden", "reader"),
    "update-that-does-not-parse": updating("INSERT DATA { GRAPH <x> {", 400, "syntax"),
    "update-that-is-a-query": updating("SELECT * { ?s ?p ?o }", 400, "syntax"),
    "update-with-a-zero-byte": updating(
        f'INSERT DATA {{ GRAPH <{OWN}> {{ <{MINE}> {TITLE} "\\u0000" }} }}', 400, "syntax"
    ),
    "update-of-another": updating(inserted(MINE, THEIRS), 403, "forbidden"),
    "update-of-own-and-another": updating(
        f"{inserted(MINE, OWN)} ; {inserted(MINE, THEIRS)}", 403, "forbidden"
    ),
    "update-of-the-service": updating(inserted(MINE, SERVICE), 403, "forbidden"),
    "update-of-the-service-by-an-admin": updating(
        f"DELETE WHERE {{ GRAPH <{SERVICE}> {{ ?s ?p ?o }} }}", 400, "invalid-request",
        "admin",
    ),
    "update-with-names-of-others": updating(
        inserted(f"{BASE}id/organisation/demo-new", OWN), 403, "not-yours"
    ),
    "update-that-makes-names": updating(
        f"""INSERT {{ GRAPH <{OWN}> {{ ?made a <http://www.w3.org/ns/org#Organization> }} }}
        WHERE {{ BIND(IRI(CONCAT("{BASE}id/organisation/", "demo-new")) AS ?made) }}""",
        403, "not-yours",
    ),
    "update-that-breaks-the-shapes": updating(
        f"""DELETE WHERE {{ GRAPH <{OWN}> {{
        ?s <http://www.w3.org/2004/02/skos/core#prefLabel> ?label }} }}""", 422, "invalid-data"
    ),
    "update-that-removes-what-others-need": updating(
        f"CLEAR GRAPH <{BASE}graph/{{base}}>", 409, "still-referenced"
    ),
    "update-of-everything": updating("DROP ALL", 403, "forbidden"),
    "update-of-everything-with-a-name": updating("DROP NAMED", 403, "forbidden", "curator"),
    "update-of-any-graph": updating(
        "DELETE { GRAPH ?g { ?s ?p ?o } } WHERE { GRAPH ?g { ?s ?p ?o } }",
        403, "forbidden", "curator",
    ),
    "update-that-loads": updating(f"LOAD <http://127.0.0.1:9/> INTO GRAPH <{OWN}>", 400,
                                  "federation-refused"),
    "update-that-asks-others": updating(
        f"""INSERT {{ GRAPH <{OWN}> {{ ?s ?p ?o }} }}
        WHERE {{ SERVICE <http://127.0.0.1:9/> {{ ?s ?p ?o }} }}""",
        400, "federation-refused",
    ),
    "update-without-end": updating(
        f"""INSERT {{ GRAPH <{OWN}> {{ <{MINE}> {TITLE} ?text }} }}
        WHERE {{ GRAPH ?g {{ ?a ?b ?c . ?d ?e ?f . ?h ?i ?j . ?k ?l ?m }}
        FILTER(STRLEN(CONCAT(STR(?c), STR(?f), STR(?j), STR(?m))) < 0) BIND(STR(?c) AS ?text) }}""",
        504, "deadline",
    ),
    "update-as-data": Row("POST", "/sparql/update", "swift", 415, "unsupported-media-type", GOOD,
                          RDF),
    "update-by-looking": Row("GET", "/sparql/update", "swift", 405, "method-not-allowed"),
}  # fmt: skip
