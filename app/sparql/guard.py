"""What each client may ask of the evaluation, what every query cost, and why some were refused.

Two quotas and a bound for each client: queries in a window, seconds of evaluation in a window, and
queries that run or wait at one time. A quota is a token bucket: what was used comes back evenly
over the window. Seconds are known only afterwards, so who has any left may begin, and what a query
took beyond that is owed; a deadline bounds how much. Free of HTTP, and of any address: a client is
a name.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import math
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from app.errors import (
    AppError,
    FederationRefused,
    InvalidRequest,
    NotAcceptable,
    PayloadTooLarge,
    RateLimited,
)
from app.sparql.evaluation import Answer
from app.sparql.operation import Query

QUERIES: Final = logging.getLogger("lifetec.queries")
"""One line of JSON for every query that was refused or cut; see docs/operating.md."""

MAX_CLIENTS: Final = 10_000
"""Clients that are remembered at one time."""

ANSWERED: Final = "answered"
CLIENT_GONE: Final = "client-gone"
CUT_OFF: Final = "cut-off"


@dataclass(frozen=True, slots=True)
class Client:
    """Whom a query counts for. `keyed` are those who sent a key."""

    name: str
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class Quota:
    """So much in so many seconds."""

    amount: int
    window: int

    def times(self, factor: int) -> Quota:
        """The same window, and `factor` times as much in it."""
        return Quota(self.amount * factor, self.window)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one client may have."""

    queries: Quota
    seconds: Quota
    at_once: int


class Outcome(NamedTuple):
    """How a query ended: `answered`, the slug of an error, `client-gone` or `cut-off`.

    `seconds` from its admission to its last byte, the waiting for a worker included; `bytes` of
    the result that were made.
    """

    reason: str
    door: str
    seconds: float
    bytes: int
    query: str | None
    ordinary: bool
    """Whether it was answered, or was the sender's own mistake; only the others are logged."""

    def line(self) -> str:
        """One line of JSON, without anything about who asked or what."""
        return json.dumps(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "event": "query",
                "reason": self.reason,
                "door": self.door,
                "seconds": round(self.seconds, 3),
                "bytes": self.bytes,
                "query": self.query,
            }
        )


@dataclass(slots=True)
class _Bucket:
    """What is left of a quota; less than nothing is owed."""

    name: str
    unit: str
    quota: Quota
    left: float

    def refill(self, passed: float) -> None:
        """Give back what `passed` seconds bring."""
        most = float(self.quota.amount)
        self.left = min(most, self.left + passed * most / self.quota.window)

    def require(self, needed: float) -> None:
        """Raise RateLimited unless so much, or anything at all, is left."""
        if self.left <= 0 or self.left < needed:
            raise RateLimited(
                self.name,
                quota=self.quota.amount,
                window=self.quota.window,
                unit=self.unit,
                retry_after=max(1, self._seconds_until(max(1.0, needed))),
            )

    @property
    def policy(self) -> str:
        """An item of RateLimit-Policy."""
        return f'"{self.name}";q={self.quota.amount};w={self.quota.window}'

    @property
    def state(self) -> str:
        """An item of RateLimit: what is left, and when all of it is back."""
        reset = self._seconds_until(self.quota.amount)
        return f'"{self.name}";r={max(0, int(self.left))};t={reset}'

    def _seconds_until(self, amount: float) -> int:
        return math.ceil((amount - self.left) * self.quota.window / self.quota.amount)


class _Account:
    """What a client has left, as of a moment."""

    __slots__ = ("at", "at_once", "queries", "running", "seconds")

    def __init__(self, given: Allowance, now: float) -> None:
        self.queries = _Bucket("queries", "queries", given.queries, float(given.queries.amount))
        self.seconds = _Bucket(
            "seconds", "seconds of evaluation", given.seconds, float(given.seconds.amount)
        )
        self.at_once = given.at_once
        self.running = 0
        self.at = now

    def refill(self, now: float) -> None:
        """Give back what the time since the last look brings."""
        self.queries.refill(now - self.at)
        self.seconds.refill(now - self.at)
        self.at = now

    def enter(self) -> None:
        """Begin a query; raises RateLimited."""
        if self.running >= self.at_once:
            raise RateLimited("at-once", quota=self.at_once, unit="queries", retry_after=1)
        self.queries.require(1)
        self.seconds.require(0)
        self.queries.left -= 1
        self.running += 1

    def leave(self, seconds: float) -> None:
        """End one that took so long."""
        self.running -= 1
        self.seconds.left -= seconds


class Visit:
    """One query from its admission to its end; `measured` is given its answer.

    As a context, what leaves the block as an exception says how the query ended.
    """

    __slots__ = ("_account", "_began", "_door", "_guard", "_open", "_query", "bytes")

    def __init__(self, guard: Guard, account: _Account | None, query: Query, door: str) -> None:
        self.bytes = 0
        self._began = time.monotonic()
        self._guard = guard
        self._account = account
        self._query = query
        self._door = door
        self._open = True

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.end(error)  # without one, a HEAD is answered without reading the result

    @property
    def seconds(self) -> float:
        """Since its admission."""
        return time.monotonic() - self._began

    def measured(self, answer: Answer) -> Answer:
        """The same answer. A whole one has cost all that it will, however slowly it is read."""
        if answer.complete is None:
            return answer._replace(chunks=self._counted(answer.chunks))
        self.bytes = len(answer.complete)
        self._refuse_too_large()
        self.end()
        return answer

    async def _counted(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                self.bytes += len(chunk)
                self._refuse_too_large()
                yield chunk
        except AppError as error:
            self.end(error)
            raise
        self.end()

    def _refuse_too_large(self) -> None:
        most = self._guard.max_result_bytes
        if self.bytes > most:
            raise PayloadTooLarge(f"The result is longer than {most >> 20} MB; add a LIMIT.")

    def end(self, error: BaseException | None = None) -> None:
        """Settle the account; only the first call counts."""
        if self._open:
            self._open = False
            seconds = self.seconds
            if self._account:
                self._account.leave(seconds)
            self._guard.tell(_outcome(error, self._door, self._query.text, seconds, self.bytes))


class Guard:
    """Admits queries by what their clients have left.

    `allowances` are those of clients without and with a key; None admits everybody. `told` hears
    of every outcome. Nothing waits here: who has nothing left is refused at once.
    """

    def __init__(
        self,
        allowances: tuple[Allowance, Allowance] | None,
        *,
        max_result_bytes: int,
        told: Callable[[Outcome], None] = lambda _: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowances = allowances
        self.max_result_bytes = max_result_bytes
        self._told = told
        self._now = now
        self._accounts: dict[str, _Account] = {}

    def admitted(self, client: Client | None, query: Query, *, door: str = "sparql") -> Visit:
        """A visit in which the query may be evaluated; None asks for the service itself.

        Raises RateLimited.
        """
        try:
            account = None if client is None else self._enter(client)
        except RateLimited as error:
            self.tell(_outcome(error, door, query.text, 0.0, 0))
            raise
        return Visit(self, account, query, door)

    def count(self, client: Client) -> None:
        """Count something that costs no evaluation as a query; raises RateLimited."""
        account = self._enter(client)
        if account:
            account.leave(0)

    @contextlib.contextmanager
    def spending(self, client: Client) -> Iterator[None]:
        """A block of work that counts as a query, with the seconds it takes; raises RateLimited."""
        account = self._enter(client)
        began = time.monotonic()
        try:
            yield
        finally:
            if account:
                account.leave(time.monotonic() - began)

    def refused(self, error: AppError, *, door: str = "sparql") -> None:
        """Note a query that was refused before it was read."""
        self.tell(_outcome(error, door, None, 0.0, 0))

    def fields(self, client: Client) -> dict[str, str]:
        """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers) of a client."""
        account = self._account(client)
        if account is None:
            return {}
        queries, seconds = account.queries, account.seconds
        return {
            "RateLimit-Policy": f"{queries.policy}, {seconds.policy}",
            "RateLimit": f"{queries.state}, {seconds.state}",
        }

    def _enter(self, client: Client) -> _Account | None:
        account = self._account(client)
        if account:
            account.enter()
        return account

    def _account(self, client: Client) -> _Account | None:
        if self._allowances is None:
            return None
        now = self._now()
        account = self._accounts.get(client.name)
        if account is None:
            if len(self._accounts) >= MAX_CLIENTS:
                self._forget(now)
            account = _Account(self._allowances[client.keyed], now)
            self._accounts[client.name] = account
        else:
            account.refill(now)
        return account

    def _forget(self, now: float) -> None:
        """Make room: those who have all back, else some of those who were here first."""
        resting = [name for name, one in self._accounts.items() if not one.running]
        for name in resting:
            self._accounts[name].refill(now)
        owed_nothing = [
            name
            for name in resting
            if (one := self._accounts[name]).queries.left >= one.queries.quota.amount
            and one.seconds.left >= one.seconds.quota.amount
        ]
        for name in owed_nothing or resting[: MAX_CLIENTS // 10]:
            del self._accounts[name]

    def tell(self, outcome: Outcome) -> None:
        """Count how a query ended, and log it unless that is ordinary."""
        self._told(outcome)
        if not outcome.ordinary:
            QUERIES.warning(outcome.line())


def fingerprint(text: str) -> str:
    """Tells equal queries, and nothing else about them."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _outcome(
    error: BaseException | None, door: str, text: str | None, seconds: float, size: int
) -> Outcome:
    if error is None:
        return Outcome(ANSWERED, door, seconds, size, None, True)
    if isinstance(error, AppError):
        reason = error.slug
    else:
        reason = CLIENT_GONE if isinstance(error, asyncio.CancelledError) else CUT_OFF
    mistaken = isinstance(error, InvalidRequest | NotAcceptable)
    ordinary = mistaken and not isinstance(error, FederationRefused)
    query = None if ordinary or text is None else fingerprint(text)
    return Outcome(reason, door, seconds, size, query, ordinary)
