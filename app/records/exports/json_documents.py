"""JSON, newline-delimited JSON and JSON-LD: the records as they are, in one document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence


class Lines:
    """NDJSON: one record in each line."""

    whole = False

    def begin(self) -> bytes:
        """Nothing."""
        return b""

    def write(self, records: Sequence[bytes]) -> bytes:
        """Lines; a record has no line end inside."""
        return b"".join(record + b"\n" for record in records)

    def end(self) -> Iterator[bytes]:
        """Nothing."""
        yield from ()

    def close(self) -> None:
        """Nothing is held."""


class Listed:
    """A document whose member `key` holds the records.

    JSON is `{"@context"?, "items", "total"}`, as a page but with all of them; `total` comes last,
    because it is the number of those that were written. JSON-LD is `{"@context", "@graph"}`, which
    says just what the records say (JSON-LD 1.1 §4.9); the context stands at the top only.
    """

    whole = False

    def __init__(self, context: str | None, *, linked: bool = False) -> None:
        self._context = context
        self._linked = linked
        self._own = f'{{"@context":{_dump(context)},'.encode() if context else b""
        self._count = 0

    def begin(self) -> bytes:
        """Up to the first record."""
        context = self._own or b"{"
        return context + (b'"@graph":[' if self._linked else b'"items":[')

    def write(self, records: Sequence[bytes]) -> bytes:
        """Records, with a comma before all but the first."""
        before = b"," if self._count and records else b""
        self._count += len(records)
        return before + b",".join(map(self._bare, records) if self._linked else records)

    def end(self) -> Iterator[bytes]:
        """The end, with the number of records."""
        yield b"]}" if self._linked else b'],"total":%d}' % self._count

    def close(self) -> None:
        """Nothing is held."""

    def _bare(self, record: bytes) -> bytes:
        own = self._own
        return b"{" + record[len(own) :] if own and record.startswith(own) else record


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
