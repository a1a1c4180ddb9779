"""What a list's address asks for, and the choices that its filters offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from app.errors import InvalidRequest
from app.pages.languages import LANGUAGES
from app.pages.links import with_parameters
from app.profile import EntityType
from app.records.listing import filterable

SHOWN_VALUES = 8
"""Values of a facet that are shown before the rest is folded."""

_MAX_OFFSET = 10_000_000


class ListRequest:
    """What a list's address asks: words, filters, place."""

    def __init__(self, request: Request, kind: EntityType) -> None:
        self.kind = kind
        asked = request.query_params.get("lang")
        self._lang = asked if asked in LANGUAGES else None
        self.q = request.query_params.get("q", "").strip()[:500]
        self.offset = _offset(request)
        self.filters: dict[str, list[str]] = {}
        self.known = filterable(kind)
        for key, value in request.query_params.multi_items():
            if key in self.known and value:
                self.filters.setdefault(key, []).append(value)

    def address(self, filters: Mapping[str, Sequence[str]], offset: int) -> str:
        """The address of the same list with other filters or at another place."""
        pairs = [("q", self.q)] if self.q else []
        pairs += [(key, value) for key, values in filters.items() for value in values]
        if offset:
            pairs.append(("offset", str(offset)))
        return f"/{self.kind.collection}" + (f"?{urlencode(pairs)}" if pairs else "")

    def api_address(self) -> str:
        """The address of the same list as JSON, with the parameters that the API knows."""
        path = "/api/v1" + self.address(self.filters, self.offset)
        return with_parameters(path, [("lang", self._lang)] if self._lang else [])

    def file_address(self, suffix: str) -> str:
        """The address of the whole list as a file."""
        path, mark, query = self.address(self.filters, 0).partition("?")
        parameters = [("lang", self._lang)] if self._lang else []
        return with_parameters(f"/api/v1{path}.{suffix}{mark}{query}", parameters)

    def without(self, field: str, value: str) -> str:
        """The address of the same list with one filter less."""
        kept = {k: [v for v in vs if (k, v) != (field, value)] for k, vs in self.filters.items()}
        return self.address(kept, 0)

    def chosen(self, facets: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, str]]:
        """Every active filter as (field, its label, value, name of the value)."""
        names = {
            (facet["name"], value["value"]): value["name"]
            for facet in facets
            for value in (*facet["shown"], *facet["folded"])
        }
        labels = {facet["name"]: facet["label"] for facet in facets}
        return [
            (field, labels.get(field, field), value, names.get((field, value), value))
            for field, values in self.filters.items()
            for value in values
        ]


def facet_choices(asked: ListRequest, found: Mapping[str, Any], lang: str) -> list[dict[str, Any]]:
    """The values to filter by, field by field; chosen ones first, also if they match nothing."""
    facets = []
    for name, what in asked.known.items():
        chosen = asked.filters.get(name, [])
        values = [
            {
                "value": str(v["value"]),
                "name": str(v.get("name") or v["value"]),
                "count": v["count"],
                "on": str(v["value"]) in chosen,
            }
            for v in found.get(name, ())
        ]
        missing = [c for c in chosen if c not in {v["value"] for v in values}]
        values = [{"value": c, "name": c, "count": 0, "on": True} for c in missing] + values
        if values:
            values.sort(key=lambda v: not v["on"])
            facets.append(
                {
                    "name": name,
                    "label": what.field.label(lang),
                    "shown": values[:SHOWN_VALUES],
                    "folded": values[SHOWN_VALUES:],
                }
            )
    return facets


def _offset(request: Request) -> int:
    text = request.query_params.get("offset", "0")
    if not text.isascii() or not text.isdigit() or int(text[:20]) > _MAX_OFFSET:
        raise InvalidRequest("offset must be a number from 0 up.", field="offset")
    return int(text)
