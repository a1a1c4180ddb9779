"""Bytes of a stranger to quads in the engine's own normal form, in bounded memory.

Runs in the cage. Limits are checked while reading, so that a small file that unfolds into a huge
one (gzip, XML entities, nested JSON) is refused before it has grown.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat, Store, parse

from app.errors import PayloadTooLarge, SyntaxRejected, UnsupportedMediaType
from app.rdf import media

MAX_JSON_DEPTH = 100
"""JSON-LD nesting: the engine's memory grows with the square of the depth."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
_PACKED_CHUNK = 1 << 14
_NORMALISED_AT_ONCE = 100_000


def parse_rdf(
    data: bytes,
    media_type: str,
    *,
    base_iri: str,
    max_bytes: int,
    max_quads: int = 20_000_000,
    as_written: bool = False,
) -> Iterator[Quad]:
    """Quads of `data`, blank nodes renamed apart, literals in the engine's normal form.

    `data` may be gzip-compressed and may begin with a byte order mark. Triples are in the default
    graph. With `as_written`, literals stay as they are; else control characters are refused. Raises
    SyntaxRejected with line and column where the parser knows them, UnsupportedMediaType, and
    PayloadTooLarge when more than `max_bytes` are unpacked or `max_quads` are read.
    """
    name = media.rdf_media_type(media_type)
    if name is None:
        raise UnsupportedMediaType(media_type, list(media.RDF_FORMATS))
    text = unpacked(data, max_bytes)
    if name == media.RDF_XML:
        _refuse_entities(text)
    elif name == media.JSON_LD:
        _refuse_deep_json(text)
    quads = _parsed(text, media.RDF_FORMATS[name], base_iri, max_quads)
    return quads if as_written else _normalised(readable(quads))


def _parsed(text: bytes, rdf_format: RdfFormat, base_iri: str, max_quads: int) -> Iterator[Quad]:
    try:
        # The engine's JSON-LD reader passes over statements with a wrong IRI without a word, unless
        # it is lenient; then they arrive, and are refused here as in every other syntax.
        unchecked = rdf_format == RdfFormat.JSON_LD
        reader = parse(
            input=text,
            format=rdf_format,
            base_iri=base_iri,
            rename_blank_nodes=True,
            lenient=unchecked,
        )
        for count, quad in enumerate(reader):
            if count == max_quads:
                raise PayloadTooLarge(f"More than {max_quads:,} statements; send them in parts.")
            if unchecked:
                _check_terms(quad)
            yield quad
    except SyntaxError as error:
        raise _rejected(error) from None
    except ValueError as error:
        raise SyntaxRejected(str(error)) from None
    except MemoryError as error:
        if "buffer" not in str(error):
            raise
        raise PayloadTooLarge(
            "One value is longer than 16 MB; shorten it, or link to it."
        ) from None


def readable(quads: Iterable[Quad]) -> Iterator[Quad]:
    """The quads as they are; raises SyntaxRejected at a text that XML cannot hold (XML 1.0 §2.2).

    One such character in the graph, and no reader of RDF/XML or of results in XML could read on.
    """
    for quad in quads:
        if isinstance(quad.object, Literal) and (found := _NOT_IN_XML.search(quad.object.value)):
            raise SyntaxRejected(
                f"A value of {quad.predicate}, said of {quad.subject}, holds the control character "
                f"U+{ord(found[0]):04X}. Leave it out; line breaks and tabs may stay."
            )
        yield quad


def _check_terms(quad: Quad) -> None:
    for term in (quad.subject, quad.predicate, quad.object, quad.graph_name):
        try:
            if isinstance(term, NamedNode):
                NamedNode(term.value)
            elif isinstance(term, Literal):
                NamedNode(term.datatype.value)
                if term.language:
                    Literal(term.value, language=term.language)
        except ValueError as error:
            raise SyntaxRejected(f"{term}: {error}.") from None


def _rejected(error: SyntaxError) -> SyntaxRejected:
    message = re.sub(r"^Parser error at line \d+.*?: ", "", error.msg or str(error))
    if "LoadDocumentCallback" in message:
        message = (
            "A remote JSON-LD @context is not fetched. Put the context itself into the document, "
            "or send Turtle."
        )
    return SyntaxRejected(message[:500], line=error.lineno, column=error.offset)


def unpacked(data: bytes, max_bytes: int) -> bytes:
    """`data`, without its gzip compression and its byte order mark if it has them.

    Raises PayloadTooLarge as soon as more than `max_bytes` come out.
    """
    if not data.startswith(_GZIP_MAGIC):
        if len(data) > max_bytes:
            raise _too_many_bytes(max_bytes)
        return data.removeprefix(_BYTE_ORDER_MARK)
    try:
        parts, size = [], 0
        for part in _members(data):
            size += len(part)
            if size > max_bytes:
                raise _too_many_bytes(max_bytes)
            parts.append(part)
    except zlib.error as error:
        raise SyntaxRejected(f"The gzip data is damaged: {error}.") from None
    return b"".join(parts).removeprefix(_BYTE_ORDER_MARK)


def _members(data: bytes) -> Iterator[bytes]:
    """The unpacked pieces of all members of a gzip file (RFC 1952 §2.2), zero padding allowed."""
    reader, begun = zlib.decompressobj(wbits=31), False
    for at in range(0, len(data), _PACKED_CHUNK):
        pending = data[at : at + _PACKED_CHUNK]
        while pending:
            if not begun and not (pending := pending.lstrip(b"\x00")):
                break
            begun = True
            yield reader.decompress(pending, _CHUNK)
            pending = reader.unconsumed_tail
            while not pending and not reader.eof and (part := reader.decompress(b"", _CHUNK)):
                yield part
            if reader.eof:
                pending = reader.unused_data
                reader, begun = zlib.decompressobj(wbits=31), False
    if begun:
        raise SyntaxRejected("The gzip data ends too early; send the file again.")


def _too_many_bytes(max_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"More than {max_bytes / 2**20:g} MB when unpacked; send it in parts.", limit=max_bytes
    )


def _refuse_entities(text: bytes) -> None:
    # The engine reads no encoding but UTF-8, so one look suffices.
    if b"<!ENTITY" in text:
        raise SyntaxRejected(
            "XML entity declarations are not read, because they can unfold without bound. "
            "Write the characters or full IRIs instead."
        )


_JSON_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def _refuse_deep_json(text: bytes) -> None:
    depth = 0
    for token in _JSON_TOKEN.finditer(text):
        first = text[token.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                line = text.count(b"\n", 0, token.start()) + 1
                raise PayloadTooLarge(
                    f"JSON nested deeper than {MAX_JSON_DEPTH} levels; give the inner objects an "
                    "@id and list them side by side.",
                    line=line,
                )
        elif first in b"]}":
            depth -= 1


def _normalised(quads: Iterable[Quad]) -> Iterator[Quad]:
    """Pass the quads through the engine, which rewrites literals (`2.50` to `2.5`).

    Validation, diffs and hashes must see what the store will hold, or an unchanged file would
    never be an empty diff.
    """
    batch: list[Quad] = []
    for quad in quads:
        batch.append(quad)
        if len(batch) == _NORMALISED_AT_ONCE:
            yield from _through_engine(batch)
            batch = []
    yield from _through_engine(batch)


def _through_engine(batch: list[Quad]) -> Iterable[Quad]:
    store = Store()
    store.bulk_extend(batch)
    return store


def in_graph(quads: Iterable[Quad], graph: NamedNode) -> Iterator[Quad]:
    """The quads with `graph` in place of the default graph; other graphs are kept."""
    default = DefaultGraph()
    for quad in quads:
        if quad.graph_name == default:
            yield Quad(quad.subject, quad.predicate, quad.object, graph)
        else:
            yield quad
