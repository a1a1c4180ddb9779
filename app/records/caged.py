"""The runner that the server uses: jobs of the rooms in the pool, within limits of theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.sandbox.pool import Limits, Pool


class CagedRunner:
    """Runs jobs in `pool` within `limits`; `generation` says which state new jobs see."""

    def __init__(self, pool: Pool, limits: Limits, generation: Callable[[], int]) -> None:
        self._pool = pool
        self._limits = limits
        self._generation = generation

    @property
    def generation(self) -> int:
        """The generation that a job started now would see."""
        return self._generation()

    async def run(self, job: str, args: Mapping[str, Any], body: bytes = b"") -> bytes:
        """The job's whole answer."""
        return await self._pool.run(job, args, body, limits=self._limits)
