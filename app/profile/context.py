"""The JSON-LD 1.1 context that turns every record back into its statements.

A name that means one thing in the whole profile is defined once, at the top. A name that means
different things (or is derived in one place and written in another) is defined where it is used:
in a type-scoped context of an entity type (JSON-LD 1.1 §4.1.3), in a property-scoped context of
every field that leads to a part. Derived fields and the conveniences ``name``, ``url``,
``example``, ``asserted_by``, ``provenance`` and ``truncated`` are null: they say nothing that the
statements do not say.
``also`` is a nesting keyword (§4.4): its members count as members of the record itself.
``items`` of a page is @included (§4.5), so that a page reads as the statements of its records.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from app.profile.model import EntityType, Field, Part, Profile
from app.rdf.terms import XSD

_FIXED: dict[str, Any] = {
    "@version": 1.1,
    "id": "@id",
    "type": "@type",
    "also": "@nest",
    "name": None,
    "url": None,
    "example": None,
    "asserted_by": None,
    "provenance": None,
    "truncated": None,
    "items": "@included",
    "total": None,
    "next": None,
    "facets": None,
}


def json_ld_context(profile: Profile) -> dict[str, Any]:
    """The value of ``@context`` for every record of this profile."""
    return _Context(profile).whole()


class _Context:
    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._shared: set[str] = set()  # names whose definition is the same everywhere
        seen: dict[str, set[str]] = {}
        shapes: list[EntityType | Part] = [*profile.types, *profile.parts]
        for shape in shapes:
            for field in shape.fields:
                # Two parts under one name bring two scopes, so the part counts as well.
                part = field.part.name if field.part else ""
                seen.setdefault(field.name, set()).add(json.dumps([_bare(field), part]))
        self._shared = {name for name, definitions in seen.items() if len(definitions) == 1}

    def whole(self) -> dict[str, Any]:
        context = dict(_FIXED)
        shapes: list[EntityType | Part] = [*self._profile.types, *self._profile.parts]
        for name, field in _by_name(shapes):
            if name in self._shared:
                context[name] = self._definition(field)
        scoped = {
            cls.value: self._scope(kind.fields)
            for kind in self._profile.types
            for cls in kind.classes
        }
        for iri, term in sorted(self._profile.class_terms.items(), key=lambda item: item[1]):
            scope = scoped.get(iri)
            context[term] = {"@id": iri, "@context": scope} if scope else iri
        return context

    def _scope(self, fields: Iterable[Field]) -> dict[str, Any]:
        """Definitions of the names that mean something else elsewhere."""
        return {f.name: self._definition(f) for f in fields if f.name not in self._shared}

    def _definition(self, field: Field) -> Any:
        bare = _bare(field)
        if field.part is not None and bare is not None:
            scope = self._scope(field.part.fields)
            if scope:
                return {**bare, "@context": scope}
        return bare


def _by_name(shapes: Iterable[EntityType | Part]) -> list[tuple[str, Field]]:
    found = {field.name: field for shape in shapes for field in shape.fields}
    return sorted(found.items())


def _bare(field: Field) -> Any:
    if field.predicate is None:
        return None
    iri = field.predicate.value
    if field.kind == "text":
        return {"@id": iri, "@container": "@language"}
    if field.kind in {"part", "reference"}:
        return {"@id": iri, "@type": "@id"}
    if field.datatype is None or field.datatype == XSD["string"]:
        return iri
    return {"@id": iri, "@type": field.datatype.value}
