"""The one mechanism for work that outlives a request, over the library DBOS Transact."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from app.database import open_engine
from app.errors import AppError, NotFound, Overloaded, WorkerDied
from app.jobs.job import ERROR, FAULT, PROGRESS, RESULT, RETRIES, STARTED, Job, read_job

if TYPE_CHECKING:
    from dbos import DBOS, ScheduleInput
    from sqlalchemy.engine import Engine

log = logging.getLogger(__name__)

Progress = Callable[[Mapping[str, Any]], None]
"""Says how far a job is; each saying replaces the one before, and the newest is kept."""

Work = Callable[[Mapping[str, Any], Progress], Awaitable[dict[str, Any]]]
"""What a job does with its arguments. It may be begun again after it was half done."""

_SCHEMA: Final = "jobs"
_VERSION: Final = "1"
"""Jobs are begun again by the same version only; the arguments of a work stay readable instead."""

_THREADS: Final = 32
_PROGRESS_SECONDS: Final = 0.3
_POLL_SECONDS: Final = 0.5

_Workflow = Callable[[str | None, dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class _Kind:
    work: Work
    attempts: int
    places: asyncio.Semaphore


@dataclass(slots=True)
class _Newest:
    """The newest progress of a job, and whether it has been written."""

    facts: dict[str, Any] = field(default_factory=dict)
    unwritten: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, facts: Mapping[str, Any]) -> None:
        self.facts = dict(facts)
        self.unwritten.set()


class Jobs:
    """Jobs of one process, kept in a database that several processes may share.

    `url` is that of the operations database; SQLite has one writer, so there the jobs get the
    file `jobs.db` of `folder` for themselves. `executor` names this process, now and after its
    next start: what it had begun when it died, it begins again.

    The library is one to a process, and so is a started `Jobs`. Works run on the event loop in
    which it was started. Nothing is pickled, and nothing is sent to anyone.
    """

    def __init__(self, url: str, folder: Path, *, executor: str, backoff: float = 1.0) -> None:
        own = f"sqlite:///{folder.resolve() / 'jobs.db'}"
        self._url = own if url.startswith("sqlite") else url
        self._executor = executor
        self._backoff = backoff
        self._kinds: dict[str, _Kind] = {}
        self._schedules: dict[str, tuple[str, str, Mapping[str, Any]]] = {}
        self._workflows: dict[str, _Workflow] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._bells: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self._engine: Engine | None = None
        self._library: type[DBOS] | None = None
        self._stopping = False
        self._hung_up = False

    def register(self, name: str, work: Work, *, attempts: int = 3, at_once: int = 2) -> None:
        """Say, before the start, what jobs of this name do.

        At most `at_once` of them run at one time, so that a line of them forms here, in the
        database, and not where others would wait behind it.
        """
        self._kinds[name] = _Kind(work, attempts, asyncio.Semaphore(at_once))

    def schedule(
        self, name: str, cron: str, args: Mapping[str, Any], *, key: str | None = None
    ) -> None:
        """Say, before the start, that a job is to begin by the clock (UTC; five fields).

        Every process that shares the database may say so; one of them runs it. Several schedules
        of one name need a `key` each.
        """
        self._schedules[key or name] = (name, cron, args)

    async def start(self) -> None:
        """Begin to work, first with what was left undone; the database must answer."""
        from dbos import DBOS, DBOSPortableJSONSerializer  # noqa: PLC0415 -- the CLI does not pay

        _never_unpickle()
        # A handler of our own keeps the library from adding one, so its words go where ours go.
        logging.getLogger("dbos").addHandler(logging.NullHandler())
        self._stopping = self._hung_up = False
        self._library = DBOS
        self._engine = open_engine(self._url)
        DBOS(
            config={
                "name": "lifetec",
                "system_database_url": self._url,
                "system_database_engine": self._engine,
                "dbos_system_schema": _SCHEMA,
                "executor_id": self._executor,
                "application_version": _VERSION,
                "serializer": DBOSPortableJSONSerializer(),
                "max_executor_threads": _THREADS,
                "log_level": "WARNING",
            }
        )
        self._workflows = {
            name: DBOS.workflow(name=name)(self._workflow(name)) for name in self._kinds
        }
        DBOS.launch()
        await self._apply_schedules(DBOS)

    def hang_up(self) -> None:
        """End all watching and waiting, as before a stop; what runs goes on."""
        self._hung_up = True
        for job in list(self._bells):
            self._ring(job)

    async def stop(self) -> None:
        """Leave what runs as it is, for the next start, and let go of the database."""
        if self._library is None:
            return
        self._stopping = True
        logging.getLogger("dbos").setLevel(logging.ERROR)  # it warns of each job that is left
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # The library has put its own threads under this loop, and takes them along.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        await asyncio.to_thread(self._library.destroy, destroy_registry=True)
        if self._engine:
            self._engine.dispose()
        self._library = None

    async def submit(
        self, name: str, args: Mapping[str, Any], *, job: str, owner: str | None = None
    ) -> Job:
        """Begin a job, or join the line of its name; it is kept when this returns.

        `job` is the id that the caller has chosen. If there is one of this id, nothing is begun,
        and that one is returned.
        """
        if found := await self._find(job):
            return found
        # Shielded, since a caller may give up between the row and the beginning of the work.
        begun = asyncio.create_task(self._begin(name, dict(args), job, owner))
        self._keep(begun)
        await asyncio.shield(begun)
        return await self.get(job)

    async def get(self, job: str) -> Job:
        """A job as it is now; raises NotFound."""
        if found := await self._find(job):
            return found
        raise NotFound(f"There is no job {job[:100]!r}.")

    async def jobs(self, *, owner: str | None = None, limit: int = 50) -> list[Job]:
        """The newest jobs first; with `owner`, only those of that owner."""
        found = await self._started().list_workflows_async(
            user=owner, limit=limit, sort_desc=True, load_input=False
        )
        return [read_job(status) for status in found]

    async def watch(self, job: str) -> AsyncGenerator[Job, None]:
        """The job as it is, then after each change, until its end or that of the service.

        Raises NotFound.
        """
        shown: Job | None = None
        while True:
            bell = self._bells.setdefault(job, asyncio.Event())
            now = await self.get(job)
            if now != shown:
                yield now
                shown = now
            if now.ended or self._hung_up:
                return
            # Another process may have it, and its bell is not heard here.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), _POLL_SECONDS)

    async def wait(self, job: str, seconds: float) -> Job | None:
        """The job when it has ended, or None if it has not within `seconds`; raises NotFound.

        None too when the service ends meanwhile.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), contextlib.aclosing(self.watch(job)) as changes:
                async for now in changes:
                    if now.ended:
                        return now
        return None

    def _workflow(self, name: str) -> _Workflow:
        async def workflow(scheduled_at: str | None, args: dict[str, Any]) -> dict[str, Any]:
            del scheduled_at
            if self._stopping:
                raise asyncio.CancelledError
            job = self._started().workflow_id or ""
            # Outside of the library's context, where each of its calls would be a step to be
            # replayed: a work is begun again as a whole.
            task = asyncio.create_task(
                self._perform(self._kinds[name], job, args), context=contextvars.Context()
            )
            self._keep(task)
            return await task

        return workflow

    async def _begin(self, name: str, args: dict[str, Any], job: str, owner: str | None) -> None:
        from dbos import DBOSContextSetAuth, SetWorkflowID  # noqa: PLC0415

        with SetWorkflowID(job), DBOSContextSetAuth(owner, None):
            begun = await self._started().start_workflow_async(self._workflows[name], None, args)
        self._keep(asyncio.create_task(self._ring_at_the_end(job, begun.get_result())))

    async def _perform(self, kind: _Kind, job: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """Run a work to its end; what becomes of it is a value, never an exception."""
        failures = 0
        while True:
            async with kind.places:
                try:
                    await self._note(job, {STARTED: int(time.time() * 1000), RETRIES: failures})
                    return {RESULT: await self._reported(kind.work, job, args)}
                except Overloaded as error:
                    pause = float(error.facts["retry_after"])  # no fault of its own
                except WorkerDied as error:
                    failures, told = failures + 1, error.as_dict()
                    pause = self._backoff * 2.0 ** (failures - 1)
                except AppError as error:
                    return {ERROR: error.as_dict()}
                except Exception:
                    log.exception("job %s", job)
                    failures, told = failures + 1, FAULT
                    pause = self._backoff * 2.0 ** (failures - 1)
            if failures >= kind.attempts:
                return {ERROR: told}
            await asyncio.sleep(pause)

    async def _reported(self, work: Work, job: str, args: Mapping[str, Any]) -> dict[str, Any]:
        newest = _Newest()
        reporter = asyncio.create_task(self._report(job, newest))
        try:
            return await work(args, newest)
        finally:
            reporter.cancel()

    async def _report(self, job: str, newest: _Newest) -> None:
        """Write the newest progress now and then; most jobs end before the first time."""
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            await newest.unwritten.wait()
            newest.unwritten.clear()
            try:
                await self._note(job, {PROGRESS: newest.facts})
            except Exception:
                log.exception("progress of job %s", job)  # the job itself goes on

    async def _note(self, job: str, facts: dict[str, Any]) -> None:
        await self._started().update_workflow_attributes_async(job, facts, merge=True)
        self._ring(job)

    async def _ring_at_the_end(self, job: str, result: Awaitable[Any]) -> None:
        with contextlib.suppress(Exception):
            await result
        self._ring(job)

    def _ring(self, job: str) -> None:
        if bell := self._bells.pop(job, None):
            bell.set()

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _started(self) -> type[DBOS]:
        if self._library is None:
            raise RuntimeError("jobs are not started")
        return self._library

    async def _find(self, job: str) -> Job | None:
        found = await self._started().list_workflows_async(workflow_ids=[job], load_input=False)
        return read_job(found[0]) if found else None

    async def _apply_schedules(self, library: type[DBOS]) -> None:
        """Make the schedules of the database those that were said, and no others."""
        wanted: list[ScheduleInput] = [
            {
                "schedule_name": key,
                "workflow_fn": self._workflows[name],  # type: ignore[typeddict-item]
                "schedule": cron,
                "context": dict(args),
            }
            for key, (name, cron, args) in self._schedules.items()
        ]
        for known in await library.list_schedules_async():
            if known["schedule_name"] not in self._schedules:
                await library.delete_schedule_async(known["schedule_name"])
        await library.apply_schedules_async(wanted)


def _never_unpickle() -> None:
    """Have the library refuse pickled values.

    It reads each row by the serializer that the row names, whatever it is told to write with, so
    who could write to the database could run code here.
    """
    from dbos._serialization import DefaultSerializer  # noqa: PLC0415

    def refuse(cls: DefaultSerializer, serialized_data: str) -> Any:
        del cls, serialized_data
        raise ValueError("pickled values are not read")

    DefaultSerializer.deserialize = refuse  # type: ignore[method-assign]
