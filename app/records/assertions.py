"""Who says what of an entity, value by value, and where datasets differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyoxigraph as ox

from app.profile import Field, Profile
from app.rdf.terms import RDF, n_quad
from app.records.commits import Commits
from app.records.graph import About, Graph, Node, Value
from app.records.names import Names
from app.records.record import expanded, plain

Json = dict[str, Any]

_TYPE = RDF["type"]
_DEPTH = 8
_Lines = Mapping[object, str]
"""Graph → the statement (a line of N-Quads) by which it says something."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where values stand: at the entity, or at a part to which fields lead."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    nodes: tuple[Node, ...]

    def below(self, field: Field, lang: str, node: Node) -> _Place:
        return _Place(
            (*self.names, field.name), (*self.labels, field.label(lang)), (*self.nodes, node)
        )


class Assertions:
    """The statements of one entity with the datasets that make them.

    `fields`: of each field its values, of each value `asserted_by`: `dataset`, `partner`, `claim`,
    and `line`, the statement itself. What is said of a part stands under the names of the fields
    that lead to it: `address.city`. `conflicts`: where datasets say different things in a field
    that may have one value, or one in each language.
    """

    def __init__(
        self, graph: Graph, profile: Profile, names: Names, commits: Commits, lang: str
    ) -> None:
        self._graph = graph
        self._profile = profile
        self._names = names
        self._commits = commits
        self._lang = lang
        self._datasets: dict[object, Json] = {}

    def of(self, iri: ox.NamedNode, about: About) -> Json:
        """`{"fields", "conflicts"}` of an entity."""
        kind = self._profile.of_classes(about.classes)
        found: dict[str, Json] = {}
        conflicts: list[Json] = []
        self._datasets = {}
        place = _Place((), (), (iri,))
        for field in self._walk(place, kind.fields if kind else (), {}, conflicts):
            of_name = found.setdefault(field["field"], {**field, "values": []})
            of_name["values"] += field["values"]
        return {"fields": list(found.values()), "conflicts": conflicts}

    def _walk(
        self, place: _Place, fields: Sequence[Field], above: _Lines, conflicts: list[Json]
    ) -> Iterator[Json]:
        said = self._said(place.nodes[-1], place.nodes[0], above)
        said.pop(_TYPE, None)
        for field in fields:
            values = said.pop(field.predicate, {}) if field.predicate else {}
            if not values:
                continue
            yield self._entry(place, field.name, field.label(self._lang), field, values)
            conflicts += self._conflicts(place, field, values)
            for value, lines in values.items():
                if field.part is None or not isinstance(value, ox.NamedNode | ox.BlankNode):
                    continue
                if value not in place.nodes and len(place.nodes) < _DEPTH:
                    below = place.below(field, self._lang, value)
                    yield from self._walk(below, field.part.fields, lines, conflicts)
        for predicate in sorted(said, key=lambda p: p.value):
            label = self._profile.label(predicate.value, self._lang) or predicate.value
            yield self._entry(place, predicate.value, label, None, said[predicate])

    def _said(
        self, node: Node, entity: Node, above: _Lines
    ) -> dict[ox.NamedNode, dict[Value, dict[object, str]]]:
        """Predicate → value → graph → statement.

        A part without a name of its own comes and goes with the statement that leads to it: its
        statements count as that one.
        """
        own = node == entity or (
            isinstance(node, ox.NamedNode) and node.value.startswith(f"{entity.value}#")
        )
        found: dict[ox.NamedNode, dict[Value, dict[object, str]]] = {}
        quads = self._graph.store.quads_for_pattern(node, None, None, None)
        for quad in sorted(quads, key=str):
            if quad.graph_name == self._graph.service:
                continue
            line = n_quad(quad) if own else above.get(quad.graph_name)
            if line is not None:
                values = found.setdefault(quad.predicate, {})
                values.setdefault(quad.object, {})[quad.graph_name] = line
        return found

    def _entry(
        self,
        place: _Place,
        name: str,
        label: str,
        field: Field | None,
        values: Mapping[Value, _Lines],
    ) -> Json:
        shown = []
        for value, lines in values.items():
            one: Json = {"value": self._shown(value, field)}
            if len(place.nodes) > 1:
                one["of"] = place.nodes[-1].value
            one["asserted_by"] = [
                {**self._dataset(graph, place), "line": line} for graph, line in lines.items()
            ]
            shown.append(one)
        return {**self._named(place, name, label), "values": shown}

    def _conflicts(
        self, place: _Place, field: Field, values: Mapping[Value, _Lines]
    ) -> Iterator[Json]:
        if not field.unique_lang and field.many:
            return
        groups: dict[str | None, list[Value]] = {}
        for value in values:
            lang = value.language if field.unique_lang and isinstance(value, ox.Literal) else None
            groups.setdefault(lang, []).append(value)
        for lang, rivals in groups.items():
            everybody = {graph for value in rivals for graph in values[value]}
            if all(values[value].keys() == everybody for value in rivals):
                continue
            conflict = self._named(place, field.name, field.label(self._lang))
            if lang is not None:
                conflict["language"] = lang
            conflict["values"] = [
                {
                    "value": self._shown(value, field),
                    "datasets": [self._dataset(g, place)["dataset"] for g in values[value]],
                }
                for value in rivals
            ]
            yield conflict

    def _named(self, place: _Place, name: str, label: str) -> Json:
        return {
            "field": ".".join((*place.names, name)),
            "label": " › ".join((*place.labels, label)),
        }

    def _shown(self, value: Value, field: Field | None) -> Any:
        if isinstance(value, ox.NamedNode | ox.BlankNode):
            return self._names.reference(value)
        if isinstance(value, ox.Literal):
            fits = field is not None and value.language is None
            return plain(field, value) if fits and field is not None else expanded(value)
        return {"@value": str(value)}

    def _dataset(self, graph: object, place: _Place) -> Json:
        """Who says it: the dataset, its partner, and whether it is a claim."""
        found = self._datasets.get(graph)
        if found is None:
            entity = place.nodes[0]
            named = graph if isinstance(graph, ox.NamedNode) else self._graph.default
            found = self._datasets[graph] = {
                "dataset": self._names.reference(named),
                "partner": self._commits.publisher(named),
                "claim": isinstance(entity, ox.NamedNode) and self._commits.claims(named, entity),
            }
        return found
