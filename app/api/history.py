"""The history of an entity over HTTP: which commits changed it, and what they changed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.parameters import read_number, read_parameters
from app.api.readings import Readings, answer, not_modified
from app.errors import InvalidRequest, NotFound
from app.profile import EntityType, Profile
from app.records.history import MAX_LIMIT, History
from app.settings import Settings

DEFAULT_LIMIT = 10
"""Commits on a page unless `limit` says otherwise."""

MOST = 2**31 - 1
"""The greatest generation that can be asked for."""


def history_router(history: History, profile: Profile, settings: Settings) -> APIRouter:
    """The routes of histories. They come before those of records, whose slugs may hold slashes."""
    api = _HistoryApi(history, profile, settings.public_url)
    router = APIRouter()

    def add(path: str, endpoint: Any, name: str) -> None:
        router.add_route(path, endpoint, methods=["GET"], name=name, include_in_schema=False)

    add("/api/v1/resource/history", api.resource, "resource-history")
    for kind in profile.types:
        path = f"/api/v1/{kind.collection}/{{slug:path}}/history"
        add(path, api.of(kind), f"api-{kind.name}-history")
    return router


class _HistoryApi:
    def __init__(self, history: History, profile: Profile, public_url: str) -> None:
        self._history = history
        self._profile = profile
        self._public_url = public_url
        self._readings = Readings(profile, lambda: history.generation)

    async def resource(self, request: Request) -> Response:
        asked = _asked(request, "iri")
        if not asked.get("iri"):
            raise InvalidRequest(
                "Say whose: /api/v1/resource/history?iri=<IRI of a thing>.", field="iri"
            )
        return await self._answer(request, asked["iri"], asked)

    def of(self, kind: EntityType) -> Any:
        """The endpoint of a type's histories."""

        async def endpoint(request: Request) -> Response:
            iri = self._profile.locate(kind.collection, request.path_params["slug"])
            if iri is None:
                raise NotFound(f"Say which of the {kind.collection}.")
            return await self._answer(request, iri, _asked(request))

        return endpoint

    async def _answer(self, request: Request, iri: str, asked: dict[str, str]) -> Response:
        limit = read_number(asked, "limit", DEFAULT_LIMIT, MAX_LIMIT)
        before = read_number(asked, "before", 0, MOST) if "before" in asked else None
        lang = self._readings.language(request, asked.get("lang"))
        headers, fresh = self._readings.headers(request, lang)
        if fresh:
            return not_modified(headers)
        page = await self._history.page(iri, lang=lang, limit=limit, before=before)
        following = None
        if page.before is not None:
            kept = [(n, v) for n, v in request.query_params.multi_items() if n != "before"]
            query = urlencode([*kept, ("before", page.before)])
            following = f"{self._public_url}{request.url.path}?{query}"
            headers["Link"] = f'<{following}>; rel="next"'
        whole = {"total": page.total, "next": following, "items": page.items}
        text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
        return answer(request, text.encode("utf-8", "surrogatepass"), headers)


def _asked(request: Request, *also: str) -> dict[str, str]:
    names = (*also, "limit", "before", "lang")
    return read_parameters(request.query_params.multi_items(), names)
