"""Records over HTTP: lists, single records, what types there are, and the JSON-LD context.

The worker writes the JSON; here a request becomes values and an answer gets its headers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.parameters import read_flag, read_parameters
from app.api.readings import Readings, answer, not_modified, read_language, unchanged
from app.api.records_openapi import describe_records
from app.errors import InvalidRequest, NotFound
from app.profile import EntityType, Field, Profile
from app.profile.context import json_ld_context
from app.rdf import media
from app.records.history import History
from app.records.listing import filterable
from app.records.service import MAX_LIMIT, Records, nearest
from app.settings import Settings

__all__ = ["describe_records", "describe_types", "records_router"]

DEFAULT_LIMIT = 25
"""Records on a page unless `limit` says otherwise."""

_PARAMETERS = ("limit", "offset", "q", "lang", "facets")


def records_router(
    records: Records, history: History, profile: Profile, settings: Settings
) -> APIRouter:
    """The routes of all entity types; they answer HEAD as well as GET."""
    api = _RecordsApi(records, history, profile, settings.public_url)
    router = APIRouter()

    def add(path: str, endpoint: Any, name: str) -> None:
        router.add_route(path, endpoint, methods=["GET"], name=name, include_in_schema=False)

    add("/context.jsonld", api.context, "context")
    add("/api/v1/types", api.types, "types")
    add("/api/v1/resource", api.resource, "resource")
    for kind in profile.types:
        add(f"/api/v1/{kind.collection}", api.list_of(kind), f"api-{kind.collection}")
        add(f"/api/v1/{kind.collection}/{{slug:path}}", api.one_of(kind), f"api-{kind.name}")
    return router


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What a list was asked for."""

    limit: int
    offset: int
    q: str | None
    lang: str | None
    facets: bool
    filters: Mapping[str, Sequence[str]]


def read_list_request(
    pairs: Sequence[tuple[str, str]], kind: EntityType, languages: Sequence[str]
) -> ListRequest:
    """The query parameters as values; raises InvalidRequest naming the nearest valid one."""
    known = set(filterable(kind))
    single: dict[str, str] = {}
    filters: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in known:
            filters.setdefault(name, []).append(value)
        elif name not in _PARAMETERS:
            near = nearest(name, sorted({*known, *_PARAMETERS}))
            hint = f"; did you mean {near!r}?" if near else "; /api/v1/types lists them."
            raise InvalidRequest(
                f"{kind.collection} have no field or parameter {name!r}{hint}",
                field=name,
                nearest=near,
            )
        elif name in single:
            raise InvalidRequest(f"{name} is given more than once.", field=name)
        else:
            single[name] = value
    return ListRequest(
        limit=_number("limit", single.get("limit"), DEFAULT_LIMIT, MAX_LIMIT),
        offset=_number("offset", single.get("offset"), 0, 2**53),
        q=single.get("q"),
        lang=read_language(single.get("lang"), languages),
        facets=_flag("facets", single.get("facets")),
        filters=filters,
    )


class _RecordsApi:
    def __init__(
        self, records: Records, history: History, profile: Profile, public_url: str
    ) -> None:
        self._records = records
        self._history = history
        self._profile = profile
        self._readings = Readings(profile, lambda: records.generation)
        self._public_url = public_url
        self._context = _dump({"@context": json_ld_context(profile)})
        self._types = {lang: describe_types(profile, lang) for lang in profile.languages}
        self._types_bytes: dict[str, tuple[int, bytes]] = {}

    async def context(self, request: Request) -> Response:
        headers = {
            "ETag": f'"{self._profile.fingerprint}"',
            "Cache-Control": "public, max-age=3600",
        }
        if unchanged(request, headers["ETag"]):
            return not_modified(headers)
        return Response(self._context, media_type=media.JSON_LD, headers=headers)

    async def types(self, request: Request) -> Response:
        given = read_parameters(request.query_params.multi_items(), ("lang",))
        lang = self._readings.language(request, given.get("lang"))
        headers, fresh = self._readings.headers(request, lang)
        if fresh:
            return not_modified(headers)
        generation = self._records.generation
        kept = self._types_bytes.get(lang)
        if kept is None or kept[0] != generation:
            counts = await self._records.counts()
            types = [{**one, "count": counts[one["name"]]} for one in self._types[lang]]
            kept = self._types_bytes[lang] = (generation, _dump({"types": types}))
        return answer(request, kept[1], headers)

    async def resource(self, request: Request) -> Response:
        pairs = request.query_params.multi_items()
        asked = read_parameters(pairs, ("iri", "lang", "provenance"))
        if not asked.get("iri"):
            raise InvalidRequest("Say which thing: /api/v1/resource?iri=<its IRI>.", field="iri")
        return await self._record(request, asked["iri"], asked)

    def list_of(self, kind: EntityType) -> Any:
        """The endpoint of a type's list."""

        async def endpoint(request: Request) -> Response:
            return await self._page(request, kind)

        return endpoint

    def one_of(self, kind: EntityType) -> Any:
        """The endpoint of a type's records."""

        async def endpoint(request: Request) -> Response:
            iri = self._profile.locate(kind.collection, request.path_params["slug"])
            if iri is None:
                raise NotFound(f"There is nothing of this name among the {kind.collection}.")
            pairs = request.query_params.multi_items()
            return await self._record(request, iri, read_parameters(pairs, ("lang", "provenance")))

        return endpoint

    async def _page(self, request: Request, kind: EntityType) -> Response:
        asked = read_list_request(request.query_params.multi_items(), kind, self._profile.languages)
        lang = self._readings.language(request, asked.lang)
        headers, fresh = self._readings.headers(request, lang)
        if fresh:
            return not_modified(headers)
        kept = [(n, v) for n, v in request.query_params.multi_items() if n != "offset"]
        url = f"{self._public_url}/api/v1/{kind.collection}?{urlencode([*kept, ('offset', '')])}"
        page = await self._records.page_json(
            kind.name,
            filters=asked.filters,
            q=asked.q,
            limit=asked.limit,
            offset=asked.offset,
            lang=lang,
            facets=asked.facets,
            next_url=url,
        )
        links = []
        if page.next_offset is not None:
            links.append(f'<{url}{page.next_offset}>; rel="next"')
        if asked.offset and asked.limit:
            links.append(f'<{url}{max(0, asked.offset - asked.limit)}>; rel="prev"')
        if links:
            headers["Link"] = ", ".join(links)
        return answer(request, page.json, headers)

    async def _record(self, request: Request, iri: str, asked: dict[str, str]) -> Response:
        lang = self._readings.language(request, asked.get("lang"))
        with_provenance = read_flag(asked, "provenance")
        headers, fresh = self._readings.headers(request, lang)
        if fresh:
            return not_modified(headers)
        source = self._history.record_json if with_provenance else self._records.get_json
        return answer(request, await source(iri, lang=lang), headers)


def _number(name: str, text: str | None, default: int, most: int) -> int:
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) > most:
        raise InvalidRequest(f"{name} must be a number from 0 to {most}.", field=name)
    return int(text)


def _flag(name: str, text: str | None) -> bool:
    if text not in {None, "true", "false", "1", "0"}:
        raise InvalidRequest(f"{name} must be true or false.", field=name)
    return text in {"true", "1"}


def describe_types(profile: Profile, lang: str) -> list[dict[str, Any]]:
    """Every entity type with its fields, in words of one language."""
    return [
        {
            "name": kind.name,
            "collection": kind.collection,
            "label": kind.label(lang),
            "description": kind.comment(lang),
            "classes": [cls.value for cls in kind.classes],
            "url": f"/api/v1/{kind.collection}",
            "fields": [_field(field, profile, lang) for field in kind.fields],
        }
        for kind in profile.types
    ]


def _field(field: Field, profile: Profile, lang: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": field.name,
        "label": field.label(lang),
        "kind": field.kind,
        "many": field.many,
        "required": field.min > 0,
        "derived": field.derived,
        "facet": field.facet,
    }
    if description := field.description(lang):
        found["description"] = description
    if field.predicate is not None:
        found["predicate"] = field.predicate.value
    if field.datatypes:
        found["datatypes"] = [datatype.value for datatype in field.datatypes]
    kinds = [profile.of_classes([cls]) for cls in field.classes]
    if types := sorted({kind.name for kind in kinds if kind is not None}):
        found["types"] = types
    if field.values:
        found["values"] = [value.value for value in field.values]
    if field.part is not None:
        found["fields"] = [_field(inner, profile, lang) for inner in field.part.fields]
    return found


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
