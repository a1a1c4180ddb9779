"""What values are compared as: keywords, numbers, moments, points. Pure."""

from __future__ import annotations

import hashlib
import math
import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta

from app.records.names import fold

_LONG = 200
_LONGEST_NAME = 256
_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)(?P<time>T\d\d:\d\d:\d\d(?:\.\d+)?)?)?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?\Z",
    re.ASCII,
)
_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?\Z", re.ASCII)
_POINT = re.compile(
    r"\s*(?:<(?P<crs>[^<>\s]*)>\s*)?POINT\s*(?:Z\s*)?\(\s*(?P<x>[-+0-9.eE]+)\s+(?P<y>[-+0-9.eE]+)"
    r"(?:\s+[-+0-9.eE]+)?\s*\)\s*\Z",
    re.IGNORECASE | re.ASCII,
)
_EPSG_4326 = re.compile(r"EPSG[:/].*\b4326\Z", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def keyword(text: str) -> str:
    """A literal as a filter compares it: without case and accents; a long one by its hash."""
    folded = fold(text)
    if len(folded) <= _LONG:
        return folded
    return f"{folded[:_LONG]}\x01{hashlib.sha256(folded.encode()).hexdigest()}"


def sort_key(name: str, iri: str) -> str:
    """What names are sorted by: folded, then the IRI, so that no two are equal.

    The bytes in hexadecimal, which sort alike: nothing in a key can mean anything to a query.
    """
    return f"{fold(name)[:_LONGEST_NAME]}\x01{iri}".encode().hex()


def number(text: str) -> float | None:
    """A decimal or double; None for what is none, or not finite."""
    text = text.strip()
    value = float(text) if _NUMBER.match(text) else math.inf
    return value if math.isfinite(value) else None


def period(text: str) -> tuple[int, int] | None:
    """A year, month, day or time as seconds since 1970: its first one, and the first after it.

    What has no time zone counts as UTC. None for what is no date of the years 1 to 9999.
    """
    match = _DATE.match(text.strip())
    if not match:
        return None
    year, month, day = (int(match[part] or 0) for part in ("year", "month", "day"))
    try:
        if match["time"]:
            begin = datetime.fromisoformat(f"{match['year']}-{month:02}-{day:02}{match['time']}")
            length = timedelta(seconds=1)
        else:
            begin = datetime(year, month or 1, day or 1)  # noqa: DTZ001 -- the zone comes below
            length = timedelta(days=_days(year, month, day))
    except ValueError:
        return None
    first = (begin.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1) - _offset(match["zone"])
    return first, first + int(length.total_seconds())


def _days(year: int, month: int, day: int) -> int:
    if day:
        return 1
    if month:
        return monthrange(year, month)[1]
    return 365 + (monthrange(year, 2)[1] - 28)


def _offset(zone: str | None) -> int:
    if zone is None or zone == "Z":
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
    return -seconds if zone[0] == "-" else seconds


def point(wkt: str) -> tuple[float, float] | None:
    """Latitude and longitude of a WKT point in CRS84 (GeoSPARQL 1.1 §8.5.1) or EPSG:4326."""
    match = _POINT.match(wkt)
    if not match:
        return None
    try:
        x, y = float(match["x"]), float(match["y"])
    except ValueError:
        return None
    swapped = _EPSG_4326.search(match["crs"] or "")
    lat, lon = (x, y) if swapped else (y, x)
    return (lat, lon) if abs(lat) <= 90 and abs(lon) <= 180 else None  # noqa: PLR2004 degrees
