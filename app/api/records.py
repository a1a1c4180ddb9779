"""Records over HTTP: lists, single records, what types there are, and the JSON-LD context.

The worker writes the JSON; here a request becomes values and an answer gets its headers. Every
answer depends on nothing but the address, the language and the generation, so these make its ETag
and a repeated request costs no job.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.records_openapi import describe_records
from app.errors import InvalidRequest, NotAcceptable, NotFound
from app.profile import EntityType, Field, Profile
from app.profile.context import json_ld_context
from app.rdf import media
from app.records.listing import filterable
from app.records.service import MAX_LIMIT, Records, nearest
from app.settings import Settings

__all__ = ["describe_records", "records_router"]

DEFAULT_LIMIT = 25
"""Records on a page unless `limit` says otherwise."""

_PARAMETERS = ("limit", "offset", "q", "lang", "facets")
_OFFERED = (media.JSON, media.JSON_LD)
_VARY = "Accept, Accept-Language"


def records_router(records: Records, profile: Profile, settings: Settings) -> APIRouter:
    """The routes of all entity types; they answer HEAD as well as GET."""
    api = _RecordsApi(records, profile, settings.public_url)
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
        lang=_language(single.get("lang"), languages),
        facets=_flag("facets", single.get("facets")),
        filters=filters,
    )


class _RecordsApi:
    def __init__(self, records: Records, profile: Profile, public_url: str) -> None:
        self._records = records
        self._profile = profile
        self._public_url = public_url
        self._context = _dump({"@context": json_ld_context(profile)})
        self._types = {lang: _types(profile, lang) for lang in profile.languages}
        self._types_bytes: dict[str, tuple[int, bytes]] = {}

    async def context(self, request: Request) -> Response:
        headers = {
            "ETag": f'"{self._profile.fingerprint}"',
            "Cache-Control": "public, max-age=3600",
        }
        if _unchanged(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(self._context, media_type=media.JSON_LD, headers=headers)

    async def types(self, request: Request) -> Response:
        lang = self._asked_language(_only(request, ("lang",)).get("lang"), request)
        headers, fresh = self._headers(request, lang)
        if fresh:
            return Response(status_code=304, headers=headers)
        generation = self._records.generation
        kept = self._types_bytes.get(lang)
        if kept is None or kept[0] != generation:
            counts = await self._records.counts()
            types = [{**one, "count": counts[one["name"]]} for one in self._types[lang]]
            kept = self._types_bytes[lang] = (generation, _dump({"types": types}))
        return Response(kept[1], media_type=_media_type(request), headers=headers)

    async def resource(self, request: Request) -> Response:
        asked = _only(request, ("iri", "lang"))
        if not asked.get("iri"):
            raise InvalidRequest("Say which thing: /api/v1/resource?iri=<its IRI>.", field="iri")
        return await self._record(request, asked["iri"], asked.get("lang"))

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
                raise NotFound(f"Say which of the {kind.collection}.")
            return await self._record(request, iri, _only(request, ("lang",)).get("lang"))

        return endpoint

    async def _page(self, request: Request, kind: EntityType) -> Response:
        asked = read_list_request(request.query_params.multi_items(), kind, self._profile.languages)
        lang = self._asked_language(asked.lang, request)
        headers, fresh = self._headers(request, lang)
        if fresh:
            return Response(status_code=304, headers=headers)
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
        return Response(page.json, media_type=_media_type(request), headers=headers)

    async def _record(self, request: Request, iri: str, lang: str | None) -> Response:
        chosen = self._asked_language(_language(lang, self._profile.languages), request)
        headers, fresh = self._headers(request, chosen)
        if fresh:
            return Response(status_code=304, headers=headers)
        body = await self._records.get_json(iri, lang=chosen)
        return Response(body, media_type=_media_type(request), headers=headers)

    def _asked_language(self, lang: str | None, request: Request) -> str:
        if lang is not None:
            return _language(lang, self._profile.languages) or lang
        return preferred_language(request.headers.get("accept-language"), self._profile.languages)

    def _headers(self, request: Request, lang: str) -> tuple[dict[str, str], bool]:
        """The answer's headers, and whether the client has the answer already."""
        address = zlib.crc32(f"{request.url.path}?{request.url.query}".encode())
        generation = self._records.generation
        tag = f'W/"{generation}-{lang}-{address:x}-{self._profile.fingerprint}"'
        headers = {
            "ETag": tag,
            "Vary": _VARY,
            "Cache-Control": "no-cache",
            "Content-Language": lang,
        }
        _media_type(request)  # refuse an unacceptable Accept before any work
        return headers, _unchanged(request, tag)


def preferred_language(accept: str | None, languages: Sequence[str]) -> str:
    """The language of an Accept-Language header (RFC 9110 §12.5.4) that is spoken here.

    The first of `languages` when the header names none of them.
    """
    best, best_q = languages[0], 0.0
    for element in (accept or "").split(","):
        tag, _, weight = element.strip().partition(";")
        main = tag.strip().lower().partition("-")[0]
        match = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight) if weight else None
        q = 1.0 if not weight else float(match[1]) if match else 0.0
        if main in languages and q > best_q:
            best, best_q = main, q
    return best


def _media_type(request: Request) -> str:
    chosen = media.negotiate(request.headers.get("accept"), _OFFERED)
    if chosen is None:
        raise NotAcceptable(list(_OFFERED))
    return chosen


def _unchanged(request: Request, etag: str) -> bool:
    """If-None-Match by weak comparison (RFC 9110 §13.1.2)."""
    header = request.headers.get("if-none-match", "")
    bare = etag.removeprefix("W/")
    return any(tag.strip().removeprefix("W/") == bare for tag in header.split(","))


def _only(request: Request, allowed: Sequence[str]) -> dict[str, str]:
    """The query parameters, each at most once and none but the allowed."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in allowed:
            near = nearest(name, allowed)
            hint = f"; did you mean {near!r}?" if near else f"; there is {', '.join(allowed)}."
            raise InvalidRequest(f"No parameter {name!r} here{hint}", field=name, nearest=near)
        if name in found:
            raise InvalidRequest(f"{name} is given more than once.", field=name)
        found[name] = value
    return found


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


def _language(lang: str | None, languages: Sequence[str]) -> str | None:
    if lang is not None and lang not in languages:
        raise InvalidRequest(
            f"lang must be one of {', '.join(languages)}.",
            field="lang",
            nearest=nearest(lang[:2], languages),
        )
    return lang


def _types(profile: Profile, lang: str) -> list[dict[str, Any]]:
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
