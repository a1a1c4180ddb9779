"""The orders of a search: by name, by a field, by relevance, by distance. Each is total.

A place in an order is a value and a sort key, which ends in the IRI, so it stays where it is when
the index is built anew. By relevance it is a number, found again by score and entity.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tantivy import Order, Query

from app.records.circle import Away, circle
from app.records.moment import Address, Moment, record_key
from app.records.schema import field_name
from app.records.search import MAX_OFFSET, Near, Search
from app.records.tree import every, without

_TIES = 100
_SCANNED = 5_000
_FAR = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A hit in an order: its sort key, its value, distance or score, how many came before."""

    address: Address
    key: str | None = None
    value: float | None = None
    number: int = 0


class Orders:
    """What a search finds in its order; `base` is all that matches."""

    def __init__(self, moment: Moment, search: Search, base: Query) -> None:
        self._moment = moment
        self._search = search
        self._base = base
        self._circle: list[Away] | None = None

    @property
    def total(self) -> int:
        """How many match."""
        if self._search.sort.by == "distance" and self._search.near:
            return len(self._inside(self._search.near))
        return self._moment.count(self._base)

    def places(self) -> list[Place]:
        """The hits of the page and, if there is one, the first of the next."""
        search, wanted = self._search, self._search.limit + 1
        if search.sort.by == "distance" and search.near:
            return self._by_distance(search.near)
        if search.sort.by == "relevance":
            return self._by_relevance(wanted)
        if search.sort.by == "name":
            after = search.after[0] if search.after else None
            return self._by_name(self._base, after, wanted, search.offset, down=search.sort.down)
        return self._by_value(wanted + search.offset)[search.offset :]

    def mark(self, place: Place, record: bytes) -> list[Any]:
        """What a cursor after this place holds; see `search._is_place`."""
        if self._search.sort.by == "name":
            return [place.key]
        if self._search.sort.by == "relevance":
            iri = json.loads(record)["id"]
            return [self._moment.generation, place.number + 1, place.value, iri]
        return [place.value, place.key or self._moment.key(place.address)]

    def _by_name(
        self, query: Query, after: str | None, wanted: int, offset: int = 0, *, down: bool = False
    ) -> list[Place]:
        order, begin = f"o_{self._moment.lang}", f"p_{self._moment.lang}"
        trees, searcher = self._moment.trees, self._moment.searcher
        way = Order.Desc if down else Order.Asc
        if after is not None:
            query = every([query, trees.later(order, after, down=down)])
        if offset > _FAR:
            hits = searcher.search(
                query, 1, count=False, order_by_field=begin, offset=offset, order=way
            ).hits
            if not hits:
                return []
            rest = every([query, trees.from_start(begin, hits[0][0], down=down)])
            offset -= self._moment.count(query) - self._moment.count(rest)
            query = rest
        # To compare texts is dear: only those are that begin no later than the last of the page.
        last = searcher.search(
            query, 1, count=False, order_by_field=begin, offset=offset + wanted - 1, order=way
        ).hits
        if last:
            query = every([query, trees.from_start(begin, last[0][0], down=not down)])
        hits = searcher.search(
            query, wanted, count=False, order_by_field=order, offset=offset, order=way
        ).hits
        return [Place(address, key=key) for key, address in hits]

    def _by_value(self, wanted: int) -> list[Place]:
        """By a field, then by name; last those that have no value."""
        sort, after = self._search.sort, self._search.after
        name = field_name("s", sort.by)
        base, (value, key) = self._base, after or (None, None)
        found: list[Place] = []
        if after and value is not None:
            found += self._same(name, value, key, wanted)
        if len(found) < wanted and (after is None or value is not None):
            found += self._farther(name, value, wanted - len(found))
        if len(found) < wanted:
            unknown = without(base, Query.exists_query(name))
            rest = key if after and value is None else None
            found += self._by_name(unknown, rest, wanted - len(found))
        return found

    def _same(self, name: str, value: float, after: str | None, wanted: int) -> list[Place]:
        query = every([self._base, self._moment.trees.equal(name, value)])
        places = self._by_name(query, after, wanted)
        return [Place(place.address, key=place.key, value=value) for place in places]

    def _farther(self, name: str, value: float | None, wanted: int) -> list[Place]:
        """What comes after a value. The last value may have more entities than there is room, so
        these come by name."""
        down, query = self._search.sort.down, every([self._base, Query.exists_query(name)])
        if value is not None:
            query = every([query, self._moment.trees.beyond(name, value, down=down)])
        way = Order.Desc if down else Order.Asc
        hits = self._moment.searcher.search(
            query, wanted, count=False, order_by_field=name, order=way
        ).hits
        if not hits:
            return []
        last = hits[-1][0]
        found = [Place(address, value=value) for value, address in hits if value != last]
        found = self._ties_by_name(found, down=down)
        return [*found, *self._same(name, last, None, wanted - len(found))]

    def _ties_by_name(self, places: Iterable[Place], *, down: bool = False) -> list[Place]:
        keyed = [Place(one.address, self._moment.key(one.address), one.value) for one in places]
        return sorted(keyed, key=lambda p: ((-1 if down else 1) * (p.value or 0.0), p.key or ""))

    def _by_relevance(self, wanted: int) -> list[Place]:
        """The best first. A cursor counts what came before, and finds its place again by score and
        entity when the index has changed since."""
        after, offset = self._search.after, self._search.offset
        if after:
            offset = self._resumed(*after)
        wanted = min(wanted, MAX_OFFSET + 1 - offset)
        if wanted <= 0:
            return []
        hits = self._ranked(offset, offset + wanted)
        return [Place(a, value=score, number=offset + n) for n, (score, a) in enumerate(hits)]

    def _ranked(self, first: int, end: int) -> list[tuple[float, Address]]:
        """The hits of some places; equals by name, unless they are very many."""
        hits = self._moment.searcher.search(self._base, end + _TIES, count=False).hits
        begin = first
        while 0 < begin < len(hits) and hits[begin - 1][0] == hits[begin][0]:
            begin -= 1
        ranked: list[tuple[float, Address]] = []
        for _, group in itertools.groupby(hits[begin:], key=lambda hit: hit[0]):
            ties = list(group)
            if len(ties) <= _TIES and begin + len(ranked) < end:
                ties.sort(key=lambda hit: self._moment.key(hit[1]))
            ranked += ties
        return ranked[first - begin : end - begin]

    def _resumed(self, generation: int, before: int, score: float, iri: str) -> int:
        if generation == self._moment.generation:
            return before
        ranked = self._ranked(0, min(before + _TIES, MAX_OFFSET))
        for place, (_, address) in enumerate(ranked):
            if self._moment.iri(address) == iri:
                return place + 1
        return sum(one > score for one, _ in ranked)

    def _by_distance(self, near: Near) -> list[Place]:
        """The nearest first, then by name."""
        wanted = self._search.limit + 1 + self._search.offset
        inside = self._inside(near)
        if not self._search.after:
            return self._nearest(inside, wanted)[self._search.offset : wanted]
        distance, key = self._search.after
        distance = distance if distance is not None else math.inf
        ahead = [one for one in inside if one.distance >= distance]
        ties = sum(one.distance == distance for one in ahead)
        chosen = self._nearest(ahead, wanted + ties)
        return [p for p in chosen if (p.value or 0.0, p.key or "") > (distance, key)][:wanted]

    def _inside(self, near: Near) -> list[Away]:
        if self._circle is None:
            self._circle = circle(self._moment, self._base, near)
        return self._circle

    def _nearest(self, inside: Sequence[Away], wanted: int) -> list[Place]:
        least = heapq.nsmallest(wanted, (one.distance for one in inside))
        near = [one for one in inside if least and one.distance <= least[-1]]
        return self._ties_by_name(Place(one.address, value=one.distance) for one in near)

    # everything

    def all(self) -> Iterator[bytes]:
        """All records by name. Deep in a list texts are not compared, only beginnings of them."""
        begin, after = f"p_{self._moment.lang}", None
        query = self._base
        while True:
            if after is not None:
                query = every([self._base, self._moment.trees.beyond_start(begin, after)])
            hits = self._moment.searcher.search(
                query, _SCANNED, count=False, order_by_field=begin, order=Order.Asc
            ).hits
            if not hits:
                return
            last = hits[-1][0]
            whole = [hit for hit in hits if hit[0] != last] if len(hits) == _SCANNED else hits
            if not whole or len(hits) == _SCANNED:
                ties = every([self._base, self._moment.trees.start(begin, last)])
                count = self._moment.count(ties)
                whole += self._moment.searcher.search(
                    ties, count, count=False, order_by_field=begin, order=Order.Asc
                ).hits
            yield from self._in_order(whole)
            after = last

    def _in_order(self, hits: Sequence[tuple[int, Address]]) -> Iterator[bytes]:
        """The records of hits that come by the beginnings of their keys."""
        for _, group in itertools.groupby(hits, key=lambda hit: hit[0]):
            records = [self._moment.record(address) for _, address in group]
            yield from records if len(records) == 1 else sorted(records, key=record_key)
