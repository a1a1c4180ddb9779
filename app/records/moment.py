"""One state of the index, and what is looked up in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import tantivy
from tantivy import Query

from app.profile import Field, Profile
from app.rdf.terms import SKOS
from app.records.index import SearchIndex
from app.records.listing import filterable
from app.records.tree import Trees
from app.records.values import sort_key

Address = tantivy.DocAddress

_MOST_CALLED = 1_000
_KEPT = 20_000


class Vocabularies:
    """What the profile says of fields, by name, for all searches."""

    def __init__(self, schema: tantivy.Schema, profile: Profile) -> None:
        self.profile = profile
        self.trees = Trees(schema, profile)
        self.filters = {kind.name: filterable(kind) for kind in profile.types}
        self.notations = self._with_predicate(SKOS["notation"])
        self.called = [
            self.notations,
            self._with_predicate(SKOS["prefLabel"]),
            self._with_predicate(SKOS["altLabel"]),
        ]

    def fields(self, name: str) -> list[Field]:
        """The fields of any type behind a filter's name."""
        return [known[name].field for known in self.filters.values() if name in known]

    def _with_predicate(self, predicate: object) -> list[str]:
        return sorted(
            {
                name
                for known in self.filters.values()
                for name, what in known.items()
                if "." not in name and what.field.predicate == predicate
            }
        )


class Kept:
    """What has been looked up in one generation; forgotten with it, or when it grows too large."""

    def __init__(self) -> None:
        self._generation = -1
        self._values: dict[tuple[str, ...], Any] = {}

    def at(self, generation: int) -> dict[tuple[str, ...], Any]:
        """What is known of a generation."""
        if self._generation != generation or len(self._values) > _KEPT:
            self._generation, self._values = generation, {}
        return self._values


class Moment:
    """The index as one search sees it, in one language."""

    def __init__(self, index: SearchIndex, known: Vocabularies, kept: Kept, lang: str) -> None:
        self.generation = index.generation
        self.searcher = index.searcher()
        self.vocabularies = known
        self.trees = known.trees
        self.profile = known.profile
        self.lang = lang
        self._index = index
        self._kept = kept.at(self.generation)

    def count(self, query: Query) -> int:
        """How many entities match."""
        found: Any = self.searcher.search(query, 1, count=True)
        return int(found.count)  # which the stubs of Tantivy forget

    def iri(self, address: Address) -> str:
        """The IRI of a hit."""
        return str(self.searcher.doc(address).get_first("id"))

    def record(self, address: Address) -> bytes:
        """The record of a hit as JSON."""
        return self._index.record(self.searcher, address, self.lang)

    def key(self, address: Address) -> str:
        """What a hit is sorted by among names."""
        return record_key(self.record(address))

    def get(self, iri: str) -> bytes | None:
        """The record of an entity; None if there is none of this IRI."""
        hits = self.searcher.search(self.trees.any_of("id", [iri]), 1, count=False).hits
        return self.record(hits[0][1]) if hits else None

    def once(self, key: tuple[str, ...], make: Callable[[], Any]) -> Any:
        """`make()`, kept for as long as the generation lasts."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def things(self, value: str, field: Field) -> list[str]:
        """The IRIs meant by an IRI, else a slug, else a notation, else a label."""
        key = ("things", value, *(cls.value for cls in field.classes))
        found: list[str] = self.once(key, lambda: self._look_up(value, field))
        return found

    def _look_up(self, value: str, field: Field) -> list[str]:
        found = [value] if ":" in value else []
        if value.startswith(("http://", "https://")):
            return found
        kinds = [kind for cls in field.classes if (kind := self.profile.of_classes([cls]))]
        slugs = [self.profile.iri(kind.name, value) for kind in kinds or self.profile.types]
        found += self._ids(self.trees.any_of("id", slugs))
        for names in self.vocabularies.called:
            if found:
                break
            if names:
                found += self._ids(self.trees.called(names, value))
        return found

    def _ids(self, query: Query) -> list[str]:
        hits = self.searcher.search(query, _MOST_CALLED, count=False).hits
        return [self.iri(address) for _, address in hits]


def record_key(record: bytes) -> str:
    """What a record is sorted by among names."""
    known = json.loads(record)
    return sort_key(known["name"], known["id"])
