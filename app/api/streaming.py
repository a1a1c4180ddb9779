"""Results of the cage over raw ASGI: streamed, cut off loudly, given up when the client goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cache

from starlette.types import Receive, Send

from app.errors import AppError, PayloadTooLarge
from app.sparql.cache import Kept
from app.sparql.evaluation import Answer

CORS = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"etag, link, location, ratelimit, ratelimit-policy, retry-after",
    ),
]


_UNWATCHED_SECONDS = 0.01
_WITHOUT_LENGTH = frozenset({204, 304})
"""Answers without content (RFC 9110 §8.6); of a 304 the length would be that of the 200."""


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
    headers = _headers(answer.media_type, answer.generation, extra)
    if answer.complete is not None:
        await respond(send, 200, headers, answer.complete, head=head)
        return
    if head:  # what has no known length has no Content-Length (RFC 9110 §9.3.2)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
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


async def send_kept(
    kept: Kept, send: Send, *, head: bool, extra: Sequence[tuple[bytes, bytes]]
) -> None:
    """Send a result from memory, exactly as when it was new."""
    await respond(
        send, 200, _headers(kept.media_type, kept.generation, extra), kept.body, head=head
    )


def _headers(
    media_type: str, generation: int, extra: Sequence[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", content_type(media_type)),
        (b"vary", b"Accept"),
        (b"x-generation", b"%d" % generation),
        *extra,
        *CORS,
    ]


def holds(if_none_match: bytes, etag: str) -> bool:
    """Whether the client has what `etag` names, by weak comparison (RFC 9110 §13.1.2)."""
    bare = etag.removeprefix("W/").encode()
    return any(tag.strip().removeprefix(b"W/") == bare for tag in if_none_match.split(b","))


class cancelled_by_disconnect:  # noqa: N801 -- reads as what it does: `with …`
    """Cancel the block when the client goes, so that its worker is freed at once.

    The client is watched from a moment on after which most answers have been sent. When it is gone,
    `unwanted` says when nobody else waits for what the block does.
    """

    def __init__(
        self,
        receive: Receive,
        unwanted: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._receive = receive
        self._unwanted = unwanted
        self._gone = False
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        self._soon = loop.call_later(_UNWATCHED_SECONDS, self._begin)

    def _begin(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._unwanted:
            await self._unwanted()
        self._gone = True
        if self._task:
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        self._soon.cancel()
        if self._watcher:
            self._watcher.cancel()
        if self._gone and isinstance(error, asyncio.CancelledError):
            raise ClientGone from None


@cache
def content_type(media_type: str) -> bytes:
    """The header's value; text is UTF-8."""
    text = media_type.startswith("text/")
    return f"{media_type}; charset=utf-8".encode() if text else media_type.encode()


async def respond(
    send: Send,
    status: int,
    headers: list[tuple[bytes, bytes]],
    body: bytes = b"",
    *,
    head: bool = False,
) -> None:
    """Send a whole response; of one to HEAD only what stands before the body."""
    if status not in _WITHOUT_LENGTH:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
