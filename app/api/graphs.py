"""`/graphs`: the SPARQL 1.1 Graph Store HTTP Protocol, reading, as a raw ASGI application."""

from __future__ import annotations

import json

from starlette.requests import Request as HttpRequest
from starlette.types import Receive, Scope, Send

from app.api.problems import Problems
from app.api.streaming import (
    CORS,
    ClientGone,
    cancelled_by_disconnect,
    preflight,
    respond,
    send_result,
)
from app.errors import AppError, MethodNotAllowed, NotFound
from app.sparql.endpoint import Endpoint
from app.sparql.graph_store import GraphRead, read_graph_request

METHODS = ("GET", "HEAD", "OPTIONS")


class GraphStoreApp:
    """Reads whole graphs through an Endpoint, within its limits."""

    def __init__(self, endpoint: Endpoint, *, problems: Problems, max_result_bytes: int) -> None:
        self._endpoint = endpoint
        self._problems = problems
        self._max_result_bytes = max_result_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "OPTIONS":
            await respond(send, 204, preflight(METHODS))
            return
        request = HttpRequest(scope)
        try:
            wanted = read_graph_request(
                scope["method"], scope["query_string"], request.headers.get("accept")
            )
            if not isinstance(wanted, GraphRead):
                raise MethodNotAllowed(scope["method"], list(METHODS))
            async with cancelled_by_disconnect(receive):
                await self._send_graph(wanted, send, head=scope["method"] == "HEAD")
        except AppError as error:
            reply = self._problems.response(request, error)
            reply.raw_headers.extend(CORS)
            await reply(scope, receive, send)
        except ClientGone:
            return

    async def _send_graph(self, wanted: GraphRead, send: Send, *, head: bool) -> None:
        async with self._endpoint.evaluate(wanted.exists()) as found:
            exists = json.loads(found.complete or b"{}").get("boolean")
        if wanted.graph and not exists:
            raise NotFound(f"There is no graph {wanted.graph}.")
        async with self._endpoint.evaluate(wanted.content()) as result:
            await send_result(result, send, head=head, max_bytes=self._max_result_bytes)
