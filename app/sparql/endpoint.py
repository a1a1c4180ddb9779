"""`/sparql`: what stands in front of the evaluation, free of HTTP; `api.sparql` speaks HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from app.errors import (
    AppError,
    DeadlineExceeded,
    FederationRefused,
    MemoryExceeded,
    QueryRejected,
    SyntaxRejected,
)
from app.sparql.cache import Kept, ResultCache, etag, repeatable
from app.sparql.evaluation import Answer, Evaluator
from app.sparql.guard import Client, Guard
from app.sparql.operation import Query

_SAME_FOR_ALL: Final = (
    SyntaxRejected,
    QueryRejected,
    FederationRefused,
    # Who began first had as much time as those who follow have; each trying again would only make
    # the queue longer.
    DeadlineExceeded,
    MemoryExceeded,
)
"""Errors that are the query's, not the client's or the moment's."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query, whom it counts for, and where it came in."""

    query: Query
    client: Client | None
    door: str


class Endpoint:
    """Answers queries by an Evaluator; results are kept, and who asks the same at once shares one.

    The first to ask leads, the others follow: they wait for a complete result, or an error that
    would be theirs, too. If the leader's result must be streamed, or fails for a reason of its
    own, they ask for themselves. A deadline counts from the arrival of the leader.
    """

    def __init__(self, evaluator: Evaluator, cache: ResultCache, guard: Guard) -> None:
        self._evaluator = evaluator
        self._guard = guard
        self._flights: dict[Query, Flight] = {}
        self.cache = cache
        self.shared = 0

    def kept(self, query: Query) -> Kept | None:
        """The result, if it is there already: the way of most requests, so nothing waits here."""
        return self.cache.get(query, self._evaluator.generation())

    def tag(self, query: Query) -> str | None:
        """What the result's ETag would be now, without evaluating; None if it has none."""
        return etag(query, self._evaluator.generation()) if repeatable(query) else None

    def refused(self, error: AppError) -> None:
        """Note a query that was refused before it was read."""
        self._guard.refused(error)

    def evaluate(
        self, query: Query, client: Client | None = None, *, door: str = "sparql"
    ) -> AbstractAsyncContextManager[Answer]:
        """The answer for a client, None for the service itself; leaving early stops the work.

        What is answered from memory, or shared, counts for nobody. Raises RateLimited and what
        `Evaluator.evaluate` raises.
        """
        asked = _Asked(query, client, door)
        if kept := self.kept(query):
            return contextlib.nullcontext(_answer(kept))
        if not repeatable(query):
            return self._evaluated(asked)
        if flight := self._flights.get(query):
            return self._following(asked, flight)
        return _Leading(self, asked)

    @contextlib.asynccontextmanager
    async def _evaluated(self, asked: _Asked) -> AsyncIterator[Answer]:
        """Every evaluation, and nothing that is answered from memory, goes through here."""
        async with (
            self._guard.admitted(asked.client, asked.query, door=asked.door) as visit,
            self._evaluator.evaluate(asked.query) as answer,
        ):
            yield visit.measured(answer)

    @contextlib.asynccontextmanager
    async def _following(self, asked: _Asked, flight: Flight) -> AsyncIterator[Answer]:
        if kept := await flight.follow():
            self.shared += 1
            yield _answer(kept)
            return
        async with _Leading(self, asked) as answer:
            yield answer

    async def nobody_follows(self, query: Query, leader: asyncio.Task[object] | None) -> None:
        """Wait until nobody else wants what this task evaluates."""
        flight = self._flights.get(query)
        if flight and flight.leader is leader:
            await flight.left_alone()


class _Leading:
    """An evaluation whose result is kept, and shared unless another one is under way.

    A class, since generators would cost a lookup a tenth of its time.
    """

    def __init__(self, endpoint: Endpoint, asked: _Asked) -> None:
        self._endpoint = endpoint
        self._query = asked.query
        self._evaluation = endpoint._evaluated(asked)
        self._flight: Flight | None = None

    async def __aenter__(self) -> Answer:
        flights = self._endpoint._flights
        if self._query not in flights:
            self._flight = flights[self._query] = Flight()
        self._endpoint.cache.misses += 1
        try:
            answer = await self._evaluation.__aenter__()
        except BaseException as error:
            self._land(error if isinstance(error, _SAME_FOR_ALL) else None)
            raise
        tag = etag(self._query, answer.generation)
        kept = None
        if answer.complete is not None:
            kept = Kept(answer.generation, answer.media_type, answer.complete, tag)
            self._endpoint.cache.put(self._query, kept)
        self._land(kept)
        return Answer(answer.generation, answer.media_type, answer.complete, answer.chunks, tag)

    async def __aexit__(self, *raised: Any) -> bool | None:
        return await self._evaluation.__aexit__(*raised)

    def _land(self, outcome: Kept | AppError | None) -> None:
        if self._flight:
            del self._endpoint._flights[self._query]
            self._flight.land(outcome)


class Flight:
    """An evaluation under way, the task that leads it, and those who wait for it."""

    def __init__(self) -> None:
        self.leader = asyncio.current_task()
        self._followers: set[asyncio.Future[Kept | None]] = set()
        self._alone: asyncio.Future[None] | None = None

    async def follow(self) -> Kept | None:
        """The leader's result; None if it cannot be shared. Raises an error that is the query's."""
        landing: asyncio.Future[Kept | None] = asyncio.get_running_loop().create_future()
        self._followers.add(landing)
        try:
            return await landing
        finally:
            self._left(landing)

    def land(self, outcome: Kept | AppError | None) -> None:
        """Let the followers have result or error; None tells them to ask for themselves."""
        for landing in self._followers:
            if landing.done():
                continue
            if isinstance(outcome, AppError):
                landing.set_exception(outcome)
            else:
                landing.set_result(outcome)

    async def left_alone(self) -> None:
        """Wait until the last follower has left."""
        if self._followers:
            self._alone = asyncio.get_running_loop().create_future()
            await self._alone

    def _left(self, landing: asyncio.Future[Kept | None]) -> None:
        self._followers.discard(landing)
        if not self._followers and self._alone and not self._alone.done():
            self._alone.set_result(None)


def _answer(kept: Kept) -> Answer:
    async def whole() -> AsyncIterator[bytes]:
        yield kept.body

    return Answer(kept.generation, kept.media_type, kept.body, whole(), kept.etag)
