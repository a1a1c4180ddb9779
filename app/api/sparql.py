"""`/sparql` as a raw ASGI application: the path of every query, so nothing in between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.api.problems import Problems
from app.errors import AppError, PayloadTooLarge
from app.sandbox.pool import Result
from app.sparql.description import service_description
from app.sparql.endpoint import Endpoint
from app.sparql.operation import METHODS, Form, Query, Request, ServiceDescription, read_operation

_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"etag, link, retry-after"),
]
_PREFLIGHT = [
    *_CORS,
    (b"access-control-allow-methods", ", ".join(METHODS).encode()),
    (b"access-control-allow-headers", b"accept, authorization, content-type, if-none-match"),
    (b"access-control-max-age", b"86400"),
]
_FORM_OVERHEAD = 4
"""Percent-encoding makes a query at most three times as long; the rest is for parameters."""

Page = Callable[[HttpRequest, str | None], Awaitable[Response]]


class ClientGone(Exception):
    """The client has closed the connection."""


class SparqlApp:
    """Speaks the SPARQL 1.1 Protocol for an Endpoint; `page` is shown to browsers."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        address: str,
        problems: Problems,
        union: bool,
        max_query_bytes: int,
        max_result_bytes: int,
        page: Page,
    ) -> None:
        self._endpoint = endpoint
        self._address = address
        self._problems = problems
        self._union = union
        self._max_query_bytes = max_query_bytes
        self._max_result_bytes = max_result_bytes
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "OPTIONS":
            await _respond(send, 204, _PREFLIGHT)
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
            reply.raw_headers.extend(_CORS)
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
        body = service_description(self._address, operation.media_type, union=self._union)
        headers = [(b"content-type", _content_type(operation.media_type)), (b"vary", b"Accept")]
        await _respond(send, 200, headers + _CORS, b"" if head else body)

    async def _evaluate(self, query: Query, receive: Receive, send: Send, *, head: bool) -> None:
        async with (
            _cancelled_by_disconnect(receive),
            self._endpoint.evaluate(query) as result,
        ):
            headers = [
                (b"content-type", _content_type(result.header["media_type"])),
                (b"vary", b"Accept"),
                (b"x-generation", str(result.generation).encode()),
                *_CORS,
            ]
            if result.complete is not None or head:
                await _respond(send, 200, headers, b"" if head else result.complete or b"")
            else:
                await self._stream(result, headers, send)

    async def _stream(self, result: Result, headers: list[tuple[bytes, bytes]], send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        size = 0
        try:
            async for chunk in result:
                size += len(chunk)
                if size > self._max_result_bytes:
                    raise PayloadTooLarge("The result is longer than the limit.")
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except AppError as error:
            # The status is sent: only a broken connection tells the client that this is not all.
            raise CutOff(error.detail) from None
        await send({"type": "http.response.body", "body": b""})


class CutOff(Exception):
    """Ends a response in the middle, on purpose; the server closes the connection."""


@contextlib.asynccontextmanager
async def _cancelled_by_disconnect(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block when the client goes, so that its worker is freed at once."""
    task = asyncio.current_task()
    gone = False

    async def watch() -> None:
        nonlocal gone
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await receive()
        gone = True
        if task:
            task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if not gone:
            raise
        raise ClientGone from None
    finally:
        watcher.cancel()


def _content_type(media_type: str) -> bytes:
    text = media_type.startswith("text/")
    return f"{media_type}; charset=utf-8".encode() if text else media_type.encode()


async def _respond(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b""
) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
