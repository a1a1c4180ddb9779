"""One record: the statements about an entity and its parts as JSON, without loss.

Read together with the profile's JSON-LD context a record gives exactly the statements that the
merged graph makes about the entity and its parts. How a value appears:

- text: `{"en": "…", "@none": "…"}`; lists of texts unless one is allowed per language;
- another entity: `{"id", "name", "url"}`;
- a part (address, identifier): an object with its own `id`, to any depth;
- a literal: plain, or `{"@value", "@type"}` where the field allows several datatypes.

A field that allows one value holds one. Where datasets differ, the first in order is in the field
and the others are under `also`, so that types stay what the schema says and nothing is lost.
Values that do not fit their field, and predicates outside the profile, stand under the full IRI of
the predicate in expanded JSON-LD form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import pyoxigraph as ox

from app.profile import EntityType, Field, Part, Profile
from app.profile.json_schema import json_value
from app.rdf.terms import RDF, XSD
from app.records.graph import About, Graph, Node, Value
from app.records.names import AllNames, InEach, Names, fold

MAX_DERIVED = 1_000
"""Values shown of a derived field; a list with a filter gives all of them."""

_MAX_EMBEDDED = 1_000
_TYPE = RDF["type"]
_STRING = XSD["string"]
_LANG_STRING = RDF["langString"]

Json = dict[str, Any]


class DependsOnLanguage(Exception):
    """A record of `AllNames` is not the same in all languages but for its names."""


class InAnyOrder(list[Json]):
    """References that are sorted when it is known in which language (`spoken`)."""


def spoken(value: Any, number: int) -> Any:
    """What was built with `AllNames`, in one of their languages."""
    if isinstance(value, InEach):
        return value[number]
    if isinstance(value, dict):
        return {key: spoken(one, number) for key, one in value.items()}
    if isinstance(value, InAnyOrder):
        return sorted((spoken(one, number) for one in value), key=_by_name)
    if isinstance(value, list):
        return [spoken(one, number) for one in value]
    return value


def _by_name(reference: Json) -> tuple[str, str]:
    return fold(reference["name"]), reference["id"]


class RecordBuilder:
    """Builds records from one checkpoint, in one language or, with `AllNames`, for several."""

    def __init__(
        self,
        graph: Graph,
        profile: Profile,
        names: Names | AllNames,
        context_url: str | None = None,
    ) -> None:
        self.graph = graph
        self.profile = profile
        self.names = names
        self._context_url = context_url
        self._plans: dict[int, list[tuple[Field, ox.NamedNode | None]]] = {}
        self._scoped = {cls.value for kind in profile.types for cls in kind.classes}

    def record(self, iri: ox.NamedNode, about: About) -> Json:
        """The record of a thing of any type or none; `about` is what the graph says of it."""
        return _Building(self, iri).record(about)

    def subjects(self, iri: ox.NamedNode, about: About) -> dict[Node, About]:
        """The entity and its parts, with the statements that a record shows."""
        building = _Building(self, iri)
        building.record(about)
        return building.seen

    def plan(self, fields: Sequence[Field]) -> list[tuple[Field, ox.NamedNode | None]]:
        """The fields of a shape with their predicates."""
        found = self._plans.get(id(fields))  # the profile's own, which stay
        if found is None:
            found = self._plans[id(fields)] = [(field, field.predicate) for field in fields]
        return found

    def head(self, iri: ox.NamedNode, about: About, kind: EntityType | None) -> Json:
        """The members before the fields."""
        head: Json = {} if self._context_url is None else {"@context": self._context_url}
        head["id"] = iri.value
        head["type"] = self.class_names(about, kind)
        head["name"] = self.names.from_about(iri, about)
        head["url"] = self.profile.local_path(iri.value)
        if self.graph.is_example(iri, about):
            head["example"] = True
        return head

    def class_names(self, about: About, kind: EntityType | None) -> list[str]:
        """Short names of the profile's classes, the type's own first; else full IRIs.

        The short name of another entity type's class would bring that type's context along.
        """
        own = {cls.value for cls in kind.classes} if kind else set()
        terms = self.profile.class_terms
        ordered = sorted((c.value for c in about.classes), key=lambda c: (c not in own, c))
        return [terms.get(c, c) if c in own or c not in self._scoped else c for c in ordered]


class _Building:
    """The making of one record."""

    def __init__(self, builder: RecordBuilder, root: ox.NamedNode) -> None:
        self._builder = builder
        self._graph = builder.graph
        self._names = builder.names
        self._root = root
        self._own = f"{root.value}#"
        self._open: set[Node] = {root}
        self._embedded = 0
        self.seen: dict[Node, About] = {}

    def record(self, about: About) -> Json:
        kind = self._builder.profile.of_classes(about.classes)
        record = self._builder.head(self._root, about, kind)
        self.seen[self._root] = about
        record.update(self._fields(self._root, about, kind.fields if kind else ()))
        if datasets := self._graph.datasets_of(about):
            record["asserted_by"] = self._references(datasets)
        return record

    def _fields(self, node: Node, about: About, fields: Sequence[Field]) -> Json:
        shown: Json = {}
        also: Json = {}
        truncated: list[str] = []
        rest = dict(about.values)
        rest[_TYPE] = [v for v in rest.get(_TYPE, ()) if not isinstance(v, ox.NamedNode)]
        for field, predicate in self._builder.plan(fields):
            if predicate is None:
                values, cut = self._graph.walk(node, field.path, MAX_DERIVED)
                self._show(field, self._derived(field, values), shown, {})
                if cut:
                    truncated.append(field.name)
            elif predicate in rest:
                fitting, others = self._split(field, rest.pop(predicate))
                self._show(field, self._written(field, fitting), shown, also)
                if others:
                    rest[predicate] = others
        if also:
            shown["also"] = also
        if truncated:
            shown["truncated"] = truncated
        for predicate in sorted(rest, key=lambda p: p.value):
            if values := rest[predicate]:
                shown[predicate.value] = [self._expanded(v) for v in sorted(values, key=str)]
        return shown

    def _split(self, field: Field, values: Sequence[Value]) -> tuple[list[Value], list[Value]]:
        """The values that fit the field's form, and the others.

        A reference has no place for what a fragment of the entity says, so that does not fit.
        """
        fits: list[Value] = []
        others: list[Value] = []
        for value in values:
            fit = _fits(field, value)
            if fit and field.kind == "reference" and isinstance(value, ox.NamedNode):
                fit = not (self._is_own(value) and self._graph.has(value))
            (fits if fit else others).append(value)
        return fits, others

    def _show(self, field: Field, values: Any, shown: Json, also: Json) -> None:
        """Put values where the field's cardinality wants them."""
        if not values:
            return
        if field.kind == "text":
            lists = field.many and not field.unique_lang
            shown[field.name] = values if lists else {k: v[0] for k, v in values.items()}
            more = {k: v[1:] for k, v in values.items() if len(v) > 1}
            if more and not lists:
                also[field.name] = more
        elif field.many:
            shown[field.name] = values
        elif isinstance(values, InAnyOrder):
            raise DependsOnLanguage
        else:
            shown[field.name] = values[0]
            if len(values) > 1:
                also[field.name] = values[1:]

    def _written(self, field: Field, values: Sequence[Value]) -> Any:
        if field.kind == "text":
            return _language_map(values)
        if field.kind == "reference":
            return self._references(values)
        if field.kind == "part" and field.part is not None:
            nodes = sorted(values, key=str)
            return [self._embed(v, field.part) for v in nodes if _is_node(v)]
        literals = [v for v in values if isinstance(v, ox.Literal)]
        literals.sort(key=lambda v: _usual_first(field, v))
        return [plain(field, v) for v in literals]

    def _derived(self, field: Field, values: Sequence[Value]) -> Any:
        if field.kind == "text":
            return _language_map([v for v in values if isinstance(v, ox.Literal)])
        literals = sorted((v for v in values if isinstance(v, ox.Literal)), key=_literal_order)
        references = self._references(values)
        if not literals:
            return references
        if isinstance(references, InAnyOrder):
            raise DependsOnLanguage
        return [*references, *(json_value(v) for v in literals)]

    def _references(self, values: Sequence[Value]) -> list[Json]:
        found = [self._names.reference(v) for v in values if _is_node(v)]
        if len(found) > 1 and any(isinstance(one["name"], InEach) for one in found):
            return InAnyOrder(found)
        return sorted(found, key=_by_name) if len(found) > 1 else found

    def _embed(self, node: Node, part: Part) -> Json:
        """A part with all it holds. One that is being embedded already is only referred to, and
        so is, in a huge record, one that has been embedded before."""
        embedded: Json = {"id": _id(node)}
        if node in self._open or (node in self.seen and self._embedded >= _MAX_EMBEDDED):
            return embedded
        about = self.seen.get(node) or self._graph.about(node)
        if self._is_other_entity(node, about, part):
            return embedded
        self.seen[node] = about
        self._embedded += 1
        self._open.add(node)
        if about.classes:
            embedded["type"] = self._builder.class_names(about, None)
        embedded.update(self._fields(node, about, part.fields))
        self._open.discard(node)
        return embedded

    def _is_other_entity(self, node: Node, about: About, part: Part) -> bool:
        """Whether an entity of its own stands where a part should."""
        kind = self._builder.profile.of_classes(about.classes)
        if kind is None or (isinstance(node, ox.NamedNode) and self._is_own(node)):
            return False
        return not {*kind.classes} & {*part.classes}

    def _expanded(self, value: Value) -> Json:
        if isinstance(value, ox.Literal):
            return expanded(value)
        if isinstance(value, ox.NamedNode):
            fresh = value not in self._open and value not in self.seen
            return self._nested(value) if fresh and self._is_own(value) else {"@id": value.value}
        if isinstance(value, ox.BlankNode):
            return {"@id": f"_:{value.value}"}
        return {"@value": str(value)}  # a triple term; JSON-LD 1.1 has no form for it

    def _is_own(self, node: ox.NamedNode) -> bool:
        return node.value.startswith(self._own)

    def _nested(self, node: ox.NamedNode) -> Json:
        """A fragment of the entity that no part field leads to, with what it says."""
        about = self._graph.about(node)
        nested: Json = {"@id": node.value}
        if not about.values:
            return nested
        self.seen[node] = about
        if about.classes:
            nested["@type"] = sorted(c.value for c in about.classes)
        nested.update(self._fields(node, about, ()))
        return nested


def _fits(field: Field, value: Value) -> bool:
    if field.kind in {"reference", "part"}:
        return _is_node(value)
    if not isinstance(value, ox.Literal) or value.direction is not None:
        return False
    if field.kind == "text":
        return value.datatype in {_STRING, _LANG_STRING}
    if not field.datatypes:
        return True
    return value.datatype in field.datatypes


def _is_node(value: Value) -> TypeGuard[Node]:
    return isinstance(value, ox.NamedNode | ox.BlankNode)


def _id(node: Node) -> str:
    return node.value if isinstance(node, ox.NamedNode) else f"_:{node.value}"


def plain(field: Field, value: ox.Literal) -> Any:
    """A literal as a record shows it in this field."""
    usual = field.datatype or _STRING
    return json_value(value) if value.datatype == usual else expanded(value)


def expanded(value: ox.Literal) -> Json:
    """A literal in expanded JSON-LD form."""
    shown: Json = {"@value": value.value}
    if value.language is not None:
        shown["@language"] = value.language
        if value.direction is not None:
            shown["@direction"] = value.direction.value
    elif value.datatype != _STRING:
        shown["@type"] = value.datatype.value
    return shown


def _language_map(values: Sequence[Value]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for value in values:
        if isinstance(value, ox.Literal):
            found.setdefault(value.language or "@none", []).append(value.value)
    return {lang: sorted(found[lang]) for lang in sorted(found, key=_language_order)}


def _language_order(lang: str) -> tuple[bool, bool, str]:
    return lang == "@none", lang != "en", lang


def _usual_first(field: Field, value: ox.Literal) -> tuple[bool, tuple[float, str, str]]:
    return value.datatype != (field.datatype or _STRING), _literal_order(value)


def _literal_order(value: ox.Literal) -> tuple[float, str, str]:
    try:
        number = float(value.value) if value.datatype.value.startswith(XSD) else 0.0
    except ValueError:
        number = 0.0
    return number if number == number else 0.0, value.value, value.datatype.value  # noqa: PLR0124


def strip(record: Mapping[str, Any]) -> Json:
    """A record without its context address, e.g. to put the context itself in its place."""
    return {key: value for key, value in record.items() if key != "@context"}
