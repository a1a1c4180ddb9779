"""The worker's side: read a job, run it on a checkpoint, write the result, wait for the next."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from pyoxigraph import Store

from app.errors import AppError, FederationRefused, MemoryExceeded
from app.sandbox import walls, wire

T = TypeVar("T")

_GATHERED_BYTES = 64 * 1024
_RECEIVED_BYTES = 256 * 1024
_LOOK_SECONDS = 0.001
"""The server takes nothing back that stands behind shorter jobs."""


class Reply:
    """Where a job writes its result: `start` first if there are facts about it, then `write`.

    What is written is gathered, so that a small result goes to the server in one message with its
    header and its end.
    """

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._head = b""
        self._gathered = bytearray()

    def start(self, header: Mapping[str, Any]) -> None:
        """State facts about the result (JSON); at most once, before the first `write`."""
        self._head = wire.message(wire.HEADER, header)

    def progress(self, **facts: Any) -> None:
        """Say how far the job is."""
        self._pipe.sendall(wire.message(wire.PROGRESS, facts))

    def write(self, data: Any) -> int:
        """Add a piece of the result."""
        self._gathered += data
        if len(self._gathered) > _GATHERED_BYTES:
            self._send(wire.DATA)
        return len(data)

    def flush(self) -> None:
        """Nothing: the engine asks for it after each result, which goes with the last frame."""

    def _send(self, last: int) -> None:
        self._pipe.sendall(self._head + wire.pieces(wire.DATA, self._gathered, last=last))
        self._head = b""
        self._gathered.clear()

    def end(self) -> None:
        """Send the rest of the result."""
        self._send(wire.DONE)

    def fail(self, error: AppError) -> None:
        """Send why there is no result, or no more of it."""
        self._pipe.sendall(wire.message(wire.ERROR, error.as_dict()))

    def skip(self) -> None:
        """Say that nothing was begun."""
        self._pipe.sendall(wire.frame(wire.SKIPPED))


class Cage:
    """What a job may use: the checkpoint of the generation that it was asked for.

    `path` is the checkpoint's folder, None for the empty graph; nothing there may be changed.
    """

    def __init__(self) -> None:
        self.store = Store()
        self.generation = 0
        self.path: str | None = None
        self._made: dict[tuple[Any, ...], Any] = {}

    def once(self, factory: Callable[..., T], *args: Any) -> T:
        """`factory(*args)`, made once in this process; `args` must be hashable."""
        key = (factory, *args)
        if key not in self._made:
            self._made[key] = factory(*args)
        made: T = self._made[key]
        return made

    def turn_to(self, path: str | None, generation: int) -> bool:
        """Open another checkpoint, None is the empty graph; False if it is the open one."""
        self.generation = generation
        if path == self.path:
            return False
        self.store = Store() if path is None else Store.read_only(path)
        self.path = path
        return True


class Job(Protocol):
    """What `app.<room>.jobs:<name>` is; an AppError that it raises reaches the caller as itself."""

    def __call__(self, cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply, /) -> None:
        """Write the result for `args` and `body` to `reply`."""


class Inbox:
    """The jobs that the server asks for, some of them while another is still being done."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._rest = b""
        self._parts: list[bytes] = []
        self._jobs: deque[tuple[bytes, bytes]] = deque()
        self._taken = 0
        self._looked = 0.0
        self._unwanted: set[int] = set()

    def next(self) -> tuple[dict[str, Any], bytes] | None:
        """The next job and its input; None if the server no longer wants it, EOFError at the end.

        What was asked before is done before, so the number of a job is that of its place.
        """
        if self._jobs and time.monotonic() > self._looked + _LOOK_SECONDS:
            with contextlib.suppress(BlockingIOError):  # perhaps it is unwanted by now
                self._read(socket.MSG_DONTWAIT)
        while not self._jobs:
            self._read()
        self._taken += 1
        asked, body = self._jobs.popleft()
        if self._taken in self._unwanted:
            self._unwanted.discard(self._taken)
            return None
        return wire.value_of(asked), body

    def _read(self, flags: int = 0) -> None:
        self._looked = time.monotonic()
        received = self._pipe.recv(_RECEIVED_BYTES, flags)
        if not received:
            raise EOFError
        frames, self._rest = wire.cut(self._rest + received)
        for kind, payload in frames:
            if kind == wire.SKIP:
                self._skip(json.loads(payload))
                continue
            self._parts.append(payload)
            if kind == wire.RUN:
                asked, *body = self._parts
                self._jobs.append((asked, b"".join(body)))
                self._parts = []

    def _skip(self, number: int) -> None:
        if number > self._taken:  # else it came too late
            self._unwanted.add(number)


def run(pipe: socket.socket) -> None:
    """Do jobs until the pipe is closed. What is sent first is a greeting, like an answer."""
    walls.die_with_parent()
    walls.no_core_dumps()
    walled = walls.refuse_network()
    sys.setrecursionlimit(1_000)
    greeting = wire.message(wire.HEADER, {"network_refused": walled})
    pipe.sendall(greeting + wire.frame(wire.DONE))
    inbox = Inbox(pipe)
    cage = Cage()
    walls.end_at_alarm()
    gc.freeze()  # what was inherited is shared with the other workers as long as nothing touches it
    memory = walls.Memory()
    while True:
        try:
            job = inbox.next()
        except EOFError:
            return
        reply = Reply(pipe)
        if job is None:
            reply.skip()
        else:
            _work(cage, *job, reply, memory)


def _work(
    cage: Cage, asked: dict[str, Any], body: bytes, reply: Reply, memory: walls.Memory
) -> None:
    limit = asked["memory_mb"]
    try:
        walls.limit_time(asked["seconds"] + 1)
        turned = cage.turn_to(asked["checkpoint"], asked["generation"])
        memory.limit(limit, anew=turned)
        find_job(asked["job"])(cage, asked["args"], body, reply)
        failure = None
    except AppError as error:
        failure = error
    except (MemoryError, RecursionError):
        failure = MemoryExceeded(limit)
    except BrokenPipeError:
        raise SystemExit(0) from None
    except PermissionError:
        failure = FederationRefused("Opening a connection from here is refused.")
    except Exception as error:  # a fault of ours: say so, and let the server log it
        failure = AppError(f"{type(error).__name__}: {error}"[:500])
    finally:
        walls.limit_time(0)
    if failure:
        reply.fail(failure)
    else:
        reply.end()


@functools.cache
def find_job(name: str) -> Job:
    """The function of a job `room.name`, in `app.<room>.jobs`."""
    room, _, function = name.partition(".")
    job: Job = getattr(importlib.import_module(f"app.{room}.jobs"), function)
    return job
