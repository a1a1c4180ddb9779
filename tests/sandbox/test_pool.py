from __future__ import annotations

import asyncio
import gc
import os
import random
import resource
import signal
import socket
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from app.errors import (
    AppError,
    DeadlineExceeded,
    FederationRefused,
    MemoryExceeded,
    Overloaded,
    QueryRejected,
    WorkerDied,
)
from app.sandbox.lanes import Lane
from app.sandbox.pool import Checkpoint, Limits, Pool
from tests.sandbox.cage import (
    LIMITS,
    LOOKUP,
    PRODUCT,
    arguments,
    ask,
    descriptors,
    graph,
    is_running,
    pool,
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return graph(tmp_path_factory.mktemp("graph") / "1")


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


async def until(true: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 -- another process makes it true
            await asyncio.sleep(0.01)


def pids(cages: Pool) -> set[int]:
    return {one.process.pid or 0 for one in cages._all}


def free(cages: Pool) -> bool:
    return all(lane.busy == lane.waiting == 0 for lane in cages.lanes.values())


def test_a_job_answers_and_leaves_its_worker_for_the_next(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            before = pids(cages)
            for _ in range(20):
                assert await ask(cages, LOOKUP) == b"true"
            assert pids(cages) == before
            assert (cages.kills, free(cages)) == (0, True)

    run(test)


def test_new_jobs_see_the_newest_checkpoint(tmp_path: Path) -> None:
    async def test() -> None:
        now = [graph(tmp_path / "1", 3)]
        async with pool(lambda: now[0]) as cages:
            assert await ask(cages, LOOKUP) == b"false"
            now[0] = Checkpoint(graph(tmp_path / "2", 10).path, 2)
            async with cages.job("sparql.query", arguments(), LOOKUP.encode(), limits=LIMITS) as r:
                assert (r.generation, r.complete) == (2, b"true")
            assert cages.generations_in_use() == {2}

    run(test)


def test_a_checkpoint_is_in_use_from_the_moment_a_job_is_asked_the_very_first_one_too(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        now = [Checkpoint(graph(tmp_path / "0").path, 0)]
        async with pool(lambda: now[0], light=2) as cages:
            assert cages.generations_in_use() == set()
            long = asyncio.create_task(ask(cages, PRODUCT))
            await until(cages.generations_in_use)
            assert cages.generations_in_use() == {0}
            now[0] = Checkpoint(graph(tmp_path / "1").path, 1)
            assert await ask(cages, LOOKUP) == b"true"
            assert cages.generations_in_use() == {0, 1}
            long.cancel()
            await asyncio.gather(long, return_exceptions=True)
            assert cages.generations_in_use() == {1}

    run(test)


def test_a_job_ends_at_its_deadline_and_the_pool_goes_on(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            victims = pids(cages)
            begun = time.monotonic()
            with pytest.raises(DeadlineExceeded) as error:
                await ask(cages, PRODUCT, Limits(seconds=1, memory_mb=4096))
            assert 0.9 < time.monotonic() - begun < 2
            assert error.value.facts == {"seconds": 1}
            await until(lambda: sum(map(is_running, victims)) == len(victims) - 1)
            assert await ask(cages, LOOKUP) == b"true"
            assert free(cages)

    run(test)


def test_a_deadline_shorter_than_the_slice_holds_too(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            with pytest.raises(DeadlineExceeded):
                await ask(cages, PRODUCT, Limits(seconds=0.1, memory_mb=4096))
            assert await ask(cages, LOOKUP) == b"true"

    run(test)


def test_a_memory_bomb_ends_only_its_worker(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint, light=2) as cages:
            bomb = asyncio.create_task(ask(cages, PRODUCT, Limits(seconds=30, memory_mb=96)))
            lookups = 0
            while not bomb.done():
                assert await ask(cages, LOOKUP) == b"true"
                lookups += 1
            with pytest.raises(MemoryExceeded) as error:
                await bomb
            assert error.value.facts == {"megabytes": 96}
            assert lookups > 5
            assert await ask(cages, LOOKUP) == b"true"
            assert free(cages)

    run(test)


@pytest.mark.parametrize("before", [96, 4096])
def test_a_memory_bomb_right_behind_lookups_has_its_own_limit(
    checkpoint: Checkpoint, before: int
) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            limits = Limits(seconds=30, memory_mb=before)
            asked = [ask(cages, LOOKUP, limits) for _ in range(5)]
            bomb = ask(cages, PRODUCT, Limits(seconds=6, memory_mb=96, slice_seconds=6))
            *answers, error = await asyncio.gather(*asked, bomb, return_exceptions=True)
            assert answers == [b"true"] * 5
            assert isinstance(error, MemoryExceeded)

    run(test)


def test_lookups_pass_eight_products_and_each_product_ends(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint, light=2, heavy=2) as cages:
            limits = Limits(seconds=3, memory_mb=4096)
            begun = time.monotonic()
            products = [asyncio.create_task(ask(cages, PRODUCT, limits)) for _ in range(8)]
            await asyncio.sleep(0)
            longest, lookups = 0.0, 0
            while time.monotonic() - begun < 2.5:
                asked = time.monotonic()
                assert await ask(cages, LOOKUP) == b"true"
                longest, lookups = max(longest, time.monotonic() - asked), lookups + 1
            assert cages.lanes["heavy"].busy == 2
            ended = await asyncio.gather(*products, return_exceptions=True)
            assert time.monotonic() - begun < 3 + 1
            kinds = {type(error) for error in ended}
            assert kinds <= {DeadlineExceeded, Overloaded}
            assert DeadlineExceeded in kinds
            # 8 products take two light places for a slice each; then lookups pass freely
            assert longest < 2.5
            assert lookups > 10
            assert free(cages)
            assert len(pids(cages)) <= 5

    run(test)


@pytest.mark.parametrize("heavy", [1, 2])
def test_a_long_job_gives_its_light_place_to_one_that_waits(
    checkpoint: Checkpoint, heavy: int
) -> None:
    async def test() -> None:
        async with pool(checkpoint, light=1, heavy=heavy) as cages:
            long = Limits(seconds=40, memory_mb=4096, slice_seconds=20)
            other = asyncio.create_task(ask(cages, PRODUCT, Limits(seconds=40, memory_mb=4096)))
            await until(lambda: cages.lanes["heavy"].busy == 1)
            task = asyncio.create_task(ask(cages, PRODUCT, long))
            await until(lambda: cages.lanes["light"].busy == 1)
            assert await ask(cages, LOOKUP, Limits(seconds=10, memory_mb=512)) == b"true"
            lane = cages.lanes["heavy"]  # it goes on there, or begins again when it is its turn
            assert (lane.busy, lane.waiting, cages.kills) == (heavy, 2 - heavy, 2 - heavy)
            assert not task.done()
            for one in (task, other):
                one.cancel()
            await asyncio.gather(task, other, return_exceptions=True)
            assert free(cages)

    run(test)


def test_our_own_work_keeps_its_place(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint, light=1) as cages:
            ours = Limits(seconds=2, memory_mb=4096, slice_seconds=2)
            task = asyncio.create_task(ask(cages, PRODUCT, ours))
            await until(lambda: cages.lanes["light"].busy == 1)
            with pytest.raises(Overloaded):
                await ask(cages, LOOKUP, Limits(seconds=0.5, memory_mb=512))
            with pytest.raises(DeadlineExceeded):
                await task
            assert free(cages)

    run(test)


def test_a_full_line_refuses_with_a_time_to_come_back(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint, queue=2) as cages:
            limits = Limits(seconds=5, memory_mb=4096, lane="batch")
            tasks = [asyncio.create_task(ask(cages, PRODUCT, limits)) for _ in range(3)]
            await until(lambda: cages.lanes["batch"].waiting == 2)
            with pytest.raises(Overloaded) as error:
                await ask(cages, LOOKUP, limits)
            assert error.value.facts["retry_after"] >= 1
            assert await ask(cages, LOOKUP) == b"true"  # the other lanes do not care
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert free(cages)

    run(test)


def test_who_waits_in_line_past_the_deadline_is_told_to_come_back(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            long = Limits(seconds=4, memory_mb=4096, lane="batch")
            first = asyncio.create_task(ask(cages, PRODUCT, long))
            await until(lambda: cages.lanes["batch"].busy)
            with pytest.raises(Overloaded):
                await ask(cages, LOOKUP, Limits(seconds=0.3, memory_mb=64, lane="batch"))
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            assert free(cages)

    run(test)


def test_a_place_handed_over_is_never_lost() -> None:
    async def test() -> None:
        for cancel_first in (False, True):
            lane = Lane(size=1, queue=3)
            await lane.enter()
            waiting = [asyncio.create_task(lane.enter()) for _ in range(2)]
            await asyncio.sleep(0)
            assert lane.waiting == 2
            if cancel_first:  # gives up, and only then is the place free
                waiting[0].cancel()
                lane.leave()
            else:  # is given the place in the moment of giving up
                lane.leave()
                waiting[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting[0]
            await waiting[1]
            assert (lane.busy, lane.waiting) == (1, 0)
            lane.leave()
            assert lane.busy == 0

    run(test)


def test_leaving_early_kills_the_worker(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            text = "SELECT * { ?a ?b ?c. ?d ?e ?f. ?g ?h ?i }"
            async with cages.job("sparql.query", arguments(), text.encode(), limits=LIMITS) as r:
                victims = pids(cages)
                assert r.complete is None
                async for chunk in r:
                    assert chunk
                    break
            assert cages.kills == 1
            await until(lambda: len([p for p in victims if is_running(p)]) < len(victims))
            assert await ask(cages, LOOKUP) == b"true"
            assert free(cages)

    run(test)


def test_cancelling_at_any_moment_leaves_nothing_behind(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint, light=2) as cages:
            for wait in (0, 0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.26, 0.3):
                task = asyncio.create_task(ask(cages, PRODUCT, LIMITS))
                await asyncio.sleep(wait)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert free(cages)
            assert await ask(cages, LOOKUP) == b"true"
            await until(lambda: len(cages._idle) == cages.processes)  # each is for somebody
            assert cages.processes <= 4

    run(test)


def test_a_worker_whose_caller_left_while_it_started_is_for_the_next(
    checkpoint: Checkpoint,
) -> None:
    async def test() -> None:
        for step in range(12):
            async with pool(checkpoint, start=False) as cages:
                task = asyncio.create_task(ask(cages, LOOKUP))
                if step == 11:  # the last moment: the process is there, its greeting is not
                    await until(lambda cages=cages: cages.processes)  # type: ignore[misc]
                else:
                    await asyncio.sleep(step * 0.01)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await until(  # no process is for nobody
                    lambda cages=cages: len(cages._idle) == cages.processes  # type: ignore[misc]
                )
                assert free(cages)

    run(test)


def test_a_worker_killed_from_outside_is_replaced(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            task = asyncio.create_task(ask(cages, PRODUCT, Limits(seconds=20, memory_mb=4096)))
            await until(lambda: cages.lanes["heavy"].busy)
            (worker,) = [one for one in cages._all if one.used_up]
            os.kill(worker.process.pid or 0, signal.SIGKILL)
            with pytest.raises(WorkerDied, match="try again"):
                await task
            assert await ask(cages, LOOKUP) == b"true"
            await until(lambda: len(cages._idle) == cages.processes)  # none is just being started
            idle = [one.process for one in cages._all]
            for process in idle:  # those who die at rest are noticed before they get a job
                process.kill()
            await until(lambda: not any(process.is_alive() for process in idle))
            assert await ask(cages, LOOKUP) == b"true"
            assert free(cages)

    run(test)


def test_a_graph_comes_with_its_media_type(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            text = b"CONSTRUCT { ?s ?p ?o } { ?s ?p ?o } LIMIT 1"
            async with cages.job("sparql.query", arguments(), text, limits=LIMITS) as r:
                assert r.header == {"media_type": "application/n-triples"}

    run(test)


def test_a_big_result_waits_for_its_reader(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            text = "SELECT * { ?a ?b ?c. ?d ?e ?f } LIMIT 600000"
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            size, lines = 0, 0
            async with cages.job("sparql.query", arguments(), text.encode(), limits=LIMITS) as r:
                assert (r.header, r.complete) == ({}, None)
                await asyncio.sleep(1)  # the worker could write all of it now, if it were let
                pipe = next(one for one in cages._all if one.used_up).pipe
                assert pipe._held + len(pipe._rest) < 4 << 20
                async for chunk in r:
                    size += len(chunk)
                    lines += chunk.count(b"\n")
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            assert lines == 600_001
            assert size > 40 << 20
            assert grown < 20 << 10
            assert free(cages)

    run(test)


LONG = Limits(seconds=40, memory_mb=4096, slice_seconds=40)
"""Of a job that keeps its light place."""


async def value(cages: Pool, number: int) -> bool:
    """Whether the answer to a question is the one to it, not the one to another.

    On a machine that is busy a lookup may take longer than a slice; it is none the heavier.
    """
    text = f"SELECT ?o {{ <http://example.org/{number}> ?p ?o }}"
    limits = Limits(seconds=20, memory_mb=512, slice_seconds=10)
    return await ask(cages, text, limits) == f'?o\n"value {number}"\n'.encode()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands behind a job stays there for long enough, however busy the machine is."""
    monkeypatch.setattr("app.sandbox.pool._AT_ONCE", 0.1)


@pytest.mark.usefixtures("unhurried")
def test_lookups_that_come_at_once_share_a_worker(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint, light=1, queue=0) as cages:  # one place, and no line
            for _ in range(20):
                assert all(await asyncio.gather(*(value(cages, n) for n in range(8))))
            assert (cages.kills, free(cages)) == (0, True)

    run(test)


def test_more_than_share_a_worker_wait_in_line(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint, light=1, queue=200) as cages:
            assert all(await asyncio.gather(*(value(cages, n) for n in range(150))))
            assert free(cages)

    run(test)


async def crowd(
    cages: Pool, text: str, behind: int
) -> tuple[asyncio.Task[bytes], list[asyncio.Task[bool]], Any]:
    """A long job, lookups behind it, and the worker that has been given all of them."""
    long = asyncio.create_task(ask(cages, text, LONG))
    lookups = [asyncio.create_task(value(cages, number)) for number in range(behind)]
    await asyncio.sleep(0)
    (worker,) = [one for one in cages._all if one.users]
    assert worker.users == 1 + behind
    return long, lookups, worker


async def give_up(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.usefixtures("unhurried")
def test_what_stands_behind_a_long_job_is_done_by_another(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint, light=2) as cages:
            long, behind, worker = await crowd(cages, PRODUCT, 5)
            assert all(await asyncio.gather(*behind))
            assert (worker.users, long.done(), cages.kills) == (1, False, 0)
            await give_up(long)
            assert free(cages)

    run(test)


@pytest.mark.usefixtures("unhurried")
def test_what_was_taken_back_is_not_begun_later(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint, light=2) as cages:
            text = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c. ?d ?e ?f }"
            long, behind, worker = await crowd(cages, text, 1)
            assert await behind[0]
            assert [answer.unwanted for answer in worker.pipe.line] == [False, True]
            assert await long == b"?n\n9000000\n"
            await until(lambda: not worker.pipe.line)
            assert all([await value(cages, n) for n in range(20)])  # nobody hears another's answer
            assert (cages.kills, worker in cages._all, free(cages)) == (0, True, True)

    run(test)


@pytest.mark.usefixtures("unhurried")
def test_who_leaves_before_his_turn_kills_nobody(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint, light=1) as cages:
            long, behind, worker = await crowd(cages, PRODUCT, 1)
            await give_up(*behind)
            assert (worker.users, long.done(), cages.kills) == (1, False, 0)
            await give_up(long)
            assert free(cages)

    run(test)


@pytest.mark.usefixtures("unhurried")
def test_who_leaves_when_his_answer_is_there_disturbs_nobody(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            first = asyncio.create_task(value(cages, 1))
            long = asyncio.create_task(ask(cages, PRODUCT, LONG))
            await asyncio.sleep(0)
            (worker,) = [one for one in cages._all if one.users]
            received = worker.pipe.data_received

            def receive(data: bytes) -> None:  # the answer is there, but nobody has read it
                received(data)
                first.cancel()

            worker.pipe.data_received = receive  # type: ignore[method-assign]
            with pytest.raises(asyncio.CancelledError):
                await first
            assert (worker.users, worker.pipe._held) == (1, 0)
            assert (long.done(), cages.kills) == (False, 0)
            await give_up(long)
            assert free(cages)

    run(test)


@pytest.mark.usefixtures("unhurried")
def test_what_was_begun_before_one_could_say_that_it_is_unwanted_is_ended(
    checkpoint: Checkpoint,
) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            first = asyncio.create_task(value(cages, 1))
            unwanted = asyncio.create_task(ask(cages, PRODUCT, LONG))
            await asyncio.sleep(0)
            time.sleep(0.5)  # noqa: ASYNC251 -- the worker is faster than this process
            unwanted.cancel()
            assert await first
            await until(lambda: cages.kills == 1)
            assert await value(cages, 2)
            assert free(cages)

    run(test)


@pytest.mark.usefixtures("unhurried")
def test_a_worker_that_is_killed_takes_only_what_it_does_along(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint, light=2) as cages:
            long, behind, worker = await crowd(cages, PRODUCT, 5)
            os.kill(worker.process.pid or 0, signal.SIGKILL)
            with pytest.raises(WorkerDied, match="try again"):
                await long
            assert all(await asyncio.gather(*behind))
            assert free(cages)

    run(test)


def test_answers_are_never_mixed_up_whoever_comes_and_goes(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        chance = random.Random(7)
        short = Limits(seconds=0.4, memory_mb=4096)
        slow = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c. ?d ?e ?f FILTER(?a != ?d) } LIMIT 1"
        async with pool(checkpoint, light=2, heavy=1, queue=500) as cages:
            tasks: list[asyncio.Task[object]] = []
            wrong: list[object] = []
            for number in range(1_500):
                kind = chance.random()
                if kind < 0.01:
                    tasks.append(asyncio.create_task(ask(cages, slow, short)))
                else:
                    tasks.append(asyncio.create_task(value(cages, number)))
                if kind > 0.9:
                    chance.choice(tasks).cancel()
                if kind > 0.7:
                    await asyncio.sleep(chance.choice((0, 0.001, 0.01)))
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                fine = ended is True or isinstance(
                    ended, bytes | asyncio.CancelledError | DeadlineExceeded | Overloaded
                )
                if not fine:
                    wrong.append(ended)
            assert wrong == []
            await until(lambda: free(cages))
            assert all([await value(cages, n) for n in range(20)])

    run(test)


def test_faults_of_a_job_reach_the_caller_as_what_they_are(checkpoint: Checkpoint) -> None:
    async def test() -> None:
        async with pool(checkpoint) as cages:
            before = pids(cages)
            with pytest.raises(QueryRejected):
                await ask(cages, "SELECT (<http://x/f>(1) AS ?x) {}")
            with pytest.raises(AppError, match="AttributeError") as error:
                await cages.run("sparql.unheard_of", {}, limits=LIMITS)
            assert type(error.value) is AppError
            assert pids(cages) == before

    run(test)


def test_service_reaches_no_listener_even_without_the_first_wall() -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.5)
            port = listener.getsockname()[1]
            async with pool() as cages:
                assert cages.network_refused is True
                for text in (
                    f"SELECT * {{ SERVICE <http://127.0.0.1:{port}/> {{ ?s ?p ?o }} }}",
                    f"SELECT * {{ SERVICE <http://localhost:{port}/> {{ ?s ?p ?o }} }}",
                ):
                    with pytest.raises((FederationRefused, QueryRejected)):
                        await ask(cages, text)
                silent = f"SELECT * {{ SERVICE SILENT <http://127.0.0.1:{port}/> {{ ?s ?p ?o }} }}"
                await ask(cages, silent)
            with pytest.raises(TimeoutError):
                listener.accept()

    run(test)


def test_a_stopped_pool_leaves_no_process_and_no_descriptor(checkpoint: Checkpoint) -> None:
    async def use() -> set[int]:
        async with pool(checkpoint, light=2) as cages:
            await ask(cages, LOOKUP)
            busy = asyncio.create_task(ask(cages, PRODUCT, Limits(seconds=20, memory_mb=4096)))
            await until(lambda: cages.lanes["heavy"].busy)
            seen = pids(cages)
        with pytest.raises(WorkerDied):
            await busy
        assert cages.processes == 0
        return seen

    asyncio.run(use())  # the forkserver itself stays, so it is not counted
    before = descriptors()
    seen = asyncio.run(use())
    assert seen
    deadline = time.monotonic() + 10
    while any(map(is_running, seen)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(is_running, seen))
    gc.collect()
    assert descriptors() - before == set()
