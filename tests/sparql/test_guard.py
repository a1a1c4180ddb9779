"""What a client may ask, told by a clock that the test moves."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from app.errors import (
    DeadlineExceeded,
    FederationRefused,
    PayloadTooLarge,
    RateLimited,
    SyntaxRejected,
)
from app.sparql import guard as module
from app.sparql.evaluation import Answer
from app.sparql.guard import QUERIES, Allowance, Client, Guard, Outcome, Quota, fingerprint
from app.sparql.operation import Query

QUERY = Query("SELECT * { ?secret ?p ?o }")
ANN, BOB = Client("192.0.2.1"), Client("192.0.2.2")


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def given(*, queries: int = 3, seconds: int = 60, at_once: int = 2) -> Allowance:
    return Allowance(Quota(queries, 60), Quota(seconds, 60), at_once)


def guarded(
    allowance: Allowance, clock: Clock, *, max_bytes: int = 100
) -> tuple[Guard, list[Outcome]]:
    told: list[Outcome] = []
    both = (allowance, given(queries=100))
    return Guard(both, max_result_bytes=max_bytes, told=told.append, now=clock), told


async def nothing() -> AsyncIterator[bytes]:
    for chunk in (b"0123456789",) * 3:
        yield chunk


def whole(body: bytes = b"{}") -> Answer:
    return Answer(1, "application/sparql-results+json", body, nothing())


def streamed() -> Answer:
    return Answer(1, "text/csv", None, nothing())


async def ask(guard: Guard, client: Client | None) -> None:
    with guard.admitted(client, QUERY) as visit:
        visit.measured(whole())


def test_queries_are_counted_for_each_client_and_come_back_evenly() -> None:
    async def scene() -> None:
        clock = Clock()
        guard, _ = guarded(given(), clock)
        for _ in range(3):
            await ask(guard, ANN)
        assert guard.fields(ANN)["RateLimit"].startswith('"queries";r=0;t=60, ')
        with pytest.raises(RateLimited) as refused:
            await ask(guard, ANN)
        assert refused.value.facts == {
            "policy": "queries", "quota": 3, "window": 60, "retry_after": 20,
        }  # fmt: skip
        await ask(guard, BOB)
        await ask(guard, None)
        clock.now = 19.9
        with pytest.raises(RateLimited):
            await ask(guard, ANN)
        clock.now = 20.1
        await ask(guard, ANN)
        with pytest.raises(RateLimited):
            await ask(guard, ANN)

    asyncio.run(scene())


def test_a_key_has_its_own_allowance() -> None:
    async def scene() -> None:
        guard, _ = guarded(given(), Clock())
        for _ in range(50):
            await ask(guard, Client("partner demo", keyed=True))
        fields = guard.fields(Client("partner demo", keyed=True))
        assert fields["RateLimit-Policy"] == '"queries";q=100;w=60, "seconds";q=60;w=60'

    asyncio.run(scene())


def test_seconds_are_owed_and_the_debt_must_be_waited_off() -> None:
    async def scene() -> None:
        clock = Clock()
        guard, _ = guarded(given(queries=100, seconds=60), clock)
        account = guard._enter(ANN)
        assert account
        account.leave(75)
        assert '"seconds";r=0;t=75' in guard.fields(ANN)["RateLimit"]
        with pytest.raises(RateLimited, match="seconds of evaluation") as refused:
            await ask(guard, ANN)
        assert refused.value.facts["retry_after"] == 16
        clock.now = 16
        await ask(guard, ANN)

    asyncio.run(scene())


def test_what_a_query_took_is_taken_from_its_client() -> None:
    async def scene() -> None:
        guard, told = guarded(given(seconds=60), Clock())
        with guard.admitted(ANN, QUERY) as visit:
            await asyncio.sleep(0.05)
            visit.measured(whole())
            await asyncio.sleep(0.2)  # who reads slowly what is there, costs nothing
        account = guard._account(ANN)
        assert account
        assert account.seconds.left == pytest.approx(60 - told[0].seconds)
        assert 0.05 <= told[0].seconds < 0.2
        assert account.running == 0

    asyncio.run(scene())


def test_a_client_has_only_so_many_at_one_time() -> None:
    async def scene() -> None:
        guard, _ = guarded(given(queries=100), Clock())
        with guard.admitted(ANN, QUERY), guard.admitted(ANN, QUERY):
            with pytest.raises(RateLimited, match="2 queries of yours") as refused:
                await ask(guard, ANN)
            assert refused.value.facts["policy"] == "at-once"
            await ask(guard, BOB)
        await ask(guard, ANN)

    asyncio.run(scene())


def test_many_clients_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        clock = Clock()
        guard, _ = guarded(given(queries=1), clock)
        with guard.admitted(ANN, QUERY):
            for n in range(1_000):
                await ask(guard, Client(str(n)))
            assert len(guard._accounts) <= 50
            assert ANN.name in guard._accounts, "who has a query running must not be forgotten"
        with pytest.raises(RateLimited):
            await ask(guard, Client("999"))
        clock.now = 1_000
        await ask(guard, BOB)

    monkeypatch.setattr(module, "MAX_CLIENTS", 50)
    asyncio.run(scene())


@pytest.mark.parametrize(
    ("raised", "reason", "logged"),
    [
        (DeadlineExceeded(20), "deadline", True),
        (FederationRefused("no"), "federation-refused", True),
        (SyntaxRejected("no"), "syntax", False),
        (asyncio.CancelledError(), "client-gone", True),
        (ConnectionError(), "cut-off", True),
    ],
)
def test_a_refused_or_cut_query_is_logged_without_saying_who_or_what(
    raised: BaseException, reason: str, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> list[Outcome]:
        guard, told = guarded(given(), Clock())
        with pytest.raises(type(raised)), guard.admitted(ANN, QUERY):
            raise raised
        return told

    with caplog.at_level(logging.INFO, QUERIES.name):
        told = asyncio.run(scene())
    assert [one.reason for one in told] == [reason]
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert len(lines) == logged
    for line in lines:
        assert set(line) == {"time", "event", "reason", "door", "seconds", "bytes", "query"}
        assert (line["reason"], line["query"]) == (reason, fingerprint(QUERY.text))
    assert ANN.name not in caplog.text
    assert "secret" not in caplog.text


def test_an_answer_that_is_too_long_is_cut_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> list[Outcome]:
        guard, told = guarded(given(), Clock(), max_bytes=25)
        with guard.admitted(ANN, QUERY) as visit:
            answer = visit.measured(streamed())
            with pytest.raises(PayloadTooLarge):
                _ = [chunk async for chunk in answer.chunks]
        with pytest.raises(PayloadTooLarge), guard.admitted(ANN, QUERY) as visit:
            visit.measured(whole(b"x" * 26))
        with guard.admitted(None, QUERY) as visit:
            visit.measured(whole(b"x" * 25))
        return told

    told = asyncio.run(scene())
    assert [(one.reason, one.bytes) for one in told] == [
        ("too-large", 30), ("too-large", 26), ("answered", 25),
    ]  # fmt: skip
    assert caplog.text.count("too-large") == 2


def test_nobody_is_counted_when_switched_off() -> None:
    async def scene() -> None:
        guard = Guard(None, max_result_bytes=100)
        for _ in range(1_000):
            await ask(guard, ANN)
        assert guard.fields(ANN) == {}
        assert guard._accounts == {}

    asyncio.run(scene())
