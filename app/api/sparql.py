"""`/sparql` as a raw ASGI application: the path of every query, so nothing in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.problems import Problems
from app.api.streaming import (
    CORS,
    ClientGone,
    cancelled_by_disconnect,
    content_type,
    preflight,
    respond,
    send_result,
)
from app.errors import AppError, PayloadTooLarge
from app.sparql.description import graphs_query, read_graphs, service_description
from app.sparql.endpoint import Endpoint
from app.sparql.formats import content_disposition
from app.sparql.operation import METHODS, Form, Query, ServiceDescription, read_operation
from app.sparql.request import Request

_FORM_OVERHEAD = 4
"""Percent-encoding makes a query at most three times as long; the rest is for parameters."""

Page = Callable[[HttpRequest, str | None], Awaitable[Response]]


class SparqlApp:
    """Speaks the SPARQL 1.1 Protocol for an Endpoint; `page` is shown to browsers."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        address: str,
        problems: Problems,
        union: bool,
        reserved_graph: str,
        max_query_bytes: int,
        max_result_bytes: int,
        page: Page,
    ) -> None:
        self._endpoint = endpoint
        self._address = address
        self._problems = problems
        self._union = union
        self._reserved_graph = reserved_graph
        self._max_query_bytes = max_query_bytes
        self._max_result_bytes = max_result_bytes
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "OPTIONS":
            await respond(send, 204, preflight(METHODS))
            return
        head = scope["method"] == "HEAD"
        try:
            operation = read_operation(
                await self._request(scope, receive), max_query_bytes=self._max_query_bytes
            )
            if isinstance(operation, Form):
                page = await self._page(HttpRequest(scope), operation.text)
                await page(scope, receive, send)
            elif isinstance(operation, ServiceDescription):
                await self._describe(operation, send, head=head)
            else:
                await self._evaluate(operation, receive, send, head=head)
        except AppError as error:
            reply = self._problems.response(HttpRequest(scope), error)
            reply.raw_headers.extend(CORS)
            await reply(scope, receive, send)
        except ClientGone:
            return

    async def _request(self, scope: Scope, receive: Receive) -> Request:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        return Request(
            method=scope["method"],
            query_string=scope["query_string"],
            content_type=headers.get(b"content-type"),
            accept=headers.get(b"accept"),
            body=await self._body(receive) if scope["method"] == "POST" else b"",
        )

    async def _body(self, receive: Receive) -> bytes:
        limit = self._max_query_bytes * _FORM_OVERHEAD
        body: bytes = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            body += message.get("body", b"")
            if len(body) > limit:
                raise PayloadTooLarge(f"The request is longer than {limit // 1024} kB.")
            if not message.get("more_body"):
                return body

    async def _describe(self, operation: ServiceDescription, send: Send, *, head: bool) -> None:
        async with self._endpoint.evaluate(graphs_query(self._reserved_graph)) as answer:
            graphs = read_graphs(b"".join([chunk async for chunk in answer.chunks]))
        body = service_description(
            self._address,
            operation.media_type,
            union=self._union,
            graphs=graphs,
            update=f"{self._address}/update",
        )
        headers = [(b"content-type", content_type(operation.media_type)), (b"vary", b"Accept")]
        await respond(send, 200, headers + CORS, b"" if head else body)

    async def _evaluate(self, query: Query, receive: Receive, send: Send, *, head: bool) -> None:
        async with (
            cancelled_by_disconnect(receive),
            self._endpoint.evaluate(query) as answer,
        ):
            extra = []
            if query.download:
                disposition = content_disposition(query.download, answer.media_type)
                extra = [(b"content-disposition", disposition)]
            await send_result(
                answer, send, head=head, max_bytes=self._max_result_bytes, extra=extra
            )
