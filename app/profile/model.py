"""The profile as values: entity types, parts, fields, and the addresses of entities.

Everything is frozen. Terms are pyoxigraph's. Texts are dictionaries from language to string.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pyoxigraph as ox

from app.rdf.terms import XSD

Kind = Literal["literal", "text", "reference", "part"]
"""How a field's values look in JSON: a plain value, a language map, {id, name, url}, an object."""


class ProfileError(Exception):
    """Ontology and shapes do not fit together; the message names the shape and what to change."""


@dataclass(frozen=True, slots=True)
class Step:
    """One predicate of a path, walked forwards or (`inverse`) from object to subject."""

    predicate: ox.NamedNode
    inverse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """One named property shape, with the constraints of its unnamed neighbours merged in.

    `datatypes` are the literal types that are allowed, the one that JSON shows plainly first;
    `min` and `max` count values (`max` None: no limit); `values` are those of sh:in; `scheme` is
    the concept scheme that references must come from, where a shape says so. `advisory` fields
    only warn about values that break their constraints, so such values may occur.
    """

    name: str
    path: tuple[Step, ...]
    kind: Kind
    datatypes: tuple[ox.NamedNode, ...] = ()
    classes: tuple[ox.NamedNode, ...] = ()
    part: Part | None = None
    min: int = 0
    max: int | None = None
    unique_lang: bool = False
    labels: Mapping[str, str]
    descriptions: Mapping[str, str]
    order: float = 0.0
    group: ox.NamedNode | None = None
    facet: bool = False
    weight: float | None = None
    examples: tuple[ox.NamedNode | ox.Literal, ...] = ()
    naming: bool = False
    labelling: bool = False
    advisory: bool = False
    values: tuple[ox.NamedNode | ox.Literal, ...] = ()
    scheme: ox.NamedNode | None = None
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    minimum: ox.Literal | None = None
    maximum: ox.Literal | None = None
    editor: ox.NamedNode | None = None
    viewer: ox.NamedNode | None = None
    single_line: bool = True

    @property
    def derived(self) -> bool:
        """Whether the values are computed (inverse or sequence path) and never written."""
        return len(self.path) != 1 or self.path[0].inverse

    @property
    def predicate(self) -> ox.NamedNode | None:
        """The predicate of a field that is written; None for a derived one."""
        return None if self.derived else self.path[0].predicate

    @property
    def datatype(self) -> ox.NamedNode | None:
        """The datatype that JSON shows as a plain value: the only one, or the first XSD one.

        Values of other allowed datatypes are shown as {"@value", "@type"}.
        """
        if len(self.datatypes) == 1:
            return self.datatypes[0]
        return next((d for d in self.datatypes if d.value.startswith(XSD)), None)

    @property
    def example(self) -> ox.NamedNode | ox.Literal | None:
        """The first example value."""
        return self.examples[0] if self.examples else None

    @property
    def many(self) -> bool:
        """Whether JSON shows an array: unless sh:maxCount is 1."""
        return self.max != 1

    def label(self, lang: str) -> str:
        """Name for people, in `lang` or English."""
        return _text(self.labels, lang) or self.name.replace("_", " ")

    def description(self, lang: str) -> str:
        """Explanation for people, in `lang` or English; may be empty."""
        return _text(self.descriptions, lang)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A shape of things that belong to one entity and are embedded in it, e.g. an address."""

    name: str
    shape: str
    classes: tuple[ox.NamedNode, ...]
    labels: Mapping[str, str]
    comments: Mapping[str, str]
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        """The field of this JSON name."""
        return next((field for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EntityType:
    """A kind of entity with pages and API of its own."""

    name: str
    collection: str
    shape: str
    classes: tuple[ox.NamedNode, ...]
    path: str
    labels: Mapping[str, str]
    comments: Mapping[str, str]
    order: float
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        """The field of this JSON name."""
        return next((field for field in self.fields if field.name == name), None)

    def label(self, lang: str) -> str:
        """Name for people, in `lang` or English."""
        return _text(self.labels, lang) or self.name

    def comment(self, lang: str) -> str:
        """Definition for people, in `lang` or English; may be empty."""
        return _text(self.comments, lang)


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """All entity types and parts, and what follows from them.

    `class_terms` maps a class IRI to the short name that records use; `languages` are those that
    labels are written in, English first; `fingerprint` changes when any file of the profile does.
    """

    base_iri: str
    ontology_dir: Path
    shapes_dir: Path
    types: tuple[EntityType, ...]
    parts: tuple[Part, ...]
    class_terms: Mapping[str, str]
    labels: Mapping[str, Mapping[str, str]]
    languages: tuple[str, ...]
    fingerprint: str
    _by_name: Mapping[str, EntityType] = dataclasses.field(init=False, repr=False)
    _by_collection: Mapping[str, EntityType] = dataclasses.field(init=False, repr=False)
    _by_class: Mapping[str, int] = dataclasses.field(init=False, repr=False)
    _by_path: tuple[EntityType, ...] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "_by_name", {kind.name: kind for kind in self.types})
        put(self, "_by_collection", {kind.collection: kind for kind in self.types})
        by_class = {c.value: n for n, kind in enumerate(self.types) for c in kind.classes}
        put(self, "_by_class", by_class)
        put(self, "_by_path", tuple(sorted(self.types, key=lambda kind: -len(kind.path))))

    def type(self, name: str) -> EntityType:
        """The type of this name; KeyError if there is none."""
        return self._by_name[name]

    def find(self, name: str) -> EntityType | None:
        """The type of this name, if there is one."""
        return self._by_name.get(name)

    def by_collection(self, collection: str) -> EntityType | None:
        """The type whose entities lie under /{collection}."""
        return self._by_collection.get(collection)

    def of_classes(self, iris: Iterable[ox.NamedNode | str]) -> EntityType | None:
        """The type of a thing with these classes; the first in profile order if several fit."""
        found = [
            index
            for iri in iris
            if (index := self._by_class.get(iri if isinstance(iri, str) else iri.value)) is not None
        ]
        return self.types[min(found)] if found else None

    def label(self, iri: str, lang: str) -> str | None:
        """What ontology or shapes call a class, property, group or shape."""
        return _text(self.labels.get(iri, {}), lang) or None

    def iri(self, type_name: str, slug: str) -> str:
        """The IRI of the entity of this type and slug."""
        return f"{self.base_iri}{self._by_name[type_name].path}{slug}"

    def locate(self, collection: str, slug: str) -> str | None:
        """The IRI behind /{collection}/{slug}; None if there is no such collection, or no such IRI.

        A part (`#…`) has no address of its own, and no IRI holds what RFC 3987 §2.2 leaves out.
        """
        kind = self._by_collection.get(collection)
        if kind is None or not slug:
            return None
        try:
            return ox.NamedNode(f"{self.base_iri}{kind.path}{slug}").value
        except ValueError:
            return None

    def slug(self, iri: str) -> str | None:
        """The slug of an IRI minted here; None for a foreign one."""
        kind = self._type_of_address(iri)
        return iri[len(self.base_iri) + len(kind.path) :] if kind else None

    def local_path(self, iri: str) -> str:
        """Where this service shows the thing: /{collection}/{slug}, else /resource?iri=…."""
        kind = self._type_of_address(iri)
        if kind is None:
            return "/resource?iri=" + quote(iri, safe="")
        slug, hash_, fragment = iri[len(self.base_iri) + len(kind.path) :].partition("#")
        return f"/{kind.collection}/{quote(slug, safe=_PATH_SAFE)}{hash_}{fragment}"

    def _type_of_address(self, iri: str) -> EntityType | None:
        if not iri.startswith(self.base_iri):
            return None
        rest = iri[len(self.base_iri) :]
        for kind in self._by_path:
            if rest.startswith(kind.path) and rest[len(kind.path) :].partition("#")[0]:
                return kind
        return None

    def predicates(self) -> Iterator[tuple[EntityType | Part, Field]]:
        """Every field that is written, with the shape it belongs to."""
        shapes: list[EntityType | Part] = [*self.types, *self.parts]
        for shape in shapes:
            for field in shape.fields:
                if not field.derived:
                    yield shape, field


_PATH_SAFE = "/:@!$&'()*+,;=-._~"


def _text(texts: Mapping[str, str], lang: str) -> str:
    return texts.get(lang) or texts.get("en") or next(iter(texts.values()), "")
