"""What jobs promise, on both databases."""

from __future__ import annotations

import asyncio
import base64
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app.errors import DeadlineExceeded, Invalid, NotFound, Overloaded, WorkerDied
from app.jobs import Job, Jobs, Progress, State, Work, executor_of
from tests.postgres import Postgres

LONG = 30.0
"""Seconds that nothing here takes."""

Running = Callable[..., AbstractAsyncContextManager[Jobs]]


@pytest.fixture
def running(database_url: str, tmp_path: Path) -> Running:
    """Jobs of these works, started; each call is a process that starts anew."""

    @asynccontextmanager
    async def started(
        at_once: int = 2, executor: str = "one", **works: Work
    ) -> AsyncIterator[Jobs]:
        jobs = Jobs(database_url, tmp_path, executor=executor, backoff=0.01)
        for name, work in works.items():
            jobs.register(name, work, at_once=at_once)
        await jobs.start()
        try:
            yield jobs
        finally:
            await jobs.stop()

    return started


async def double(args: Mapping[str, Any], _: Progress) -> dict[str, Any]:
    return {"twice": args["n"] * 2}


async def ended(jobs: Jobs, job: str) -> Job:
    found = await jobs.wait(job, LONG)
    assert found
    return found


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not true():  # noqa: ASYNC110 -- what changes cannot wake anyone
            await asyncio.sleep(0.01)


def test_a_job_is_done_and_its_history_stays(running: Running) -> None:
    async def run() -> None:
        async with running(double=double) as jobs:
            begun = await jobs.submit("double", {"n": 4}, job="a", owner="demo")
            assert begun.state in {State.QUEUED, State.RUNNING, State.DONE}
            done = await ended(jobs, "a")
            assert (done.state, done.result, done.error) == (State.DONE, {"twice": 8}, None)
            assert (done.name, done.owner, done.attempts) == ("double", "demo", 1)
            assert done.started_at
            assert done.ended_at
            assert done.created_at <= done.started_at <= done.ended_at
            assert await jobs.get("a") == done
            await jobs.submit("double", {"n": 1}, job="b", owner="other")
            other = await ended(jobs, "b")
            assert await jobs.jobs(owner="demo") == [done]
            assert {one.id for one in await jobs.jobs()} == {"a", "b"}
            assert len(await jobs.jobs(limit=1)) == 1
        async with running(double=double) as jobs:
            assert await jobs.get("a") == done
            assert await jobs.jobs(owner="other") == [other]

    asyncio.run(run())


def test_what_is_submitted_twice_runs_once(running: Running) -> None:
    ran: list[Any] = []

    async def note(args: Mapping[str, Any], _: Progress) -> dict[str, Any]:
        ran.append(args["n"])
        await asyncio.sleep(0.05)
        return {"n": args["n"]}

    async def run() -> None:
        async with running(note=note) as jobs:
            await asyncio.gather(*(jobs.submit("note", {"n": n}, job="same") for n in range(5)))
            first = await ended(jobs, "same")
            again = await jobs.submit("note", {"n": 9}, job="same")
            assert again == first
            assert first.result == {"n": ran[0]}

    asyncio.run(run())
    assert len(ran) == 1


def test_a_job_that_nobody_knows_is_not_found(running: Running) -> None:
    async def run() -> None:
        async with running(double=double) as jobs:
            for ask in (jobs.get("x"), jobs.wait("x", LONG), anext(jobs.watch("x"))):
                with pytest.raises(NotFound):
                    await ask

    asyncio.run(run())


def test_an_error_of_the_data_is_kept_and_not_tried_again(running: Running) -> None:
    calls: list[str] = []
    errors = {
        "invalid": Invalid("3 violations", report={"conforms": False}),
        "deadline": DeadlineExceeded(600),  # the same work would take the same time again
    }

    async def fail(args: Mapping[str, Any], _: Progress) -> dict[str, Any]:
        calls.append(args["how"])
        raise errors[args["how"]]

    async def run() -> None:
        async with running(fail=fail) as jobs:
            for how, error in errors.items():
                await jobs.submit("fail", {"how": how}, job=how)
                job = await ended(jobs, how)
                assert (job.state, job.result, job.attempts) == (State.FAILED, None, 1)
                assert job.error == error.as_dict()

    asyncio.run(run())
    assert calls == list(errors)


def test_a_fault_is_tried_again_and_then_told_without_its_text(running: Running) -> None:
    left = {"twice": 2, "always": 99, "died": 99}

    async def fault(args: Mapping[str, Any], _: Progress) -> dict[str, Any]:
        left[args["how"]] -= 1
        if left[args["how"]] < 0:
            return {}
        if args["how"] == "died":
            raise WorkerDied("the worker ended")
        raise RuntimeError("secret")

    async def run() -> None:
        async with running(fault=fault) as jobs:
            for how in left:
                await jobs.submit("fault", {"how": how}, job=how)
            mended, always, died = [await ended(jobs, how) for how in left]
            assert (mended.state, mended.attempts) == (State.DONE, 3)
            assert (always.state, always.attempts) == (State.FAILED, 3)
            assert always.error
            assert always.error["slug"] == "internal"
            assert "secret" not in str(always.error)
            assert died.error == WorkerDied("the worker ended").as_dict()

    asyncio.run(run())
    assert left["always"] == 96


def test_who_finds_all_workers_busy_comes_again_as_often_as_needed(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = [Overloaded(retry_after=0) for _ in range(7)]

    async def work(_: Mapping[str, Any], __: Progress) -> dict[str, Any]:
        if busy:
            raise busy.pop()
        return {}

    async def run() -> None:
        async with running(work=work) as jobs:
            await jobs.submit("work", {}, job="a")
            assert (await ended(jobs, "a")).state is State.DONE

    asyncio.run(run())


def test_progress_is_seen_while_a_job_runs(running: Running) -> None:
    seen = asyncio.Event()

    async def work(_: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
        progress({"stage": "parse"})
        progress({"stage": "validate", "statements": 7})
        await seen.wait()
        return {}

    async def run() -> None:
        async with running(work=work) as jobs:
            await jobs.submit("work", {}, job="a")
            states = []
            async for job in jobs.watch("a"):
                states.append(job.state)
                if job.progress:
                    assert job.progress == {"stage": "validate", "statements": 7}
                    seen.set()
            assert states[-1] is State.DONE
            assert State.RUNNING in states
            assert states == sorted(states, key=list(State).index)

    asyncio.run(run())


def test_waiting_has_an_end(running: Running) -> None:
    async def forever(_: Mapping[str, Any], __: Progress) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def run() -> None:
        async with running(forever=forever) as jobs:
            await jobs.submit("forever", {}, job="a")
            assert await jobs.wait("a", 0.2) is None

    asyncio.run(run())


def test_of_one_name_only_some_run_at_once_and_others_do_not_wait(running: Running) -> None:
    now, most = 0, 0
    go = asyncio.Event()

    async def slow(_: Mapping[str, Any], __: Progress) -> dict[str, Any]:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await go.wait()
        now -= 1
        return {}

    async def run() -> None:
        async with running(slow=slow, double=double, at_once=3) as jobs:
            for n in range(8):
                await jobs.submit("slow", {}, job=str(n))
            await jobs.submit("double", {"n": 1}, job="other")
            assert (await ended(jobs, "other")).state is State.DONE
            await until(lambda: now == 3)
            states = [job.state for job in await jobs.jobs() if job.name == "slow"]
            assert sorted(states) == [State.QUEUED] * 5 + [State.RUNNING] * 3
            go.set()
            assert {(await ended(jobs, str(n))).state for n in range(8)} == {State.DONE}

    asyncio.run(run())
    assert most == 3


def test_what_runs_when_the_service_stops_is_begun_again_at_the_next_start(
    running: Running,
) -> None:
    begun: list[str] = []
    go = asyncio.Event()

    async def work(args: Mapping[str, Any], _: Progress) -> dict[str, Any]:
        begun.append(args["n"])
        await go.wait()
        return {"n": args["n"]}

    async def run() -> None:
        async with running(work=work, at_once=1) as jobs:
            for n in ("running", "waiting"):
                await jobs.submit("work", {"n": n}, job=n)
            await until(lambda: begun == ["running"])
        go.set()
        async with running(work=work, at_once=1) as jobs:
            first, second = await ended(jobs, "running"), await ended(jobs, "waiting")
            assert (first.result, first.attempts) == ({"n": "running"}, 2)
            assert second.result == {"n": "waiting"}

    asyncio.run(run())
    assert sorted(begun) == ["running", "running", "waiting"]


def test_who_gives_up_while_submitting_leaves_no_job_that_never_begins(running: Running) -> None:
    async def run() -> None:
        async with running(double=double, at_once=20) as jobs:
            for n in range(40):
                asking = asyncio.create_task(jobs.submit("double", {"n": n}, job=str(n)))
                await asyncio.sleep(n / 10_000)  # somewhere on the way, which takes milliseconds
                asking.cancel()
                await asyncio.wait({asking})
            await jobs.submit("double", {"n": 0}, job="last")
            await ended(jobs, "last")
            kept = await jobs.jobs()
            assert len(kept) > 1
            assert {(await ended(jobs, job.id)).state for job in kept} == {State.DONE}

    asyncio.run(run())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has none to lose
def test_a_job_outlives_the_connections_to_its_database(
    running: Running, postgres: Postgres, database_url: str
) -> None:
    go = asyncio.Event()

    async def work(_: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
        progress({"stage": "waiting"})
        await go.wait()
        return {}

    def send_everybody_away() -> None:
        engine = create_engine(database_url.replace("://", "+psycopg://", 1))
        with engine.begin() as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            found = connection.execute(
                text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
            )
            assert found.all()
        engine.dispose()

    async def run() -> None:
        async with running(work=work) as jobs:
            await jobs.submit("work", {}, job="a")
            async for job in jobs.watch("a"):
                if job.progress and not go.is_set():
                    await asyncio.to_thread(send_everybody_away)
                    go.set()
            assert job.state is State.DONE
            await jobs.submit("work", {}, job="b")
            assert (await ended(jobs, "b")).state is State.DONE

    asyncio.run(run())


def test_threads_of_the_event_loop_work_after_the_end(running: Running) -> None:
    async def run() -> None:
        async with running(double=double) as jobs:
            await jobs.submit("double", {"n": 1}, job="a")
            await ended(jobs, "a")
        assert await asyncio.to_thread(lambda: 3) == 3

    asyncio.run(run())


def test_a_schedule_begins_a_job_by_the_clock(database_url: str, tmp_path: Path) -> None:
    async def run() -> None:
        jobs = Jobs(database_url, tmp_path, executor="one")
        jobs.register("double", double)
        jobs.schedule("double", "* * * * * *", {"n": 21})
        await jobs.start()
        try:
            async with asyncio.timeout(LONG):
                while not (found := await jobs.jobs()):  # noqa: ASYNC110 -- cannot be watched
                    await asyncio.sleep(0.05)
            done = await ended(jobs, found[-1].id)
            assert (done.result, done.owner, done.name) == ({"twice": 42}, None, "double")
        finally:
            await jobs.stop()
        # What is not said any more is not done any more.
        jobs = Jobs(database_url, tmp_path, executor="one")
        jobs.register("double", double)
        await jobs.start()
        try:
            assert await jobs._started().list_schedules_async() == []
        finally:
            await jobs.stop()

    asyncio.run(run())


class Bomb:
    """Leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (self.path.touch, ())


def test_the_database_cannot_run_code_here(
    running: Running, database_url: str, tmp_path: Path
) -> None:
    """Rows that claim to be pickled: inputs of a job to be begun again, and outputs."""
    crater = tmp_path / "crater"
    pickled = base64.b64encode(pickle.dumps(Bomb(crater))).decode()
    url, schema = database_url.replace("postgresql://", "postgresql+psycopg://"), "jobs."
    if url.startswith("sqlite"):
        url, schema = f"sqlite:///{tmp_path / 'jobs.db'}", ""

    async def forever(_: Mapping[str, Any], __: Progress) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def run() -> None:
        async with running(forever=forever, double=double) as jobs:
            await jobs.submit("forever", {}, job="input")
            await jobs.submit("double", {"n": 1}, job="output")
            await ended(jobs, "output")
        engine = create_engine(url)
        with engine.begin() as connection:
            status, inputs, outputs = (
                f"{schema}{name}"
                for name in ("workflow_status", "workflow_input", "workflow_output")
            )
            for statement in (
                f"UPDATE {status} SET serialization = 'py_pickle'",
                f"UPDATE {inputs} SET inputs = :pickled",
                f"UPDATE {outputs} SET output = :pickled",
            ):
                assert connection.execute(text(statement), {"pickled": pickled}).rowcount
        engine.dispose()
        async with running(forever=forever, double=double) as jobs:
            refused = await ended(jobs, "input")
            assert (refused.state, (await jobs.get("output")).state) == (State.FAILED,) * 2
            assert refused.error
            assert refused.error["slug"] == "internal"

    asyncio.run(run())
    assert not crater.exists()
    pickle.loads(base64.b64decode(pickled))
    assert crater.exists(), "the bomb must be a bomb"


def test_values_that_are_not_json_are_refused_before_anything_begins(running: Running) -> None:
    async def run() -> None:
        async with running(double=double) as jobs:
            with pytest.raises(TypeError):
                await jobs.submit("double", {"n": object()}, job="a")
            with pytest.raises(NotFound):
                await jobs.get("a")

    asyncio.run(run())


def test_an_executor_keeps_its_name(tmp_path: Path) -> None:
    first = executor_of(tmp_path)
    assert len(first) == 32
    assert executor_of(tmp_path) == first
    (tmp_path / "other").mkdir()
    assert executor_of(tmp_path / "other") != first
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["node"]


def test_commands_that_need_no_jobs_do_not_import_the_library() -> None:
    code = "import sys, app.cli, app.service; sys.exit('dbos' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
