"""Where an entity is: the profile's geometry field, and what its values say as GeoJSON.

Coordinates are WGS 84 longitude and latitude (RFC 7946 §4), as in CRS84, which WKT has unless it
names another (GeoSPARQL 1.1 §8.5.1); EPSG:4326 has latitude first; any other is passed over.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.profile import EntityType, Field
from app.rdf.terms import GEO

Geometry = dict[str, Any]
Box = tuple[float, float, float, float]
"""West, south, east, north; west is greater than east where it crosses the antimeridian."""

WKT, GEOJSON = GEO["wktLiteral"], GEO["geoJSONLiteral"]
_DEFAULT = GEO["hasDefaultGeometry"]
_MAX_POSITIONS = 100_000
_MAX_TOKENS = 4 * _MAX_POSITIONS
_TOKEN = re.compile(r"\s*([A-Za-z]+|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[(),])", re.ASCII)
_CRS = re.compile(r"\s*<([^<>]*)>")
_SHAPES = {
    "POINT": ("Point", 0),
    "LINESTRING": ("LineString", 1),
    "POLYGON": ("Polygon", 2),
    "MULTIPOINT": ("MultiPoint", 1),
    "MULTILINESTRING": ("MultiLineString", 2),
    "MULTIPOLYGON": ("MultiPolygon", 3),
}
_DEPTH = dict(_SHAPES.values())


@dataclass(frozen=True, slots=True)
class Places:
    """Where a type's records say where the entity is: paths of JSON names, the best first."""

    paths: tuple[tuple[str, ...], ...]

    def of(self, record: Mapping[str, Any]) -> Geometry | None:
        """The geometry of a record, None where it has none that can be read."""
        for path in self.paths:
            for value in _values(record, path):
                if geometry := _read(value):
                    return geometry
        return None


def places(kind: EntityType) -> Places:
    """The geometry fields of a type; one without has no paths.

    The default geometry comes before others, what there is one of before what there are many of,
    and a short path before a long one.
    """
    found = sorted(_paths(kind.fields, ()), key=_preference)
    return Places(tuple(tuple(field.name for field in path) for path in found))


def _paths(fields: Iterable[Field], path: tuple[Field, ...]) -> Iterator[tuple[Field, ...]]:
    for field in fields:
        whole = (*path, field)
        if field.kind == "part" and field.part is not None:
            yield from _paths(field.part.fields, whole)
        elif {WKT, GEOJSON} & {*field.datatypes}:
            yield whole


def _preference(path: Sequence[Field]) -> tuple[bool, bool, int, bool]:
    return (
        not any(field.predicate == _DEFAULT for field in path),
        any(field.many for field in path),
        len(path),
        WKT not in path[-1].datatypes,
    )


def _values(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _values(one, path)
    elif not path:
        yield value.get("@value") if isinstance(value, Mapping) else value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _read(value: Any) -> Geometry | None:
    if not isinstance(value, str):
        return None
    return read_geojson(value) if value.lstrip().startswith("{") else read_wkt(value)


def read_wkt(text: str) -> Geometry | None:
    """A WKT literal of one of the six simple geometries, None for all else."""
    named = _CRS.match(text)
    crs = named[1] if named else "CRS84"
    swapped = bool(re.search(r"EPSG[:/].*\b4326$", crs, re.IGNORECASE))
    if not swapped and not crs.endswith("CRS84"):
        return None
    tokens = _tokens(text[named.end() :] if named else text)
    if not tokens or tokens[0].upper() not in _SHAPES:
        return None
    name, depth = _SHAPES[tokens[0].upper()]
    try:
        reading = _Reading(tokens, swapped=swapped)
        coordinates = reading.coordinates(depth)
    except (ValueError, IndexError):
        return None
    return _checked({"type": name, "coordinates": coordinates}) if reading.is_done() else None


def _tokens(text: str) -> list[str]:
    """Words, numbers and marks; none if there is anything else, or too much."""
    text = text.rstrip()
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match or len(tokens) > _MAX_TOKENS:
            return []
        tokens.append(match[1])
        at = match.end()
    return tokens


class _Reading:
    """Reads the parentheses of WKT."""

    def __init__(self, tokens: Sequence[str], *, swapped: bool) -> None:
        self._tokens = tokens
        self._swapped = swapped
        self._at = 2 if len(tokens) > 1 and tokens[1].upper() in {"Z", "M", "ZM"} else 1

    def coordinates(self, depth: int) -> list[Any]:
        """What stands between one pair of parentheses."""
        self._take("(")
        if depth == 0:
            found: list[Any] = self._position()
        else:
            found = [self._member(depth - 1)]
            while self._tokens[self._at] == ",":
                self._at += 1
                found.append(self._member(depth - 1))
        self._take(")")
        return found

    def is_done(self) -> bool:
        """Whether nothing follows."""
        return self._at == len(self._tokens)

    def _member(self, depth: int) -> list[Any]:
        # The points of a MULTIPOINT may have parentheses of their own, or none.
        bare = depth == 0 and self._tokens[self._at] != "("
        return self._position() if bare else self.coordinates(depth)

    def _position(self) -> list[float]:
        numbers = []
        while self._tokens[self._at] not in "(),":
            numbers.append(float(self._tokens[self._at]))
            self._at += 1
        if not 2 <= len(numbers) <= 4:  # noqa: PLR2004 -- x, y, z, m
            raise ValueError("no position")
        first, second = numbers[:2]
        return [second, first] if self._swapped else [first, second]

    def _take(self, token: str) -> None:
        if self._tokens[self._at] != token:
            raise ValueError(f"no {token}")
        self._at += 1


def read_geojson(text: str) -> Geometry | None:
    """A GeoJSON literal (RFC 7946 §3.1) of one of the six simple geometries."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        return None
    return _checked({"type": found["type"], "coordinates": found.get("coordinates")})


def _checked(geometry: Geometry) -> Geometry | None:
    depth = _DEPTH.get(geometry["type"])
    if depth is None or not _fits(geometry["coordinates"], depth):
        return None
    positions = list(positions_of(geometry))
    on_earth = all(abs(x) <= 180 and abs(y) <= 90 for x, y in positions)  # noqa: PLR2004 degrees
    return geometry if positions and len(positions) <= _MAX_POSITIONS and on_earth else None


def _fits(value: Any, depth: int) -> bool:
    if not isinstance(value, list):
        return False
    if depth == 0:
        return 2 <= len(value) <= 3 and all(  # noqa: PLR2004 -- longitude, latitude, height
            isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n)
            for n in value
        )
    return bool(value) and all(_fits(one, depth - 1) for one in value)


def positions_of(geometry: Geometry) -> Iterator[tuple[float, float]]:
    """All positions of a geometry, as (longitude, latitude)."""

    def walk(value: Any, depth: int) -> Iterator[tuple[float, float]]:
        if depth == 0:
            yield value[0], value[1]
        else:
            for one in value:
                yield from walk(one, depth - 1)

    return walk(geometry["coordinates"], _DEPTH[geometry["type"]])


def extent(geometry: Geometry) -> Box:
    """The box around a geometry."""
    xs, ys = zip(*positions_of(geometry), strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def meets(geometry: Geometry, box: Box) -> bool:
    """Whether the extent of a geometry, which of a point is the point, has a place in the box."""
    west, south, east, north = extent(geometry)
    if north < box[1] or south > box[3]:
        return False
    if box[0] <= box[2]:
        return west <= box[2] and east >= box[0]
    return east >= box[0] or west <= box[2]
