"""The formats of exports, and the making of one: batches of records in, pieces of bytes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from app.profile import EntityType, Profile
from app.rdf import media
from app.records.exports.columns import Table
from app.records.exports.comma_separated import CommaSeparated
from app.records.exports.geojson import FeatureCollection
from app.records.exports.geometry import places
from app.records.exports.json_documents import Lines, Listed
from app.records.exports.parquet import Parquet
from app.records.exports.spreadsheet import Spreadsheet
from app.records.exports.writer import Writer


@dataclass(frozen=True, slots=True)
class Export:
    """What a writer needs to know.

    `fields` are those that tables have columns for, None for all; `context` is the address of the
    JSON-LD context, if any; `bom` is for CSV only; `max_bytes` limits the files that XLSX and
    Parquet are made in.
    """

    kind: EntityType
    profile: Profile
    fields: Collection[str] | None = None
    context: str | None = None
    bom: bool = False
    max_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its media type, what people call it, and who writes it."""

    suffix: str
    media_type: str
    name: str
    writer: Callable[[Export], Writer]


def table_of(asked: Export) -> Table:
    """The columns that an export has as a table."""
    return Table(asked.kind, asked.profile, asked.fields)


def _xlsx(asked: Export) -> Writer:
    return Spreadsheet(table_of(asked), asked.profile.languages, max_bytes=asked.max_bytes)


def _parquet(asked: Export) -> Writer:
    return Parquet(table_of(asked), max_bytes=asked.max_bytes)


FORMATS: Mapping[str, Format] = {
    one.suffix: one
    for one in (
        Format("json", media.JSON, "JSON", lambda a: Listed(a.context)),
        Format("jsonld", media.JSON_LD, "JSON-LD", lambda a: Listed(a.context, linked=True)),
        Format("csv", media.CSV, "CSV", lambda a: CommaSeparated(table_of(a), bom=a.bom)),
        Format("xlsx", media.XLSX, "Excel", _xlsx),
        Format("ndjson", media.NDJSON, "NDJSON", lambda _: Lines()),
        Format("geojson", media.GEOJSON, "GeoJSON", lambda a: FeatureCollection(places(a.kind))),
        Format("parquet", media.PARQUET, "Parquet", _parquet),
    )
}
"""By the suffix of an address, which is also the value of `format=`."""


async def export(
    writer: Writer, batches: AsyncGenerator[Sequence[bytes], None]
) -> AsyncGenerator[bytes, None]:
    """The document in pieces, none of them empty; the work is done beside the event loop.

    Closes writer and batches at the end, after a fault, and when nobody listens any more.
    """
    try:
        async with aclosing(_pieces(writer, batches)) as written:
            async for piece in written:
                if piece:
                    yield piece
    finally:
        # To the end, although the task was cancelled: files would be left behind.
        await asyncio.shield(asyncio.to_thread(writer.close))


async def _pieces(
    writer: Writer, batches: AsyncGenerator[Sequence[bytes], None]
) -> AsyncGenerator[bytes | None, None]:
    async with aclosing(batches) as read:
        yield await asyncio.to_thread(writer.begin)
        async for batch in read:
            yield await _undisturbed(writer.write, batch)
    ending = writer.end()
    while (piece := await _undisturbed(_next, ending)) is not None:
        yield piece


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)


async def _undisturbed(work: Callable[..., bytes | None], *given: Any) -> bytes | None:
    """Work in a thread, which cannot be cancelled: `close` must not come before it has ended."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *given))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
