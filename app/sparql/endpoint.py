"""`/sparql`: what stands in front of the evaluation, free of HTTP; `api.sparql` speaks HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final

from app.errors import (
    AppError,
    DeadlineExceeded,
    FederationRefused,
    MemoryExceeded,
    PayloadTooLarge,
    QueryRejected,
    SyntaxRejected,
)
from app.sparql.cache import Kept, ResultCache, etag
from app.sparql.evaluation import Answer, Evaluator
from app.sparql.guard import Client, Guard, Visit
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

    def tag(self, query: Query) -> str | None:
        """What the result's ETag would be now, without evaluating; None if it has none."""
        return etag(query, self._evaluator.generation()) if query.repeatable else None

    def refused(self, error: AppError) -> None:
        """Note a query that was refused before it was read."""
        self._guard.refused(error)

    def evaluate(
        self, query: Query, client: Client | None = None, *, door: str = "sparql"
    ) -> Evaluation:
        """The answer for a client, None for the service itself, as a context.

        What is answered from memory, or shared, counts for nobody. To enter raises RateLimited and
        what `Evaluator.evaluate` raises; to leave early stops the work.
        """
        return Evaluation(self, query, client, door)


class Evaluation:
    """A query on its way to an answer: from memory, from another's evaluation or from its own.

    `kept` is the result that is there already, if it is. The result of a repeatable query is kept,
    and shared unless another evaluation of it is under way. A class, since generators would cost a
    lookup a tenth of its time.
    """

    def __init__(self, endpoint: Endpoint, query: Query, client: Client | None, door: str) -> None:
        self._endpoint = endpoint
        self.query = query
        self._client = client
        self._door = door
        self.kept = endpoint.cache.get(query, endpoint._evaluator.generation())
        self._flight: Flight | None = None
        self._visit: Visit | None = None

    async def __aenter__(self) -> Answer:
        endpoint, query = self._endpoint, self.query
        if self.kept:
            return _answer(self.kept)
        if not query.repeatable:
            return await self._evaluated()
        if (flight := endpoint._flights.get(query)) and (kept := await flight.follow()):
            endpoint.shared += 1
            return _answer(kept)
        return await self._leading()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        if self._visit is None:
            return None
        try:
            return await self._running.__aexit__(kind, error, trace)
        finally:
            self._visit.end(error)

    async def nobody_follows(self) -> None:
        """Wait until nobody else wants what this evaluates."""
        if self._flight:
            await self._flight.left_alone()

    async def _leading(self) -> Answer:
        endpoint, query = self._endpoint, self.query
        if query not in endpoint._flights:
            self._flight = endpoint._flights[query] = Flight()
        endpoint.cache.misses += 1
        try:
            answer = await self._evaluated()
        except BaseException as error:
            self._land(error if isinstance(error, _SAME_FOR_ALL) else None)
            raise
        generation, media_type, complete, chunks, _ = answer
        tag = etag(query, generation)
        kept = None
        if complete is not None:
            kept = Kept(generation, media_type, complete, tag)
            endpoint.cache.put(query, kept)
        self._land(kept)
        return Answer(generation, media_type, complete, chunks, tag)

    async def _evaluated(self) -> Answer:
        endpoint, query = self._endpoint, self.query
        visit = endpoint._guard.admitted(self._client, query, door=self._door)
        self._running = endpoint._evaluator.evaluate(query)
        try:
            answer = await self._running.__aenter__()
        except BaseException as error:
            visit.end(error)
            raise
        self._visit = visit
        try:
            return visit.measured(answer)
        except PayloadTooLarge as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise

    def _land(self, outcome: Kept | AppError | None) -> None:
        if self._flight:
            del self._endpoint._flights[self.query]
            self._flight.land(outcome)
            self._flight = None


class Flight:
    """An evaluation under way, and those who wait for it."""

    def __init__(self) -> None:
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
