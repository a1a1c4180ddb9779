"""GeoJSON (RFC 7946): one feature for each record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.records.exports.geometry import Places

_NOT_PROPERTIES = {"@context", "id"}


class FeatureCollection:
    """All records as features; one that has no place has the geometry null (§3.2)."""

    whole = False

    def __init__(self, places: Places) -> None:
        self._places = places
        self._begun = False

    def begin(self) -> bytes:
        """Up to the first feature."""
        return b'{"type":"FeatureCollection","features":['

    def write(self, records: Sequence[bytes]) -> bytes:
        """Features."""
        before = b"," if self._begun and records else b""
        self._begun = self._begun or bool(records)
        features = (feature(json.loads(record), self._places) for record in records)
        return before + ",".join(map(_dump, features)).encode("utf-8", "replace")

    def end(self) -> Iterator[bytes]:
        """The end."""
        yield b"]}"

    def close(self) -> None:
        """Nothing is held."""


def feature(record: Mapping[str, Any], places: Places) -> dict[str, Any]:
    """A record as a feature: `id` is its IRI, all else of it are its properties."""
    return {
        "type": "Feature",
        "id": record["id"],
        "geometry": places.of(record),
        "properties": {k: v for k, v in record.items() if k not in _NOT_PROPERTIES},
    }


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
