"""The service on HTTP: the only place where rooms and addresses meet."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from app.answering import Answering, query_limits
from app.api.accounts import accounts_router, describe_accounts
from app.api.exports import add_exports
from app.api.exports_openapi import describe_exports, describe_ogc
from app.api.graphs import GraphStoreApp
from app.api.health import health_router
from app.api.history import history_router
from app.api.history_openapi import describe_history
from app.api.hot_records import HotRecords
from app.api.jobs import describe_jobs, jobs_router
from app.api.mcp import PATH as MCP_PATH
from app.api.mcp import Document, McpApp
from app.api.mcp_tools import Tools
from app.api.metrics import metrics_router
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
    describe_retirements,
)
from app.api.sparql import SparqlApp
from app.api.submissions import SubmissionDoor, submissions_router
from app.api.submissions_openapi import describe_submissions
from app.api.update import UpdateApp
from app.api.validate import validate_router
from app.api.validate_openapi import describe_validate
from app.catalog.house import House
from app.errors import AppError
from app.front import Front
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
from app.records.service import Records
from app.service import Service
from app.settings import Settings, networks
from app.sparql.named import NamedQuery
from app.store.embedded import reserved_graph
from app.store.node import StoreNode

_NAMES_SECONDS = 600.0
"""Time in which the names of all entities are read; a few million take so long."""


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
    indexer = service.index_records(profile) if settings.index else None
    records = Records(runner, profile, context_url, indexer.index if indexer else None)
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
    framework.include_router(
        health_router(
            service.pool,
            service.log.head,
            mirror=service.mirror,
            index=(lambda: indexer.state) if indexer else None,
        )
    )
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
    whole = replace(limits, seconds=_NAMES_SECONDS, lane="index")
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
    hot = HotRecords(records, readings, profile, framework)
    return Front(
        framework,
        raw,
        problems,
        answering.metrics,
        service.jobs.hang_up,
        below={f"/api/v1/{kind.collection}/": hot for kind in profile.types},
        retirements=retirements,
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
