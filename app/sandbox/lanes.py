"""A number of places for jobs, and a bounded line of those who wait for one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from app.errors import Overloaded

LaneName = Literal["light", "heavy", "batch", "check", "index"]


@dataclass(slots=True)
class Lane:
    """A number of places and a bounded line of those who wait for one."""

    size: int
    queue: int
    busy: int = 0
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def try_enter(self) -> bool:
        """Take a place if one is free and nobody waits for it."""
        if self.busy < self.size and not self._waiting:
            self.busy += 1
            return True
        return False

    async def enter(self) -> None:
        """Take a place, or wait in line; raises Overloaded when the line is full."""
        if not self.try_enter():
            await self.take_turn(self.line_up())

    def line_up(self) -> asyncio.Future[None]:
        """Join the line; raises Overloaded when it is full."""
        if len(self._waiting) >= self.queue:
            raise Overloaded(retry_after=1 + len(self._waiting) // max(1, self.size))
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        return turn

    async def take_turn(self, turn: asyncio.Future[None], until: float | None = None) -> None:
        """Wait for the place; who gives up, leaves the line.

        Raises TimeoutError when it is not free by `until`, in the loop's time.
        """
        timer = turn.get_loop().call_at(until, _too_late, turn) if until else None
        try:
            await turn
        except (asyncio.CancelledError, TimeoutError):
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled() and turn.exception() is None:
                self.leave()  # the place was handed over in the moment of giving up
            raise
        finally:
            if timer:
                timer.cancel()

    def leave(self) -> None:
        """Give the place to the next in line, or free it."""
        while self._waiting:
            turn = self._waiting.pop(0)
            if not turn.done():
                turn.set_result(None)
                return
        self.busy -= 1

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._waiting)


def _too_late(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(TimeoutError())
