"""What the server calls: asks the cage and hands on what it answers."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.errors import InvalidRequest
from app.profile import EntityType, Profile
from app.records.listing import filterable

MAX_LIMIT = 1_000
"""Records on one page at most."""

_NO_FILTERS: Mapping[str, Sequence[str]] = {}
_MAX_OFFSET = 2**53
_MAX_TEXT = 1_000


class Runner(Protocol):
    """Runs a job `room.name` in the cage; its AppErrors arrive as themselves."""

    @property
    def generation(self) -> int:
        """The generation that a job started now would see."""

    async def run(self, job: str, args: Mapping[str, Any], body: bytes = b"") -> bytes:
        """The job's whole answer."""


@dataclass(frozen=True, slots=True)
class PageBytes:
    """A page as it is sent: JSON, with what the Link header needs to know."""

    total: int
    next_offset: int | None
    json: bytes


class Records:
    """The records of the graph. `context_url` goes into each record as its `@context`."""

    def __init__(self, runner: Runner, profile: Profile, context_url: str | None = None) -> None:
        self._runner = runner
        self._profile = profile
        self._common = {
            "ontology": str(profile.ontology_dir),
            "shapes": str(profile.shapes_dir),
            "base_iri": profile.base_iri,
            "context": context_url,
        }
        self._filterable = {kind.name: frozenset(filterable(kind)) for kind in profile.types}

    @property
    def generation(self) -> int:
        """The generation that an answer would show now."""
        return self._runner.generation

    async def page(
        self,
        type_name: str,
        *,
        filters: Mapping[str, Sequence[str]] = _NO_FILTERS,
        q: str | None = None,
        limit: int = 25,
        offset: int = 0,
        lang: str = "en",
        facets: bool = False,
    ) -> dict[str, Any]:
        """`{"total", "next", "items", "facets"?}`, sorted by name; see `page_json`."""
        page = await self.page_json(
            type_name, filters=filters, q=q, limit=limit, offset=offset, lang=lang, facets=facets
        )
        found: dict[str, Any] = json.loads(page.json)
        return found

    async def page_json(
        self,
        type_name: str,
        *,
        filters: Mapping[str, Sequence[str]] = _NO_FILTERS,
        q: str | None = None,
        limit: int = 25,
        offset: int = 0,
        lang: str = "en",
        facets: bool = False,
        next_url: str | None = None,
    ) -> PageBytes:
        """One page as JSON bytes. `next_url` is the next page's address up to its offset.

        A filter's values are alternatives, and all filters must hold. Raises InvalidRequest with
        the nearest valid name for an unknown type, field or a number out of range.
        """
        kind = self._kind(type_name)
        self._check(kind, filters, limit, offset)
        if q is not None and len(q) > _MAX_TEXT:
            raise InvalidRequest(f"q is longer than {_MAX_TEXT} characters.", field="q")
        answer = await self._run(
            "page",
            type=kind.name,
            filters={name: list(values) for name, values in filters.items()},
            q=q,
            limit=limit,
            offset=offset,
            lang=lang,
            facets=facets,
            next_url=next_url,
        )
        head, _, body = answer.partition(b"\n")
        facts = json.loads(head)
        return PageBytes(facts["total"], facts["next_offset"], body)

    async def get(self, iri: str, *, lang: str = "en") -> dict[str, Any]:
        """The record of a thing of any type or none; raises NotFound or Gone."""
        record: dict[str, Any] = json.loads(await self.get_json(iri, lang=lang))
        return record

    async def get_json(self, iri: str, *, lang: str = "en") -> bytes:
        """The record as JSON bytes."""
        return await self._run("get", iri=iri, lang=lang)

    async def document(self, iri: str, media_type: str) -> bytes:
        """RDF of the thing, its parts and the labels of what it refers to."""
        return await self._run("document", iri=iri, media_type=media_type, lang="en")

    async def counts(self) -> dict[str, int]:
        """Type name → number of entities, in the profile's order."""
        found: dict[str, int] = json.loads(await self._run("counts", lang="en"))
        return found

    async def datasets(self, *, lang: str = "en") -> list[dict[str, Any]]:
        """The records of all datasets, at most 1,000."""
        if self._profile.find("dataset") is None:
            return []
        page = await self.page("dataset", limit=MAX_LIMIT, lang=lang)
        items: list[dict[str, Any]] = page["items"]
        return items

    async def _run(self, job: str, **args: Any) -> bytes:
        return await self._runner.run(f"records.{job}", {**self._common, **args})

    def _kind(self, name: str) -> EntityType:
        kind = self._profile.find(name)
        if kind is None:
            names = [kind.name for kind in self._profile.types]
            raise InvalidRequest(
                f"There is no entity type {name!r}.", field="type", nearest=nearest(name, names)
            )
        return kind

    def _check(
        self, kind: EntityType, filters: Mapping[str, Sequence[str]], limit: int, offset: int
    ) -> None:
        if not 0 <= limit <= MAX_LIMIT:
            raise InvalidRequest(
                f"limit must be from 0 to {MAX_LIMIT}; fetch the rest page by page.", field="limit"
            )
        if not 0 <= offset <= _MAX_OFFSET:
            raise InvalidRequest("offset must be 0 or more.", field="offset")
        known = self._filterable[kind.name]
        for name in filters:
            if name not in known:
                raise unknown(name, kind, known)


def unknown(name: str, kind: EntityType, known: frozenset[str]) -> InvalidRequest:
    """The refusal of a name that is neither parameter nor field, with the nearest valid one."""
    near = nearest(name, sorted(known))
    hint = f"; did you mean {near!r}?" if near else "."
    return InvalidRequest(
        f"{kind.collection} have no field or parameter {name!r}{hint}", field=name, nearest=near
    )


def nearest(name: str, names: Sequence[str]) -> str | None:
    """The most similar of `names`, or None if none is similar."""
    found = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return found[0] if found else None
