"""`/reconcile`: the Reconciliation Service API, version 0.2, and the draft of 1.0 below `/1.0`.

JSONP is not offered: browsers come by CORS. Parameters that clients add of their own, as their
suggest boxes do, are passed over here and nowhere else.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from app.api.clients import Clients
from app.api.parameters import read_number
from app.api.readings import preferred_language
from app.errors import AppError, InvalidRequest, NotFound, PayloadTooLarge, UnsupportedMediaType
from app.rdf import media
from app.reconciliation import answers, preview
from app.reconciliation.protocol import (
    Extension,
    clean,
    read_batch,
    read_draft_batch,
    read_extension,
    read_json,
)
from app.reconciliation.service import Reconciliation
from app.records.search import read_language
from app.sparql.guard import Guard

ADDRESS = "/reconcile"
DRAFT = f"{ADDRESS}/1.0"
MAX_BODY = 1 << 20
"""Bytes of one request."""

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 10
_MOST_SUGGESTED = 100
_SUGGESTED = 10
_MOST_OFFSET = 10_000
_PROPOSED = 200

Json = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]


def reconcile_router(
    service: Reconciliation, clients: Clients, guard: Guard, *, name: str, public_url: str
) -> APIRouter:
    """The routes of both versions."""
    api = _ReconcileApi(service, clients, guard, name, public_url)
    router = APIRouter()

    def add(path: str, endpoint: Endpoint, *methods: str) -> None:
        router.add_route(path, endpoint, methods=list(methods), include_in_schema=False)

    add(ADDRESS, api.root, "GET", "POST")
    add(DRAFT, api.draft_manifest, "GET")
    for path in (f"{DRAFT}/match", f"{DRAFT}/reconcile"):  # earlier drafts called it /reconcile
        add(path, api.draft_match, "POST")
    add(f"{DRAFT}/extend", api.draft_extend, "POST")
    for root in (ADDRESS, DRAFT):
        add(f"{root}/suggest/entity", api.suggest_entity, "GET")
        add(f"{root}/suggest/property", api.suggest_property, "GET")
        add(f"{root}/suggest/type", api.suggest_type, "GET")
        add(f"{root}/extend/propose", api.propose, "GET")
        add(f"{root}/preview", api.preview, "GET")
    add(f"{ADDRESS}/flyout/{{what}}", api.flyout, "GET")
    return router


class _ReconcileApi:
    def __init__(
        self,
        service: Reconciliation,
        clients: Clients,
        guard: Guard,
        name: str,
        public_url: str,
    ) -> None:
        self._service = service
        self._profile = service.profile
        self._vocabulary = service.vocabulary
        self._clients = clients
        self._guard = guard
        self._name = name
        self._public_url = public_url

    async def root(self, request: Request) -> Response:
        """The manifest without parameters; queries and extensions by GET and by form."""
        given = await self._parameters(request)
        lang = self._language(request, given)
        if "callback" in given:
            raise InvalidRequest(
                "JSONP is not offered; leave callback out, CORS is allowed from everywhere.",
                field="callback",
            )
        if "queries" in given and "extend" in given:
            raise InvalidRequest("Send queries or extend, not both.", field="extend")
        if "queries" in given:
            return await self._match(request, given["queries"], lang)
        if "extend" in given:
            asked = read_extension(read_json(given["extend"], "extend"), self._vocabulary)
            return await self._extend(request, asked, lang, draft=False)
        if unknown := [one for one in given if one != "lang"]:
            raise InvalidRequest(
                f"No parameter {unknown[0][:60]!r} here; send queries=…, a batch as JSON, or "
                "extend=…; without any of them this is the service manifest.",
                field=unknown[0][:60],
            )
        if request.method == "POST":
            raise InvalidRequest("Send queries=…, a batch as JSON, in the form.", field="queries")
        self._service.prepare()
        return _reply(answers.manifest(self._profile, self._name, self._public_url, lang), lang)

    async def draft_manifest(self, request: Request) -> Response:
        lang = self._language(request, dict(request.query_params))
        self._service.prepare()
        return _reply(
            answers.draft_manifest(self._profile, self._name, self._public_url, lang), lang
        )

    async def _match(self, request: Request, text: str, lang: str) -> Response:
        async with self._spending(request) as headers:
            batch = read_batch(text, self._vocabulary)
            found = await self._service.match(list(batch.values()))
        body = {
            key: {"result": [answers.candidate(m, self._profile, lang, draft=False) for m in some]}
            for key, some in zip(batch, found, strict=True)
        }
        return _reply(body, lang, headers)

    async def draft_match(self, request: Request) -> Response:
        lang = self._language(request, dict(request.query_params))
        body = await _json_body(request)
        async with self._spending(request) as headers:
            found = await self._service.match(read_draft_batch(body, self._vocabulary))
        results = [
            {"candidates": [answers.candidate(m, self._profile, lang, draft=True) for m in some]}
            for some in found
        ]
        return _reply({"results": results}, lang, headers)

    async def draft_extend(self, request: Request) -> Response:
        lang = self._language(request, dict(request.query_params))
        asked = read_extension(await _json_body(request), self._vocabulary)
        return await self._extend(request, asked, lang, draft=True)

    async def _extend(
        self, request: Request, asked: Extension, lang: str, *, draft: bool
    ) -> Response:
        async with self._spending(request) as headers:
            rows = await self._service.extend(asked, lang)
        body = answers.extension(asked, rows, self._vocabulary, lang, draft=draft)
        return _reply(body, lang, headers)

    async def suggest_entity(self, request: Request) -> Response:
        given = _given(request)
        lang, types = self._language(request, given), self._types(given)
        limit, offset = _page(given)
        async with self._spending(request) as headers:
            found = await self._service.suggest_entities(
                given.get("prefix", ""), types, limit, offset
            )
        items = [answers.entity_suggestion(facts, self._profile, lang) for facts in found]
        return _reply({"result": items}, lang, headers)

    async def suggest_type(self, request: Request) -> Response:
        given = _given(request)
        lang = self._language(request, given)
        kinds = self._service.suggest_types(given.get("prefix", ""), lang)
        return _reply(
            {"result": _cut(given, [answers.type_suggestion(k, lang) for k in kinds])}, lang
        )

    async def suggest_property(self, request: Request) -> Response:
        given = _given(request)
        lang, types = self._language(request, given), self._types(given)
        names = self._service.suggest_properties(given.get("prefix", ""), types, lang)
        items = [answers.property_suggestion(name, self._vocabulary, lang) for name in names]
        return _reply({"result": _cut(given, items)}, lang)

    async def propose(self, request: Request) -> Response:
        """Properties that can be fetched for a type; of the first one unless it is named."""
        given = _given(request)
        lang = self._language(request, given)
        named = self._vocabulary.type(given["type"]) if given.get("type") else None
        kind = self._profile.type(named) if named else self._profile.types[0]
        limit = read_number(given, "limit", _PROPOSED, _PROPOSED)
        names = answers.properties_of(kind, self._vocabulary, limit)
        body: Json = {
            "properties": [
                answers.property_suggestion(name, self._vocabulary, lang) for name in names
            ],
            "type": given.get("type") or kind.name,
        }
        if "limit" in given:
            body["limit"] = limit
        return _reply(body, lang)

    async def preview(self, request: Request) -> Response:
        given = _given(request)
        lang = self._language(request, given)
        iri = _id(given)
        async with self._spending(request) as headers:
            facts, rows = await self._service.preview(iri, lang)
        kind = self._profile.type(facts.type).label(lang)
        link = f"{self._public_url}{self._profile.local_path(iri)}"
        page = preview.page(facts.label(lang), kind, rows, link, lang)
        common = {"Content-Language": lang, "Vary": "Accept-Language"}
        return HTMLResponse(page, headers={**preview.HEADERS, **common, **headers})

    async def flyout(self, request: Request) -> Response:
        """`{"id", "html"}` of an entity, a type or a property (§6.2 of version 0.2)."""
        given = _given(request)
        lang = self._language(request, given)
        what, iri = request.path_params["what"], _id(given)
        headers: dict[str, str] = {}
        if what == "entity":
            async with self._spending(request) as headers:
                facts, rows = await self._service.preview(iri, lang)
            html = preview.fragment(
                facts.label(lang), self._profile.type(facts.type).label(lang), rows
            )
        elif what == "type":
            kind = self._profile.type(self._vocabulary.type(iri))
            html = preview.fragment(kind.label(lang), kind.comment(lang), ())
        elif what == "property":
            field = self._vocabulary.properties[self._vocabulary.property(iri)][0].field
            html = preview.fragment(field.label(lang), field.description(lang), ())
        else:
            raise NotFound("There are flyouts of entity, type and property.")
        return _reply({"id": iri, "html": html}, lang, headers)

    async def _parameters(self, request: Request) -> dict[str, str]:
        """Of the address, and of the form that is sent; each once."""
        pairs = request.query_params.multi_items()
        if request.method == "POST":
            kind = media.bare(request.headers.get("content-type"))
            if kind != _FORM:
                raise UnsupportedMediaType(kind or None, [_FORM])
            pairs = [*pairs, *_form(await _body(request))]
        given: dict[str, str] = {}
        for key, value in pairs:
            if key in given:
                raise InvalidRequest(f"{clean(key)[:60]} is given more than once.", field=key[:60])
            given[key] = value
        return given

    def _language(self, request: Request, given: Mapping[str, str]) -> str:
        languages = self._profile.languages
        asked = read_language(given.get("lang"), languages)
        return asked or preferred_language(request.headers.get("accept-language"), languages)

    def _types(self, given: Mapping[str, str]) -> tuple[str, ...]:
        named = [one for one in given.get("type", "").split(",") if one]
        return tuple(dict.fromkeys(self._vocabulary.type(one) for one in named))

    @contextlib.asynccontextmanager
    async def _spending(self, request: Request) -> AsyncIterator[dict[str, str]]:
        """Work that counts for the client; the answer's fields say what it has left."""
        client = await self._clients.of(request.scope)
        headers: dict[str, str] = {}
        try:
            with self._guard.spending(client):
                yield headers
        except AppError:
            self._clients.tell(request.scope, client)
            raise
        headers.update(self._guard.fields(client))


def _given(request: Request) -> dict[str, str]:
    return {key: clean(value) for key, value in request.query_params.multi_items()}


def _id(given: Mapping[str, str]) -> str:
    if not given.get("id"):
        raise InvalidRequest("Say of what: id=<its identifier>.", field="id")
    return given["id"]


def _page(given: dict[str, str]) -> tuple[int, int]:
    """`limit`, and how many to pass over: `offset` in the draft, `cursor` in version 0.2."""
    name = "offset" if "offset" in given else "cursor"
    return (
        read_number(given, "limit", _SUGGESTED, _MOST_SUGGESTED),
        read_number(given, name, 0, _MOST_OFFSET),
    )


def _cut(given: dict[str, str], items: list[Json]) -> list[Json]:
    limit, offset = _page({"limit": str(_MOST_SUGGESTED), **given})
    return items[offset : offset + limit]


def _form(body: bytes) -> Iterator[tuple[str, str]]:
    try:
        yield from parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise InvalidRequest(
            f"The form must be percent-encoded UTF-8 with at most {_MOST_FIELDS} fields."
        ) from None


async def _json_body(request: Request) -> Any:
    kind = media.bare(request.headers.get("content-type"))
    if kind != media.JSON:
        raise UnsupportedMediaType(kind or None, [media.JSON])
    try:
        text = (await _body(request)).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("The body must be UTF-8.") from None
    return read_json(text, "the body")


async def _body(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MAX_BODY:
                raise PayloadTooLarge(
                    f"The request is longer than {MAX_BODY >> 10} kB; send smaller batches."
                )
            parts.append(part)
    except ClientDisconnect:
        raise InvalidRequest("The request ended before its body did.") from None
    return b"".join(parts)


def _reply(body: Json, lang: str, headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(
        text.encode("utf-8", "replace"),
        media_type=media.JSON,
        headers={
            "Cache-Control": "no-cache",
            "Content-Language": lang,
            "Vary": "Accept-Language",
            **(headers or {}),
        },
    )
