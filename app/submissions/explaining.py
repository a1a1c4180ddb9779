"""Results in the words of the JSON API: entity, type, field, line, and what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyoxigraph import BlankNode, NamedNode, Quad, Store

from app.profile import EntityType, Field, Part, Profile
from app.rdf.terms import Term, type_
from app.sandbox.findings import Finding, Rule
from app.submissions.fixes import fix
from app.submissions.lines import Source, first_lines
from app.submissions.nearest import Near, Neighbours
from app.submissions.report import Json, grouped, identifier, shortened

_DEEPEST = 6
_ON_REFERENCES = frozenset({"Class", "Or", "Xone", "And", "Node", "NodeKind", "In", "Not"})
_Node = NamedNode | BlankNode


@dataclass(frozen=True, slots=True)
class _Place:
    """The entity that a focus node is, or is a part of.

    `inside` has the fields of the node; `way` are the fields that lead to it from the entity, None
    if the entity does not reach it by its own fields.
    """

    entity: Term
    kind: EntityType | None
    inside: EntityType | Part | None
    way: tuple[Field, ...] | None


class Explainer:
    """Explains the findings on `data`, which was read from `sources`, beside what `store` knows."""

    def __init__(
        self, profile: Profile | None, store: Store, data: Sequence[Quad], sources: list[Source]
    ) -> None:
        self._profile = profile
        self._data = data
        self._sources = sources
        self._known = Neighbours(store, data)
        self._owners: dict[Term, tuple[_Node, NamedNode]] = {}
        self._places: dict[Term, _Place] = {}
        self._labels: dict[Term, dict[str, str]] = {}
        for quad in data:
            if (
                isinstance(quad.object, NamedNode | BlankNode)
                and quad.predicate != type_
                and isinstance(quad.subject, NamedNode | BlankNode)
                and quad.subject != quad.object
            ):
                self._owners.setdefault(quad.object, (quad.subject, quad.predicate))

    def report(self, findings: Iterable[Finding], base_iri: str, **limits: int | None) -> Json:
        """`report.grouped` with everything that is known of each result that is shown."""
        report = grouped(findings, explain=self._result, explain_rule=self._rule, **limits)
        self._add_lines(report, base_iri)
        return report

    def _add_lines(self, report: Json, base_iri: str) -> None:
        results = [result for group in report["groups"] for result in group["results"]]
        iris = {str(result[name]) for result in results for name in ("focus", "entity")}
        found = first_lines(self._sources, iris, base_iri)
        for result in results:
            place = found.get(result["focus"]) or found.get(result["entity"])
            if place is not None:
                number, result["line"] = place
                if (name := self._sources[number].name) is not None:
                    result["file"] = name

    def _rule(self, rule: Rule, first: Finding) -> Json:
        field = self._field(rule, self._place(first.focus))
        said = fix(rule, field.example if field else None)
        return {"fix": said} if said else {}

    def _result(self, finding: Finding) -> Json:
        place = self._place(finding.focus)
        field = self._field(finding.rule, place)
        found: Json = {
            "focus": identifier(finding.focus),
            "entity": identifier(place.entity),
            "value": shortened(finding.value),
        }
        if place.entity not in self._labels:
            self._labels[place.entity] = self._known.labels(place.entity)
        if labels := self._labels[place.entity]:
            found["label"] = labels
        if place.kind is not None:
            found |= {"type": place.kind.name, "type_label": dict(place.kind.labels)}
        if field is not None:
            if place.way is not None:
                found["field"] = ".".join(one.name for one in (*place.way, field))
            found["field_label"] = dict(field.labels)
        elif finding.rule.labels:
            found["field_label"] = dict(finding.rule.labels)
        if (near := self._nearest(finding, field)) is not None:
            found["nearest"] = {"id": near.iri, "label": dict(near.labels)}
        return found

    def _place(self, focus: Term) -> _Place:
        if focus not in self._places:
            self._places[focus] = self._look_up(focus)
        return self._places[focus]

    def _look_up(self, focus: Term) -> _Place:
        way: list[NamedNode] = []
        node = focus
        for _ in range(_DEEPEST):
            kind = self._kind(node)
            if kind is not None or node not in self._owners:
                break
            node, predicate = self._owners[node]
            way.insert(0, predicate)
        else:
            kind = None
        if kind is None:
            return _Place(focus, None, self._part(focus), None)
        inside: EntityType | Part | None = kind
        fields: list[Field] = []
        for predicate in way:
            field = _by_predicate(inside, predicate) if inside else None
            inside = field.part if field else None
            if field is None or inside is None:
                return _Place(node, kind, self._part(focus), None)
            fields.append(field)
        return _Place(node, kind, inside, tuple(fields))

    def _part(self, node: Term) -> Part | None:
        if self._profile is None or not isinstance(node, NamedNode | BlankNode):
            return None
        classes = set(self._known.classes(node))
        return next((p for p in self._profile.parts if classes & set(p.classes)), None)

    def _kind(self, node: Term) -> EntityType | None:
        if self._profile is None or not isinstance(node, NamedNode | BlankNode):
            return None
        return self._profile.of_classes(self._known.classes(node))

    def _field(self, rule: Rule, place: _Place) -> Field | None:
        if place.inside is None:
            return None
        if rule.name is not None and (field := place.inside.field(rule.name)) is not None:
            return field
        return _by_predicate(place.inside, rule.path) if rule.path is not None else None

    def _nearest(self, finding: Finding, field: Field | None) -> Near | None:
        rule, value = finding.rule, finding.value
        if value is None or rule.component not in _ON_REFERENCES:
            return None
        choices = rule.choices or (field.values if field else ())
        if choices:
            return self._known.among(value, choices)
        classes: list[NamedNode] = [*(field.classes if field else ())]
        if rule.component == "Class" and isinstance(rule.parameter, NamedNode):
            classes = [rule.parameter]
        if field is not None and field.kind != "reference":
            return None
        return self._known.of_kind(value, classes, field.scheme if field else None)


def _by_predicate(shape: EntityType | Part, predicate: NamedNode) -> Field | None:
    return next((field for field in shape.fields if field.predicate == predicate), None)
