"""Results of the cage over raw ASGI: streamed, cut off loudly, given up when the client goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from starlette.types import Message, Receive, Send

from app.errors import AppError, PayloadTooLarge
from app.sparql.evaluation import Answer

CORS = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"etag, link, location, ratelimit, ratelimit-policy, retry-after",
    ),
]


def preflight(methods: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Headers that answer a browser's OPTIONS (Fetch, CORS-preflight)."""
    return [
        *CORS,
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (
            b"access-control-allow-headers",
            b"accept, authorization, content-type, idempotency-key, if-match, if-none-match",
        ),
        (b"access-control-max-age", b"86400"),
    ]


class ClientGone(Exception):
    """The client has closed the connection."""


class CutOff(Exception):
    """Ends a response in the middle, on purpose; the server closes the connection."""


async def send_result(
    answer: Answer,
    send: Send,
    *,
    head: bool,
    max_bytes: int,
    extra: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Send an answer with its media type, whole if it is there, else as it comes.

    Past `max_bytes`, or when the evaluation fails on its way, the connection is broken: the status
    is sent, and only that tells the client that this is not all.
    """
    headers = [
        (b"content-type", content_type(answer.media_type)),
        (b"vary", b"Accept"),
        (b"x-generation", str(answer.generation).encode()),
        *extra,
        *CORS,
    ]
    if head:  # what has no known length has no Content-Length (RFC 9110 §9.3.2)
        if answer.complete is not None:
            headers.append((b"content-length", str(len(answer.complete)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    if answer.complete is not None:
        await respond(send, 200, headers, answer.complete)
        return
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    size = 0
    try:
        async for chunk in answer.chunks:
            size += len(chunk)
            if size > max_bytes:
                raise PayloadTooLarge("The result is longer than the limit.")
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except AppError as error:
        raise CutOff(error.detail) from None
    await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def cancelled_by_disconnect(receive: Receive) -> AsyncIterator[None]:
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


def content_type(media_type: str) -> bytes:
    """The header's value; text is UTF-8."""
    text = media_type.startswith("text/")
    return f"{media_type}; charset=utf-8".encode() if text else media_type.encode()


async def respond(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b""
) -> None:
    """Send a whole response."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
