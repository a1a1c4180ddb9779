"""The server's end of the pipe to a worker: what it is asked, and its answers, in that order."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import cast

from app.sandbox import wire

_AHEAD_BYTES = 1 << 20
"""Frames that are kept here before the worker has to wait."""

_SAME_CLOCK_SECONDS = 0.005
"""For so long what a worker has worked is not asked for again: that costs a system call."""


class NotBegun(Exception):
    """The worker will not do this job; another one has to."""


class Answer:
    """What a worker says to one job; `read` may be cancelled at any moment without losing a frame.

    `begun` is when it turned to this job, in the loop's time, and infinite before; `worked` is what
    `clock` said then, or a moment before. `frames` have come and are not read; an `unwanted` answer
    gets none. `generation` is that of the graph which the job sees, None for the greeting.
    """

    def __init__(self, pipe: Pipe, number: int, generation: int | None) -> None:
        self.number = number
        self.generation = generation
        self.begun = math.inf
        self.worked = 0.0
        self.unwanted = False
        self._pipe = pipe
        self.frames: list[tuple[int, bytes]] = []
        self._error: type[Exception] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Have who waits in `read` look again."""
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def interrupt(self) -> None:
        """Have who waits in `read` give up."""
        if self._waiter and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    def end(self, error: type[Exception]) -> None:
        """Nothing more will come: `read` raises this after the last frame."""
        self._error = error
        self.wake()

    def drop(self) -> int:
        """Nobody will read it; how many bytes no longer wait therefore."""
        self.unwanted = True
        dropped = sum(len(payload) for _, payload in self.frames)
        self.frames.clear()
        return dropped

    async def read(self, until: float) -> list[tuple[int, bytes]]:
        """The frames that have come, as soon as there is one.

        Raises EOFError when the worker has ended, and NotBegun; TimeoutError when nothing has come
        by `until` in the loop's time, or `interrupt` is called.
        """
        while not self.frames:
            if self._error:
                raise self._error
            loop = self._pipe.loop
            self._waiter = loop.create_future()
            # Not asyncio.timeout: it would be most of what a lookup costs here.
            timer = loop.call_at(until, self.interrupt)
            try:
                await self._waiter
            finally:
                timer.cancel()
        frames, self.frames = self.frames, []
        self._pipe.release(sum([len(payload) for _, payload in frames]))
        return frames


class Pipe(asyncio.Protocol):
    """Asks a worker; it does one job after the other, so the first answer in line is to come next.

    `clock` tells the seconds of a processor that it has had.
    """

    def __init__(self) -> None:
        self.clock: Callable[[], float] = float
        self._clocked = -math.inf
        self._worked = 0.0
        self.loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._asked = 0
        self._rest = b""
        self._held = 0
        self._closed = False
        self._paused = False
        self.greeting = Answer(self, 0, None)
        self.line = deque([self.greeting])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by shape only

    def data_received(self, data: bytes) -> None:
        """Give frames to whom they are for; past what is kept here, the worker has to wait."""
        frames, self._rest = wire.cut(self._rest + data)
        answer = None
        for frame in frames:
            if not self.line:  # who answers what nobody asked is not to be believed any more
                self.close()
                break
            kind, payload = frame
            answer = self.line[0]
            if not answer.unwanted:
                answer.frames.append(frame)
                self._held += len(payload)
            if kind in wire.LAST:
                answer.wake()
                answer = None
                self.line.popleft()
                if self.line:
                    self._begin(self.line[0])
        if answer:
            answer.wake()
        if self._held > _AHEAD_BYTES and self._transport:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- the protocol's
        """See `asyncio.Protocol`."""
        self._closed = True
        error: type[Exception] = EOFError
        for answer in self.line:
            answer.end(error)
            error = NotBegun

    def ask(self, message: bytes, generation: int) -> Answer:
        """Send a job, which sees such a generation; the transport buffers."""
        self._asked += 1
        answer = Answer(self, self._asked, generation)
        if not self.line:
            self._begin(answer)
        self.line.append(answer)
        if self._closed:
            answer.end(NotBegun)
        else:
            self._send(message)
        return answer

    def give_up(self, answer: Answer) -> None:
        """Let an answer go; a job that is not begun need not be."""
        self.release(answer.drop())
        if answer in self.line:
            self._send(wire.message(wire.SKIP, answer.number))

    def take_back(self) -> None:
        """Have others do what the worker has not begun."""
        for answer in islice(list(self.line), 1, None):
            if not answer.unwanted:
                self.give_up(answer)
                answer.end(NotBegun)

    @property
    def closed(self) -> bool:
        """Whether the worker's end is gone."""
        return self._closed

    def close(self) -> None:
        """Drop the connection and what has not been sent."""
        if self._transport:
            self._transport.abort()

    def release(self, size: int) -> None:
        """So many bytes no longer wait to be read."""
        self._held -= size
        if self._paused and not self._held and self._transport and not self._closed:
            self._paused = False
            self._transport.resume_reading()

    def _send(self, message: bytes) -> None:
        if self._transport and not self._closed:
            self._transport.write(message)

    def _begin(self, answer: Answer) -> None:
        now = answer.begun = self.loop.time()
        if now > self._clocked + _SAME_CLOCK_SECONDS:
            self._clocked, self._worked = now, self.clock()
        answer.worked = self._worked
