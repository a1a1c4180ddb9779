"""On which line of a submitted text a thing is first described, where that can be told for sure.

One pass of a few tokens, not a parser: what it cannot place it does not name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin
from xml.sax.saxutils import unescape

from app.rdf import media

MAX_BYTES = 16 << 20
"""Longer texts are not looked through."""

_TOKEN = re.compile(
    rb"""
      (?P<long>"{3}(?:[^"\\]++|\\.|"(?!""))*+"{3} | '{3}(?:[^'\\]++|\\.|'(?!''))*+'{3})
    | (?P<string>"(?:[^"\\\n\r]++|\\.)*+" | '(?:[^'\\\n\r]++|\\.)*+')
    | (?P<comment>\#[^\n\r]*+)
    | <(?P<iri>[^<>"{}|^`\\\x00-\x20]*+)>
    | (?P<directive>@(?:prefix|base)\b | (?i:PREFIX|BASE)(?=[\s<]))
    | (?P<graph>(?i:GRAPH)(?=[\s<_]))
    | (?P<name>(?:[A-Za-z\x80-\xff](?:[\w.\-\x80-\xff]*+(?<!\.))?)?:
        (?:[\w:%\\\-\x80-\xff]|\.(?=[\w:%\\.\-\x80-\xff]))*+)
    | (?P<other>[\w@^+\-\x80-\xff](?:[\w+\-\x80-\xff]|\.(?=\w))*+)
    | (?P<mark>[.{}\[\](),;])
    """,
    re.VERBOSE | re.DOTALL,
)
_JSON_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_LINE = re.compile(rb"^[ \t]*+<([^>\r\n]*+)>", re.MULTILINE)
_XML = re.compile(
    rb"""<!--.*?--> | \babout\s*+=\s*+(?:"(?P<double>[^"<]*+)" | '(?P<single>[^'<]*+)')""",
    re.VERBOSE | re.DOTALL,
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


@dataclass(frozen=True, slots=True)
class Source:
    """One submitted text: its name, its media type, its unpacked bytes, and a base of its own."""

    name: str | None
    media_type: str
    text: bytes
    base: str | None = None


def first_lines(sources: list[Source], iris: set[str], base_iri: str) -> dict[str, tuple[int, int]]:
    """IRI → number of the source and line (from 1) where the thing first stands as a subject."""
    found: dict[str, tuple[int, int]] = {}
    for number, source in enumerate(sources):
        missing = iris - found.keys()
        if not missing or len(source.text) > MAX_BYTES:
            continue
        for iri, offset in _offsets(source, missing, source.base or base_iri):
            if iri not in found:
                found[iri] = number, source.text.count(b"\n", 0, offset) + 1
    return found


def _offsets(source: Source, iris: set[str], base_iri: str) -> Iterator[tuple[str, int]]:
    name = media.rdf_media_type(source.media_type)
    if name in {media.N_TRIPLES, media.N_QUADS}:
        yield from _in_lines(source.text, iris)
    elif name in {media.TURTLE, media.TRIG}:
        yield from _in_turtle(source.text, iris, base_iri)
    elif name == media.JSON_LD:
        yield from _in_json(source.text, iris)
    elif name == media.RDF_XML:
        yield from _in_xml(source.text, iris)


def _in_lines(text: bytes, iris: set[str]) -> Iterator[tuple[str, int]]:
    for line in _LINE.finditer(text):
        iri = _text(line[1])
        if iri in iris:
            yield iri, line.start(1)


def _in_turtle(text: bytes, iris: set[str], base_iri: str) -> Iterator[tuple[str, int]]:
    """Terms at the beginning of a statement; one before a brace is the name of a graph."""
    reading, held = _Turtle(base_iri), None
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "comment":
            continue
        if held is not None and token.group() != b"{":
            yield held
        said = reading.subject(token)
        held = (said, token.start()) if said in iris else None
    if held is not None:
        yield held


class _Turtle:
    """Follows prefixes, base and the beginnings of statements from token to token."""

    def __init__(self, base_iri: str) -> None:
        self._base = base_iri
        self._prefixes: dict[str, str] = {}
        self._directive, self._prefix = b"", ""
        self._begins = True

    def subject(self, token: re.Match[bytes]) -> str | None:
        """The IRI of a token that begins a statement; None for every other token."""
        kind, word = token.lastgroup, token.group()
        if kind == "directive":
            self._directive, self._prefix, self._begins = word.lstrip(b"@").lower(), "", False
        elif self._directive:
            self._declare(token)
        elif kind == "mark":
            self._begins = word in b".{}" or (self._begins and word not in b"[(")
        elif kind != "graph" and self._begins:
            self._begins = False
            return self._named(token)
        return None

    def _declare(self, token: re.Match[bytes]) -> None:
        if token.lastgroup == "name":
            self._prefix = _text(token.group())
        elif token.lastgroup == "iri":
            iri = _resolved(_text(token["iri"]), self._base)
            if self._directive == b"base":
                self._base = iri
            else:
                self._prefixes[self._prefix] = iri
            self._directive, self._begins = b"", True

    def _named(self, token: re.Match[bytes]) -> str | None:
        if token.lastgroup == "iri":
            return _resolved(_text(token["iri"]), self._base)
        if token.lastgroup != "name":
            return None
        prefix, _, local = _text(token.group()).partition(":")
        space = self._prefixes.get(f"{prefix}:")
        return None if space is None else space + re.sub(r"\\(.)", r"\1", local)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _resolved(iri: str, base: str) -> str:
    return iri if _SCHEME.match(iri) else urljoin(base, iri)


def _in_json(text: bytes, iris: set[str]) -> Iterator[tuple[str, int]]:
    """JSON-LD says @id of subjects and of what they refer to: sure is what stands there once."""
    found: dict[bytes, list[int]] = {f'"{iri}"'.encode(): [] for iri in iris}
    for string in _JSON_STRING.finditer(text):
        places = found.get(string.group())
        if places is not None:
            places.append(string.start())
    for string_, places in found.items():
        if len(places) == 1:
            yield string_[1:-1].decode(), places[0]


def _in_xml(text: bytes, iris: set[str]) -> Iterator[tuple[str, int]]:
    for match in _XML.finditer(text):
        said = match["double"] or match["single"]
        if said is not None and (iri := unescape(_text(said), {"&quot;": '"'})) in iris:
            yield iri, match.start()
