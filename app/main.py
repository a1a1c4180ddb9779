"""The service on HTTP: the only place where rooms and addresses meet."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.answering import Answering, query_limits
from app.api.accounts import accounts_router, describe_accounts
from app.api.exports import add_exports
from app.api.exports_openapi import describe_exports, describe_ogc
from app.api.graphs import GraphStoreApp
from app.api.history import history_router
from app.api.history_openapi import describe_history
from app.api.jobs import describe_jobs, jobs_router
from app.api.listening import OneWriteProtocol
from app.api.mcp import PATH as MCP_PATH
from app.api.mcp import Document, McpApp
from app.api.mcp_tools import Tools
from app.api.metrics import Metrics, metrics_router
from app.api.ogc import ogc_router
from app.api.problems import Problems
from app.api.queries import PATH as QUERIES_PATH
from app.api.queries import Queries, describe_queries, described, queries_router
from app.api.rate_limits import RateLimits
from app.api.readings import Readings
from app.api.reconcile import reconcile_router
from app.api.records import records_router
from app.api.records_openapi import describe_records
from app.api.retirement import (
    RETIREMENTS,
    Retirement,
    announcing,
    describe_retirements,
)
from app.api.sparql import SparqlApp
from app.api.submissions import SubmissionDoor, submissions_router
from app.api.submissions_openapi import describe_submissions
from app.api.update import UpdateApp
from app.api.validate import validate_router
from app.api.validate_openapi import describe_validate
from app.catalog.house import House
from app.errors import AppError, InvalidRequest, NotFound
from app.pages import Pages, read_examples
from app.pages.discovery import DiscoveryPages, asking
from app.pages.queries import QueryPages
from app.pages.reference import Document as ReferenceDocument
from app.profile import Profile, load_profile
from app.profile.context import json_ld_context
from app.rdf import media
from app.reconciliation.following import FollowingIndex
from app.reconciliation.service import Reconciliation
from app.records.caged import CagedRunner
from app.records.exports.source import Source
from app.records.history import History
from app.records.indexer import Indexer, State
from app.records.service import Records
from app.service import Service
from app.settings import Settings, networks
from app.sparql.named import NamedQuery
from app.store.embedded import reserved_graph
from app.store.node import StoreNode

_INDEX_SECONDS = 600.0
"""Time in which the names of all entities are read; a few million take so long."""


class Front:
    """The outermost application: the hot and the vital routes first, the framework for the rest.

    `/health/live` touches nothing but the event loop. `hang_up` ends responses that would go on
    for as long as a client listens. An address with the character U+0000 is refused here, for all:
    PostgreSQL holds no such text, so nothing can have this name.
    """

    def __init__(
        self,
        framework: FastAPI,
        raw: Mapping[str, ASGIApp],
        problems: Problems,
        metrics: Metrics,
        hang_up: Callable[[], None],
        *,
        retirements: Sequence[Retirement] = (),
    ) -> None:
        self._retirements = tuple(retirements)
        self.framework = framework
        self._metrics = metrics
        self._raw: dict[str, ASGIApp] = {**raw, "/health/live": _ALIVE}
        self._problems = problems
        self.hang_up = hang_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to whom it is for."""
        app: ASGIApp = self.framework
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith("/graphs/"):  # the addresses of graphs, with the store's own
                path = "/graphs"
            app = self._raw.get(path, app)
            if self._retirements:
                send = announcing(self._retirements, scope["path"], send)
            if error := _unnameable(scope):
                app = self._problems.response(Request(scope), error)
        await app(scope, receive, self._metrics.counting(scope, send))


def _unnameable(scope: Scope) -> AppError | None:
    if "\0" in scope["path"]:
        return NotFound("There is nothing at this address.")
    if b"%00" in scope["query_string"]:
        return InvalidRequest("Leave the character %00 out of the parameters.")
    return None


_ALIVE = JSONResponse({"status": "live"}, headers={"cache-control": "no-store"})


def create_app(
    settings: Settings,
    service: Service | None = None,
    *,
    retirements: Sequence[Retirement] = RETIREMENTS,
) -> Front:
    """The ASGI application; opens log, store and workers when it starts.

    `service` is made from the settings unless it is given.
    """
    profile = load_profile(settings.ontology_dir, settings.shapes_dir, settings.base_iri)
    service = service or Service(settings, serving=True)
    limits = query_limits(settings)
    # Our own bounded code: a worker that has just read the profile and sorted the names must stay.
    record_limits = replace(limits, slice_seconds=limits.seconds)
    runner = CagedRunner(service.pool, record_limits, lambda: service.checkpoint().generation)
    context_url = f"{settings.public_url}/context.jsonld"
    indexer = service.index_records(profile)
    records = Records(runner, profile, context_url, indexer.index)
    history = History(runner, service.log, profile, context_url)
    examples = read_examples(sorted(settings.seed_dir.glob("queries.ttl")))
    pages = Pages(records, history, profile, settings, examples=examples)
    answering = Answering(settings, service)
    problem_types = f"{settings.base_iri}problem/"
    problems = Problems(problem_types, pages.render_problem)
    ask = asking(answering.endpoint)
    discovery = DiscoveryPages(
        ask,
        answering.evaluator.generation,
        _house(settings),
        profile,
        pages.site,
    )
    mcp = _mcp(
        settings,
        answering,
        records=records,
        queries=discovery.queries,
        profile=profile,
        pages=pages,
        problems=problems,
    )
    framework = FastAPI(
        title="LifeTec Graph",
        version="1",
        lifespan=_lifespan(service, answering, mcp),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    _add_problems(framework, problems)
    framework.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["*"],
        expose_headers=[
            "ETag",
            "Link",
            "Location",
            "Mcp-Protocol-Version",
            "Mcp-Session-Id",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "WWW-Authenticate",
        ],
    )
    _add_health(framework, service, indexer)
    framework.include_router(
        metrics_router(answering.metrics, lambda: service.checkpoint().generation, service.log.head)
    )
    framework.include_router(accounts_router(service.accounts, settings.public_url))
    framework.include_router(jobs_router(service.jobs, service.accounts, problem_types))
    rate_limits = RateLimits(on=settings.rate_limits, trusted=networks(settings.trusted_proxies))
    framework.include_router(
        validate_router(
            service.public_checker,
            rate_limits,
            rate=settings.validate_rate,
            languages=profile.languages,
            page=pages.validation_report,
        )
    )
    door = SubmissionDoor(
        service.desk,
        service.gate,
        service.accounts,
        base_iri=settings.base_iri,
        public_url=settings.public_url,
        languages=profile.languages,
    )
    framework.include_router(
        submissions_router(
            door, max_bytes=settings.submission_mb << 20, page=pages.validation_report
        )
    )
    framework.include_router(history_router(history, profile, settings))
    union = settings.default_graph == "union"
    discovery.add_to(framework.router)
    QueryPages(discovery.queries, ask, pages.site).add_to(framework.router)
    sparql = SparqlApp(
        answering.endpoint,
        answering.clients,
        address=f"{settings.public_url}/sparql",
        problems=problems,
        union=union,
        federated=bool(settings.service_endpoints),
        reserved_graph=reserved_graph(settings.base_iri).value,
        max_query_bytes=settings.query_kb << 10,
        max_result_bytes=settings.query_result_mb << 20,
        page=pages.sparql_page,
    )
    framework.include_router(
        queries_router(discovery.queries, sparql, problems, settings.public_url)
    )
    exports = Source(records, profile)
    readings = Readings(profile, lambda: records.generation)
    add_exports(framework.router, exports, readings, profile, settings=settings, limits=rate_limits)
    framework.include_router(ogc_router(records, readings, profile, settings))
    framework.include_router(records_router(records, history, profile, settings))
    whole = replace(limits, seconds=_INDEX_SECONDS, slice_seconds=_INDEX_SECONDS)
    names = FollowingIndex(
        CagedRunner(service.pool, whole, lambda: service.checkpoint().generation),
        service.log,
        profile,
    )
    framework.include_router(
        reconcile_router(
            Reconciliation(names, runner, profile),
            answering.clients,
            answering.guard,
            name=framework.title,
            public_url=settings.public_url,
        )
    )
    framework.router.add_route(
        MCP_PATH,
        mcp,  # type: ignore[arg-type]
        methods=["POST"],
        include_in_schema=False,
    )
    _add_openapi(framework, profile, discovery.queries, retirements)
    framework.include_router(pages.router)
    graphs = GraphStoreApp(
        answering.endpoint,
        answering.clients,
        service.log,
        door,
        address=f"{settings.public_url}/graphs",
        union=union,
        problems=problems,
        max_bytes=settings.submission_mb << 20,
        max_result_bytes=settings.query_result_mb << 20,
    )
    update = UpdateApp(
        door, union=union, problems=problems, max_update_bytes=settings.update_kb << 10
    )
    raw: dict[str, ASGIApp] = {
        "/sparql": sparql,
        "/sparql/": sparql,
        "/sparql/update": update,
        "/graphs": graphs,
    }
    return Front(
        framework, raw, problems, answering.metrics, service.jobs.hang_up, retirements=retirements
    )


def _house(settings: Settings) -> House:
    return House(
        base_iri=settings.base_iri,
        public_url=settings.public_url,
        publisher=settings.publisher,
        contact=settings.contact,
        countries=tuple(filter(None, settings.countries.split(","))),
    )


def _mcp(
    settings: Settings,
    answering: Answering,
    *,
    records: Records,
    queries: Queries,
    profile: Profile,
    pages: Pages,
    problems: Problems,
) -> McpApp:
    url = settings.public_url
    tools = Tools(
        records,
        answering.endpoint,
        queries,
        profile,
        public_url=url,
        max_query_bytes=settings.query_kb << 10,
    )

    async def examples() -> str:
        _, found = await queries()
        return json.dumps([described(one, url) for one in found.values()], ensure_ascii=False)

    reference = pages.reference
    documents = [
        Document(f"/{name}.ttl", title, media.TURTLE, partial(_turtle, document))
        for name, title, document in (
            ("ontology", "The own terms", reference.ontology),
            ("shapes", "What is valid: the SHACL shapes", reference.shapes),
        )
    ]
    context = json.dumps({"@context": json_ld_context(profile)}, ensure_ascii=False)
    documents += [
        Document("/context.jsonld", "The context of records", media.JSON_LD, lambda: context),
        Document(QUERIES_PATH, "Example queries", media.JSON, examples),
    ]
    return McpApp(tools, documents, answering.clients, profile, public_url=url, problems=problems)


def _turtle(document: ReferenceDocument) -> str:
    return document.serialised(media.TURTLE).decode()


def serve(application: Front, settings: Settings) -> None:
    """Serve until a signal ends it; responses under way have five seconds."""
    server = _Server(
        uvicorn.Config(
            application,
            host=settings.host,
            port=settings.port,
            http=OneWriteProtocol,
            ws="none",
            log_level="warning",
            access_log=False,  # else its line is made for each request, and thrown away
            server_header=False,
            timeout_graceful_shutdown=5,
            proxy_headers=False,  # whom to believe is a setting of our own
        ),
        application.hang_up,
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(1)


class _Server(uvicorn.Server):
    """Hangs up before it waits for open responses, some of which would not end by themselves."""

    def __init__(self, config: uvicorn.Config, hang_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._hang_up = hang_up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and listen."""
        await super().startup(sockets)
        gc.freeze()  # what lives as long as the process need not be looked through again

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all responses, then the application."""
        self._hang_up()
        await super().shutdown(sockets)


def _lifespan(service: Service, answering: Answering, mcp: McpApp) -> Any:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service, mcp.run():
            await service.start()
            node = service.node
            follower = asyncio.create_task(node.follow()) if isinstance(node, StoreNode) else None
            try:
                yield
            finally:
                if follower:
                    follower.cancel()
                await answering.close()

    return lifespan


def _add_problems(framework: FastAPI, problems: Problems) -> None:
    framework.add_exception_handler(AppError, problems.on_app_error)
    framework.add_exception_handler(RequestValidationError, problems.on_validation)
    framework.add_exception_handler(HTTPException, problems.on_http)
    framework.add_exception_handler(Exception, problems.on_unexpected)


def _add_health(framework: FastAPI, service: Service, indexer: Indexer) -> None:
    async def ready() -> Response:
        """Whether the newest published state is served: 200 with its generation."""
        generation = service.checkpoint().generation
        head = await asyncio.to_thread(service.log.head)
        facts: dict[str, Any] = {
            "status": "ready" if generation >= head else "behind",
            "generation": generation,
            "published": head,
            "workers": service.pool.processes,
            "network_refused_to_workers": service.pool.network_refused,
        }
        if mirror := service.mirror:
            behind = mirror.fault or mirror.generation < head
            facts["store"] = {
                "status": "away" if mirror.fault else "behind" if behind else "ready",
                "generation": mirror.generation,
            }
            if behind:
                facts["status"] = "behind"
        facts["index"] = _index_facts(indexer.state, head)
        if facts["index"]["status"] != "ready":
            facts["status"] = "behind"
        return JSONResponse(
            facts,
            status_code=200 if facts["status"] == "ready" else 503,
            headers={"cache-control": "no-store"},
        )

    framework.add_api_route("/health/ready", ready, methods=["GET"], tags=["operation"])


def _index_facts(state: State, head: int) -> dict[str, Any]:
    ready = state.usable and state.generation >= head
    facts: dict[str, Any] = {
        "status": "ready" if ready else "behind" if state.usable else "building",
        "generation": state.generation,
        "entities": state.entities,
    }
    if state.built:
        facts["building"] = {"written": state.built[0], "of": state.built[1]}
    return facts


def _add_openapi(
    framework: FastAPI, profile: Profile, queries: Queries, retirements: Sequence[Retirement]
) -> None:
    document = describe_history(describe_records(framework.openapi(), profile), profile)
    document = describe_ogc(describe_exports(document, profile), profile)
    document = describe_jobs(describe_accounts(document))
    document = describe_validate(document, profile.languages)
    document = describe_submissions(document, profile.languages)
    describe_retirements(document, retirements)

    async def openapi() -> Response:
        """With the queries as they are now; without them while the endpoint does not answer."""
        named: dict[str, NamedQuery] = {}
        with contextlib.suppress(AppError):
            _, named = await queries()
        text = json.dumps(describe_queries(document, named), ensure_ascii=False)
        return Response(text.encode(), media_type="application/json")

    framework.add_api_route("/openapi.json", openapi, methods=["GET"], include_in_schema=False)
