"""The page of an entity's past: commit by commit, what was said anew and what no longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import InvalidRequest
from app.pages.links import checked_iri, resource_path, with_parameters
from app.pages.record_view import RecordView
from app.pages.site import Site
from app.profile import EntityType, Profile
from app.rdf.media import HTML, JSON, negotiate
from app.records.history import HistoryPage

PAGE_SIZE = 10
"""Commits on one page."""

_LONGEST = 9


class HistorySource(Protocol):
    """What the page asks of the records room (`app.records.history`)."""

    async def page(
        self, iri: str, *, lang: str = ..., limit: int = ..., before: int | None = ...
    ) -> HistoryPage:
        """The newest commits that changed an entity, before the generation `before`."""
        ...


def history_path(path: str) -> str:
    """Where the history of the entity is whose page has the local address `path`."""
    address, mark, query = path.partition("#")[0].partition("?")
    return f"{address}/history{mark}{query}"


class HistoryPages:
    """Shows histories in the frame of `site`; `view` makes values for the request's language."""

    def __init__(
        self,
        history: HistorySource,
        profile: Profile,
        site: Site,
        view: Callable[[Request], RecordView],
    ) -> None:
        self._history = history
        self._profile = profile
        self._site = site
        self._view = view

    def add_to(self, router: APIRouter) -> None:
        """Add the routes of histories."""
        router.add_route("/resource/history", self._of_any, methods=["GET"])
        for kind in self._profile.types:
            path = f"/{kind.collection}/{{slug:path}}/history"
            router.add_route(path, self._of(kind), methods=["GET"])

    def _of(self, kind: EntityType) -> Callable[[Request], Any]:
        async def show(request: Request) -> Response:
            slug = request.path_params["slug"]
            iri = checked_iri(self._profile.locate(kind.collection, slug))
            return await self._show(request, iri, self._profile.local_path(iri), kind)

        return show

    async def _of_any(self, request: Request) -> Response:
        iri = checked_iri(request.query_params.get("iri"), parameter=True)
        return await self._show(request, iri, resource_path(iri), None)

    async def _show(
        self, request: Request, iri: str, path: str, kind: EntityType | None
    ) -> Response:
        """The history of what has its page at `path`; JSON is at the API's address."""
        if negotiate(request.headers.get("accept"), (HTML, JSON)) == JSON:
            where = with_parameters("/api/v1" + history_path(path), _asked(request))
            return RedirectResponse(where, status_code=303, headers={"Vary": "Accept"})
        before = _before(request.query_params.get("before"))
        found = await self._history.page(
            iri, lang=self._site.language(request), limit=PAGE_SIZE, before=before
        )
        view = self._view(request)
        here = history_path(path)
        context = {
            "iri": iri,
            "name": found.name,
            "kind": kind,
            "current": kind.name if kind else None,
            "entity": path,
            "total": found.total,
            "items": [_shown(item, view) for item in found.items],
            "newest": here if before is not None else None,
            "older": with_parameters(here, [("before", str(found.before))])
            if found.before is not None
            else None,
            "json_href": "/api/v1" + here,
            "canonical": self._site.public_url + here,
        }
        return self._site.page(request, "history.html", context)


def _shown(item: Mapping[str, Any], view: RecordView) -> dict[str, Any]:
    partner, licence = item["partner"], item["licence"]
    return {
        **item,
        "when": view.date(item["time"]) if item["time"] else None,
        "who": view.reference(partner) if partner else None,
        "where": [view.reference(one) for one in item["datasets"]],
        "licence": view.address(licence) if licence else None,
    }


def _before(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST):
        raise InvalidRequest("before is the number of a commit.", field="before")
    return int(text)


def _asked(request: Request) -> list[tuple[str, str]]:
    return [(k, v) for k, v in request.query_params.multi_items() if k != "iri"]
