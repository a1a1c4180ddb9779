"""What must not get in, as a table; a trusted partner sends it, so whatever passed would be public."""

from __future__ import annotations

import contextlib
import gzip
import io
import socket
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.server.publishing import (
    BASE,
    LICENCE,
    SUBMISSIONS,
    TURTLE,
    Publishing,
    organisation,
    problem,
    publishing,
    turtle,
)
from tests.server.running import lifetec

GOOD = turtle(organisation("swift-9", "Nine"))
KEPT = organisation("swift-1", "One") + organisation("swift-2", "Two")
REFERRING = (
    organisation("demo-1", "Demo")
    + """<id/technology/demo-patch> a lt:Technology ; skos:prefLabel "Patch"@en ;
  dcterms:description "A patch."@en ; dcterms:creator <id/organisation/swift-1> .
"""
)


@dataclass
class House:
    """The server, with what the rows refer to; `words` are put into their text."""

    publishing: Publishing
    own: str
    words: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server that limits sizes to 1 MB and work to seconds; in the end nothing has changed."""
    limits = {"submission_mb": 1, "submission_seconds": 10, "submission_memory_mb": 1024}
    with publishing(tmp_path_factory.mktemp("bad"), **limits) as one:
        made = _furnished(one)
        before = _published(made)
        yield made
        assert _published(made) == before
        listed = one.ask("GET", f"{SUBMISSIONS}?state=in-review", "curator").json()
        assert [item["id"] for item in listed["items"]] == [made.words["waiting"]]
        checked = lifetec(one.server.data_dir, "check", **one.settings)
        assert checked.returncode == 0, checked.stdout
        assert "FAIL" not in checked.stdout


def _furnished(one: Publishing) -> House:
    own, theirs = one.dataset("swift"), one.dataset("demo")
    expired = one.key(role="partner", partner="swift", days=1)
    _expire(one, expired)
    revoked = one.key(role="partner", partner="swift")
    assert one.ask("DELETE", f"/api/v1/admin/keys/{revoked.split('_')[1]}", "admin").is_success
    elsewhere = one.dataset("swift").partition("/")[2]
    scoped = one.key(role="partner", partner="swift", datasets=[elsewhere])
    published = one.publish(own, KEPT)
    one.publish(theirs, REFERRING)
    for partner in ("swift", "demo"):
        gone = one.dataset(partner)
        one.publish(gone, organisation(f"{partner}-gone", "Gone"))
        one.publish(gone, "")
    waiting = one.send(theirs, REFERRING + organisation("demo-2", "Waits")).json()
    assert waiting["state"] == "in-review", waiting
    assert one.act(waiting, "accept", "demo").status_code == 403
    words = {
        "own": own,
        "theirs": theirs,
        "elsewhere": f"swift/{elsewhere}",
        "unpublished": one.dataset("swift"),
        "expired": expired,
        "revoked": revoked,
        "scoped": scoped,
        "published": published["id"],
        "waiting": waiting["id"],
    }
    return House(one, own, words)


def _expire(one: Publishing, key: str) -> None:
    """Have a key expire in the past, as time would."""
    with contextlib.closing(sqlite3.connect(one.server.data_dir / "lifetec.db")) as database:
        database.execute(
            "UPDATE keys SET expires_at = '2026-01-02 03:04:05.000000' WHERE id = ?",
            [key.split("_")[1]],
        )
        database.commit()


def _published(house: House) -> tuple[Any, ...]:
    """All that must stay as it is."""
    one = house.publishing
    graphs = [
        sorted(one.server.get(f"/graphs?graph={BASE}graph/{name}", accept="application/n-triples")
               .text.splitlines())
        for name in (house.own, house.words["theirs"], "service")
    ]  # fmt: skip
    total = one.ask("GET", f"{SUBMISSIONS}?state=published&limit=0", "curator").json()["total"]
    return one.generation(), graphs, total


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
    return turtle("".join(
        f'<id/organisation/swift-{n}> a org:Organization ; skos:prefLabel "x"@en ;'
        f' dcterms:issued "{"long " * 20}{n}"^^xsd:date .\n'
        for n in range(2000)
    ))  # fmt: skip


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
    "wrong-language-tag": (said('dcterms:title "x"@e_n'), TURTLE, {}, 400, "syntax"),
    "remote-context": (b'{"@context":"http://127.0.0.1:9/","@id":"http://a"}',
                       JSON_LD, {}, 400, "syntax"),
    "entity-bomb": (entities('<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">'), XML, {}, 400, "syntax"),
    "entity-of-a-file": (entities('<!ENTITY a SYSTEM "file:///etc/passwd">'), XML, {}, 400, "syntax"),
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
    "blank-nodes-in-a-knot": (turtle(knot(12)), TURTLE, {}, 504, "deadline"),
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
    "removal-of-what-others-need": (turtle(organisation("swift-2", "Two")), TURTLE, {},
                                    409, "still-referenced"),
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


@pytest.mark.parametrize("name", BODIES)
def test_bad_data_is_refused_with_its_problem(name: str, house: House) -> None:
    data, media_type, headers, status, slug = BODIES[name]
    given = {**({} if media_type is None else {"content-type": media_type}), **headers}
    reply = house.publishing.ask(
        "POST", f"{SUBMISSIONS}?dataset={house.own}", "swift", content=data, headers=given
    )
    assert problem(reply) == (status, slug), reply.text[:2000]
    assert len(reply.content) < 1 << 19
    if "submission" in reply.json():
        one = house.publishing.ask("GET", f"{SUBMISSIONS}/{reply.json()['submission']}", "swift")
        assert (one.json()["state"], one.json()["generation"]) == ("rejected", None)
    if slug == "not-yours":
        assert reply.json()["total"] == len(reply.json()["iris"]) == 1
