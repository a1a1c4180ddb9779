"""Lists of records: find, filter, sort, count. Works on names and terms; records come later.

What is looked up is kept for as long as the generation lasts (`Listing` belongs to one
checkpoint). Paths are walked from the filter's value to the entities, never the other way round,
so a filter costs what it finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyoxigraph as ox

from app.profile import EntityType, Field, Profile, Step
from app.rdf.terms import DCTERMS, SKOS
from app.records.graph import UP, Graph, Value
from app.records.names import Names, fold

FACET_VALUES = 100
"""Values of one facet that are listed, the most frequent first."""

_MANY = 100
_LABELS = (SKOS["prefLabel"], SKOS["altLabel"])
TREES = {SKOS["Concept"], DCTERMS["Location"]}


@dataclass(frozen=True, slots=True)
class Filterable:
    """A field that lists can be filtered by: its whole path from the entity, and its last field."""

    field: Field
    path: tuple[Step, ...]


def filterable(kind: EntityType) -> dict[str, Filterable]:
    """Filter name → field; the fields of parts as `address.city`."""
    found: dict[str, Filterable] = {}

    def add(fields: Iterable[Field], prefix: str, path: tuple[Step, ...]) -> None:
        for field in fields:
            whole = (*path, *field.path)
            if field.kind == "part" and field.part is not None:
                add(field.part.fields, f"{prefix}{field.name}.", whole)
            else:
                found[prefix + field.name] = Filterable(field, whole)

    add(kind.fields, "", ())
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """One page of IRIs, the number of all that match, and facet counts where asked for."""

    iris: list[str]
    total: int
    facets: dict[str, list[dict[str, Any]]] | None


class Listing:
    """Lists over one checkpoint."""

    def __init__(self, graph: Graph, profile: Profile) -> None:
        self._graph = graph
        self._profile = profile
        self._members: dict[str, list[str]] = {}
        self._sorted: dict[tuple[str, str], list[str]] = {}
        self._texts: dict[tuple[str, str], dict[str, str]] = {}
        self._lexical: dict[ox.NamedNode, dict[str, list[Value]]] = {}
        self._shorts: dict[ox.NamedNode, str] = {}
        self._columns: dict[tuple[str, str], dict[str, list[Value]]] = {}

    def members(self, kind: EntityType) -> list[str]:
        """IRIs of all entities of a type."""
        found = self._members.get(kind.name)
        if found is None:
            found = self._members[kind.name] = self._graph.instances(kind.classes)
        return found

    def find(
        self,
        kind: EntityType,
        names: Names,
        *,
        lang: str,
        filters: Mapping[str, Sequence[str]],
        q: str | None,
        limit: int,
        offset: int,
        facets: bool,
    ) -> Found:
        """The entities that match all filters and all words, by name, then by IRI."""
        ordered = self._by_name(kind, names, lang)
        known = filterable(kind)
        sets = {name: self._matching(known[name], values) for name, values in filters.items()}
        words = fold(q).split() if q else []
        if words:
            texts = self._texts_of(kind, names, lang)
            ordered = [iri for iri in ordered if all(word in texts[iri] for word in words)]
        matching = _in_all(ordered, sets.values())
        counts = None
        if facets:
            counts = {
                name: self._facet(kind, known[name], _without(ordered, sets, name), names)
                for name in known
                if known[name].field.facet
            }
        return Found(matching[offset : offset + limit], len(matching), counts)

    # order and words

    def _by_name(self, kind: EntityType, names: Names, lang: str) -> list[str]:
        found = self._sorted.get((kind.name, lang))
        if found is None:
            if len(self.members(kind)) > _MANY:
                names.preload(kind)
            keyed = [(fold(names.of(ox.NamedNode(i)).text), i) for i in self.members(kind)]
            found = self._sorted[kind.name, lang] = [iri for _, iri in sorted(keyed)]
        return found

    def _texts_of(self, kind: EntityType, names: Names, lang: str) -> dict[str, str]:
        """IRI → all its labels, folded."""
        found = self._texts.get((kind.name, lang))
        if found is None:
            texts = {iri: [names.of(ox.NamedNode(iri)).text] for iri in self.members(kind)}
            for predicate in _LABELS:
                for iri, value in self._graph.column(kind.classes, (Step(predicate),)):
                    if isinstance(value, ox.Literal):
                        texts.setdefault(iri, []).append(value.value)
            found = {iri: fold("\n".join(of)) for iri, of in texts.items()}
            self._texts[kind.name, lang] = found
        return found

    # filters

    def _matching(self, what: Filterable, values: Sequence[str]) -> set[str]:
        """IRIs of the entities that have any of the values."""
        ends: set[Value] = set()
        for value in values:
            if what.field.kind == "reference":
                ends |= self._things(value, what.field)
            else:
                ends.update(self._literals(what.path[-1], value))
        found = self._graph.walk_back(ends, what.path)
        return {node.value for node in found if isinstance(node, ox.NamedNode)}

    def _literals(self, step: Step, value: str) -> Iterable[Value]:
        """Literals with this text, whatever their case, accents, language or datatype."""
        return () if step.inverse else self._by_text(step.predicate).get(fold(value), ())

    def _by_text(self, predicate: ox.NamedNode) -> dict[str, list[Value]]:
        found = self._lexical.get(predicate)
        if found is None:
            found = self._lexical[predicate] = {}
            for literal in self._graph.texts(predicate):
                found.setdefault(fold(literal.value), []).append(literal)
        return found

    def _things(self, value: str, field: Field) -> set[Value]:
        """The things meant by an IRI, else a slug, else a notation, else a label.

        Regions and concepts bring along what lies below them.
        """
        things: set[Value] = set()
        if ":" in value:
            node = _named(value)
            things |= {node} if node else set()
        if not value.startswith(("http://", "https://")):
            for kind in self._kinds(field):
                node = _named(self._profile.iri(kind.name, value))
                if node and self._graph.has(node):
                    things.add(node)
            for predicate in (SKOS["notation"], SKOS["prefLabel"], SKOS["altLabel"]):
                if things:
                    break
                for literal in self._by_text(predicate).get(fold(value), ()):
                    things.update(self._graph.subjects(predicate, literal))
        if not field.classes or TREES & set(field.classes):
            things = self._with_below(things)
        return things

    def _kinds(self, field: Field) -> list[EntityType]:
        kinds = [self._profile.of_classes([cls]) for cls in field.classes]
        known = [kind for kind in kinds if kind is not None]
        return known or list(self._profile.types)

    def _with_below(self, things: set[Value]) -> set[Value]:
        found, frontier = set(things), things
        while frontier:
            reached: set[Value] = set()
            for step in UP:
                reached |= self._graph.walk_back(frontier, (step,))
            frontier = reached - found
            found |= frontier
        return found

    # facets

    def _facet(
        self, kind: EntityType, what: Filterable, iris: Iterable[str], names: Names
    ) -> list[dict[str, Any]]:
        column = self._column(kind, what)
        counts: dict[Value, int] = {}
        for iri in iris:
            for value in column.get(iri, ()):
                counts[value] = counts.get(value, 0) + 1
        frequent = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
        shown = [self._facet_value(v, count, names) for v, count in frequent[:FACET_VALUES]]
        shown.sort(key=lambda f: (-f["count"], fold(f["name"]), f["value"]))
        return shown

    def _facet_value(self, value: Value, count: int, names: Names) -> dict[str, Any]:
        if isinstance(value, ox.NamedNode):
            name = names.of(value).text
            return {"value": self._short(value), "name": name, "count": count}
        text = value.value if isinstance(value, ox.Literal | ox.BlankNode) else str(value)
        return {"value": text, "name": text, "count": count}

    def _short(self, node: ox.NamedNode) -> str:
        """What a person would type for this thing as a filter."""
        found = self._shorts.get(node)
        if found is None:
            found = self._shorts[node] = self._shortened(node)
        return found

    def _shortened(self, node: ox.NamedNode) -> str:
        notations = [
            value.value
            for value in self._graph.objects(node, SKOS["notation"])
            if isinstance(value, ox.Literal)
        ]
        if notations:
            return min(notations)
        return self._profile.slug(node.value) or node.value

    def _column(self, kind: EntityType, what: Filterable) -> dict[str, list[Value]]:
        """Entity → values of a field."""
        key = (kind.name, what.field.name)
        found = self._columns.get(key)
        if found is None:
            found = self._columns[key] = {}
            for iri, value in self._graph.column(kind.classes, what.path):
                found.setdefault(iri, []).append(value)
        return found


def _in_all(iris: list[str], sets: Iterable[set[str]]) -> list[str]:
    chosen = list(sets)
    return [iri for iri in iris if all(iri in one for one in chosen)] if chosen else iris


def _without(iris: list[str], sets: Mapping[str, set[str]], name: str) -> list[str]:
    """A facet's own filter does not count, so that its other values can still be chosen."""
    return _in_all(iris, [one for other, one in sets.items() if other != name])


def _named(iri: str) -> ox.NamedNode | None:
    try:
        return ox.NamedNode(iri)
    except ValueError:
        return None
