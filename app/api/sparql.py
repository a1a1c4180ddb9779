"""`/sparql` as a raw ASGI application: the path of every query, so nothing in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache, partial

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.clients import Clients
from app.api.problems import Problems
from app.api.streaming import (
    CORS,
    ClientGone,
    cancelled_by_disconnect,
    content_type,
    holds,
    preflight,
    respond,
    send_kept,
    send_result,
)
from app.errors import AppError, PayloadTooLarge
from app.sparql.description import graphs_query, read_graphs, service_description
from app.sparql.endpoint import Endpoint, Evaluation
from app.sparql.formats import content_disposition
from app.sparql.guard import Client
from app.sparql.operation import (
    METHODS,
    Form,
    Operation,
    Query,
    ServiceDescription,
    read_operation,
)
from app.sparql.request import Request

_REMEMBERED = 1_000
"""Requests whose operation is remembered."""

_LONG = 8_192
"""Bytes past which a request is read in a thread: the tokens of 256 kB take up to 0.2 s."""

_FORM_OVERHEAD = 4
"""Percent-encoding makes a query at most three times as long; the rest is for parameters."""

Page = Callable[[HttpRequest, str | None], Awaitable[Response]]


class SparqlApp:
    """Speaks the SPARQL 1.1 Protocol for an Endpoint; `page` is shown to browsers."""

    def __init__(
        self,
        endpoint: Endpoint,
        clients: Clients,
        *,
        address: str,
        problems: Problems,
        union: bool,
        federated: bool,
        reserved_graph: str,
        max_query_bytes: int,
        max_result_bytes: int,
        page: Page,
    ) -> None:
        self._endpoint = endpoint
        self._clients = clients
        self._address = address
        self._problems = problems
        self._union = union
        self._federated = federated
        self._reserved_graph = reserved_graph
        self._max_query_bytes = max_query_bytes
        self._max_result_bytes = max_result_bytes
        self._page = page
        self._read = partial(read_operation, max_query_bytes=max_query_bytes)
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._read)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method = scope["method"]
        if method == "OPTIONS":
            await respond(send, 204, preflight(METHODS))
            return
        headers = dict(scope["headers"])
        operation = None
        try:
            sent = method == "POST" or b"content-length" in headers
            body = await self._body(receive) if sent or b"transfer-encoding" in headers else b""
            operation = await self._operation(scope, headers, body)
            if isinstance(operation, Query):
                await self._answer(operation, headers, scope, receive, send)
            elif isinstance(operation, Form):
                page = await self._page(HttpRequest(scope), operation.text)
                await page(scope, receive, send)
            else:
                await self._describe(operation, send, head=method == "HEAD")
        except AppError as error:
            if isinstance(error, PayloadTooLarge) and operation is None:
                self._endpoint.refused(error)
            reply = self._problems.response(HttpRequest(scope), error)
            reply.raw_headers.extend(CORS)
            await reply(scope, receive, send)
        except ClientGone:
            return

    async def _operation(
        self, scope: Scope, headers: Mapping[bytes, bytes], body: bytes
    ) -> Operation:
        """What the request asks for; of short ones that came last it is remembered."""
        accept, query_string = _text(headers.get(b"accept")), scope["query_string"]
        kind = _text(headers.get(b"content-type"))
        request = Request(scope["method"], query_string, kind, accept, body)
        if len(query_string) + len(body) + len(accept or "") > _LONG:
            return await asyncio.to_thread(self._read, request)
        return self._remembered(request)

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
            federated=self._federated,
        )
        headers = [(b"content-type", content_type(operation.media_type)), (b"vary", b"Accept")]
        await respond(send, 200, headers + CORS, body, head=head)

    async def _answer(
        self,
        query: Query,
        headers: Mapping[bytes, bytes],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """The result, from memory if it is there; 304 where the client has it (RFC 9110 §13.1.2).

        A POST has no ETag: clients and caches may not take its result for that of another request.
        """
        method = scope["method"]
        if b"authorization" in headers:  # a wrong key is told, whatever is asked
            client = await self._clients.of(scope)
        else:
            client = self._clients.unkeyed(scope)
        evaluation = self._endpoint.evaluate(query, client)
        kept = evaluation.kept
        held = None if method == "POST" else headers.get(b"if-none-match")
        tag = kept.etag if kept else self._endpoint.tag(query) if held else None
        if held and tag and holds(held, tag):
            await respond(send, 304, [*_caching(tag, method), (b"vary", b"Accept"), *CORS])
        elif kept:
            extra = [*_caching(tag, method), *_as_file(query, kept.media_type)]
            await send_kept(kept, send, head=method == "HEAD", extra=extra)
        else:
            await self._evaluate(evaluation, client, scope, receive, send)

    async def _evaluate(
        self, evaluation: Evaluation, client: Client, scope: Scope, receive: Receive, send: Send
    ) -> None:
        method = scope["method"]
        try:
            with cancelled_by_disconnect(receive, evaluation.nobody_follows):
                async with evaluation as answer:
                    await send_result(
                        answer,
                        send,
                        head=method == "HEAD",
                        max_bytes=self._max_result_bytes,
                        extra=[
                            *_caching(answer.etag, method),
                            *_as_file(evaluation.query, answer.media_type),
                            *self._clients.fields(client),
                        ],
                    )
        except AppError:
            self._clients.tell(scope, client)
            raise


def _caching(tag: str | None, method: str = "GET") -> list[tuple[bytes, bytes]]:
    """Anybody may keep it, but asks each time whether it is still the newest; 304 costs nothing.

    A commit is to be seen when it is published, so no time can be given.
    """
    if method == "POST":
        return []
    if tag is None:
        return [(b"cache-control", b"no-store")]
    return [(b"etag", tag.encode()), (b"cache-control", b"public, no-cache")]


def _as_file(query: Query, media_type: str) -> Sequence[tuple[bytes, bytes]]:
    """Content-Disposition for who asks for a file."""
    if not query.download:
        return ()
    return ((b"content-disposition", content_disposition(query.download, media_type)),)


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")
