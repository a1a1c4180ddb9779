"""A change in plain words: entity by entity, field by field, in the words of the profile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from pyoxigraph import BlankNode, NamedNode, Quad, Store
from pyoxigraph import Literal as Value

from app.profile import EntityType, Field, Part, Profile
from app.rdf.terms import Subject, Term, type_
from app.rdf.void import is_statistic
from app.submissions.change import entity_of, is_part
from app.submissions.nearest import LABELS
from app.submissions.references import is_mark

MAX_TEXT = 500
"""Characters of a value that are shown."""

MAX_VALUES = 50
"""Values shown of a field on each side; their true number is always given."""

MAX_FIELDS = 200
"""Fields shown of an entity; their true number is always given."""

_DEEPEST = 6
_MOST_REFERRING = 1_000
_TYPE_LABELS = {"de": "Typ"}

Side = Literal["added", "removed"]
_Node = NamedNode | BlankNode


@dataclass(slots=True)
class _Words:
    """What is said in one field; `keys` and `labels` lead to it from the entity."""

    keys: tuple[str, ...]
    labels: tuple[str, ...]
    order: tuple[float, ...]
    values: dict[Side, list[Quad]] = field(default_factory=lambda: {"added": [], "removed": []})


@dataclass(frozen=True, slots=True)
class _Place:
    """A node of an entity: its fields, and the keys, labels and order of those that lead there."""

    inside: EntityType | Part | None
    keys: tuple[str, ...]
    labels: tuple[str, ...]
    order: tuple[float, ...]
    nested: bool

    def implies(self, quad: Quad) -> bool:
        """Whether a statement only gives a part the type that its field gives it."""
        return (
            self.nested
            and self.inside is not None
            and quad.predicate == type_
            and quad.object in self.inside.classes
        )


class Wording:
    """Puts a diff into words; `store` knows what things are called that the diff only mentions.

    The time it takes grows with the statements of the diff, and not faster. What the service notes
    for itself, in the reserved graph, is passed over, but for descriptions of datasets.
    """

    def __init__(
        self,
        profile: Profile | None,
        store: Store,
        diff: Mapping[Side, Sequence[Quad]],
        *,
        base_iri: str,
        language: str,
    ) -> None:
        self._profile = profile
        self._store = store
        self._base_iri = base_iri
        self._language = language
        reserved = NamedNode(f"{base_iri}graph/service")
        self._counts: dict[str, int] = {
            side: sum(quad.graph_name != reserved for quad in quads) for side, quads in diff.items()
        }
        self._owners: dict[Term, tuple[_Node, NamedNode]] = {}
        self._entities: dict[Subject, Subject] = {}
        self._said: dict[Subject, list[Quad]] = defaultdict(list)  # types and labels
        self._labels: dict[Term, str | None] = {}
        self._changes: dict[Subject, dict[Side, list[Quad]]] = defaultdict(
            lambda: {"added": [], "removed": []}
        )
        shown: dict[Side, list[Quad]] = {
            side: [quad for quad in quads if self._is_shown(quad, reserved)]
            for side, quads in diff.items()
        }
        for quads in shown.values():
            self._note(quads)
        for side, quads in shown.items():
            for quad in quads:
                self._changes[self._entity(quad.subject)][side].append(quad)

    def page(self, offset: int, limit: int) -> dict[str, Any]:
        """Counts, and the entities from `offset` on, at most `limit`, in the order of IRIs."""
        entities = sorted(self._changes, key=str)
        return {
            **self._counts,
            "entities_total": len(entities),
            "entities": [self._worded(one) for one in entities[offset : offset + limit]],
        }

    # what belongs to what

    def _is_shown(self, quad: Quad, reserved: NamedNode) -> bool:
        if quad.graph_name != reserved:
            return True
        commit = str(quad.subject).startswith(f"<{self._base_iri}commit/")
        return not commit and not is_mark(quad) and not is_statistic(quad, self._base_iri)

    def _note(self, quads: Iterable[Quad]) -> None:
        noted = {type_, *LABELS}
        for quad in quads:
            subject, value = quad.subject, quad.object
            if quad.predicate in noted:
                self._said[subject].append(quad)
            if isinstance(subject, NamedNode | BlankNode) and subject != value:
                nested = is_part(value, self._base_iri) or (
                    isinstance(value, NamedNode) and _is_fragment(value, subject)
                )
                if nested:
                    self._owners.setdefault(value, (subject, quad.predicate))

    def _owner(self, node: _Node) -> tuple[_Node, NamedNode] | None:
        """The thing and predicate that lead to a part; by the diff, or else by the store."""
        if node not in self._owners:
            referring = self._store.quads_for_pattern(None, None, node, None)
            for quad in islice(referring, _MOST_REFERRING):
                subject = quad.subject
                known = isinstance(subject, NamedNode | BlankNode) and subject != node
                if known and (is_part(node, self._base_iri) or _is_fragment(node, subject)):
                    self._owners[node] = subject, quad.predicate  # type: ignore[assignment]
                    break
        return self._owners.get(node)

    def _entity(self, node: Subject) -> Subject:
        """The entity that a node is, or is a part of, at any depth; each is looked at once."""
        passed: list[Subject] = []
        while node not in self._entities:
            self._entities[node] = node  # a circle of parts ends where it was entered
            passed.append(node)
            if isinstance(node, NamedNode) and not is_part(node, self._base_iri):
                node = entity_of(node)
            elif isinstance(node, NamedNode | BlankNode) and (owner := self._owner(node)):
                node = owner[0]
        entity = self._entities[node]
        self._entities.update(dict.fromkeys(passed, entity))
        return entity

    def _way(self, node: Subject, entity: Subject) -> tuple[NamedNode, ...] | None:
        """The predicates that lead from an entity to its part; None where that is not told."""
        way: list[NamedNode] = []
        while node != entity:
            owner = self._owner(node) if isinstance(node, NamedNode | BlankNode) else None
            if owner is None or len(way) == _DEEPEST:
                return None
            node, predicate = owner
            way.insert(0, predicate)
        return tuple(way)

    # words

    def _worded(self, entity: Subject) -> dict[str, Any]:
        sides = self._changes[entity]
        kind = self._profile.of_classes(self._classes(entity)) if self._profile else None
        fields: dict[tuple[str, ...], _Words] = {}
        places: dict[Subject, _Place] = {}
        for side, quads in sides.items():
            told = {quad.subject for quad in quads}
            for quad in quads:
                if quad.subject not in places:
                    places[quad.subject] = self._place(quad.subject, entity, kind)
                place = places[quad.subject]
                if (quad.object in told and quad.object in self._owners) or place.implies(quad):
                    continue  # a part whose own statements are told, or what a part always is
                words = self._words(place, quad.predicate)
                fields.setdefault(words.keys, words).values[side].append(quad)
        ordered = sorted(fields.values(), key=lambda one: (one.order, one.keys))
        return {
            "id": _plain(entity),
            "label": self._label(entity),
            "type": kind.name if kind else None,
            "type_label": kind.label(self._language) if kind else None,
            "change": _change(entity, sides),
            "fields_total": len(ordered),
            "fields": [self._shown(one) for one in ordered[:MAX_FIELDS]],
        }

    def _place(self, node: Subject, entity: Subject, kind: EntityType | None) -> _Place:
        way = self._way(node, entity)
        place = _Place(kind if way is not None else None, (), (), (), nested=node != entity)
        for predicate in way or ():
            words = self._words(place, predicate)
            found = _by_predicate(place.inside, predicate)
            inside = found.part if found else None
            place = _Place(inside, words.keys, words.labels, words.order, nested=True)
        return place

    def _words(self, place: _Place, predicate: NamedNode) -> _Words:
        found = _by_predicate(place.inside, predicate)
        if found is not None:
            key, label, order = found.name, found.label(self._language), found.order
        elif predicate == type_:
            key, label, order = "type", _TYPE_LABELS.get(self._language, "type"), float("-inf")
        else:
            key, label, order = predicate.value, self._term(predicate), float("inf")
        return _Words((*place.keys, key), (*place.labels, label), (*place.order, order))

    def _term(self, iri: NamedNode) -> str:
        """What ontology or shapes call a property or class; else its IRI."""
        profile = self._profile
        if profile is None:
            return iri.value
        kind = profile.of_classes((iri,))
        named = profile.label(iri.value, self._language)
        return named or (kind.label(self._language) if kind else iri.value)

    def _shown(self, words: _Words) -> dict[str, Any]:
        shown: dict[str, Any] = {"field": ".".join(words.keys), "label": " › ".join(words.labels)}
        for side, quads in words.values.items():
            first = sorted(quads, key=lambda quad: str(quad.object))[:MAX_VALUES]
            shown[side] = [self._text(quad) for quad in first]
            shown[f"{side}_total"] = len(quads)
        return shown

    def _text(self, quad: Quad) -> str:
        value = quad.object
        if isinstance(value, Value):
            return _cut(
                f"{_cut(value.value)} ({value.language})" if value.language else value.value
            )
        if quad.predicate == type_ and isinstance(value, NamedNode):
            label: str | None = self._term(value)
            label = None if label == value.value else label
        else:
            label = self._label(value)
        plain = _plain(value)
        return _cut(f"{_cut(label)} <{plain}>" if label else plain)

    def _label(self, thing: Term) -> str | None:
        if thing not in self._labels:
            self._labels[thing] = self._look_up(thing)
        return self._labels[thing]

    def _look_up(self, thing: Term) -> str | None:
        if isinstance(thing, Value):
            return None
        said = self._said.get(thing, [])
        for predicate in LABELS:
            texts = [
                quad.object
                for quad in (
                    *(quad for quad in said if quad.predicate == predicate),
                    *self._store.quads_for_pattern(thing, predicate, None, None),
                )
                if isinstance(quad.object, Value)
            ]
            if texts:
                return _cut(min(texts, key=self._rank).value)
        return None

    def _rank(self, text: Value) -> int:
        """The language that is asked for, English, none, any; of equals the first."""
        main = (text.language or "").partition("-")[0]
        wanted = (self._language, "en", "")
        return wanted.index(main) if main in wanted else len(wanted)

    def _classes(self, entity: Subject) -> Iterator[NamedNode]:
        for quad in (
            *(quad for quad in self._said.get(entity, ()) if quad.predicate == type_),
            *self._store.quads_for_pattern(entity, type_, None, None),
        ):
            if isinstance(quad.object, NamedNode):
                yield quad.object


def _change(entity: Subject, sides: Mapping[Side, Sequence[Quad]]) -> str:
    """Added or removed if it gets or loses its type and nothing happens besides."""
    for side, other in (("added", "removed"), ("removed", "added")):
        typed = any(q.subject == entity and q.predicate == type_ for q in sides[side])  # type: ignore[index]
        if typed and not sides[other]:  # type: ignore[index]
            return side
    return "changed"


def _by_predicate(shape: EntityType | Part | None, predicate: NamedNode) -> Field | None:
    fields = shape.fields if shape else ()
    return next((one for one in fields if one.predicate == predicate), None)


def _is_fragment(node: object, of: object) -> bool:
    """Whether a node is a fragment of the same entity as another."""
    return (
        isinstance(node, NamedNode)
        and isinstance(of, NamedNode)
        and "#" in node.value
        and entity_of(node) == entity_of(of)
    )


def _plain(term: Term) -> str:
    return term.value if isinstance(term, NamedNode) else str(term)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
