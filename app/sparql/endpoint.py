"""`/sparql`: what stands in front of the evaluation, free of HTTP; `api.sparql` speaks HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from app.sparql.evaluation import Answer, Evaluator
from app.sparql.operation import Query


class Endpoint:
    """Answers queries, by an Evaluator."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    @contextlib.asynccontextmanager
    async def evaluate(self, query: Query) -> AsyncIterator[Answer]:
        """The answer; leaving early stops the work. Raises what `Evaluator.evaluate` raises."""
        async with self._evaluator.evaluate(query) as answer:
            yield answer
