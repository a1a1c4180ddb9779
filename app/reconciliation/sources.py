"""Where the profile says names, identifiers and places of an entity stand, and reading them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
        self._called: dict[Node, tuple[str, ...]] = {}

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
        wanted = self._sources[kind.name]
        columns = [
            self._columns(kind, paths)
            for paths in (wanted.labels, wanted.names, wanted.identifiers, wanted.places)
        ]
        for iri in iris:
            yield self._facts(iri, kind, *(column.get(iri, []) for column in columns))

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
        wanted = self._sources[kind.name]
        columns = [
            [value for path in paths for value in self._graph.walk(node, path, _MOST_VALUES)[0]]
            for paths in (wanted.labels, wanted.names, wanted.identifiers, wanted.places)
        ]
        return self._facts(iri, kind, *columns)

    def _facts(
        self,
        iri: str,
        kind: EntityType,
        labels: list[Value],
        names: list[Value],
        identifiers: list[Value],
        places: list[Value],
    ) -> Facts:
        by_lang: dict[str, str] = {}
        for value in sorted((v for v in labels if isinstance(v, ox.Literal)), key=str):
            by_lang.setdefault((value.language or "").partition("-")[0], value.value)
        if not by_lang:
            by_lang[""] = self._names.of(ox.NamedNode(iri)).text
        texts = [*by_lang.values(), *sorted(_texts(labels)), *sorted(_texts(names))]
        return Facts(
            iri,
            kind.name,
            by_lang,
            tuple(dict.fromkeys(texts)),
            tuple(dict.fromkeys(_texts(identifiers))),
            tuple(dict.fromkeys(t for place in places for t in self._called_of(place))),
        )

    def _called_of(self, value: Value) -> tuple[str, ...]:
        """The text of a literal; the names of a thing in all languages."""
        if isinstance(value, ox.NamedNode | ox.BlankNode):
            if value not in self._called:
                labels = self._graph.objects(value, SKOS["prefLabel"])
                self._called[value] = tuple(sorted(set(_texts(labels))))
            return self._called[value]
        return tuple(_texts([value]))


def called(graph: Graph, node: ox.NamedNode) -> list[str]:
    """All by which a thing may be meant in a cell: names in all languages, notations, its IRI."""
    texts = [text for predicate in _LABELS for text in _texts(graph.objects(node, predicate))]
    last = node.value.rstrip("/#").replace("#", "/").rpartition("/")[2]
    same = [text for one in _SAME for text in _texts(graph.objects(node, one))]
    return list(dict.fromkeys([node.value, last, *texts, *same]))


def _texts(values: Iterable[Value]) -> list[str]:
    return [v.value for v in values if isinstance(v, ox.Literal | ox.NamedNode) and v.value.strip()]
