"""Sparse fieldsets: the fields of a record that were asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

ALWAYS = ("@context", "id", "type", "name", "url", "example")
"""Members that every record keeps."""


def projected(record: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """A record with these fields only; `address.city` keeps the city of each address."""
    wanted: dict[str, list[str]] = {}
    for name in fields:
        field, _, inner = name.partition(".")
        wanted.setdefault(field, []).append(inner)
    found = {name: value for name, value in record.items() if name in ALWAYS}
    for name, value in record.items():
        if name in wanted:
            found[name] = _inside(value, wanted[name])
    if also := {n: _inside(v, wanted[n]) for n, v in record.get("also", {}).items() if n in wanted}:
        found["also"] = also
    if cut := [name for name in record.get("truncated", ()) if name in wanted]:
        found["truncated"] = cut
    return found


def _inside(value: Any, inner: list[str]) -> Any:
    if "" in inner:
        return value
    if isinstance(value, list):
        return [_inside(one, inner) for one in value]
    return projected(value, inner) if isinstance(value, dict) else value


def json_bytes(value: Any) -> bytes:
    """A value as compact JSON in UTF-8."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")
