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
from app.records.search import MAX_LIMIT, Search, Sort, read_search, vocabulary

Pairs = Sequence[tuple[str, str]]

_OF_PAGES = ("limit", "offset", "after", "facets", "include")
_BATCH = 100


class Source:
    """Reads whole lists from the index."""

    def __init__(self, finder: Finder, profile: Profile) -> None:
        self._finder = finder
        self._profile = profile
        self._known = {kind.name: vocabulary(profile, kind) for kind in profile.types}

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
        asked = read_search(pairs, self._known[kind.name], self._profile.languages)
        if asked.sort.by == "relevance":
            if any(name == "sort" for name, _ in pairs):
                raise InvalidRequest(
                    "An export is not sorted by relevance; leave sort out.", field="sort"
                )
            asked = replace(asked, sort=Sort())
        return replace(asked, lang=lang, limit=MAX_LIMIT)

    async def batches(self, asked: Search) -> AsyncGenerator[Sequence[bytes], None]:
        """All records as JSON bytes, some at a time; searched beside the event loop."""
        records = self._records(asked)
        while batch := await asyncio.to_thread(lambda: list(islice(records, _BATCH))):
            yield batch

    def _records(self, asked: Search) -> Iterator[bytes]:
        if asked.sort == Sort() and asked.near is None:
            for record in self._finder.scan(asked):
                yield record if asked.fields is None else _projected(record, asked.fields)
            return
        after: str | None = None
        while True:
            found = self._finder.find(asked)
            yield from found.records
            if found.next is None:
                return
            asked = replace(asked, after=read_cursor(found.next, asked.sort))
