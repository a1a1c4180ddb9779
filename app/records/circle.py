"""Places: what is how far away."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tantivy import Query

from app.errors import InvalidRequest
from app.records.moment import Address, Moment
from app.records.search import Near
from app.records.tree import every

_EARTH_RADIUS = 6_371.0088
_MOST_AROUND = 50_000


@dataclass(frozen=True, slots=True)
class Away:
    """An entity, and its distance in kilometres."""

    distance: float
    address: Address


def circle(moment: Moment, query: Query, near: Near) -> list[Away]:
    """What matches and is in the circle; `query` leaves out most of what is not."""
    total = moment.count(query)
    if not total:
        return []
    hits = moment.searcher.search(query, total, count=False, order_by_field="lat").hits
    addresses = [address for _, address in hits]
    lats = moment.searcher.fast_field_values("lat", addresses)
    lons = moment.searcher.fast_field_values("lon", addresses)
    return [
        Away(far, address)
        for address, lat, lon in zip(addresses, lats, lons, strict=True)
        if lat is not None and lon is not None and (far := kilometres(near, lat, lon)) <= near.km
    ]


def within_circle(moment: Moment, query: Query, near: Near) -> Query:
    """The circle as a query, which Tantivy has not: those that are in it, one by one."""
    inside = circle(moment, query, near)
    if len(inside) > _MOST_AROUND:
        raise InvalidRequest(
            f"near holds more than {_MOST_AROUND} entities, too many to sort otherwise than by "
            "distance or to count facets of; ask for a smaller circle, or use bbox.",
            field="near",
        )
    return every([query, moment.trees.any_of("id", [moment.iri(one.address) for one in inside])])


def kilometres(near: Near, lat: float, lon: float) -> float:
    """The great-circle distance on a sphere of the earth's mean radius."""
    south, north = math.radians(near.lat), math.radians(lat)
    half = math.sin((north - south) / 2) ** 2
    half += math.cos(south) * math.cos(north) * math.sin(math.radians(lon - near.lon) / 2) ** 2
    return 2 * _EARTH_RADIUS * math.asin(min(1.0, math.sqrt(half)))
