"""The server's side: lanes of workers, deadlines, a bounded waiting line, killing and respawning.

A job starts in the *light* lane. What has not ended there within a short slice, or has written
more than fits the holding buffer, is heavy: it moves with its worker to the *heavy* lane, or, when
that is full, is stopped and begun again when a heavy place is free — nothing of it has been sent
yet. So a lookup never waits behind an aggregate for longer than a slice. *Batch* jobs
(submissions) have a lane of their own, and so has the *check* of data that anybody may ask for:
strangers wait for each other, not partners or queries for them; and so has whoever reads the whole
graph for the search index. No lane ever has more workers busy than its size.

A worker of the light lane is given further jobs while it does one: to lookups, waking a worker that
sleeps costs as much as the work. What stands behind a job that is not done at once is taken back
and given to another worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import math
import multiprocessing
import os
import select
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.context import ForkServerProcess
from typing import Any, NoReturn, TypeVar

from app.errors import AppError, DeadlineExceeded, MemoryExceeded, Overloaded, WorkerDied
from app.sandbox import wire, worker
from app.sandbox.lanes import Lane, LaneName
from app.sandbox.pipe import Answer, NotBegun, Pipe

log = logging.getLogger(__name__)

T = TypeVar("T")

_HOLD_BYTES = 1 << 20
_SHORT_SLICE = 0.02
"""Seconds in a light place after which a job gives way to one that waits for it."""

_OPENING = 0.05
"""Seconds beside the slice for a worker to open a graph that it does not have open yet."""

_AHEAD = 8
"""Jobs that a worker of the light lane has at one time."""

_AT_ONCE = 0.002
"""Seconds after which a job has others done elsewhere that stand behind it."""

_CPU_CLOCK = 2
"""CPUCLOCK_SCHED of Linux: with a process id, the clock of all that a process has worked."""

_SPARE = 1
"""Workers ready beyond the free light places, so that the next lookup need not wait for a fork."""

_SPAWN_SECONDS = 60.0
_DATA = frozenset({wire.DATA, wire.DONE})
_NICENESS = 10
_SIGNALS_OF_MEMORY = {-6, -11}  # an allocation that fails aborts; a stack that is full faults


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An immutable state of the graph: its folder (None: the empty graph) and generation."""

    path: str | None
    generation: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use: seconds from its arrival, and megabytes of address space.

    After `slice_seconds` a job of the light lane counts as heavy. `advice` is what to do when it
    needs more; unless given, what helps with a query.
    """

    seconds: float
    memory_mb: int
    lane: LaneName = "light"
    slice_seconds: float = 0.25
    advice: str | None = None


class _Worker:
    """One process and the pipe to it, with the place that it has in a lane.

    `users` are the jobs that were given to it and are not over.
    """

    def __init__(self, process: ForkServerProcess, pipe: Pipe, statuses: threading.Lock) -> None:
        self.process = process
        self.pipe = pipe
        pipe.clock = self.worked
        self.lane: Lane | None = None
        self.users = 0
        self.used_up = False
        self.checkpoint: Checkpoint | None = None
        self._status: int | None = None
        self._statuses = statuses
        self._clock = (~(process.pid or 0) << 3) | _CPU_CLOCK
        self._end = select.poll()
        self._end.register(process.sentinel, select.POLLIN)

    @property
    def alive(self) -> bool:
        """Whether the process runs; cheaper than `Process.is_alive`, and asked before each job."""
        return not self._end.poll(0)

    @property
    def generations(self) -> set[int]:
        """Those whose checkpoints it has open, or will open; may be asked from any thread."""
        found = {answer.generation for answer in tuple(self.pipe.line)}
        if self.checkpoint:
            found.add(self.checkpoint.generation)
        return {generation for generation in found if generation is not None}

    def has_room(self, now: float) -> bool:
        """Whether it may be given another job beside those that it has."""
        line = self.pipe.line
        waits = line and now - line[0].begun > _AT_ONCE
        return self.users < _AHEAD and not self.used_up and not waits

    def ask(self, checkpoint: Checkpoint, asked: wire.Asked, body: bytes) -> Answer:
        """Hand over a job."""
        self.checkpoint = checkpoint
        message = wire.job(checkpoint.path, checkpoint.generation, asked)
        message += wire.pieces(wire.BODY, body, last=wire.RUN)
        return self.pipe.ask(message, checkpoint.generation)

    def make_heavy(self) -> None:
        """Let lookups go first; a niceness cannot be taken back, so the worker is retired after."""
        self.used_up = True
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self.process.pid or 0, _NICENESS)

    def worked(self) -> float:
        """Seconds of a processor that it has had so far; no limit where that is not told."""
        try:
            return time.clock_gettime(self._clock)
        except (OSError, ValueError):  # it has ended; the wall clock decides
            return math.inf

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        self.used_up = True
        with contextlib.suppress(ValueError):  # it is buried already
            self.process.kill()
        self.pipe.close()

    def bury(self) -> int | None:
        """Wait for its end, and let go of the handles that it has here; its exit status.

        May be called again, and from any thread.
        """
        if self._status is None:
            with contextlib.suppress(OSError, ValueError):  # another thread was faster
                connection.wait([self.process.sentinel])
        with self._statuses:
            if self._status is None:
                self.process.join()
                self._status = self.process.exitcode
                self.process.close()
        return self._status


class Result:
    """A job's answer while it arrives.

    `header` are the facts that the job stated; `complete` holds the whole body if it is already
    there, and then the worker is free again. Otherwise iterate: chunks as they come, and an
    AppError when the job fails on its way.
    """

    def __init__(
        self, generation: int, header: dict[str, Any], held: list[bytes], rest: _Rest | None
    ) -> None:
        self.generation = generation
        self.header = header
        self.complete = b"".join(held) if rest is None else None
        self._held = held
        self._rest = rest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._held:
            yield chunk
        if self._rest is not None:
            async for chunk in self._rest():
                yield chunk


_Rest = Callable[[], AsyncIterator[bytes]]


class Pool:
    """Worker processes by lanes. `checkpoint` says which state of the graph new jobs see."""

    def __init__(
        self,
        *,
        light: int,
        heavy: int,
        batch: int,
        check: int = 1,
        queue: int,
        checkpoint: Callable[[], Checkpoint],
        preload: tuple[str, ...] = (),
    ) -> None:
        self.lanes: dict[LaneName, Lane] = {
            "light": Lane(light, queue),
            "heavy": Lane(heavy, queue),
            "batch": Lane(batch, queue),
            "check": Lane(check, queue),
            "index": Lane(1, queue),
        }
        self._checkpoint = checkpoint
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._spawning = asyncio.Lock()
        self._statuses = threading.Lock()
        self._coming = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sharing: list[_Worker] = []
        self._movable: dict[_Run, None] = {}
        self._pressing: asyncio.TimerHandle | None = None
        self._watching: asyncio.TimerHandle | None = None
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([worker.__name__, *preload])
        self._closed = False
        self.kills = 0
        self.started = 0
        self.network_refused: bool | None = None

    @functools.cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The one that it belongs to. To ask for the running one is a system call."""
        return asyncio.get_running_loop()

    @property
    def processes(self) -> int:
        """Workers alive."""
        return len(self._all)

    @property
    def pids(self) -> list[int]:
        """Their process ids."""
        return [one.process.pid for one in self._all if one.process.pid is not None]

    @property
    def generation(self) -> int:
        """The generation that a job which begins now sees."""
        return self._checkpoint().generation

    def generations_in_use(self) -> set[int]:
        """Generations whose checkpoints workers have open, or will; from any thread."""
        return set().union(*(one.generations for one in tuple(self._all)))

    async def start(self) -> None:
        """Have one worker ready for each light place, and a spare one."""
        started = [await self._spawn() for _ in range(self.lanes["light"].size + _SPARE)]
        self._idle += started

    async def stop(self) -> None:
        """Kill all workers and wait for their end."""
        self._closed = True
        for timer in (self._pressing, self._watching):
            if timer:
                timer.cancel()
        for one in list(self._all):
            self._retire(one)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def run(
        self, job: str, args: Mapping[str, Any], body: bytes = b"", *, limits: Limits
    ) -> bytes:
        """The whole answer of a job."""
        async with self.job(job, args, body, limits=limits) as result:
            return b"".join([chunk async for chunk in result])

    def job(
        self,
        job: str,
        args: Mapping[str, Any] | bytes,
        body: bytes = b"",
        *,
        limits: Limits,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> contextlib.AbstractAsyncContextManager[Result]:
        """Run a job; leaving the block before its end kills its worker.

        `args` are values of JSON, or that JSON itself if it is at hand.

        Raises what the job raises, Overloaded, DeadlineExceeded, MemoryExceeded or WorkerDied.
        """
        encoded = args if isinstance(args, bytes) else wire.encoded(args)
        asked = wire.Asked(job, encoded, limits.seconds, limits.memory_mb)
        return _Run(self, asked, body, limits, on_progress)

    # who works for whom

    def beside(self, now: float) -> _Worker | None:
        """A worker of the light lane that takes one job more; nobody passes those in line."""
        if not self.lanes["light"].waiting:
            for one in self._sharing:
                if one.has_room(now):
                    one.users += 1
                    return one
        return None

    def place(self, one: _Worker, lane: Lane) -> None:
        """Give a worker, which has one job, a place that was taken in a lane."""
        one.users = 1
        one.lane = lane
        if lane is self.lanes["light"]:
            self._sharing.append(one)

    def move(self, one: _Worker, lane: Lane) -> None:
        """Have a worker leave the light lane with the job that it does."""
        self._vacate(one)
        one.lane = lane
        one.pipe.take_back()
        self._refill()

    def fill(self, one: _Worker) -> None:
        """Let those in line share the worker, as far as it has room."""
        while (lane := one.lane) and lane.waiting and one.has_room(one.pipe.loop.time()):
            if lane.share(one):
                one.users += 1

    def part(self, one: _Worker) -> None:
        """A job has left its worker; after the last one it is free."""
        one.users -= 1
        if not one.users:
            self._vacate(one)
            self._give_back(one)
        elif one in self._sharing:
            self.fill(one)

    def dismiss(self, one: _Worker) -> None:
        """Kill a worker, whatever it does; jobs that it has not begun are done by others."""
        self.kills += 1
        one.used_up = True
        self._vacate(one)
        self._retire(one)

    def _vacate(self, one: _Worker) -> None:
        if one in self._sharing:
            self._sharing.remove(one)
        if one.lane:
            one.lane.leave()
            one.lane = None

    def watch(self) -> None:
        """Look soon whether jobs stand behind one that takes long, or that nobody wants."""
        if not self._watching:
            self._watching = self.loop.call_later(_AT_ONCE, self._watched)

    def _watched(self) -> None:
        self._watching = None
        late = self.loop.time() - _AT_ONCE
        for one in list(self._all):
            first, *behind = one.pipe.line or (None,)
            if first is None or not (first.unwanted or any(not a.unwanted for a in behind)):
                continue
            if first.begun > late:
                self.watch()
            elif first.unwanted:
                self.dismiss(one)
            else:
                one.pipe.take_back()

    def _ready(self) -> _Worker | None:
        while self._idle:
            one = self._idle.pop()
            if one.alive:
                return one
            self._retire(one)
        return None

    async def _take(self) -> _Worker:
        if one := self._ready():
            return one
        spawning = self._in_background(self._spawn())
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:  # the caller is gone, the worker is for the next
            spawning.add_done_callback(self._adopt)
            raise

    def _adopt(self, spawning: asyncio.Task[_Worker]) -> None:
        if not spawning.cancelled() and spawning.exception() is None:
            self._give_back(spawning.result())

    def _give_back(self, one: _Worker) -> None:
        if one.used_up or self._closed:
            self._retire(one)
        else:
            self._idle.append(one)

    def _retire(self, one: _Worker) -> None:
        if one not in self._all:
            return
        self._all.discard(one)
        if one in self._idle:
            self._idle.remove(one)
        one.kill()
        self._in_background(asyncio.to_thread(one.bury))
        self._refill()

    def _in_background(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _refill(self) -> None:
        """Start the replacement at once, so that the next lookup need not wait for it."""
        light = self.lanes["light"]
        ready = len(self._idle) + self._coming
        if self._closed or ready >= max(0, light.size - light.busy) + _SPARE:
            return
        self._coming += 1
        self._in_background(self._refilled())

    async def _refilled(self) -> None:
        try:
            if len(self._idle) + self._coming + self._busy() <= self._places():
                with contextlib.suppress(OSError, WorkerDied):
                    self._give_back(await self._spawn())
        finally:
            self._coming -= 1

    def press(self) -> None:
        """Somebody waits for a light place: who has held one longest, gives way after a while."""
        self._pressing = None
        waiting = self.lanes["light"].waiting
        for run in list(self._movable):
            if not waiting:
                return
            if not run.under_way:
                continue
            if (due := run.due(_SHORT_SLICE)) > self.loop.time():
                self._pressing = self.loop.call_at(due, self.press)
                return
            run.give_way()
            waiting -= 1

    def _busy(self) -> int:
        return sum(lane.busy for lane in self.lanes.values())

    def _places(self) -> int:
        return sum(lane.size for lane in self.lanes.values())

    def _begin_process(self, process: ForkServerProcess) -> None:
        # `start` reads the statuses of all that have ended; a status can be read once only
        with self._statuses:
            process.start()

    async def _spawn(self) -> _Worker:
        ours, theirs = socket.socketpair()
        async with self._spawning:
            process = self._context.Process(target=worker.run, args=(theirs,), daemon=True)
            try:
                await asyncio.to_thread(self._begin_process, process)
            except BaseException:
                ours.close()
                raise
            finally:
                theirs.close()
        _, pipe = await self.loop.create_connection(Pipe, sock=ours)
        one = _Worker(process, pipe, self._statuses)
        self._all.add(one)
        self.started += 1
        try:
            until = self.loop.time() + _SPAWN_SECONDS
            (_, greeting), *_ = await pipe.greeting.read(until)
        except (EOFError, TimeoutError):
            self._retire(one)
            raise WorkerDied("A worker ended before its first job; see the log.") from None
        if self.network_refused is None:
            self.network_refused = json.loads(greeting)["network_refused"]
            if not self.network_refused:
                log.warning("workers can open connections: install libseccomp for the second wall")
        return one


class _Run:
    """One job on its way through the lanes: a context that begins it, and ends it at any moment."""

    def __init__(
        self,
        pool: Pool,
        asked: wire.Asked,
        body: bytes,
        limits: Limits,
        on_progress: Callable[[dict[str, Any]], None] | None,
    ) -> None:
        self._pool = pool
        self._limits = limits
        self._body = body
        self._asked = asked
        self._on_progress = on_progress
        self._loop = pool.loop
        self._deadline = self._loop.time() + limits.seconds
        self._lane = limits.lane
        self._worker: _Worker | None = None
        self._answer: Answer | None = None
        self._header: dict[str, Any] = {}
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._ended = False
        self._gives_way = False
        self._generation = 0
        self._opening = 0.0

    async def __aenter__(self) -> Result:
        try:
            await self._begin()
        except BaseException:
            self._end()
            raise
        rest = None if self._ended else self._rest
        return Result(self._generation, self._header, self._held, rest)

    async def __aexit__(self, *_: object) -> None:
        self._end()

    async def _begin(self) -> None:
        """Run until the result is complete, or must be streamed."""
        limits = self._limits
        await self._enter(limits.lane)
        if limits.lane == "light":
            while (until := self.due(limits.slice_seconds)) > self._loop.time():
                if await self._hold(until):
                    return
                if self._gives_way or self._held_bytes > _HOLD_BYTES:
                    break
            if not self._promoted():
                await self._again_as_heavy()
        while not self._ended and not self._held:
            await self._step(self._deadline)
        # What took long to find is often written fast; what is whole can be kept for others.
        await self._hold(self._loop.time() + limits.slice_seconds)

    async def _enter(self, name: LaneName, *, again: bool = False) -> None:
        pool = self._pool
        self._lane = name
        one = pool.beside(self._loop.time()) if name == "light" else None
        self._worker = one = one or await self._placed(pool.lanes[name], again=again)
        checkpoint = pool._checkpoint()
        self._generation = checkpoint.generation
        self._opening = 0.0 if one.checkpoint is checkpoint else _OPENING
        self._answer = one.ask(checkpoint, self._asked, self._body)
        if len(one.pipe.line) > 1:
            pool.watch()
        if name != "light":
            one.make_heavy()
            return
        pool.fill(one)
        if self._limits.slice_seconds < self._limits.seconds:
            pool._movable[self] = None

    async def _placed(self, lane: Lane, *, again: bool) -> _Worker:
        """A worker with a place of its own, or one that is shared with who waits."""
        if not lane.try_enter() and (shared := await self._wait_in_line(lane, again=again)):
            return shared
        try:
            one = self._pool._ready() or await self._new_worker()
        except BaseException:
            lane.leave()
            raise
        self._pool.place(one, lane)
        return one

    async def _wait_in_line(self, lane: Lane, *, again: bool) -> _Worker | None:
        turn = lane.line_up(again=again)
        if lane is self._pool.lanes["light"] and not self._pool._pressing:
            self._pool.press()
        try:
            shared: _Worker | None = await lane.take_turn(turn, self._deadline, self._pool.part)
        except TimeoutError:
            raise Overloaded(retry_after=max(1, round(self._limits.seconds))) from None
        return shared

    async def _new_worker(self) -> _Worker:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._pool._take()
        except TimeoutError:
            raise Overloaded(retry_after=max(1, round(self._limits.seconds))) from None

    async def _hold(self, until: float) -> bool:
        """Collect until the end (True), or until a moment has come or the buffer is full."""
        try:
            while not self._ended and self._held_bytes <= _HOLD_BYTES and not self._gives_way:
                await self._step(until)
        except TimeoutError:
            pass
        return self._ended

    @property
    def under_way(self) -> bool:
        """Whether its worker does it now."""
        one = self._worker
        return one is not None and bool(one.pipe.line) and one.pipe.line[0] is self._answer

    def due(self, seconds: float) -> float:
        """When such a slice is used up, in the loop's time.

        It counts what the worker has worked: one that waits for a processor is not heavy.
        """
        seconds += self._opening
        now, answer = self._loop.time(), self._answer
        if answer is None or self._worker is None or answer.begun == math.inf:
            return now + seconds
        end = answer.begun + seconds
        if now < end:
            return end
        left = seconds - (self._worker.worked() - answer.worked)
        return now + max(left, seconds / 4) if left > 0 else end

    def give_way(self) -> None:
        """Leave the light place at once."""
        self._gives_way = True
        self._pool._movable.pop(self, None)
        if self._answer:
            self._answer.interrupt()

    def _promoted(self) -> bool:
        heavy = self._pool.lanes["heavy"]
        if self._worker is None or not heavy.try_enter():
            return False
        self._pool._movable.pop(self, None)
        self._worker.make_heavy()
        self._pool.move(self._worker, heavy)
        self._gives_way = False
        return True

    async def _again_as_heavy(self) -> None:
        self._end()
        self._header, self._held, self._held_bytes = {}, [], 0
        await self._enter("heavy")
        self._gives_way = False

    async def _rest(self) -> AsyncIterator[bytes]:
        while not self._ended:
            self._held.clear()
            await self._step(self._deadline)
            for chunk in self._held:
                yield chunk

    async def _step(self, until: float) -> None:
        """Take what has come; raises TimeoutError when nothing has by `until`."""
        one, answer = self._worker, self._answer
        if one is None or answer is None:
            raise WorkerDied("The worker is gone.")
        try:
            frames = await answer.read(min(until, self._deadline))
        except NotBegun:
            await self._begin_elsewhere(one)
            return
        except EOFError:
            raise await self._died(one) from None
        except TimeoutError:
            if self._loop.time() < self._deadline:
                raise
            raise self._too_late() from None
        for kind, payload in frames:
            if kind in _DATA:
                self._held.append(payload)
                self._held_bytes += len(payload)
                if kind == wire.DONE:
                    self._finish()
            elif kind == wire.HEADER:
                self._header = wire.value_of(payload)
            elif kind == wire.PROGRESS:
                if self._on_progress:
                    self._on_progress(json.loads(payload))
            elif kind == wire.ERROR:
                self._fail(one, AppError.from_dict(json.loads(payload)))

    def _fail(self, one: _Worker, error: AppError) -> NoReturn:
        if type(error) is MemoryExceeded:
            one.used_up = True
            error = self._too_much()
        if type(error) is AppError:
            log.error("job %s failed: %s", self._asked.job, error)
        self._finish()
        raise error

    async def _died(self, one: _Worker) -> AppError:
        one.used_up = True
        code = await asyncio.to_thread(one.bury)  # its own alarm ends what only closed its pipe
        log.warning("worker ended with %s in job %s", code, self._asked.job)
        if code in _SIGNALS_OF_MEMORY:
            return self._too_much()
        if code == -signal.SIGALRM:
            return self._too_late()
        return WorkerDied(f"The worker ended with status {code}; try again.")

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(self._limits.seconds, advice=self._limits.advice)

    def _too_much(self) -> MemoryExceeded:
        return MemoryExceeded(self._limits.memory_mb, advice=self._limits.advice)

    async def _begin_elsewhere(self, one: _Worker) -> None:
        if self._pool._closed:
            raise WorkerDied("The service is being stopped.")
        one.used_up = one.used_up or one.pipe.closed
        self._leave(one)
        await self._enter(self._lane, again=True)

    def _finish(self) -> None:
        """The worker is free for others from here on."""
        self._ended = True
        if self._worker:
            self._leave(self._worker)

    def _leave(self, one: _Worker) -> None:
        self._pool._movable.pop(self, None)
        self._worker = None
        self._pool.part(one)

    def _end(self) -> None:
        """Let go of what is not over: what is under way is killed, what is not begun is skipped."""
        one, answer = self._worker, self._answer
        if one is None or answer is None:
            return
        if self.under_way:
            self._pool.dismiss(one)
        else:  # its turn has not come, or the worker is with the next already
            one.pipe.give_up(answer)
            self._pool.watch()
        self._leave(one)
