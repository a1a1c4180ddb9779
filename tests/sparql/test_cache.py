"""Results that are kept, and evaluations that are shared."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from app.errors import AppError, DeadlineExceeded, Overloaded, SyntaxRejected
from app.sparql.cache import Kept, ResultCache, etag
from app.sparql.endpoint import Endpoint, Evaluation
from app.sparql.evaluation import Answer
from app.sparql.guard import Guard
from app.sparql.operation import Query

ASK = Query("ASK {}")
TEXT = "text/csv"
UNGUARDED = Guard(None, max_result_bytes=1 << 20)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bounded())


class Evaluations:
    """An evaluator whose evaluations end when the test says how."""

    def __init__(self) -> None:
        self.now = 1
        self.begun = 0
        self.stopped = 0
        self.whole = True
        self._outcomes: asyncio.Queue[bytes | AppError] = asyncio.Queue()

    def end(self, outcome: bytes | AppError) -> None:
        self._outcomes.put_nowait(outcome)

    def generation(self) -> int:
        return self.now

    @contextlib.asynccontextmanager
    async def evaluate(self, query: Query) -> AsyncIterator[Answer]:
        assert query
        self.begun += 1
        generation = self.now
        try:
            outcome = await self._outcomes.get()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        if isinstance(outcome, AppError):
            raise outcome

        async def chunks() -> AsyncIterator[bytes]:
            yield outcome

        yield Answer(generation, TEXT, outcome if self.whole else None, chunks())


async def ask(endpoint: Endpoint, query: Query = ASK) -> tuple[bytes, str | None]:
    return await result(endpoint.evaluate(query))


async def result(evaluation: Evaluation) -> tuple[bytes, str | None]:
    async with evaluation as answer:
        return b"".join([chunk async for chunk in answer.chunks]), answer.etag


def together(endpoint: Endpoint, number: int) -> list[asyncio.Task[tuple[bytes, str | None]]]:
    return [asyncio.create_task(ask(endpoint)) for _ in range(number)]


async def settled() -> None:
    """Every task has come to where it has to wait."""
    for _ in range(10):
        await asyncio.sleep(0)


def kept(size: int, generation: int = 1) -> Kept:
    return Kept(generation, TEXT, b"x" * size, f'"{size}"')


def test_what_was_asked_longest_ago_leaves_first() -> None:
    cache = ResultCache(80_000)
    queries = [Query(f"ASK {{}} # {n}") for n in range(30)]
    for query in queries:
        cache.put(query, kept(3_000))
        assert cache.get(queries[0], 1)
        assert cache.bytes <= 80_000
    assert cache.get(queries[1], 1) is None
    assert cache.get(queries[-1], 1) == kept(3_000)
    assert 10 < cache.entries < 25
    assert cache.hits == 31


def test_a_result_is_counted_once_however_often_it_is_put() -> None:
    cache = ResultCache(1 << 20)
    cache.put(ASK, kept(100))
    once = cache.bytes
    cache.put(ASK, kept(100))
    assert (cache.bytes, cache.entries) == (once, 1)


def test_nothing_is_kept_that_is_too_large_or_when_it_is_off() -> None:
    cache = ResultCache(160_000)
    cache.put(ASK, kept(10_000))
    assert cache.entries == 0
    cache.put(Query("x" * 10_000), kept(10))  # the text counts, too
    assert cache.entries == 0
    off = ResultCache(0)
    off.put(ASK, kept(0))
    assert (off.entries, off.get(ASK, 1)) == (0, None)


def test_a_new_generation_drops_the_results_of_the_old_one() -> None:
    cache = ResultCache(1 << 20)
    cache.put(ASK, kept(1, generation=1))
    assert cache.get(ASK, 1)
    assert cache.get(ASK, 2) is None
    assert (cache.entries, cache.bytes) == (0, 0)
    cache.put(ASK, kept(1, generation=1))  # one that took long
    assert cache.entries == 0
    cache.put(ASK, kept(1, generation=3))
    assert cache.get(ASK, 2) is None
    assert cache.get(ASK, 3)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT (RAND() AS ?x) {}",
        "SELECT (now() AS ?x) {}",
        "SELECT (\\u004eOW() AS ?x) {}",
        "SELECT (UUID() AS ?x) {}",
        "SELECT (STRUUID() AS ?x) {}",
        "SELECT * {SERVICE <http://example.org/> {?s ?p ?o}}",
        "SELECT (\\u004eOW() AS ?x) {} #" + "x" * 10_000,
    ],
)
def test_what_the_generation_does_not_decide_on_has_no_etag(text: str) -> None:
    assert not Query(text).repeatable


@pytest.mark.parametrize(
    "text",
    [
        "SELECT (BNODE() AS ?x) {}",
        "SELECT ?now { ?now foaf:knows <http://example.org/RAND> } # UUID",
        'SELECT ("NOW()" AS ?x) {}',
        "ASK {} #" + "x" * 10_000 + " now",
    ],
)
def test_what_it_does_decide_on_has_one(text: str) -> None:
    assert Query(text).repeatable


def test_an_etag_tells_generations_texts_datasets_and_formats_apart() -> None:
    queries = [
        ASK,
        Query("ASK { }"),
        Query(ASK.text, default_graphs=("http://a/",)),
        Query(ASK.text, named_graphs=("http://a/",)),
        Query(ASK.text, results="text/csv"),
        Query(ASK.text, graphs="text/csv"),
    ]
    assert len({etag(query, generation) for query in queries for generation in (1, 2)}) == 12


def test_who_asks_the_same_at_once_shares_one_evaluation() -> None:
    async def test() -> None:
        evaluations = Evaluations()
        endpoint = Endpoint(evaluations, ResultCache(1 << 20), UNGUARDED)
        asked = together(endpoint, 5)
        await settled()
        evaluations.end(b"result")
        assert {await one for one in asked} == {(b"result", etag(ASK, 1))}
        assert await ask(endpoint) == (b"result", etag(ASK, 1))
        assert (evaluations.begun, endpoint.shared) == (1, 4)
        assert (endpoint.cache.misses, endpoint.cache.hits) == (1, 1)

    run(test)


def test_a_result_of_an_old_generation_is_not_given_again() -> None:
    async def test() -> None:
        evaluations = Evaluations()
        endpoint = Endpoint(evaluations, ResultCache(1 << 20), UNGUARDED)
        evaluations.end(b"old")
        await ask(endpoint)
        evaluations.now = 2
        assert endpoint.evaluate(ASK).kept is None
        evaluations.end(b"new")
        assert await ask(endpoint) == (b"new", etag(ASK, 2))

    run(test)


def test_what_changes_each_time_is_evaluated_each_time() -> None:
    async def test() -> None:
        evaluations = Evaluations()
        endpoint = Endpoint(evaluations, ResultCache(1 << 20), UNGUARDED)
        query = Query("SELECT (RAND() AS ?x) {}")
        for result in (b"1", b"2"):
            evaluations.end(result)
            assert await ask(endpoint, query) == (result, None)
        assert endpoint.tag(query) is None
        assert endpoint.cache.entries == 0

    run(test)


def test_who_follows_a_stream_asks_for_itself() -> None:
    async def test() -> None:
        evaluations = Evaluations()
        evaluations.whole = False
        endpoint = Endpoint(evaluations, ResultCache(1 << 20), UNGUARDED)
        asked = together(endpoint, 3)
        await settled()
        assert evaluations.begun == 1
        for _ in asked:
            evaluations.end(b"stream")
        assert {await one for one in asked} == {(b"stream", etag(ASK, 1))}
        assert (evaluations.begun, endpoint.shared, endpoint.cache.entries) == (3, 0, 0)
        assert endpoint._flights == {}

    run(test)


@pytest.mark.parametrize("error", [SyntaxRejected("no"), DeadlineExceeded(1)])
def test_an_error_of_the_query_is_for_all(error: AppError) -> None:
    async def test() -> None:
        evaluations = Evaluations()
        endpoint = Endpoint(evaluations, ResultCache(1 << 20), UNGUARDED)
        asked = together(endpoint, 4)
        await settled()
        evaluations.end(error)
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in ended] == [type(error)] * 4
        assert evaluations.begun == 1
        evaluations.end(b"now it works")  # an error is not kept
        assert (await ask(endpoint))[0] == b"now it works"

    run(test)


def test_an_error_of_the_moment_is_for_one() -> None:
    async def test() -> None:
        evaluations = Evaluations()
        endpoint = Endpoint(evaluations, ResultCache(1 << 20), UNGUARDED)
        leader, *followers = together(endpoint, 3)
        await settled()
        evaluations.end(Overloaded(retry_after=1))
        with pytest.raises(Overloaded):
            await leader
        for _ in followers:
            evaluations.end(b"result")
        assert [(await one)[0] for one in followers] == [b"result"] * 2

    run(test)


def test_the_work_goes_on_until_the_last_one_has_left() -> None:
    async def test() -> None:
        evaluations = Evaluations()
        endpoint = Endpoint(evaluations, ResultCache(1 << 20), UNGUARDED)
        leading = endpoint.evaluate(ASK)
        leader = asyncio.create_task(result(leading))
        first, second = together(endpoint, 2)
        await settled()
        leaving = asyncio.create_task(leading.nobody_follows())
        first.cancel()
        await settled()
        assert not leaving.done()
        second.cancel()
        await leaving
        leader.cancel()  # as the door does it then
        await asyncio.gather(leader, first, second, return_exceptions=True)
        assert (evaluations.begun, evaluations.stopped, endpoint._flights) == (1, 1, {})

    run(test)


def test_who_follows_can_leave_at_once_and_gets_it_when_the_leader_is_broken_off() -> None:
    async def test() -> None:
        evaluations = Evaluations()
        endpoint = Endpoint(evaluations, ResultCache(1 << 20), UNGUARDED)
        (leader,) = together(endpoint, 1)
        await settled()
        following = endpoint.evaluate(ASK)
        follower = asyncio.create_task(result(following))
        await settled()
        await following.nobody_follows()
        leader.cancel()
        evaluations.end(b"result")
        assert (await follower)[0] == b"result"
        assert (evaluations.begun, evaluations.stopped) == (2, 1)

    run(test)
