"""What the server calls: reads the search index, and asks the cage where there is none.

The index follows the graph. Until it has caught up, and for what is no entity of a type, the cage
answers; it knows filters and words, but no places, orders and cursors.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from app.errors import InvalidRequest, NotReady
from app.profile import EntityType, Profile
from app.records.finding import Finder, Found
from app.records.index import SearchIndex
from app.records.projection import json_bytes
from app.records.search import (
    MAX_LIMIT,
    MAX_OFFSET,
    MAX_TEXT,
    Condition,
    Search,
    Sort,
    Vocabulary,
    nearest,
    vocabulary,
)

T = TypeVar("T")

_NO_FILTERS: Mapping[str, Sequence[str]] = {}


class Runner(Protocol):
    """Runs a job `room.name` in the cage; its AppErrors arrive as themselves."""

    @property
    def generation(self) -> int:
        """The generation that a job started now would see."""

    async def run(self, job: str, args: Mapping[str, Any], body: bytes = b"") -> bytes:
        """The job's whole answer."""


@dataclass(frozen=True, slots=True)
class PageBytes:
    """A page as it is sent: JSON, how many match, and the address of the next page."""

    total: int
    next: str | None
    json: bytes


class Records:
    """The records of the graph. `context_url` goes into each record as its `@context`."""

    def __init__(
        self,
        runner: Runner,
        profile: Profile,
        context_url: str | None = None,
        index: SearchIndex | None = None,
    ) -> None:
        self._runner = runner
        self._profile = profile
        self._context_url = context_url
        self._index = index
        self._finder = Finder(index, profile) if index else None
        self._threads = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "search")
        self._common = {
            "ontology": str(profile.ontology_dir),
            "shapes": str(profile.shapes_dir),
            "base_iri": profile.base_iri,
            "context": context_url,
        }
        self.vocabulary = vocabulary(profile)
        self.vocabularies = {kind.name: vocabulary(profile, kind) for kind in profile.types}

    @property
    def generation(self) -> int:
        """The generation that an answer would show now."""
        return self._runner.generation

    def generation_of(self, search: Search) -> int:
        """The generation that a page would show now: what only the index knows may be older."""
        return self._reading(search)[1]

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
        """`{"total", "next", "items", "facets"?}`, sorted by name, or, with `q`, the best first.

        A filter's values are alternatives, and all filters must hold. Raises InvalidRequest with
        the nearest valid name for an unknown type, field or a number out of range.
        """
        known = self.vocabularies[self._kind(type_name).name]
        self._check(known, filters, q, limit, offset)
        q = q if q and q.strip() else None
        search = Search(
            types=known.types,
            q=q,
            conditions=tuple(Condition(n, "=", tuple(values)) for n, values in filters.items()),
            sort=Sort("relevance" if q else "name"),
            limit=limit,
            offset=offset,
            facets=known.facets if facets else None,
            lang=lang,
        )
        page: dict[str, Any] = json.loads((await self.page_json(search)).json)
        return page

    async def page_json(self, search: Search, *, address: str | None = None) -> PageBytes:
        """One page as JSON bytes. `address` is that of the same list without its place in it.

        Raises NotReady for what only the index can answer while there is none.
        """
        finder, _ = self._reading(search)
        if finder is None:
            return await self._caged_page(search, address)
        return await self.searching(self._found_page, finder, search, address)

    @property
    def searchable(self) -> bool:
        """Whether there is, or will be, an index."""
        return self._finder is not None

    def finder(self) -> Finder:
        """Who searches the index, which may show an older generation; raises NotReady."""
        if self._finder is None:
            raise NotReady("This service keeps no search index: ask for lists, filters or SPARQL.")
        if not self._finder.index.usable:
            raise NotReady("The search index is being built; ask again in a moment.")
        return self._finder

    async def suggest(
        self, q: str, types: Sequence[str], *, lang: str, limit: int
    ) -> list[dict[str, Any]]:
        """What may be meant while somebody types; raises NotReady."""
        return await self.searching(self.finder().suggest, q, types, lang, limit)

    async def searching(self, work: Callable[..., T], *args: Any) -> T:
        """`work(*args)` in a thread, one of as many as there are processors.

        More of them would pass the interpreter round at each step, and all be slower.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

    async def get(self, iri: str, *, lang: str = "en") -> dict[str, Any]:
        """The record of a thing of any type or none; raises NotFound or Gone."""
        record: dict[str, Any] = json.loads(await self.get_json(iri, lang=lang))
        return record

    async def get_json(self, iri: str, *, lang: str = "en") -> bytes:
        """The record as JSON bytes."""
        found = self.at_hand(iri, lang=lang)
        return await self._run("get", iri=iri, lang=lang) if found is None else found

    def at_hand(self, iri: str, *, lang: str) -> bytes | None:
        """The record of an entity, if the index has it as it is now; takes no time."""
        index = self._current
        return index.get(iri, lang) if index else None

    async def document(self, iri: str, media_type: str) -> bytes:
        """RDF of the thing, its parts and the labels of what it refers to."""
        return await self._run("document", iri=iri, media_type=media_type, lang="en")

    async def counts(self) -> dict[str, int]:
        """Type name → number of entities, in the profile's order."""
        if self._finder and self._current:
            return await self.searching(self._finder.counts)
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

    @property
    def _current(self) -> SearchIndex | None:
        """The index, if it shows what the graph shows."""
        index = self._index
        if index is None or not index.usable or index.generation < self._runner.generation:
            return None
        return index

    def _reading(self, search: Search) -> tuple[Finder | None, int]:
        """Where a page is read, None for the cage, and the generation that is read there."""
        if self._finder and self._current:
            return self._finder, self._runner.generation
        if self._is_plain(search):
            return None, self._runner.generation
        finder = self.finder()
        return finder, finder.index.generation

    def _is_plain(self, search: Search) -> bool:
        """Whether the cage can answer: filters and words, by name, passing over a number."""
        plain = Search(
            types=search.types,
            q=search.q,
            conditions=tuple(one for one in search.conditions if one.operator == "="),
            sort=Sort("relevance" if search.q else "name"),
            limit=search.limit,
            offset=search.offset,
            facets=self.vocabularies[search.types[0]].facets if search.facets else search.facets,
            lang=search.lang,
        )
        return len(search.types) == 1 and search == plain

    async def _caged_page(self, search: Search, address: str | None) -> PageBytes:
        answer = await self._run(
            "page",
            type=search.types[0],
            filters={one.field: list(one.values) for one in search.conditions},
            q=search.q,
            limit=search.limit,
            offset=search.offset,
            lang=search.lang or self._profile.languages[0],
            facets=search.facets is not None,
            next_url=_with(address, "offset", "") if address else None,
        )
        head, _, body = answer.partition(b"\n")
        facts = json.loads(head)
        offset = facts["next_offset"]
        following = _with(address, "offset", offset) if address and offset is not None else None
        return PageBytes(facts["total"], following, body)

    def _found_page(self, finder: Finder, search: Search, address: str | None) -> PageBytes:
        found = finder.find(replace(search, lang=search.lang or self._profile.languages[0]))
        following = _with(address, "after", found.next) if address and found.next else None
        return PageBytes(found.total, following, self._page_bytes(found, following))

    def _page_bytes(self, found: Found, following: str | None) -> bytes:
        members = [
            *([b'"@context":' + json_bytes(self._context_url)] if self._context_url else []),
            b'"total":%d' % found.total,
            b'"next":' + json_bytes(following),
            b'"items":[' + b",".join(found.records) + b"]",
        ]
        if found.facets is not None:
            members.append(b'"facets":' + json_bytes(found.facets))
        if found.included is not None:
            members.append(b'"included":[' + b",".join(found.included) + b"]")
        return b"{" + b",".join(members) + b"}"

    def _check(
        self,
        known: Vocabulary,
        filters: Mapping[str, Sequence[str]],
        q: str | None,
        limit: int,
        offset: int,
    ) -> None:
        if not 0 <= limit <= MAX_LIMIT:
            raise InvalidRequest(
                f"limit must be from 0 to {MAX_LIMIT}; fetch the rest page by page.", field="limit"
            )
        if not 0 <= offset <= MAX_OFFSET:
            raise InvalidRequest(f"offset must be from 0 to {MAX_OFFSET}.", field="offset")
        if q is not None and len(q) > MAX_TEXT:
            raise InvalidRequest(f"q is longer than {MAX_TEXT} characters.", field="q")
        for name in filters:
            if name not in known.filters:
                raise known.unknown(name, known.filters, "field or parameter")


def _with(address: str, name: str, value: object) -> str:
    return f"{address}{'&' if '?' in address else '?'}{name}={value}"
