"""The concepts of a code list as levels, from the records of its concepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyoxigraph import NamedNode

from app.pages.record_view import as_list
from app.profile import Field, Profile
from app.rdf.terms import SKOS


def concept_fields(profile: Profile) -> dict[NamedNode, Field]:
    """The fields of a concept by their property; empty where a profile has no concepts."""
    kind = profile.find("concept")
    fields = kind.fields if kind else ()
    return {field.predicate: field for field in fields if field.predicate is not None}


class Levels:
    """The concepts of a code list by the concept above them; None is above the top ones."""

    def __init__(
        self, concepts: Sequence[dict[str, Any]], names: Mapping[NamedNode, Field]
    ) -> None:
        broader = names[SKOS["broader"]].name if SKOS["broader"] in names else ""
        self._notation = names[SKOS["notation"]].name if SKOS["notation"] in names else ""
        self._known = {concept["id"]: concept for concept in concepts}
        self._below: dict[str | None, list[dict[str, Any]]] = {}
        for concept in concepts:
            above = {item["id"] for item in as_list(concept.get(broader))} & self._known.keys()
            for iri in above or {None}:
                self._below.setdefault(iri, []).append(concept)
        for level in self._below.values():
            level.sort(key=lambda c: (self.code(c), str(c.get("name", "")).casefold()))

    def concept(self, iri: str) -> dict[str, Any] | None:
        """The concept with this IRI, if it belongs to the list."""
        return self._known.get(iri)

    def below(self, iri: str | None) -> list[dict[str, Any]]:
        """The concepts of the next level, by code, then by name."""
        return self._below.get(iri, [])

    def code(self, concept: Mapping[str, Any]) -> str:
        """The notation of a concept, if it has one."""
        return ", ".join(str(_bare(code)) for code in as_list(concept.get(self._notation)))


def _bare(value: Any) -> Any:
    return value.get("@value", "") if isinstance(value, Mapping) else value
