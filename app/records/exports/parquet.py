"""Parquet, by DuckDB: columns of their own types, cells with several values as lists."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb

from app.errors import PayloadTooLarge
from app.rdf.terms import XSD
from app.records.exports.columns import Column, Table
from app.records.exports.writer import Scratch, pieces

_TYPES = {
    **dict.fromkeys(
        [
            XSD[name]
            for name in (
                *("integer", "int", "long", "short", "byte"),
                *("nonNegativeInteger", "positiveInteger", "unsignedInt", "unsignedShort"),
            )
        ],
        "BIGINT",
    ),
    **dict.fromkeys([XSD[name] for name in ("decimal", "double", "float")], "DOUBLE"),
    XSD["boolean"]: "BOOLEAN",
    XSD["date"]: "DATE",
    XSD["dateTime"]: "TIMESTAMPTZ",
}
_MEMORY = "512MB"
_BIGGEST = 2**63
_LONGEST_LINE = 32 << 20
_ROWS_AT_ONCE = 20_000


class Parquet:
    """The columns of a table, typed; a value that is none of its column's datatype is null."""

    whole = True

    def __init__(self, table: Table, *, max_bytes: int) -> None:
        self._table = table
        self._types = [_TYPES.get(column.datatype, "VARCHAR") for column in table.columns]
        self._scratch = Scratch(max_bytes)
        self._lines = (self._scratch.path / "rows.ndjson").open("wb")
        self._database: duckdb.DuckDBPyConnection | None = None

    def begin(self) -> bytes:
        """Nothing yet."""
        return b""

    def write(self, records: Sequence[bytes]) -> bytes:
        """Nothing yet."""
        for record in records:
            self._lines.write(self._line(record))
        self._scratch.check(self._lines.tell())
        return b""

    def end(self) -> Iterator[bytes]:
        """The file."""
        self._lines.close()
        folder = self._scratch.path
        self._database = duckdb.connect(
            ":memory:",
            config={
                "threads": "1",
                "memory_limit": _MEMORY,
                "temp_directory": str(folder / "spill"),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        file = folder / "rows.parquet"
        source = (
            f"read_json({_quoted(self._lines.name)}, format = 'newline_delimited',"
            f" columns = {self._columns()}, maximum_object_size = {_LONGEST_LINE})"
        )
        options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROWS_AT_ONCE}"
        target = f"{_quoted(str(file))} ({options})"
        # Names and types come from the shapes, and are quoted.
        self._database.execute(f"COPY (SELECT * FROM {source}) TO {target}")  # noqa: S608
        with file.open("rb") as content:
            yield from pieces(content)

    def close(self) -> None:
        """Stop, and remove what was written."""
        if self._database is not None:
            self._database.interrupt()
            self._database.close()
        self._lines.close()
        self._scratch.close()

    def _line(self, record: bytes) -> bytes:
        row = self._table.row(json.loads(record))
        shown = {
            column.name: _shown(values, column, type_)
            for values, column, type_ in zip(row, self._table.columns, self._types, strict=True)
            if values is not None
        }
        line = json.dumps(shown, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        if len(line) > _LONGEST_LINE:
            raise PayloadTooLarge(
                f"<{row[0]}> is longer than {_LONGEST_LINE >> 20} MB; take NDJSON or CSV."
            )
        return line

    def _columns(self) -> str:
        types = (
            f"{_quoted(column.name)}: {_quoted(f'{type_}[]' if column.many else type_)}"
            for column, type_ in zip(self._table.columns, self._types, strict=True)
        )
        return "{" + ", ".join(types) + "}"


def _shown(values: Sequence[Any], column: Column, type_: str) -> Any:
    found = [_typed(value, type_) for value in values]
    return found if column.many else found[0]


def _typed(value: Any, type_: str) -> Any:
    """The value as DuckDB reads it from JSON in a column of this type; None if it is no such."""
    try:
        return _READERS[type_](value)
    except (TypeError, ValueError, ArithmeticError):
        return None


def _integer(value: Any) -> int:
    number = int(value)
    if not -_BIGGEST <= number < _BIGGEST:
        raise ValueError("too big")
    return number


def _double(value: Any) -> float:
    number = float(Decimal(str(value)))
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("no boolean")
    return value


def _moment(value: Any) -> str:
    moment = datetime.fromisoformat(value)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat()


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "BIGINT": _integer,
    "DOUBLE": _double,
    "BOOLEAN": _boolean,
    "DATE": lambda value: date.fromisoformat(value).isoformat(),
    "TIMESTAMPTZ": _moment,
    "VARCHAR": lambda value: str(value).replace("\0", "\ufffd"),
}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
