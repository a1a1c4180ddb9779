"""Numbers, amounts and dates in the plain form of each language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

_THIN = "\u202f"
_MARKS = {"en": (",", "."), "nl": (".", ","), "de": (".", ","), "fr": (_THIN, ",")}
_DATE = re.compile(
    r"(-?\d{4,})-(\d\d)-(\d\d)(?:T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?)?(Z|[+-]\d\d:\d\d)?"
)
_POINT = re.compile(r"\s*(?:<[^>]*>\s*)?POINT\s*\(\s*(-?[\d.]+)\s+(-?[\d.]+)\s*\)\s*", re.I)
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}


def format_number(value: object, lang: str) -> str:
    """Group the digits: 1234567.5 → ``1,234,567.5`` (en); what is no number comes back as it is."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    if not number.is_finite():
        return str(value)
    group, point = _MARKS[lang]
    text = f"{number:,f}"
    return text.replace(",", "\0").replace(".", point).replace("\0", group)


def format_amount(value: object, currency: str, lang: str) -> str:
    """Write an amount of money: ``€ 1,234.50``; whole amounts carry no cents."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return f"{value} {currency}"
    if number.is_finite() and number == number.to_integral_value():
        number = number.to_integral_value()
    elif number.is_finite():
        number = number.quantize(Decimal("0.01"))
    sign = _SIGNS.get(currency, currency)
    text = format_number(number, lang)
    return f"{text}\u00a0{sign}" if lang in {"de", "fr"} else f"{sign}\u00a0{text}"


def format_date(value: str, lang: str, months: Sequence[str]) -> str:
    """Write an xsd:date or xsd:dateTime in words; anything else comes back as it is."""
    found = _DATE.fullmatch(value)
    if not found or not 1 <= int(found[2]) <= len(months):
        return value
    year, month, day, time, zone = found.groups()
    number = f"{int(day)}." if lang == "de" else str(int(day))
    text = f"{number}\u00a0{months[int(month) - 1]} {year}"
    if time:
        text += f", {time}" + (" UTC" if zone == "Z" else f" {zone}" if zone else "")
    return text


def read_point(wkt: str) -> tuple[float, float] | None:
    """Return (longitude, latitude) of a WKT point, None for any other geometry."""
    found = _POINT.fullmatch(wkt)
    if not found:
        return None
    try:
        longitude, latitude = float(found[1]), float(found[2])
    except ValueError:
        return None
    inside = -180 <= longitude <= 180 and -90 <= latitude <= 90  # noqa: PLR2004 - degrees
    return (longitude, latitude) if inside else None


def format_point(longitude: float, latitude: float) -> str:
    """Write a position: ``51.4408° N, 5.4778° E``."""
    north, east = "N" if latitude >= 0 else "S", "E" if longitude >= 0 else "W"
    return f"{abs(latitude):.4f}° {north}, {abs(longitude):.4f}° {east}"
