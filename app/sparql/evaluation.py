"""Where queries run: the `Evaluator` port, and the one that runs them in the cage."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from app.sandbox.pool import Limits, Pool
from app.sparql.operation import Query


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave, as of a generation of the graph.

    `complete` is the whole body if it is there already. Otherwise iterate over `chunks`, once: they
    come as they are made, and an AppError when the evaluation fails on its way.
    """

    generation: int
    media_type: str
    complete: bytes | None
    chunks: AsyncIterator[bytes]


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

    def generation(self) -> int:
        """See `Evaluator.generation`."""
        return self._pool.generation

    @contextlib.asynccontextmanager
    async def evaluate(self, query: Query) -> AsyncIterator[Answer]:
        """See `Evaluator.evaluate`."""
        args = {
            "base_iri": self._base_iri,
            "union": self._union and query.default_graphs is None,
            "default_graphs": query.default_graphs,
            "named_graphs": query.named_graphs,
            "reserved": None if self._union else f"{self._base_iri}graph/service",
            "results": query.results,
            "graphs": query.graphs,
        }
        async with self._pool.job(
            "sparql.query", args, query.text.encode(), limits=self._limits
        ) as result:
            yield Answer(
                result.generation, result.header["media_type"], result.complete, aiter(result)
            )
