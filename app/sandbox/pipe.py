"""The server's end of the pipe to a worker."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from app.sandbox import wire

_AHEAD_BYTES = 1 << 20
"""Frames that are kept here before the worker has to wait."""


class Pipe(asyncio.Protocol):
    """Frames from a worker; `read` may be cancelled at any moment without losing one."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._frames: deque[tuple[int, bytes]] = deque()
        self._held = 0
        self._closed = False
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by shape only

    def data_received(self, data: bytes) -> None:
        """Cut what came into frames; past what is kept here, the worker has to wait."""
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= wire.HEAD.size:
            kind, size = wire.HEAD.unpack_from(self._buffer, at)
            end = at + wire.HEAD.size + size
            if len(self._buffer) < end:
                break
            self._frames.append((kind, bytes(self._buffer[at + wire.HEAD.size : end])))
            self._held += size
            at = end
        del self._buffer[:at]
        if self._held > _AHEAD_BYTES and self._transport:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- the protocol's
        """See `asyncio.Protocol`."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def write(self, data: bytes) -> None:
        """Send to the worker; the transport buffers."""
        if self._transport:
            self._transport.write(data)

    def close(self) -> None:
        """Drop the connection and what has not been sent."""
        if self._transport:
            self._transport.abort()

    @property
    def closed(self) -> bool:
        """Whether the worker's end is gone."""
        return self._closed

    def interrupt(self) -> None:
        """Have who waits in `read` give up."""
        if self._waiter and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    async def read(self, until: float) -> tuple[int, bytes]:
        """The next frame; raises EOFError when the worker has ended.

        Raises TimeoutError when nothing has come by `until` in the loop's time, or `interrupt` is
        called.
        """
        while not self._frames:
            if self._closed:
                raise EOFError
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            # Not asyncio.timeout: it would be most of what a lookup costs here.
            timer = loop.call_at(until, self.interrupt)
            try:
                await self._waiter
            finally:
                timer.cancel()
        kind, payload = self._frames.popleft()
        self._held -= len(payload)
        if not self._frames and self._paused and self._transport and not self._closed:
            self._paused = False
            self._transport.resume_reading()
        return kind, payload
