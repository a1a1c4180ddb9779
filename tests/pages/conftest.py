"""A small service of pages alone, over the real records room and a graph kept in memory."""

from __future__ import annotations

import importlib
import io
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pyoxigraph as ox
import pytest
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from app.errors import AppError, Gone, InvalidRequest, NotAcceptable, NotFound
from app.pages import Pages
from app.pages.queries import QueryPages
from app.profile import load_profile
from app.rdf.media import HTML, JSON, negotiate
from app.records.history import HistoryPage
from app.records.index import SearchIndex
from app.records.service import Records
from app.settings import Settings
from app.sparql.named import KINDS, NamedQuery, Parameter

HERE = Path(__file__).resolve().parent / "graph"
BASE = "https://w3id.org/lifetec/"
_STATUS: dict[type[AppError], int] = {
    NotFound: 404,
    Gone: 410,
    NotAcceptable: 406,
    InvalidRequest: 400,
}


class InProcess:
    """Runs the jobs of the records room here, without a cage."""

    def __init__(self, store: ox.Store) -> None:
        self.store = store
        self.generation = 7
        self._kept: dict[Any, Any] = {}

    def once(self, factory: Callable[..., Any], *args: Any) -> Any:
        key = (factory, *args)
        if key not in self._kept:
            self._kept[key] = factory(*args)
        return self._kept[key]

    async def run(self, job: str, args: Mapping[str, Any], body: bytes = b"") -> bytes:
        room, _, name = job.partition(".")
        reply = io.BytesIO()
        getattr(importlib.import_module(f"app.{room}.jobs"), name)(self, args, body, reply)
        return reply.getvalue()


class OneChange:
    """A past that is the same for everything: the second of two commits changed three fields."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def page(
        self, iri: str, *, lang: str = "en", limit: int = 10, before: int | None = None
    ) -> HistoryPage:
        try:
            name = str((await self._records.get(iri, lang=lang))["name"])
        except Gone:
            name = "gone"
        item = {
            "generation": 1234 if before is None else 1,
            "commit": f"{BASE}commit/2",
            "time": "2026-03-01T12:30:00Z",
            "datasets": [
                {"id": f"{BASE}graph/a/one", "name": "One", "url": "/datasets/lifetec/real"}
            ],
            "partner": {
                "id": f"{BASE}id/partner/a",
                "name": "A <b>",
                "url": "/organisations/plain",
            },
            "licence": "http://creativecommons.org/licenses/by/4.0/",
            "submission": None,
            "change": "changed",
            "fields": [
                {
                    "field": "homepage",
                    "label": "homepage",
                    "added": ["javascript:alert(1)"],
                    "removed": ["<script>alert(1)</script>"],
                    "added_total": 1,
                    "removed_total": 9,
                }
            ],
        }
        return HistoryPage(iri, name, 2, [item], 1234 if before is None else None)


NAMED = NamedQuery(
    "things-of-a-day",
    f"{BASE}query/things-of-a-day",
    {"en": "What <b> was there?", "fr": "Qu'y avait-il ?"},
    "PREFIX e: <urn:e:> SELECT * { "
    'VALUES ?day { "2018-07-01" } VALUES ?what { e:a e:b } ?s ?p ?what }',
    ("time",),
    (Parameter("day", KINDS["string"], "the day"), Parameter("what", KINDS["iri"])),
)


async def named() -> tuple[int, dict[str, NamedQuery]]:
    """One query, as the discovery of a service has them."""
    return 7, {NAMED.name: NAMED}


def make_app(store: ox.Store, settings: Settings, index_in: Path | None = None) -> FastAPI:
    """The pages. In a folder there is an index, which nobody builds, so the cage answers."""
    profile = load_profile(settings.ontology_dir, settings.shapes_dir, settings.base_iri)
    context = f"{settings.public_url}/context.jsonld"
    index = SearchIndex(index_in, profile) if index_in else None
    records = Records(InProcess(store), profile, context, index)
    source = "https://example.org/source"
    pages = Pages(records, OneChange(records), profile, settings, source_url=source)
    app = FastAPI(openapi_url=None)

    async def ask(text: str) -> tuple[int, bytes]:
        found = store.query(text)
        assert isinstance(found, ox.QueryTriples)
        return 7, found.serialize(format=ox.RdfFormat.N_TRIPLES) or b""

    QueryPages(named, ask, pages.site).add_to(app.router)
    app.include_router(pages.router)
    app.add_route("/sparql", pages.sparql_page)
    for path in ("/openapi.json", "/context.jsonld"):  # other routers answer these
        app.add_route(path, lambda request: JSONResponse({}))

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, AppError)
        status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), 500)
        document = {
            "type": f"https://w3id.org/lifetec/problem/{error.slug}",
            "title": error.title,
            "status": status,
            "detail": error.detail,
            **error.facts,
        }
        if negotiate(request.headers.get("accept"), (JSON, HTML)) == HTML:
            return pages.render_problem(request, document)
        return JSONResponse(document, status, media_type="application/problem+json")

    app.add_exception_handler(AppError, problem)
    return app


def make_store() -> ox.Store:
    store = ox.Store()
    store.load(path=str(HERE / "data.trig"), format=ox.RdfFormat.TRIG)
    return store


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folders: dict[str, Any] = {"ontology_dir": HERE / "ontology", "shapes_dir": HERE / "shapes"}
    return make_app(make_store(), Settings(**folders), tmp_path_factory.mktemp("index"))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    headers = {"Accept": "text/html"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:8000", headers=headers
    ) as client:
        yield client
