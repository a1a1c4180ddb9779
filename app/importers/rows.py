"""Rows of the CSV files that sources publish, and the values in their cells.

The dumps come with commas or semicolons, with and without a byte order mark, with decimal points
and decimal commas, and with text that was damaged by a wrong character set somewhere on its way.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

Row = Mapping[str, str]
"""A row by column name; a missing cell is an empty string."""

_FIELD_LIMIT = 10_000_000
_VISIT = re.compile(r"/~[a-z]/")

# Damage: the replacement character; a question mark inside or at the start of a word (never the
# end of a question); UTF-8 that was read as Latin-1, Windows-1252 or Mac Roman.
_DAMAGED = re.compile(
    "\ufffd|\\w\\?\\w|(?:^|\\s)\\?\\w"
    "|[\u00c2\u00c3\u00c4\u00c5][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192"
    "\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
    "|\u00e2\u20ac|[\u221a\u2248][^\\s\\d]|\u00ac[\u0080-\u00ff\u221e\u2122]|[\u0080-\u009f]"
)

_SPACE = re.compile(r"\s+")


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a CSV file in UTF-8, separated by commas or semicolons, whichever its header has."""
    csv.field_size_limit(_FIELD_LIMIT)
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        file.seek(0)
        delimiter = ";" if header.count(";") > header.count(",") else ","
        for row in csv.DictReader(file, delimiter=delimiter):
            yield {
                name.strip(): value if isinstance(value, str) else ""
                for name, value in row.items()
                if isinstance(name, str)
            }


def text(value: str) -> str:
    """The value with single spaces, without those around it."""
    return _SPACE.sub(" ", value).strip()


def is_damaged(value: str) -> bool:
    """Whether characters were lost or replaced; such a text is left out, never repaired."""
    return _DAMAGED.search(value) is not None


def parts(value: str, separator: str = "|") -> list[str]:
    """The non-empty elements of a list in one cell, in order, each once."""
    return list(dict.fromkeys(text(part) for part in value.split(separator) if text(part)))


def decimal(value: str) -> Decimal | None:
    """A number with decimal point or comma, with or without thousands separators.

    The last point or comma is the decimal sign, unless the same sign occurs more than once.
    None for an empty cell and for what is no number.
    """
    digits = re.sub(r"[\s\u00a0\u202f']", "", value)
    if "," in digits and "." in digits:
        thousands = "." if digits.rfind(",") > digits.rfind(".") else ","
        digits = digits.replace(thousands, "")
    if digits.count(",") > 1 or digits.count(".") > 1:
        digits = digits.replace(",", "").replace(".", "")
    try:
        number = Decimal(digits.replace(",", "."))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def day(value: str) -> date | None:
    """A date as 2018-01-31, with or without a time after it; None for anything else."""
    try:
        return date.fromisoformat(value.strip()[:10])
    except ValueError:
        return None


def web_address(value: str) -> str | None:
    """An absolute http(s) address in the form of a URI, or None when it cannot be one.

    A missing scheme is http. Letters outside ASCII are percent-encoded in the path; in the name
    of the host they are refused, since there they are more often damage than intent. What a content
    management system notes of a visit, as in `/cms/~a/…`, is left out: the host stands for it.
    """
    address = text(value)
    if not address or " " in address:
        return None
    if "://" not in address:
        address = f"http://{address}"
    try:
        scheme, host, path, query, fragment = urlsplit(address)
    except ValueError:
        return None
    if scheme.lower() not in {"http", "https"}:
        return None
    if not re.fullmatch(
        r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}(?::\d+)?", host
    ):
        return None
    if _VISIT.search(path):
        path, query, fragment = "/", "", ""
    keep = "/%:@!$&'()*+,;=~-._"
    return urlunsplit(
        (
            scheme.lower(),
            host.lower(),
            quote(path, safe=keep),
            quote(query, safe=keep + "?"),
            quote(fragment, safe=keep + "?"),
        )
    )
