"""XLSX (ECMA-376): the records on one sheet, what the columns mean on another."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from openpyxl import Workbook  # type: ignore[import-untyped]  # it has no types
from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]
from openpyxl.styles import Font  # type: ignore[import-untyped]

from app.errors import PayloadTooLarge
from app.rdf.terms import XSD
from app.records.exports.columns import Column, Table
from app.records.exports.comma_separated import cell as joined
from app.records.exports.csvw import datatype
from app.records.exports.writer import Scratch, pieces

MAX_ROWS = 1_048_575
"""Records on a sheet: Excel's rows without the header."""

MAX_CHARACTERS = 32_767
"""UTF-16 units in a cell, Excel's limit."""

_CUT = " […]"
_EXACT_INTEGER = 10**15
_FIRST_YEAR = 1900
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 §2.2 does not allow."""

_BOLD = Font(bold=True)


class Spreadsheet:
    """A workbook. No cell is a formula, whatever stands in it.

    Whole numbers, dates and booleans are such; others are text. A text that is too long for a cell
    is cut and ends in ` […]`; the second sheet counts those of each column. Raises PayloadTooLarge
    for more records than Excel has rows.
    """

    whole = True

    def __init__(self, table: Table, languages: Sequence[str], *, max_bytes: int) -> None:
        self._table = table
        self._languages = languages
        self._scratch = Scratch(max_bytes)
        self._written = 0
        self._saved = False
        self._count = 0
        self._cut: Counter[str] = Counter()
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet(_sheet_title(table.kind.label("en")))
        self._sheet.freeze_panes = "B2"

    def begin(self) -> bytes:
        """Nothing yet."""
        self._sheet.append(self._header([column.name for column in self._table.columns]))
        return b""

    def write(self, records: Sequence[bytes]) -> bytes:
        """Nothing yet."""
        self._count += len(records)
        if self._count > MAX_ROWS:
            raise PayloadTooLarge(
                f"A sheet of Excel has place for {MAX_ROWS:,} records, and these are more. "
                "Filter the list, or take CSV or Parquet."
            )
        for record in records:
            self._written += len(record)
            row = self._table.row(json.loads(record))
            self._sheet.append(
                [
                    None if values is None else self._value(values, column)
                    for values, column in zip(row, self._table.columns, strict=True)
                ]
            )
        self._scratch.check(self._written)
        return b""

    def end(self) -> Iterator[bytes]:
        """The file."""
        self._describe()
        file = self._scratch.path / "book.xlsx"
        self._book.save(file)
        self._saved = True
        self._scratch.check(file.stat().st_size)
        with file.open("rb") as content:
            yield from pieces(content)

    def close(self) -> None:
        """Remove what was written."""
        if not self._saved:  # a sheet that is not saved leaves a file of its own behind
            for sheet in self._book.worksheets:
                if sheet._writer is not None:
                    sheet.close()
                    sheet._writer.cleanup()
        self._scratch.close()

    def _value(self, values: Sequence[Any], column: Column) -> Any:
        if len(values) == 1:
            only = values[0]
            if isinstance(only, bool):
                return only
            if isinstance(only, int) and abs(only) < _EXACT_INTEGER:
                return only
            if column.datatype == XSD["date"] and (day := _day(only)):
                return day
        return self._text(joined(values, many=column.many), column.name)

    def _text(self, text: str, column: str) -> WriteOnlyCell:
        text = _ILLEGAL.sub("\ufffd", text)
        if len(text) > MAX_CHARACTERS // 2 and _units(text) > MAX_CHARACTERS:
            self._cut[column] += 1
            room = MAX_CHARACTERS - _units(_CUT)
            whole = text.encode("utf-16-le")[: 2 * room]
            text = whole.decode("utf-16-le", "ignore") + _CUT
        cell = WriteOnlyCell(self._sheet, text)
        cell.data_type = "s"  # else what begins with = is written as a formula
        return cell

    def _header(self, texts: Sequence[str]) -> list[WriteOnlyCell]:
        cells = [self._text(text, "") for text in texts]
        for cell in cells:
            cell.font = _BOLD
        return cells

    def _describe(self) -> None:
        sheet = self._book.create_sheet("Columns")
        titles = [f"title ({lang})" for lang in self._languages]
        sheet.append(
            self._header(["column", *titles, "description", "datatype", "property", "texts cut"])
        )
        cut = Counter(self._cut)
        for column in self._table.columns:
            texts = [
                column.name,
                *(column.titles.get(lang, "") for lang in self._languages),
                column.descriptions.get("en", ""),
                datatype(column) + (", several" if column.many else ""),
                column.predicate.value if column.predicate else "",
            ]
            sheet.append([*(self._text(text, "") for text in texts), cut[column.name]])


def _sheet_title(label: str) -> str:
    """A name that Excel allows: 31 characters, none of []:*?/\\."""
    return re.sub(r"[\[\]:*?/\\']", " ", label)[:31].strip() or "Records"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "replace")) // 2


def _day(text: Any) -> date | None:
    """A day that Excel's calendar has."""
    try:
        found = date.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.year > _FIRST_YEAR else None
