"""Searching the index: pages in a stable order, counts of facets, everything for an export.

All here is bounded by the search (`read_search`) and the number of entities, and is for a thread:
nothing waits, and Tantivy releases the interpreter while it works.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tantivy
from tantivy import Order, Query

from app.errors import InvalidRequest
from app.profile import Field, Profile
from app.rdf.terms import SKOS
from app.records.index import SearchIndex
from app.records.listing import FACET_VALUES, filterable
from app.records.names import fold
from app.records.projection import json_bytes, projected
from app.records.schema import field_name
from app.records.search import MAX_OFFSET, Condition, Near, Search, Sort, write_cursor
from app.records.tree import AS_WRITTEN, IN_PART, WITH_TYPOS, Trees, every, without
from app.records.values import keyword, sort_key

MAX_INCLUDED = 1_000
"""Records that come along with a page."""

_EARTH_RADIUS = 6_371.0088
_MOST_AROUND = 50_000
_MOST_CALLED = 1_000
_TIES = 100
_SCANNED = 5_000
_FAR = 100
_KEPT = 20_000

Address = tantivy.DocAddress


@dataclass(frozen=True, slots=True)
class Found:
    """One page of records as JSON, how many match, and the cursor of the next page.

    Where it was searched near a place, each record has its `distance` in kilometres. `facets` and
    `included` are None unless asked for.
    """

    total: int
    records: list[bytes]
    next: str | None
    facets: dict[str, list[dict[str, Any]]] | None = None
    included: list[bytes] | None = None


class Finder:
    """Finds records of `index`. What it looks up is kept while the generation lasts."""

    def __init__(self, index: SearchIndex, profile: Profile) -> None:
        self.index = index
        self._profile = profile
        self._trees = Trees(index.schema, profile)
        self._fields = {kind.name: filterable(kind) for kind in profile.types}
        self._called = [
            sorted(
                {
                    name
                    for known in self._fields.values()
                    for name, what in known.items()
                    if "." not in name and what.field.predicate == predicate
                }
            )
            for predicate in (SKOS["notation"], SKOS["prefLabel"], SKOS["altLabel"])
        ]
        self._known = _Known(-1)

    def find(self, search: Search) -> Found:
        """One page of what matches, with what was asked for beside it."""
        return _Finding(self, search).page()

    def scan(self, search: Search) -> Iterator[bytes]:
        """The records of all that match, by name, as of one moment."""
        yield from _Finding(self, search).all()

    def suggest(self, q: str, types: Sequence[str], lang: str, limit: int) -> list[dict[str, Any]]:
        """The entities that may be meant while somebody types: `id`, `name`, `type`, `url`."""
        search = Search(tuple(types), q=q, sort=Sort("relevance"), limit=limit, lang=lang)
        members = ("id", "name", "type", "url", "example")
        records = map(json.loads, self.find(search).records)
        return [{name: one[name] for name in members if name in one} for one in records]

    def counts(self) -> dict[str, int]:
        """Type name → number of entities."""
        searcher = self.index.searcher()
        return {
            kind.name: _count(searcher, self._trees.of_types([kind.name]))
            for kind in self._profile.types
        }

    def known(self) -> _Known:
        """What has been looked up in the newest state."""
        if self._known.generation != self.index.generation or len(self._known.values) > _KEPT:
            self._known = _Known(self.index.generation)
        return self._known


@dataclass(slots=True)
class _Known:
    generation: int
    values: dict[tuple[str, ...], Any]

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.values = {}


class _Finding:
    """One search in one state of the index."""

    def __init__(self, finder: Finder, search: Search) -> None:
        self._finder = finder
        self._search = search
        self._lang = search.lang or finder.index.languages[0]
        self._trees = finder._trees
        self._known = finder.known()
        self._generation = finder.index.generation
        self._searcher = finder.index.searcher()
        self._conditions = {
            condition: self._trees.condition(condition, self._terms(condition))
            for condition in search.conditions
        }
        self._how = AS_WRITTEN
        self._base = self._settled()
        if search.near and search.sort.by != "distance":
            self._base = self._within_circle(self._base, search.near)

    # what matches

    def _settled(self) -> Query:
        """The query with the words as they are written; if nothing has them, nearly so, in part."""
        if self._search.q is None:
            return self._tree()
        for self._how in (AS_WRITTEN, WITH_TYPOS, IN_PART):
            query = self._tree()
            if self._how == IN_PART or _count(self._searcher, query):
                break
        return query

    def _tree(self, *, leaving: str | None = None) -> Query:
        """Everything that must hold, but for the filter of one field."""
        search, trees = self._search, self._trees
        must = []
        if search.q is not None:
            must.append(trees.words(search.q, self._how))
        if leaving != "type":
            must.append(Query.const_score_query(trees.of_types(search.types), 0.0))
        else:
            everything = [kind.name for kind in self._finder._profile.types]
            must.append(Query.const_score_query(trees.of_types(everything), 0.0))
        filters = [q for c, q in self._conditions.items() if c.field != leaving]
        if search.box:
            filters.append(trees.box(search.box))
        if search.near:
            filters.append(trees.around(search.near))
        must += [Query.const_score_query(one, 0.0) for one in filters]
        return every(must)

    def _terms(self, condition: Condition) -> list[str]:
        """The exact terms of the index that the values of a filter stand for."""
        if condition.operator not in {"=", "!="}:
            return []
        fields = [
            known[condition.field].field
            for name, known in self._finder._fields.items()
            if name in self._search.types and condition.field in known
        ]
        terms: dict[str, None] = {}
        for value in condition.values:
            if any(field.kind != "reference" for field in fields):
                terms[keyword(value)] = None
            for field in fields:
                if field.kind == "reference":
                    terms.update(dict.fromkeys(self._things(value, field)))
        return list(terms)

    def _things(self, value: str, field: Field) -> list[str]:
        """The IRIs meant by an IRI, else a slug, else a notation, else a label."""
        key = ("things", value, *(cls.value for cls in field.classes))
        found: list[str] | None = self._known.values.get(key)
        if found is None:
            found = self._known.values[key] = self._looked_up(value, field)
        return found

    def _looked_up(self, value: str, field: Field) -> list[str]:
        found = [value] if ":" in value else []
        if value.startswith(("http://", "https://")):
            return found
        profile, trees = self._finder._profile, self._trees
        kinds = [kind for cls in field.classes if (kind := profile.of_classes([cls]))]
        slugs = [profile.iri(kind.name, value) for kind in kinds or profile.types]
        found += self._ids(trees.any_of("id", slugs))
        for names in self._finder._called:
            if found:
                break
            if names:
                found += self._ids(trees.called(names, value))
        return found

    def _ids(self, query: Query) -> list[str]:
        hits = self._searcher.search(query, _MOST_CALLED, count=False).hits
        return [self._iri(address) for _, address in hits]

    # pages

    def page(self) -> Found:
        """One page."""
        search = self._search
        if search.sort.by == "distance" and search.near:
            total, places = self._by_distance(search.near)
        else:
            total, places = _count(self._searcher, self._base), self._places()
        shown = places[: search.limit]
        records = [self._record(place.address) for place in shown]
        more = len(places) > search.limit > 0
        included = self._included(records) if search.include else None
        return Found(
            total=total,
            records=[self._shown_as(*one) for one in zip(records, shown, strict=True)],
            next=write_cursor(search.sort, self._mark(shown[-1], records[-1])) if more else None,
            facets=self._facets() if search.facets is not None else None,
            included=included,
        )

    def _shown_as(self, record: bytes, place: _Place) -> bytes:
        """The record as the search wants it: the fields asked for, and the distance."""
        if self._search.fields is not None:
            record = json_bytes(projected(json.loads(record), self._search.fields))
        if place.distance is None:
            return record
        return record[:-1] + b',"distance":' + json_bytes(round(place.distance, 3)) + b"}"

    def _included(self, records: Sequence[bytes]) -> list[bytes]:
        """The records that the fields of `include` refer to, each once."""
        wanted: dict[str, None] = {}
        for record in map(json.loads, records):
            for name in self._search.include:
                for one in _listed(record.get(name)):
                    if isinstance(one, dict) and isinstance(one.get("id"), str):
                        wanted[one["id"]] = None
        if len(wanted) > MAX_INCLUDED:
            raise InvalidRequest(
                f"These records refer to {len(wanted)} others, and at most {MAX_INCLUDED} are "
                "included; ask for a smaller limit.",
                field="include",
            )
        get, lang = self._finder.index.get, self._lang
        return [found for iri in wanted if (found := get(iri, lang)) is not None]

    def _places(self) -> list[_Place]:
        """The hits of the page and, if there is one, the first of the next."""
        search, wanted = self._search, self._search.limit + 1
        if search.sort.by == "relevance":
            return self._by_relevance(wanted)
        if search.sort.by == "name":
            after = search.after[0] if search.after else None
            return self._by_name(self._base, after, wanted, search.offset, down=search.sort.down)
        return self._by_value(wanted + search.offset)[search.offset :]

    def _mark(self, place: _Place, record: bytes) -> list[Any]:
        """What a cursor after this place holds; see `search._is_place`."""
        if self._search.sort.by == "name":
            return [place.key]
        if self._search.sort.by == "relevance":
            iri = json.loads(record)["id"]
            return [self._generation, place.number + 1, place.value, iri]
        return [place.value, place.key or self._key(place.address)]

    def _by_name(
        self, query: Query, after: str | None, wanted: int, offset: int = 0, *, down: bool = False
    ) -> list[_Place]:
        order, trees, searcher = f"o_{self._lang}", self._trees, self._searcher
        way = Order.Desc if down else Order.Asc
        if after is not None:
            query = every([query, trees.later(order, after, down=down)])
        if offset > _FAR:
            begin = f"p_{self._lang}"
            hits = searcher.search(
                query, 1, count=False, order_by_field=begin, offset=offset, order=way
            ).hits
            if not hits:
                return []
            rest = every([query, trees.from_start(begin, hits[0][0], down=down)])
            offset -= _count(searcher, query) - _count(searcher, rest)
            query = rest
        hits = searcher.search(
            query, wanted, count=False, order_by_field=order, offset=offset, order=way
        ).hits
        return [_Place(address, key=key) for key, address in hits]

    def _by_value(self, wanted: int) -> list[_Place]:
        """By a field, then by name; last those that have no value."""
        sort, after = self._search.sort, self._search.after
        name = field_name("s", sort.by)
        base, (value, key) = self._base, after or (None, None)
        found: list[_Place] = []
        if after and value is not None:
            found += self._same(name, value, key, wanted)
        if len(found) < wanted and (after is None or value is not None):
            found += self._farther(name, value, wanted - len(found))
        if len(found) < wanted:
            unknown = without(base, Query.exists_query(name))
            rest = key if after and value is None else None
            found += self._by_name(unknown, rest, wanted - len(found))
        return found

    def _same(self, name: str, value: float, after: str | None, wanted: int) -> list[_Place]:
        query = every([self._base, self._trees.equal(name, value)])
        places = self._by_name(query, after, wanted)
        return [_Place(place.address, key=place.key, value=value) for place in places]

    def _farther(self, name: str, value: float | None, wanted: int) -> list[_Place]:
        """What comes after a value. The last value may have more entities than there is room, so
        these come by name."""
        down, query = self._search.sort.down, every([self._base, Query.exists_query(name)])
        if value is not None:
            query = every([query, self._trees.beyond(name, value, down=down)])
        way = Order.Desc if down else Order.Asc
        hits = self._searcher.search(
            query, wanted, count=False, order_by_field=name, order=way
        ).hits
        if not hits:
            return []
        last = hits[-1][0]
        found = [_Place(address, value=value) for value, address in hits if value != last]
        found = self._ties_by_name(found, down=down)
        return [*found, *self._same(name, last, None, wanted - len(found))]

    def _ties_by_name(self, places: list[_Place], *, down: bool = False) -> list[_Place]:
        keyed = [
            _Place(p.address, self._key(p.address), p.value, p.distance, p.number) for p in places
        ]
        return sorted(keyed, key=lambda p: ((-1 if down else 1) * (p.value or 0.0), p.key or ""))

    def _by_relevance(self, wanted: int) -> list[_Place]:
        """The best first. A cursor counts what came before, and finds its place again by score and
        entity when the index has changed since."""
        after, offset = self._search.after, self._search.offset
        if after:
            offset = self._resumed(*after)
        wanted = min(wanted, MAX_OFFSET + 1 - offset)
        if wanted <= 0:
            return []
        hits = self._ranked(offset + wanted + _TIES)[offset : offset + wanted]
        return [_Place(a, value=score, number=offset + n) for n, (score, a) in enumerate(hits)]

    def _ranked(self, count: int) -> list[tuple[float, Address]]:
        hits = self._searcher.search(self._base, count, count=False).hits
        ranked: list[tuple[float, Address]] = []
        start = 0
        while start < len(hits):
            end = start + 1
            while end < len(hits) and hits[end][0] == hits[start][0]:
                end += 1
            ties = hits[start:end]
            if 1 < len(ties) <= _TIES:
                ties.sort(key=lambda hit: self._key(hit[1]))
            ranked += ties
            start = end
        return ranked

    def _resumed(self, generation: int, before: int, score: float, iri: str) -> int:
        if generation == self._generation:
            return before
        ranked = self._ranked(min(before + _TIES, MAX_OFFSET))
        for place, (_, address) in enumerate(ranked):
            if self._iri(address) == iri:
                return place + 1
        return sum(one > score for one, _ in ranked)

    def _by_distance(self, near: Near) -> tuple[int, list[_Place]]:
        """All in the circle, the nearest first, then by name; and how many they are."""
        inside = self._circle(near, self._base)
        wanted = self._search.limit + 1 + self._search.offset
        if self._search.after:
            distance, key = self._search.after
            distance = distance if distance is not None else math.inf
            ahead = [p for p in inside if _distance(p) >= distance]
            ties = sum(_distance(p) == distance for p in ahead)
            chosen = self._nearest(ahead, wanted + ties)
            chosen = [p for p in chosen if (_distance(p), p.key or "") > (distance, key)]
        else:
            chosen = self._nearest(inside, wanted)
        return len(inside), chosen[self._search.offset : wanted]

    def _nearest(self, places: list[_Place], wanted: int) -> list[_Place]:
        least = heapq.nsmallest(wanted, map(_distance, places))
        if not least:
            return []
        return self._ties_by_name([p for p in places if _distance(p) <= least[-1]])

    def _circle(self, near: Near, query: Query) -> list[_Place]:
        """What matches and is in the circle."""
        searcher = self._searcher
        total = _count(searcher, query)
        if not total:
            return []
        hits = searcher.search(query, total, count=False, order_by_field="lat").hits
        addresses = [address for _, address in hits]
        lats = searcher.fast_field_values("lat", addresses)
        lons = searcher.fast_field_values("lon", addresses)
        return [
            _Place(address, value=far, distance=far)
            for address, lat, lon in zip(addresses, lats, lons, strict=True)
            if lat is not None
            and lon is not None
            and (far := kilometres(near, lat, lon)) <= near.km
        ]

    def _key(self, address: Address) -> str:
        record = json.loads(self._record(address))
        return sort_key(record["name"], record["id"])

    def _iri(self, address: Address) -> str:
        return str(self._searcher.doc(address).get_first("id"))

    def _record(self, address: Address) -> bytes:
        return self._finder.index.record(self._searcher, address, self._lang)

    # everything

    def all(self) -> Iterator[bytes]:
        """All records by name. Deep in a list texts are not compared, only beginnings of them."""
        begin, after = f"p_{self._lang}", None
        query = self._base
        while True:
            if after is not None:
                query = every([self._base, self._trees.beyond_start(begin, after)])
            hits = self._searcher.search(
                query, _SCANNED, count=False, order_by_field=begin, order=Order.Asc
            ).hits
            if not hits:
                return
            last = hits[-1][0]
            whole = [hit for hit in hits if hit[0] != last] if len(hits) == _SCANNED else hits
            if not whole or len(hits) == _SCANNED:
                ties = every([self._base, self._trees.start(begin, last)])
                count = _count(self._searcher, ties)
                whole += self._searcher.search(
                    ties, count, count=False, order_by_field=begin, order=Order.Asc
                ).hits
            yield from self._in_order(whole)
            after = last

    def _in_order(self, hits: Sequence[tuple[int, Address]]) -> Iterator[bytes]:
        """The records of hits that come by the beginnings of their keys."""
        start = 0
        while start < len(hits):
            end = start + 1
            while end < len(hits) and hits[end][0] == hits[start][0]:
                end += 1
            records = [self._record(address) for _, address in hits[start:end]]
            yield from records if end - start == 1 else sorted(records, key=_record_key)
            start = end

    # facets

    def _facets(self) -> dict[str, list[dict[str, Any]]]:
        """Counts of each facet. Its own filter does not count, so that its other values can still
        be chosen."""
        filtered = {condition.field for condition in self._search.conditions}
        if set(self._search.types) != set(self._finder._fields):
            filtered.add("type")
        alone = [name for name in self._search.facets or () if name in filtered]
        together = [name for name in self._search.facets or () if name not in filtered]
        counts = self._counted(together, self._base)
        for name in alone:
            counts.update(self._counted([name], self._tree(leaving=name)))
        return {name: self._shown(name, counts[name]) for name in self._search.facets or ()}

    def _counted(self, names: Sequence[str], query: Query) -> dict[str, list[tuple[str, int]]]:
        if not names:
            return {}
        if self._search.near:
            query = self._within_circle(query, self._search.near)
        asked = {
            name: {"terms": {"field": _counted_field(name), "size": FACET_VALUES * 5}}
            for name in names
        }
        found = self._searcher.aggregate(query, asked)
        return {
            name: [(one["key"], one["doc_count"]) for one in found[name]["buckets"]]
            for name in names
        }

    def _within_circle(self, query: Query, near: Near) -> Query:
        """The circle as a query, which Tantivy has not: those that are in it, one by one."""
        inside = self._circle(near, query)
        if len(inside) > _MOST_AROUND:
            raise InvalidRequest(
                f"near holds more than {_MOST_AROUND} entities, too many to sort otherwise than by "
                "distance or to count facets of; ask for a smaller circle, or use bbox.",
                field="near",
            )
        ids = [self._iri(place.address) for place in inside]
        return every([query, self._trees.any_of("id", ids)])

    def _shown(self, name: str, counts: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
        frequent = sorted(counts, key=lambda one: (-one[1], one[0]))[:FACET_VALUES]
        shown = [{**self._value(name, value), "count": count} for value, count in frequent]
        shown.sort(key=lambda one: (-one["count"], fold(one["name"]), one["value"]))
        return shown

    def _value(self, name: str, value: str) -> dict[str, Any]:
        """A facet's value as a filter takes it, and what it is called."""
        if name == "type":
            kind = self._finder._profile.type(value)
            return {"value": value, "name": kind.label(self._lang)}
        key = ("value", self._lang, name, value)
        found: dict[str, Any] | None = self._known.values.get(key)
        if found is None:
            found = self._known.values[key] = self._named(name, value)
        return found

    def _named(self, name: str, value: str) -> dict[str, Any]:
        known = [fields[name].field for fields in self._finder._fields.values() if name in fields]
        if not any(field.kind == "reference" for field in known):
            return {"value": value, "name": value}
        text = self._finder.index.get(value, self._lang) if ":" in value else None
        if text is not None:
            record = json.loads(text)
            return {"value": self._short(record), "name": record["name"]}
        profile = self._finder._profile
        return {"value": profile.slug(value) or value, "name": self._told(name, value)}

    def _short(self, record: Mapping[str, Any]) -> str:
        """What a person would type for this thing as a filter."""
        notations = [
            str(one)
            for name in self._finder._called[0]
            for one in _listed(record.get(name))
            if isinstance(one, str | int)
        ]
        iri: str = record["id"]
        return min(notations) if notations else self._finder._profile.slug(iri) or iri

    def _told(self, name: str, iri: str) -> str:
        """What a record that refers to a thing calls it."""
        query = self._trees.any_of(field_name("x", name), [iri])
        for _, address in self._searcher.search(query, 1, count=False).hits:
            for one in _listed(json.loads(self._record(address)).get(name)):
                if isinstance(one, dict) and one.get("id") == iri:
                    return str(one["name"])
        return iri.removeprefix("https://").removeprefix("http://").rstrip("/") or iri


@dataclass(frozen=True, slots=True)
class _Place:
    """A hit in an order: its sort key, its value or score, how many came before."""

    address: Address
    key: str | None = None
    value: float | None = None
    distance: float | None = None
    number: int = 0


def kilometres(near: Near, lat: float, lon: float) -> float:
    """The great-circle distance on a sphere of the earth's mean radius."""
    south, north = math.radians(near.lat), math.radians(lat)
    half = math.sin((north - south) / 2) ** 2
    half += math.cos(south) * math.cos(north) * math.sin(math.radians(lon - near.lon) / 2) ** 2
    return 2 * _EARTH_RADIUS * math.asin(min(1.0, math.sqrt(half)))


def _distance(place: _Place) -> float:
    return place.distance if place.distance is not None else math.inf


def _count(searcher: tantivy.Searcher, query: Query) -> int:
    found: Any = searcher.search(query, 1, count=True)
    return int(found.count)  # which the stubs of Tantivy forget


def _counted_field(name: str) -> str:
    return "type" if name == "type" else field_name("x", name)


def _record_key(record: bytes) -> str:
    known = json.loads(record)
    return sort_key(known["name"], known["id"])


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else () if value is None else (value,)
