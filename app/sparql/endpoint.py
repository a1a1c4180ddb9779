"""`/sparql`: what stands in front of the evaluation, free of HTTP; `api.sparql` speaks HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from app.errors import AppError
from app.sparql.evaluation import Answer, Evaluator
from app.sparql.guard import Client, Guard
from app.sparql.operation import Query


class Endpoint:
    """Answers queries, by an Evaluator, as far as a Guard admits them."""

    def __init__(self, evaluator: Evaluator, guard: Guard) -> None:
        self._evaluator = evaluator
        self._guard = guard

    def refused(self, error: AppError) -> None:
        """Note a query that was refused before it was read."""
        self._guard.refused(error)

    @contextlib.asynccontextmanager
    async def evaluate(
        self, query: Query, client: Client | None = None, *, door: str = "sparql"
    ) -> AsyncIterator[Answer]:
        """The answer for a client, None for the service itself; leaving early stops the work.

        Raises RateLimited and what `Evaluator.evaluate` raises.
        """
        async with (
            self._guard.admitted(client, query, door=door) as visit,
            self._evaluator.evaluate(query) as answer,
        ):
            yield visit.measured(answer)
