"""Where the records of an export come from: a list, without its pages."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from app.errors import Conflict, InvalidRequest
from app.profile import EntityType
from app.records.listing import filterable
from app.records.service import Records, nearest

Pairs = Sequence[tuple[str, str]]

_OF_PAGES = ("limit", "offset", "after", "facets", "include")
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Selection:
    """What is exported: all records of a type that a list with these parameters would have."""

    kind: EntityType
    lang: str
    filters: Mapping[str, Sequence[str]]
    q: str | None
    fields: frozenset[str] | None = None


class PagedSource:
    """Reads lists page by page."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def select(self, kind: EntityType, pairs: Pairs, lang: str) -> Selection:
        """The parameters of a list as a value; raises InvalidRequest naming the nearest one."""
        refuse_pages(pairs)
        known = filterable(kind)
        filters: dict[str, list[str]] = {}
        q: str | None = None
        for name, value in pairs:
            if name == "q":
                q = value
            elif name in known:
                filters.setdefault(name, []).append(value)
            elif name != "lang":
                near = nearest(name[:100], sorted({*known, "q", "lang"}))
                raise InvalidRequest(
                    f"{kind.collection} have no field or parameter {name[:100]!r}"
                    + (f"; did you mean {near!r}?" if near else "; /api/v1/types lists them."),
                    field=name[:100],
                    nearest=near,
                )
        return Selection(kind, lang, filters, q)

    async def batches(self, asked: Selection) -> AsyncGenerator[Sequence[bytes], None]:
        """All records as JSON bytes, some at a time, all of one generation.

        Raises Conflict where the graph changes before the last one.
        """
        offset, generation = 0, self._records.generation
        while True:
            page = await self._records.page_json(
                asked.kind.name,
                filters=asked.filters,
                q=asked.q,
                limit=_BATCH,
                offset=offset,
                lang=asked.lang,
            )
            if self._records.generation != generation:
                raise Conflict("The graph has changed meanwhile; ask again.")
            yield [
                json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()
                for item in json.loads(page.json)["items"]
            ]
            if page.next_offset is None:
                return
            offset = page.next_offset


def refuse_pages(pairs: Pairs) -> None:
    """Raise InvalidRequest for a parameter that only a page has."""
    for name, _ in pairs:
        if name in _OF_PAGES:
            raise InvalidRequest(
                f"Leave {name} out: an export has all records that match.", field=name
            )
