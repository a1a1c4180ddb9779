"""Where queries run: the `Evaluator` port, and the one that runs them in the cage."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from app.sandbox.pool import Limits, Pool, Result
from app.sparql.operation import Query


class Answer(NamedTuple):
    """What a query gave, as of a generation of the graph.

    `complete` is the whole body if it is there already. Otherwise iterate over `chunks`, once: they
    come as they are made, and an AppError when the evaluation fails on its way. `etag` names the
    result if the generation alone decides on it.
    """

    generation: int
    media_type: str
    complete: bytes | None
    chunks: AsyncIterable[bytes]
    etag: str | None = None


class Evaluator(Protocol):
    """Something that evaluates queries on one state of the graph, within limits of its own."""

    def generation(self) -> int:
        """The generation that a query would see now."""

    def evaluate(self, query: Query) -> AbstractAsyncContextManager[Answer]:
        """The answer; leaving the block early stops the work.

        Raises SyntaxRejected, QueryRejected, NotAcceptable, Overloaded, DeadlineExceeded and
        MemoryExceeded.
        """


class CagedEvaluator:
    """Runs queries on the newest checkpoint, in workers that can be killed."""

    def __init__(self, pool: Pool, *, base_iri: str, union: bool, limits: Limits) -> None:
        self._pool = pool
        self._base_iri = base_iri
        self._union = union
        self._limits = limits
        self._args = lru_cache(maxsize=64)(self._made)

    def generation(self) -> int:
        """See `Evaluator.generation`."""
        return self._pool.generation

    def evaluate(self, query: Query) -> AbstractAsyncContextManager[Answer]:
        """See `Evaluator.evaluate`."""
        args = self._args(query.default_graphs, query.named_graphs, query.results, query.graphs)
        job = self._pool.job("sparql.query", args, query.text.encode(), limits=self._limits)
        return _Answering(job, query.results)

    def _made(
        self,
        default_graphs: tuple[str, ...] | None,
        named_graphs: tuple[str, ...] | None,
        results: str,
        graphs: str,
    ) -> bytes:
        """All of a job but the text; most queries have it in common."""
        args = {
            "base_iri": self._base_iri,
            "union": self._union and default_graphs is None,
            "default_graphs": default_graphs,
            "named_graphs": named_graphs,
            "reserved": None if self._union else f"{self._base_iri}graph/service",
            "results": results,
            "graphs": graphs,
        }
        return json.dumps(args).encode()


class _Answering:
    """A job's result as an Answer. A class, since a generator costs a lookup more than this."""

    def __init__(self, job: AbstractAsyncContextManager[Result], results: str) -> None:
        self._job = job
        self._results = results

    async def __aenter__(self) -> Answer:
        result = await self._job.__aenter__()
        media_type = result.header.get("media_type", self._results)
        return Answer(result.generation, media_type, result.complete, result)

    async def __aexit__(self, *raised: Any) -> None:
        await self._job.__aexit__(*raised)
