"""The page of a code list: its concepts level by level, from the records of its concepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pyoxigraph import NamedNode
from starlette.requests import Request
from starlette.responses import Response

from app.errors import NotFound
from app.pages.links import with_parameters
from app.pages.record_view import RecordView, as_list
from app.pages.representations import suffixed
from app.pages.site import Site
from app.profile import Field, Profile
from app.rdf.media import GRAPH_FORMATS
from app.rdf.terms import SKOS

MAX_CONCEPTS = 5_000
"""Concepts of one code list that its page reads."""

_CONCEPTS_AT_ONCE = 1_000


class ListSource(Protocol):
    """What the page asks of the records room."""

    async def page(
        self,
        type_name: str,
        *,
        filters: Mapping[str, Sequence[str]] = ...,
        limit: int = ...,
        offset: int = ...,
        lang: str = ...,
    ) -> dict[str, Any]:
        """A page of records of one type."""
        ...


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


class SchemePage:
    """Shows code lists in the frame of `site`; `view` makes values for the request's language."""

    def __init__(
        self,
        records: ListSource,
        profile: Profile,
        site: Site,
        view: Callable[[Request], RecordView],
    ) -> None:
        self._records = records
        self._profile = profile
        self._site = site
        self._view = view

    async def show(self, request: Request, scheme: Mapping[str, Any], path: str) -> Response:
        """One level of a code list, ours or another's; `?under=` names the concept above it."""
        iri, lang = str(scheme["id"]), self._site.language(request)
        fields = concept_fields(self._profile)
        concepts = await self._concepts(fields, iri, lang)
        if not concepts and "name" not in scheme:
            raise NotFound(f"There is no code list <{iri}>.")
        under = request.query_params.get("under")
        levels = Levels(concepts, fields)
        above = levels.concept(under) if under else None
        if under and above is None:
            raise NotFound(f"The code list <{iri}> has no such concept.")
        sections = self._view(request).sections(scheme, None)
        context = {
            "iri": iri,
            "name": str(scheme.get("name") or iri),
            "description": [row for section in sections for row in section.rows],
            "concepts": [
                {
                    "name": concept.get("name") or concept["id"],
                    "href": self._profile.local_path(concept["id"]),
                    "code": levels.code(concept),
                    "below": with_parameters(path, [("under", concept["id"])])
                    if levels.below(concept["id"])
                    else None,
                }
                for concept in levels.below(above["id"] if above else None)
            ],
            "above": above
            and {
                "name": above.get("name") or above["id"],
                "href": self._profile.local_path(above["id"]),
            },
            "top": path,
            "alternates": [(media, suffixed(path, media)) for media in GRAPH_FORMATS],
            "canonical": self._site.public_url + path,
        }
        return self._site.page(request, "scheme.html", context)

    async def _concepts(
        self, fields: Mapping[NamedNode, Field], scheme: str, lang: str
    ) -> list[dict[str, Any]]:
        """All concepts of a code list, up to a limit that no list we know comes near."""
        found: list[dict[str, Any]] = []
        while SKOS["inScheme"] in fields and len(found) < MAX_CONCEPTS:
            page = await self._records.page(
                "concept",
                filters={fields[SKOS["inScheme"]].name: [scheme]},
                limit=_CONCEPTS_AT_ONCE,
                offset=len(found),
                lang=lang,
            )
            found += page["items"]
            if not page["items"] or len(found) >= page["total"]:
                break
        return found
