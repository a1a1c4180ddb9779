"""Bodies of requests as files: one that is the body, or the parts of a form (RFC 7578).

Limits hold while the stream is read: what is too long is refused before its end. Nothing is looked
into here but the frames around the files.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from app.errors import InvalidRequest, PayloadTooLarge, SyntaxRejected, UnsupportedMediaType
from app.rdf import media

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_PARTS = 20
"""Parts of one form."""

MULTIPART = "multipart/form-data"
_OVERHEAD = 1 << 16
_PIECE = 1 << 18
_UTF_8 = {"utf-8", "utf8", "us-ascii", "ascii"}
_ANY = {"", "application/octet-stream", "text/plain", "application/gzip", "application/x-gzip"}


@dataclass(frozen=True, slots=True)
class Part:
    """One file: the name of its field, its own name, its RDF media type, its bytes."""

    field: str
    name: str | None
    media_type: str
    data: bytes


async def read_parts(request: Request, max_bytes: int, body_field: str) -> list[Part]:
    """The files of a request; a body that is no form is the file of `body_field`.

    A gzip Content-Encoding is undone; files that are compressed themselves stay so. Raises
    PayloadTooLarge when more than `max_bytes` arrive or are unpacked, UnsupportedMediaType,
    InvalidRequest and SyntaxRejected.
    """
    content_type = request.headers.get("content-type")
    kind = media.bare(content_type)
    form = kind == MULTIPART
    allowed = max_bytes + (_OVERHEAD if form else 0)
    if not form:
        media_type = _media_type(content_type, None)
    stream = _decoded(request, allowed, max_bytes)
    if form:
        return await _read_form(content_type or "", stream)
    return [Part(body_field, None, media_type, b"".join([piece async for piece in stream]))]


async def _decoded(request: Request, allowed: int, limit: int) -> AsyncIterator[bytes]:
    """The body without its Content-Encoding, in pieces."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip"}:
        raise UnsupportedMediaType(f"Content-Encoding: {encoding}", ["gzip", "identity"])
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > allowed:
        raise _too_large(limit)
    size = 0
    stream = _arriving(request, allowed, limit)
    async for piece in stream if encoding == "identity" else _unpacked(stream):
        size += len(piece)
        if size > allowed:
            raise _too_large(limit)
        yield piece


async def _arriving(request: Request, allowed: int, limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > allowed:
            raise _too_large(limit)
        yield chunk


async def _unpacked(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """All members of a gzip stream (RFC 1952 §2.2), a small piece at a time."""
    reader, begun = zlib.decompressobj(wbits=31), False
    try:
        async for chunk in stream:
            pending = chunk
            while pending:
                begun = True
                if piece := reader.decompress(pending, _PIECE):
                    yield piece
                    await asyncio.sleep(0)  # others go first
                pending = reader.unconsumed_tail
                while not pending and not reader.eof and (more := reader.decompress(b"", _PIECE)):
                    yield more
                if reader.eof:
                    pending = reader.unused_data
                    reader, begun = zlib.decompressobj(wbits=31), False
    except zlib.error as error:
        raise SyntaxRejected(f"The gzip data is damaged: {error}.") from None
    if begun:
        raise SyntaxRejected("The gzip data ends too early; send it again.")


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"More than {limit / 2**20:g} MB; send the data in parts.", limit=limit)


class _Form:
    """Collects the parts of a form while a parser calls back."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._headers: dict[str, str] = {}
        self._name, self._value, self._data = bytearray(), bytearray(), bytearray()
        self._count = 0

    def callbacks(self) -> MultipartCallbacks:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, at, to: self._name.extend(data[at:to]),
            "on_header_value": lambda data, at, to: self._value.extend(data[at:to]),
            "on_header_end": self._header,
            "on_part_data": lambda data, at, to: self._data.extend(data[at:to]),
            "on_part_end": self._end,
            "on_end": self._over,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > MAX_PARTS:
            raise PayloadTooLarge(f"More than {MAX_PARTS} parts; send fewer files at a time.")
        self._headers, self._data = {}, bytearray()

    def _header(self) -> None:
        name = self._name.decode("latin-1").lower()
        # The parser of its parameters gives the bytes back, which are UTF-8 (RFC 7578 §5.1).
        self._headers[name] = self._value.decode("latin-1")
        self._name, self._value = bytearray(), bytearray()

    def _end(self) -> None:
        kind, options = parse_options_header(self._headers.get("content-disposition"))
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if kind != b"form-data" or not field:
            raise InvalidRequest(
                "A part of the form has no name; it needs Content-Disposition: form-data; name=…"
            )
        if self._headers.get("content-transfer-encoding", "binary").lower() in {
            "base64",
            "quoted-printable",
        }:
            raise InvalidRequest("Send the files of a form as they are (binary).", field=field)
        given = options.get(b"filename")
        if given == b"" and not self._data:
            return  # a browser's field in which no file was chosen
        name = given.decode("utf-8", "replace")[:200] if given else None
        content_type = self._headers.get("content-type")
        self.parts.append(
            Part(field, name, _media_type(content_type, name, field), bytes(self._data))
        )

    def _over(self) -> None:
        self.ended = True


async def _read_form(content_type: str, stream: AsyncIterator[bytes]) -> list[Part]:
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise InvalidRequest("The Content-Type of a form must name its boundary.")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for piece in stream:
            parser.write(piece)
        parser.finalize()
    except MultipartParseError as error:
        raise InvalidRequest(f"The form cannot be read: {error}"[:300]) from None
    if not form.ended:
        raise InvalidRequest("The form ends too early: its last boundary is missing.")
    return form.parts


def _media_type(content_type: str | None, name: str | None, field: str | None = None) -> str:
    """The RDF media type of a file: by its header if that says one, else by its suffix."""
    kind, options = media.bare(content_type), parse_options_header(content_type)[1]
    charset = options.get(b"charset", b"utf-8").decode("latin-1").lower()
    if charset not in _UTF_8:
        raise UnsupportedMediaType(content_type, [f"{kind}; charset=utf-8"])
    by_suffix = media.SUFFIXES.get(_suffix(name)) if name else None
    if by_suffix is not None and kind in _ANY:
        return by_suffix
    found = media.rdf_media_type(kind)
    if found is None and field is not None and name is None and not kind:
        raise InvalidRequest(
            f"{field!r} has neither a media type nor a file name; send it as a file, for example "
            f"by curl -F {field}=@data.ttl.",
            field=field,
        )
    if found is None:
        raise UnsupportedMediaType(content_type or name, list(media.RDF_FORMATS))
    return found


def _suffix(name: str) -> str:
    return name.lower().removesuffix(".gz").rpartition(".")[2]
