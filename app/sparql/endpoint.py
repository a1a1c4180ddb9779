"""`/sparql`: the guard in front of the cage, free of HTTP; `api.sparql` speaks HTTP for it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from app.sandbox.pool import Limits, Pool, Result
from app.sparql.operation import Query


class Endpoint:
    """Runs queries on the newest checkpoint within the limits."""

    def __init__(self, pool: Pool, *, base_iri: str, union: bool, limits: Limits) -> None:
        self._pool = pool
        self._base_iri = base_iri
        self._union = union
        self._limits = limits

    @contextlib.asynccontextmanager
    async def evaluate(self, query: Query) -> AsyncIterator[Result]:
        """The result, whose header holds its `media_type`; leaving early stops the work.

        Raises SyntaxRejected, QueryRejected, NotAcceptable, Overloaded, DeadlineExceeded and
        MemoryExceeded.
        """
        args = {
            "base_iri": self._base_iri,
            "union": self._union and query.default_graphs is None,
            "default_graphs": query.default_graphs,
            "named_graphs": query.named_graphs,
            "results": query.results,
            "graphs": query.graphs,
        }
        async with self._pool.job(
            "sparql.query", args, query.text.encode(), limits=self._limits
        ) as result:
            yield result
