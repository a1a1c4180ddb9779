"""Where the records of an export come from: a list, without its pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from app.errors import InvalidRequest
from app.profile import EntityType, Profile
from app.records.finding import Finder
from app.records.projection import json_bytes, projected
from app.records.search import MAX_LIMIT, Search, Sort, read_cursor, read_search
from app.records.service import Records

Pairs = Sequence[tuple[str, str]]

_OF_PAGES = ("limit", "offset", "after", "facets", "include")
_BATCH = 100


class Source:
    """Reads whole lists from the index; NotReady is raised while there is none."""

    def __init__(self, records: Records, profile: Profile) -> None:
        self._records = records
        self._languages = profile.languages

    @property
    def generation(self) -> int:
        """The generation that an export would show now."""
        return self._records.finder().index.generation

    def select(self, kind: EntityType, pairs: Pairs, lang: str) -> Search:
        """The parameters of a list, without those of its pages, as a value.

        Sorted by name unless it says otherwise, or by distance where it asks what is near. Raises
        InvalidRequest naming the nearest valid name.
        """
        for name, _ in pairs:
            if name in _OF_PAGES:
                raise InvalidRequest(
                    f"Leave {name} out: an export has all records that match.", field=name
                )
        asked = read_search(pairs, self._records.vocabularies[kind.name], self._languages)
        chosen = any(name == "sort" for name, _ in pairs)
        if asked.sort.by == "relevance" and chosen:
            raise InvalidRequest(
                "An export is not sorted by relevance; leave sort out.", field="sort"
            )
        if asked.near and asked.sort.by != "distance":
            raise InvalidRequest(
                "What is near is exported by distance; leave sort out.", field="sort"
            )
        sort = Sort() if asked.sort.by == "relevance" else asked.sort
        return replace(asked, sort=sort, lang=lang, limit=MAX_LIMIT)

    async def batches(self, asked: Search) -> AsyncGenerator[Sequence[bytes], None]:
        """All records as JSON bytes, some at a time; searched beside the event loop."""
        records = _all(self._records.finder(), asked)
        while batch := await asyncio.to_thread(lambda: list(islice(records, _BATCH))):
            yield batch


def _all(finder: Finder, asked: Search) -> Iterator[bytes]:
    """By name they come as of one moment; in another order, page by page."""
    if asked.sort == Sort() and asked.near is None:
        for record in finder.scan(asked):
            yield _shown(record, asked.fields)
        return
    following: str | None = ""
    while following is not None:
        found = finder.find(asked)
        yield from found.records
        following = found.next
        if following:
            asked = replace(asked, after=read_cursor(following, asked.sort))


def _shown(record: bytes, fields: Sequence[str] | None) -> bytes:
    return record if fields is None else json_bytes(projected(json.loads(record), fields))
