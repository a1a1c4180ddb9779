"""Tests of the two protocols as requests, and what must be answered.

A manifest states them in the vocabulary of HTTP in RDF, or as HTTP messages in the comment of the
test, which people read on its page. Both are read here.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from rdflib import RDFS, Graph, Namespace
from rdflib.collection import Collection
from rdflib.term import Node

from app.rdf import media
from tests.conformance.manifests import MF, Case

HT = Namespace("http://www.w3.org/2011/http#")
CNT = Namespace("http://www.w3.org/2011/content#")

_MESSAGES = re.compile(
    r"^#+ Request\s*$(?P<request>.*?)^#+ Response\s*$(?P<response>.*?)(?=^#|^followed by|\Z)",
    re.MULTILINE | re.DOTALL,
)
_IGNORED = {"host", "content-length", "user-agent"}

_RESULTS = {
    "boolean": frozenset({media.RESULTS_XML, media.RESULTS_JSON}),
    "tabular": frozenset(
        {media.RESULTS_XML, media.RESULTS_JSON, media.RESULTS_CSV, media.RESULTS_TSV}
    ),
    "RDF": frozenset(media.RDF_FORMATS),
}
"""The media types that each kind of result may have."""


@dataclass(frozen=True)
class Exchange:
    """One request, and what is promised of its answer.

    `statuses` are ranges. `content` is what the body must be: `true` or `false`, or a graph in
    Turtle, and None if anything is right. `media_types` are those that it may have, or any.
    `unlike` is an IRI that the only binding of `?o` must not be.
    """

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    statuses: tuple[range, ...] = ()
    content: str | None = None
    media_types: frozenset[str] = frozenset()
    unlike: str | None = None


def read_exchanges(case: Case) -> list[Exchange]:
    """What a test sends, one after the other."""
    connection = case.one(case.node, MF.action)
    if connection is not None:
        requests = case.one(connection, HT.requests)
        assert requests is not None, f"{case.name} has no requests"
        manifest = case.manifest
        return [_from_rdf(manifest, request) for request in Collection(manifest, requests)]
    return list(_from_text(str(case.one(case.node, RDFS.comment) or "")))


# in RDF


def _from_rdf(manifest: Graph, request: Node) -> Exchange:
    def text(subject: Node | None, predicate: Node) -> str | None:
        found = None if subject is None else manifest.value(subject, predicate)
        return None if found is None else str(found)

    def headers(message: Node) -> dict[str, str]:
        listed = manifest.value(message, HT.headers)
        nodes = list(Collection(manifest, listed)) if listed is not None else []
        return {str(text(n, HT.fieldName)).lower(): str(text(n, HT.fieldValue)) for n in nodes}

    body, answer = manifest.value(request, HT.body), manifest.value(request, HT.resp)
    assert answer is not None, "a request without an expected response"
    sent = headers(request)
    chars = text(body, CNT.chars) or ""
    encoding = text(body, CNT.characterEncoding) or "utf-8"
    expected = text(manifest.value(answer, HT.body), CNT.chars) or text(answer, MF.expectedBoolean)
    classes = [str(one).rpartition("#")[2] for one in manifest.objects(answer, MF.expectedStatus)]
    classes += [str(one) for one in manifest.objects(answer, HT.statusCodeValue)]
    formats = text(answer, MF.expectedFormat)
    promised = headers(answer).get("content-type", "")
    return Exchange(
        method=str(text(request, HT.methodName)),
        target=str(text(request, HT.absolutePath)),
        headers={name: value for name, value in sent.items() if name not in _IGNORED},
        body=_body(chars, sent.get("content-type", ""), encoding),
        statuses=tuple(_statuses(" ".join(classes))),
        content=expected,
        media_types=_RESULTS[formats] if formats else _media_types(promised),
        unlike=_unlike(text(answer, MF.expectation) or ""),
    )


def _statuses(text: str) -> Iterator[range]:
    """`2xx or 3xx`, `StatusCode4xx`, `3XX`, `201 Created`."""
    for digit in re.findall(r"([1-5])xx", text, re.IGNORECASE):
        yield range(int(digit) * 100, int(digit) * 100 + 100)
    for code in re.findall(r"(?<!\d)[1-5]\d\d(?!\d)", text):
        yield range(int(code), int(code) + 1)


def _media_types(content_type: str) -> frozenset[str]:
    """`text/turtle`; `text/turtle, or any other valid media type for RDF results`."""
    results = re.search(r"any other valid media type for (\w+)", content_type)
    if results:
        return _RESULTS.get(results[1], frozenset())
    return frozenset(re.findall(r"[\w.-]+/[\w.+-]+", content_type))


def _unlike(expectation: str) -> str | None:
    """``one result with `?o` bound to an IRI that is _not_ `<test>` ``."""
    found = re.search(r"_not_ `<(.*?)>`", expectation)
    return found[1] if found else None


# as messages in a comment


def _from_text(comment: str) -> Iterator[Exchange]:
    utf_16 = "utf-16" in comment.lower()
    for messages in _MESSAGES.finditer(comment):
        first, sent, chars = _message(messages["request"])
        status, received, content = _message(messages["response"])
        method, target = first.split()[:2]
        unlike = _unlike(content)
        about_body = "" if unlike else content.strip()
        yield Exchange(
            method=method,
            target=target,
            headers={name: value for name, value in sent.items() if name not in _IGNORED},
            body=_body(chars, sent.get("content-type", ""), "utf-16" if utf_16 else "utf-8"),
            statuses=tuple(_statuses(status)),
            content=about_body or None,
            media_types=_media_types(received.get("content-type", "")),
            unlike=unlike,
        )


def _message(text: str) -> tuple[str, dict[str, str], str]:
    """First line, headers and body of what is indented."""
    lines = textwrap.dedent(text.replace("\t", "    ")).strip().split("\n")
    headers = {}
    at = 1
    while at < len(lines) and (line := lines[at].strip()):
        name, colon, value = line.partition(":")
        if not colon or " " in name:
            break
        headers[name.lower()] = value.strip()
        at += 1
    return lines[0], headers, "\n".join(lines[at:]).strip("\n")


def _body(chars: str, content_type: str, encoding: str) -> bytes:
    if content_type.startswith("multipart/"):
        chars = re.sub(r"\r?\n", "\r\n", chars.strip() + "\n")
    elif content_type.startswith("application/x-www-form-urlencoded"):
        chars = chars.strip()
    return chars.encode(encoding)
