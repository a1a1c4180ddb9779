"""Counts of the values that a search can be narrowed by."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tantivy import Query

from app.records.circle import within_circle
from app.records.listing import FACET_VALUES
from app.records.moment import Moment
from app.records.names import fold
from app.records.schema import field_name
from app.records.search import Search

_COUNTED = 5 * FACET_VALUES
"""Values that are counted; among equally frequent ones always the same are shown."""

Counts = dict[str, list[dict[str, Any]]]


class Facets:
    """The facets of a search; `leaving(field)` is the search without the filter of one field."""

    def __init__(self, moment: Moment, search: Search, leaving: Callable[[str], Query]) -> None:
        self._moment = moment
        self._search = search
        self._leaving = leaving

    def count(self, base: Query) -> Counts:
        """Counts of each facet. Its own filter does not count, so that its other values can still
        be chosen."""
        filtered = {condition.field for condition in self._search.conditions}
        if set(self._search.types) != set(self._moment.vocabularies.filters):
            filtered.add("type")
        alone = [name for name in self._search.facets or () if name in filtered]
        together = [name for name in self._search.facets or () if name not in filtered]
        counts = self._counted(together, base)
        for name in alone:
            counts.update(self._counted([name], self._leaving(name)))
        return {name: self._shown(name, counts[name]) for name in self._search.facets or ()}

    def _counted(self, names: Sequence[str], query: Query) -> dict[str, list[tuple[str, int]]]:
        if not names:
            return {}
        if self._search.near:
            query = within_circle(self._moment, query, self._search.near)
        asked = {
            name: {"terms": {"field": _counted_field(name), "size": _COUNTED}} for name in names
        }
        found = self._moment.searcher.aggregate(query, asked)
        return {
            name: [(one["key"], one["doc_count"]) for one in found[name]["buckets"]]
            for name in names
        }

    def _shown(self, name: str, counts: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
        frequent = sorted(counts, key=lambda one: (-one[1], one[0]))[:FACET_VALUES]
        shown = [{**self._value(name, value), "count": count} for value, count in frequent]
        shown.sort(key=lambda one: (-one["count"], fold(one["name"]), one["value"]))
        return shown

    def _value(self, name: str, value: str) -> dict[str, Any]:
        """A facet's value as a filter takes it, and what it is called."""
        if name == "type":
            kind = self._moment.profile.type(value)
            return {"value": value, "name": kind.label(self._moment.lang)}
        key = ("value", self._moment.lang, name, value)
        found: dict[str, Any] = self._moment.once(key, lambda: self._named(name, value))
        return found

    def _named(self, name: str, value: str) -> dict[str, Any]:
        fields = self._moment.vocabularies.fields(name)
        if not any(field.kind == "reference" for field in fields):
            return {"value": value, "name": value}
        text = self._moment.get(value) if ":" in value else None
        if text is not None:
            record = json.loads(text)
            return {"value": self._short(record), "name": record["name"]}
        profile = self._moment.profile
        return {"value": profile.slug(value) or value, "name": self._told(name, value)}

    def _short(self, record: Mapping[str, Any]) -> str:
        """What a person would type for this thing as a filter."""
        notations = [
            str(one)
            for name in self._moment.vocabularies.notations
            for one in listed(record.get(name))
            if isinstance(one, str | int)
        ]
        iri: str = record["id"]
        return min(notations) if notations else self._moment.profile.slug(iri) or iri

    def _told(self, name: str, iri: str) -> str:
        """What a record that refers to a thing calls it."""
        query = self._moment.trees.any_of(field_name("x", name), [iri])
        for _, address in self._moment.searcher.search(query, 1, count=False).hits:
            for one in listed(json.loads(self._moment.record(address)).get(name)):
                if isinstance(one, dict) and one.get("id") == iri:
                    return str(one["name"])
        return iri.removeprefix("https://").removeprefix("http://").rstrip("/") or iri


def _counted_field(name: str) -> str:
    return "type" if name == "type" else field_name("x", name)


def listed(value: Any) -> Iterable[Any]:
    """The values of a record's field, which holds one, several or none."""
    return value if isinstance(value, list) else () if value is None else (value,)
