"""A small drawing of where a place lies: one dot beside the corners of the region, no tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass

WIDTH, HEIGHT = 240, 170
_MARGIN = 4
_CORNERS = {
    "Eindhoven": (5.4778, 51.4408),
    "Leuven": (4.7005, 50.8798),
    "Aachen": (6.0839, 50.7753),
}
_WEST, _EAST, _SOUTH, _NORTH = 4.25, 6.55, 50.55, 51.65
_STRETCH = math.cos(math.radians((_SOUTH + _NORTH) / 2))


@dataclass(frozen=True, slots=True)
class Dot:
    """A place on the drawing, in its own units."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class MiniMap:
    """The drawing: corners of the region and the place itself."""

    corners: tuple[Dot, ...]
    here: Dot
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def labels(self) -> list[Dot]:
        """Where the names of the corners stand: outside of the outline."""
        middle = sum(dot.y for dot in self.corners) / len(self.corners)
        return [Dot(d.name, d.x, d.y + (16 if d.y > middle else -10)) for d in self.corners]

    @property
    def outline(self) -> str:
        """The corners as an SVG path."""
        return "M" + " L".join(f"{dot.x} {dot.y}" for dot in self.corners) + "Z"

    @property
    def places(self) -> str:
        """The names of the corners."""
        return ", ".join(dot.name for dot in self.corners)


def draw_minimap(point: tuple[float, float], name: str) -> MiniMap | None:
    """Draw a place given as (longitude, latitude); None if it lies outside the drawing."""
    longitude, latitude = point
    if not (_WEST <= longitude <= _EAST and _SOUTH <= latitude <= _NORTH):
        return None
    corners = tuple(_dot(corner, *position) for corner, position in _CORNERS.items())
    return MiniMap(corners, _dot(name, longitude, latitude))


def _dot(name: str, longitude: float, latitude: float) -> Dot:
    scale = min(
        (WIDTH - 2 * _MARGIN) / ((_EAST - _WEST) * _STRETCH),
        (HEIGHT - 2 * _MARGIN) / (_NORTH - _SOUTH),
    )
    x = WIDTH / 2 + (longitude - (_WEST + _EAST) / 2) * _STRETCH * scale
    y = HEIGHT / 2 - (latitude - (_SOUTH + _NORTH) / 2) * scale
    return Dot(name, round(x, 1), round(y, 1))
