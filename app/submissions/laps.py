"""How long the stages of a submission took."""

from __future__ import annotations

import time


class Laps:
    """A stopwatch: `lap` ends a stage and begins the next one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Add the time since the last lap to a stage."""
        now = time.perf_counter()
        took = self.seconds.get(stage, 0.0) + now - self._began
        self.seconds[stage], self._began = round(took, 4), now
