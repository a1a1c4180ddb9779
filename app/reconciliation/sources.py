"""Where the profile says names, identifiers and places of an entity stand, and reading them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyoxigraph as ox

from app.profile import EntityType, Profile, Step
from app.rdf.terms import DCTERMS, EURIO, FOAF, LEGAL, LOCN, OWL, RDFS, SCHEMA, SKOS
from app.reconciliation.names import Facts
from app.records.graph import Graph, Node, Value
from app.records.listing import filterable
from app.records.names import Names

Path = tuple[Step, ...]

_NAMING = frozenset(
    {
        SKOS["prefLabel"], SKOS["altLabel"], LEGAL["legalName"], DCTERMS["title"], EURIO["title"],
        RDFS["label"], FOAF["name"], SCHEMA["name"],
    }
)  # fmt: skip
_SHORT_FORM = EURIO["shortForm"]
_SAME = frozenset({OWL["sameAs"], SKOS["exactMatch"]})
_PLACES = frozenset({LOCN["postName"], LOCN["adminUnitL1"]})
_IDENTIFYING_WEIGHT = 3.0
_MOST_VALUES: Final = 200
_LABELS = (SKOS["prefLabel"], SKOS["altLabel"], SKOS["notation"])


@dataclass(frozen=True, slots=True)
class Sources:
    """The paths from an entity of one type to what tells it from others.

    Names: what labels it, in the profile's order, then what else is a name by its predicate.
    Identifiers: notations, literals that weigh as much as a name, and the IRIs of the same thing
    elsewhere. Places: towns and countries of addresses.
    """

    labels: tuple[Path, ...]
    names: tuple[Path, ...]
    identifiers: tuple[Path, ...]
    places: tuple[Path, ...]

    @property
    def all(self) -> tuple[tuple[Path, ...], ...]:
        """The four of them."""
        return self.labels, self.names, self.identifiers, self.places


def sources(kind: EntityType) -> Sources:
    """What the fields of a type are to reconciliation."""
    labels, names, identifiers, places = [], [], [], []
    for name, found in filterable(kind).items():
        field, path, last = found.field, found.path, found.path[-1].predicate
        own = "." not in name and not field.derived
        if own and field.labelling:
            labels.append(path)
        elif (own and last in _NAMING) or last == _SHORT_FORM:
            names.append(path)
        elif (
            field.kind == "literal"
            and (last == SKOS["notation"] or (own and (field.weight or 0) >= _IDENTIFYING_WEIGHT))
        ) or (own and last in _SAME):
            identifiers.append(path)
        elif field.derived and last in _PLACES:
            places.append(path)
    return Sources(*map(tuple, (labels, names, identifiers, places)))


class FactsReader:
    """Reads the facts of entities from one checkpoint."""

    def __init__(self, graph: Graph, profile: Profile) -> None:
        self._graph = graph
        self._profile = profile
        self._names = Names(graph, profile, profile.languages[0])
        self._sources = {kind.name: sources(kind) for kind in profile.types}
        self._called: dict[Node, dict[str, str]] = {}

    def everything(self) -> Iterator[Facts]:
        """The facts of all entities: a few queries for each type, whatever their number."""
        seen: set[str] = set()
        for kind in self._profile.types:
            fresh = [i for i in self._graph.instances(kind.classes) if i not in seen]
            seen.update(fresh)
            if fresh:
                yield from self._of_type(kind, fresh)

    def _of_type(self, kind: EntityType, iris: list[str]) -> Iterator[Facts]:
        self._names.preload(kind)
        columns = [self._columns(kind, paths) for paths in self._sources[kind.name].all]
        for iri in iris:
            yield self._facts(iri, kind, [column.get(iri, []) for column in columns])

    def _columns(self, kind: EntityType, paths: Iterable[Path]) -> dict[str, list[Value]]:
        found: dict[str, list[Value]] = {}
        for path in paths:
            for iri, value in self._graph.column(kind.classes, path):
                found.setdefault(iri, []).append(value)
        return found

    def of(self, iri: str) -> Facts | None:
        """The facts of one entity; None for what is none."""
        node = ox.NamedNode(iri)
        kind = self._profile.of_classes(self._graph.about(node).classes)
        if kind is None:
            return None
        columns = [
            [value for path in paths for value in self._graph.walk(node, path, _MOST_VALUES)[0]]
            for paths in self._sources[kind.name].all
        ]
        return self._facts(iri, kind, columns)

    def _facts(self, iri: str, kind: EntityType, columns: Sequence[list[Value]]) -> Facts:
        labels, names, identifiers, places = columns
        by_lang = _by_language(labels)
        if not by_lang:
            by_lang[""] = self._names.of(ox.NamedNode(iri)).text
        texts = [*by_lang.values(), *sorted(_texts(labels)), *sorted(_texts(names))]
        return Facts(
            iri,
            kind.name,
            by_lang,
            tuple(dict.fromkeys(texts)),
            tuple(dict.fromkeys(_texts(identifiers))),
            tuple(filter(None, (self._place(value) for value in sorted(places, key=_kind)))),
        )

    def _place(self, value: Value) -> dict[str, str]:
        """The text of a literal; what a thing is called in each language."""
        if not isinstance(value, ox.NamedNode | ox.BlankNode):
            return _by_language([value])
        if value not in self._called:
            self._called[value] = _by_language(self._graph.objects(value, SKOS["prefLabel"]))
        return self._called[value]


def called(graph: Graph, node: ox.NamedNode) -> list[str]:
    """All by which a thing may be meant in a cell: names in all languages, notations, its IRI."""
    texts = [text for predicate in _LABELS for text in _texts(graph.objects(node, predicate))]
    last = node.value.rstrip("/#").replace("#", "/").rpartition("/")[2]
    same = [text for one in _SAME for text in _texts(graph.objects(node, one))]
    return list(dict.fromkeys([node.value, last, *texts, *same]))


def _by_language(values: Iterable[Value]) -> dict[str, str]:
    """The first text of each language."""
    found: dict[str, str] = {}
    for value in sorted((v for v in values if isinstance(v, ox.Literal)), key=str):
        found.setdefault((value.language or "").partition("-")[0], value.value)
    return found


def _kind(value: Value) -> tuple[bool, str]:
    """Sorts names of towns before countries, which are things."""
    return not isinstance(value, ox.Literal), str(value)


def _texts(values: Iterable[Value]) -> list[str]:
    return [v.value for v in values if isinstance(v, ox.Literal | ox.NamedNode) and v.value.strip()]
