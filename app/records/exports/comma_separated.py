"""CSV (RFC 4180) that a spreadsheet can open without running what strangers wrote."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from app.records.exports.columns import Table

SEPARATOR = " | "
"""Between the values of one cell."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take for the beginning of a formula (OWASP, CSV Injection), wide forms too."""

_HARMLESS = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?|-?\d{4,}-\d\d-\d\d", re.ASCII)
_SPECIAL = re.compile(r"[\\|]")


class CommaSeparated:
    """One row for each record, a header row first; UTF-8, lines end in CR LF.

    Several values of a cell are joined by ` | `; where a cell may hold several, `|` and `\\` of a
    value have a backslash before them. With `bom` the text begins with U+FEFF, by which Excel
    knows UTF-8.
    """

    whole = False

    def __init__(self, table: Table, *, bom: bool = False) -> None:
        self._table = table
        self._bom = bom
        self._many = [column.many for column in table.columns]

    def begin(self) -> bytes:
        """The header."""
        header = _lines([[column.name for column in self._table.columns]])
        return b"\xef\xbb\xbf" + header if self._bom else header

    def write(self, records: Sequence[bytes]) -> bytes:
        """Rows."""
        rows = (self._table.row(json.loads(record)) for record in records)
        return _lines(
            [
                "" if values is None else safe(cell(values, many=many))
                for values, many in zip(row, self._many, strict=True)
            ]
            for row in rows
        )

    def end(self) -> Iterator[bytes]:
        """Nothing."""
        yield from ()

    def close(self) -> None:
        """Nothing is held."""


def cell(values: Sequence[Any], *, many: bool) -> str:
    """The values of a cell as one text."""
    texts = [_text(value) for value in values]
    if many:
        texts = [_SPECIAL.sub(r"\\\g<0>", text) for text in texts]
    return SEPARATOR.join(texts)


def safe(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet could take it for a formula.

    Numbers and dates stay as they are.
    """
    if text.startswith(_FORMULA) and not _HARMLESS.fullmatch(text):
        return f"'{text}"
    return text


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("\0", "\ufffd")


def _lines(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
