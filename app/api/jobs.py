"""`/api/v1/jobs`: what became of work that outlives its request, as JSON or as it happens.

A partner sees its own jobs, curators see all. Who may not see a job does not learn that it exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.accounts import Accounts, Act, Principal, Role
from app.api.bearer import SCHEME, principal_of
from app.api.problems import problem_document
from app.errors import AppError, NotAcceptable, NotFound
from app.jobs import Job, Jobs, State
from app.rdf import media

ADDRESS = "/api/v1/jobs"
"""Where jobs are."""

EVENT_STREAM = "text/event-stream"
"""Media type of Server-Sent Events (HTML Living Standard §9.2)."""

MAX_LIMIT = 200
KEEPALIVE_SECONDS = 15.0

_HEADERS = {"cache-control": "no-store", "vary": "Accept"}
_STREAM_HEADERS = {**_HEADERS, "x-accel-buffering": "no"}  # or a proxy would hold the events back
_PROBLEM = {"$ref": "#/components/responses/Problem"}


class JobShown(BaseModel):
    """A job. `result` is there when it is done, `error`, a problem document, when it failed."""

    id: str
    name: str = Field(description="What it does")
    state: State
    progress: dict[str, Any] = Field(description="How far it is; depends on what it does")
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    owner: str | None = Field(description="Slug of the partner it is done for")
    created_at: datetime
    started_at: datetime | None = Field(description="When it was begun last")
    ended_at: datetime | None
    attempts: int = Field(description="How often it was begun")


class JobList(BaseModel):
    """Jobs, the newest first."""

    items: list[JobShown]


def jobs_router(jobs: Jobs, accounts: Accounts, problem_types: str) -> APIRouter:
    """The routes of jobs; all need a key. `problem_types` is the prefix of problem types."""
    router = APIRouter()
    secured: dict[str, Any] = {"security": [{SCHEME: []}]}

    async def list_jobs(
        request: Request, limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50
    ) -> Response:
        """The newest jobs; for a partner, its own."""
        who = await principal_of(request, accounts)
        found: list[Job] = []
        if who.may(Act.WRITE_ALL):
            found = await jobs.jobs(limit=limit)
        else:
            who.require(Role.PARTNER)
            if who.partner:
                found = await jobs.jobs(owner=who.partner.slug, limit=limit)
        shown = JobList(items=[_shown(job, problem_types) for job in found])
        return JSONResponse(shown.model_dump(mode="json"), headers=_HEADERS)

    async def show_job(request: Request) -> Response:
        """One job: as it is, or with `Accept: text/event-stream` each change until its end."""
        who = await principal_of(request, accounts)
        job = _visible(who, await jobs.get(request.path_params["id"]))
        offered = (media.JSON, EVENT_STREAM)
        wanted = media.negotiate(request.headers.get("accept"), offered)
        if wanted is None:
            raise NotAcceptable(list(offered))
        if wanted == EVENT_STREAM:
            return EventSourceResponse(
                _events(jobs, job.id, problem_types), headers=_STREAM_HEADERS
            )
        return JSONResponse(_shown(job, problem_types).model_dump(mode="json"), headers=_HEADERS)

    router.add_api_route(
        ADDRESS,
        list_jobs,
        methods=["GET"],
        operation_id="list_jobs",
        summary="The newest jobs; for a partner, its own",
        responses={
            200: {"model": JobList, "description": "Jobs, the newest first"},
            **dict.fromkeys((400, 401, 403), _PROBLEM),
        },
        response_model=None,
        openapi_extra=secured,
        tags=["jobs"],
    )
    router.add_api_route(
        f"{ADDRESS}/{{id}}",
        show_job,
        methods=["GET"],
        operation_id="show_job",
        summary="One job",
        description="With `Accept: text/event-stream` the job is sent after each change, as an "
        "event `progress`, and at its end as `done` or `failed`, which is the last event.",
        responses={
            200: {
                "model": JobShown,
                "description": "The job",
                "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
            },
            **dict.fromkeys((401, 404, 406), _PROBLEM),
        },
        response_model=None,
        openapi_extra={
            **secured,
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
        },
        tags=["jobs"],
    )
    return router


def describe_jobs(openapi: dict[str, Any]) -> dict[str, Any]:
    """Add to an OpenAPI document what jobs are; returns it."""
    openapi.setdefault("tags", []).append(
        {"name": "jobs", "description": "Work that takes longer than a request. Needs a key."}
    )
    return openapi


def _visible(who: Principal, job: Job) -> Job:
    own = who.partner is not None and who.may(Act.SEE_OWN) and job.owner == who.partner.slug
    if own or who.may(Act.WRITE_ALL):
        return job
    raise NotFound(f"There is no job {job.id!r}.")


def _shown(job: Job, problem_types: str) -> JobShown:
    error = None
    if job.error is not None:
        error = problem_document(AppError.from_dict(dict(job.error)), problem_types)
    return JobShown(
        id=job.id,
        name=job.name,
        state=job.state,
        progress=dict(job.progress),
        result=None if job.result is None else dict(job.result),
        error=error,
        owner=job.owner,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        attempts=job.attempts,
    )


async def _events(jobs: Jobs, job: str, problem_types: str) -> AsyncGenerator[bytes, None]:
    """The job as it is, and each change, as events; comments between them keep the line open."""
    changes = jobs.watch(job)
    while True:
        coming = asyncio.ensure_future(anext(changes, None))
        try:
            while not (await asyncio.wait({coming}, timeout=KEEPALIVE_SECONDS))[0]:
                yield KEEPALIVE_COMMENT
        finally:
            coming.cancel()  # else it would go on watching when the client has gone
        now = coming.result()
        if now is None:
            return
        event = now.state.value if now.ended else "progress"
        yield format_sse_event(event=event, data_str=_shown(now, problem_types).model_dump_json())
