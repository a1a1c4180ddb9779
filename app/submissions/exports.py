"""A report in the formats for other programs: SHACL's own, and a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Final

COLUMNS: Final = (
    "severity", "file", "line", "entity", "label", "type", "field", "field_label", "value",
    "message", "fix", "nearest", "focus", "path", "constraint", "shape",
)  # fmt: skip
"""Columns of the CSV form, in this order."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def table(report: Mapping[str, Any]) -> str:
    """The results of a localised report as CSV (RFC 4180), one on a line, worst first.

    A cell that a spreadsheet would run as a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for group in report["groups"]:
        for result in group["results"]:
            row = {**group, **result, "nearest": result.get("nearest", {}).get("id", "")}
            writer.writerow([_harmless(row.get(name)) for name in COLUMNS])
    return text.getvalue()


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" \n").startswith(_FORMULA) else text
