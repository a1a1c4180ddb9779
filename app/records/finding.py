"""Searching the index: pages in a stable order, counts of facets, everything for an export.

All here is bounded by the search (`read_search`) and the number of entities, and is for a thread:
nothing waits, and Tantivy releases the interpreter while it works.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tantivy import Query

from app.errors import InvalidRequest
from app.profile import Profile
from app.records.circle import within_circle
from app.records.facets import Counts, Facets, listed
from app.records.index import SearchIndex
from app.records.moment import Kept, Moment, Vocabularies
from app.records.orders import Orders, Place
from app.records.projection import json_bytes, projected
from app.records.search import Condition, Search, Sort, write_cursor
from app.records.tree import AS_WRITTEN, IN_PART, WITH_TYPOS, every
from app.records.values import keyword

MAX_INCLUDED = 1_000
"""Records that come along with a page."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of records as JSON, how many match, and the cursor of the next page.

    Where it was searched near a place, each record has its `distance` in kilometres. `facets` and
    `included` are None unless asked for.
    """

    total: int
    records: list[bytes]
    next: str | None
    facets: Counts | None = None
    included: list[bytes] | None = None


class Finder:
    """Finds records of `index`. What it looks up is kept while the generation lasts."""

    def __init__(self, index: SearchIndex, profile: Profile) -> None:
        self.index = index
        self._vocabularies = Vocabularies(index.schema, profile)
        self._kept = Kept()

    def find(self, search: Search) -> Found:
        """One page of what matches, with what was asked for beside it."""
        return _Finding(self._moment(search.lang), search).page()

    def scan(self, search: Search) -> Iterator[bytes]:
        """The records of all that match, by name, as of one moment."""
        yield from _Finding(self._moment(search.lang), search).all()

    def suggest(self, q: str, types: Sequence[str], lang: str, limit: int) -> list[dict[str, Any]]:
        """The entities that may be meant while somebody types: `id`, `name`, `type`, `url`."""
        search = Search(tuple(types), q=q, sort=Sort("relevance"), limit=limit, lang=lang)
        members = ("id", "name", "type", "url", "example")
        records = map(json.loads, self.find(search).records)
        return [{name: one[name] for name in members if name in one} for one in records]

    def counts(self) -> dict[str, int]:
        """Type name → number of entities."""
        moment = self._moment(None)
        types = self._vocabularies.filters
        return {name: moment.count(moment.trees.of_types([name])) for name in types}

    def _moment(self, lang: str | None) -> Moment:
        lang = lang or self.index.languages[0]
        return Moment(self.index, self._vocabularies, self._kept, lang)


class _Finding:
    """One search in one state of the index."""

    def __init__(self, moment: Moment, search: Search) -> None:
        self._moment = moment
        self._search = search
        self._conditions = {
            condition: moment.trees.condition(condition, self._terms(condition))
            for condition in search.conditions
        }
        self._how = AS_WRITTEN
        self._base = self._settled()
        if search.near and search.sort.by != "distance":
            self._base = within_circle(moment, self._base, search.near)

    def page(self) -> Found:
        """One page."""
        search = self._search
        orders = Orders(self._moment, search, self._base)
        places = orders.places()
        shown = places[: search.limit]
        records = [self._moment.record(place.address) for place in shown]
        more = len(places) > search.limit > 0
        included = self._included(records) if search.include else None
        return Found(
            total=orders.total,
            records=[self._shown_as(*one) for one in zip(records, shown, strict=True)],
            next=write_cursor(search.sort, orders.mark(shown[-1], records[-1])) if more else None,
            facets=self._facets(),
            included=included,
        )

    def _shown_as(self, record: bytes, place: Place) -> bytes:
        """The record as the search wants it: the fields asked for, and the distance."""
        if self._search.fields is not None:
            record = json_bytes(projected(json.loads(record), self._search.fields))
        if self._search.sort.by != "distance" or place.value is None:
            return record
        return record[:-1] + b',"distance":' + json_bytes(round(place.value, 3)) + b"}"

    def _included(self, records: Sequence[bytes]) -> list[bytes]:
        """The records that the fields of `include` refer to, each once."""
        wanted: dict[str, None] = {}
        for record in map(json.loads, records):
            for name in self._search.include:
                for one in listed(record.get(name)):
                    if isinstance(one, dict) and isinstance(one.get("id"), str):
                        wanted[one["id"]] = None
        if len(wanted) > MAX_INCLUDED:
            raise InvalidRequest(
                f"These records refer to {len(wanted)} others, and at most {MAX_INCLUDED} are "
                "included; ask for a smaller limit.",
                field="include",
            )
        return [found for iri in wanted if (found := self._moment.get(iri)) is not None]

    def all(self) -> Iterator[bytes]:
        """The records of all that match, by name."""
        base, near = self._base, self._search.near
        if near and self._search.sort.by == "distance":
            base = within_circle(self._moment, base, near)
        return Orders(self._moment, self._search, base).all()

    def _facets(self) -> Counts | None:
        if self._search.facets is None:
            return None
        return Facets(self._moment, self._search, self._tree).count(self._base)

    # what matches

    def _settled(self) -> Query:
        """The query with the words as they are written; if nothing has them, nearly so, in part."""
        if self._search.q is None:
            return self._tree()
        for self._how in (AS_WRITTEN, WITH_TYPOS, IN_PART):
            query = self._tree()
            if self._how == IN_PART or self._moment.count(query):
                break
        return query

    def _tree(self, leaving: str | None = None) -> Query:
        """Everything that must hold, but for the filter of one field."""
        search, trees = self._search, self._moment.trees
        must = []
        if search.q is not None:
            must.append(trees.words(search.q, self._how))
        types = search.types
        if leaving == "type":
            types = tuple(self._moment.vocabularies.filters)
        filters = [trees.of_types(types)]
        filters += [q for c, q in self._conditions.items() if c.field != leaving]
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
        filters = self._moment.vocabularies.filters
        kinds = [filters[name] for name in self._search.types if condition.field in filters[name]]
        fields = [known[condition.field].field for known in kinds]
        terms: dict[str, None] = {}
        for value in condition.values:
            if any(field.kind != "reference" for field in fields):
                terms[keyword(value)] = None
            for field in fields:
                if field.kind == "reference":
                    terms.update(dict.fromkeys(self._moment.things(value, field)))
        return list(terms)
