"""`/sparql/update`: SPARQL 1.1 Update over HTTP, as a raw ASGI application."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.parameters import read_conditions
from app.api.problems import Problems
from app.api.streaming import CORS, preflight, respond
from app.api.submissions import SubmissionDoor
from app.errors import AppError, InvalidRequest, MethodNotAllowed, PayloadTooLarge
from app.sparql.request import Request
from app.sparql.update import METHODS, Update, read_update_request
from app.submissions.admission import Asked
from app.submissions.desk import SPARQL_UPDATE
from app.submissions.gate import File
from app.submissions.states import Mode, State

_FORM_OVERHEAD = 4
"""Percent-encoding makes a text at most three times as long; the rest is for parameters."""


class UpdateApp:
    """Takes updates in for the desk: what one changes is a submission like any other."""

    def __init__(
        self, door: SubmissionDoor, *, union: bool, problems: Problems, max_update_bytes: int
    ) -> None:
        self._door = door
        self._union = union
        self._problems = problems
        self._max_bytes = max_update_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "OPTIONS":
            await respond(send, 204, preflight(METHODS))
            return
        request = HttpRequest(scope, receive)
        try:
            reply = await self._run(request)
        except AppError as error:
            reply = self._problems.response(request, error)
        except ClientDisconnect:
            return
        reply.raw_headers.extend(CORS)
        await reply(scope, receive, send)

    async def _run(self, request: HttpRequest) -> Response:
        if request.method not in METHODS:
            raise MethodNotAllowed(request.method, list(METHODS))
        who = await self._door.principal(request)
        conditions = read_conditions(request.headers)
        sent = Request(
            method=request.method,
            query_string=request.scope["query_string"],
            content_type=request.headers.get("content-type"),
            body=await self._body(request),
        )
        # A long text takes a while; others go first.
        update = await asyncio.to_thread(
            read_update_request,
            sent,
            base_iri=self._door.base_iri,
            max_update_bytes=self._max_bytes,
        )
        graphs = self._graphs(update)
        if conditions.expects is not None and (graphs is None or len(graphs) != 1):
            raise InvalidRequest(
                "If-Match is for an update of one graph; this one may change several.",
                field="If-Match",
            )
        asked = Asked(
            mode=Mode.UPDATE,
            files=(File(None, SPARQL_UPDATE, update.text.encode()),),
            dataset=graphs[0] if graphs else None,
            graphs=graphs,
            force=update.force,
            expects=conditions.expects,
            exists=conditions.exists,
            idempotency=conditions.idempotency,
        )
        if update.dry_run:
            return await self._door.preview(request, who, asked, {})
        one = await self._door.send(request, who, asked, {})
        return self._door.answer(one, 200 if one.state is State.PUBLISHED else 202)

    def _graphs(self, update: Update) -> tuple[str, ...] | None:
        """The graphs that it may change; None if only running it can tell."""
        targets = update.targets
        if targets.variable or targets.every:
            return None
        if targets.default and self._union:
            raise InvalidRequest(
                "The update writes to the default graph, which is all graphs together here. Name "
                "the one that is to change: GRAPH <…> { … }, or WITH <…>.",
                field="update",
            )
        names = sorted(targets.graphs)
        if targets.default:
            names.insert(0, f"{self._door.base_iri}graph/default")
        return tuple(names)

    async def _body(self, request: HttpRequest) -> bytes:
        limit = self._max_bytes * _FORM_OVERHEAD
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise PayloadTooLarge(
                    f"The request is longer than {limit // 1024} kB. Send data as a submission, or "
                    "by PUT or POST to /graphs.",
                    limit=limit,
                )
        return bytes(body)
