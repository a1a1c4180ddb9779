"""`/metrics`: what the service does, for Prometheus. Nothing in it is about a person or a query."""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_left
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, Protocol

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.responses import Response
from starlette.types import Message, Scope, Send

from app.sandbox.pool import Pool
from app.sparql.guard import Outcome

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60)
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Cached(Protocol):
    """What a cache says of itself."""

    hits: int
    misses: int
    bytes: int


class _Queries:
    """Those that ended in one way. Counted here, as a histogram of the library costs a lookup more
    than all else that is noted of it."""

    __slots__ = ("bytes", "seconds", "within")

    def __init__(self) -> None:
        self.within = [0] * (len(_SECONDS) + 1)
        self.seconds = 0.0
        self.bytes = 0

    @property
    def buckets(self) -> list[tuple[str, int]]:
        """Upper bound and number up to it, for each bucket."""
        bounds = [*map(floatToGoString, _SECONDS), "+Inf"]
        return list(zip(bounds, accumulate(self.within), strict=True))


class Metrics:
    """Counts what is told; the rest is looked at when somebody asks."""

    def __init__(self, pool: Pool, *, cache: Cached | None = None) -> None:
        self._own = CollectorRegistry()
        into: Any = {"registry": self._own}  # nothing is shared between applications
        self._generation = Gauge("lifetec_generation", "Generation that new queries see", **into)
        self._published = Gauge("lifetec_log_head", "Newest generation in the log", **into)
        self._requests: Tally[int] = Tally()
        self._queries: defaultdict[tuple[str, str], _Queries] = defaultdict(_Queries)
        self._own.register(_Now(pool, cache, self._requests, self._queries))

    def told(self, outcome: Outcome) -> None:
        """Count a query."""
        queries = self._queries[outcome.reason, outcome.door]
        queries.within[bisect_left(_SECONDS, outcome.seconds)] += 1
        queries.seconds += outcome.seconds
        queries.bytes += outcome.bytes

    def counting(self, scope: Scope, send: Send) -> Send:
        """`send` of a request, which counts what it is answered with."""
        if scope["type"] != "http":
            return send

        def counted(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                self._requests[message["status"]] += 1
            return send(message)

        return counted

    def text(self, *, generation: int, published: int) -> bytes:
        """All of it in Prometheus' text format."""
        self._generation.set(generation)
        self._published.set(published)
        return generate_latest(self._own)


def metrics_router(
    metrics: Metrics, generation: Callable[[], int], published: Callable[[], int]
) -> APIRouter:
    """The address; `published` may wait for the database."""
    router = APIRouter(tags=["operation"])

    @router.get("/metrics", include_in_schema=False)
    async def read() -> Response:
        """What the service does."""
        head = await asyncio.to_thread(published)
        text = metrics.text(generation=generation(), published=head)
        headers = {"cache-control": "no-store", "content-type": CONTENT_TYPE_LATEST}
        return Response(text, headers=headers)

    return router


class _Now(Collector):
    """What is looked at when somebody asks."""

    def __init__(
        self,
        pool: Pool,
        cache: Cached | None,
        requests: Mapping[int, int],
        queries: Mapping[tuple[str, str], _Queries],
    ) -> None:
        self._pool = pool
        self._cache = cache
        self._requests = requests
        self._queries = queries

    def collect(self) -> Iterator[Metric]:
        """Queries, lanes, workers, memory, cache."""
        yield from self._ended()
        yield from self._lanes()
        yield from self._workers()
        answered = CounterMetricFamily(
            "lifetec_http_requests", "Requests answered, by status", labels=["status"]
        )
        for status, count in self._requests.items():
            answered.add_metric([str(status)], count)
        yield answered
        if self._cache is not None:
            yield from _cached(self._cache)

    def _ended(self) -> Iterator[Metric]:
        seconds = HistogramMetricFamily(
            "lifetec_query_seconds",
            "Queries evaluated or refused, by how they ended and where they came in; not those "
            "answered from the cache",
            labels=["outcome", "door"],
        )
        made: Tally[str] = Tally()
        for (reason, door), queries in self._queries.items():
            seconds.add_metric([reason, door], queries.buckets, queries.seconds)
            made[door] += queries.bytes
        yield seconds
        size = CounterMetricFamily("lifetec_query_bytes", "Bytes of results made", labels=["door"])
        for door, count in made.items():
            size.add_metric([door], count)
        yield size

    def _lanes(self) -> Iterator[Metric]:
        size = GaugeMetricFamily("lifetec_lane_places", "Places of a lane", labels=["lane"])
        busy = GaugeMetricFamily("lifetec_lane_busy", "Places that are taken", labels=["lane"])
        waiting = GaugeMetricFamily(
            "lifetec_lane_waiting", "Jobs that wait for a place", labels=["lane"]
        )
        for name, lane in self._pool.lanes.items():
            size.add_metric([name], lane.size)
            busy.add_metric([name], lane.busy)
            waiting.add_metric([name], lane.waiting)
        yield from (size, busy, waiting)

    def _workers(self) -> Iterator[Metric]:
        pids = self._pool.pids
        yield GaugeMetricFamily("lifetec_workers", "Worker processes", len(pids))
        yield CounterMetricFamily(
            "lifetec_workers_started", "Worker processes started so far", self._pool.started
        )
        yield CounterMetricFamily(
            "lifetec_workers_killed", "Worker processes stopped in their work", self._pool.kills
        )
        memory = GaugeMetricFamily(
            "lifetec_resident_bytes", "Memory of the server and of all workers", labels=["process"]
        )
        memory.add_metric(["server"], _resident(os.getpid()))
        memory.add_metric(["workers"], sum(_resident(pid) for pid in pids))
        yield memory


def _cached(cache: Cached) -> Iterator[Metric]:
    yield CounterMetricFamily("lifetec_cache_hits", "Answers from the cache", cache.hits)
    yield CounterMetricFamily("lifetec_cache_misses", "Answers not in the cache", cache.misses)
    yield GaugeMetricFamily("lifetec_cache_bytes", "Bytes in the cache", cache.bytes)


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 when it is gone, or without /proc."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0
