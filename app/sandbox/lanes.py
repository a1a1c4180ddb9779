"""A number of places for jobs, and a bounded line of those who wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from app.errors import Overloaded

LaneName = Literal["light", "heavy", "batch", "check", "index"]


@dataclass(slots=True)
class Lane:
    """A number of places and a bounded line of those who wait for one."""

    size: int
    queue: int
    busy: int = 0
    _waiting: list[asyncio.Future[Any]] = field(default_factory=list)

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

    def line_up(self, *, again: bool = False) -> asyncio.Future[Any]:
        """Join the line; raises Overloaded when it is full.

        Who had a place already and was sent back goes to the front, and is not refused.
        """
        if len(self._waiting) >= self.queue and not again:
            raise Overloaded(retry_after=1 + len(self._waiting) // max(1, self.size))
        turn: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.insert(0 if again else len(self._waiting), turn)
        return turn

    async def take_turn(
        self,
        turn: asyncio.Future[Any],
        until: float | None = None,
        decline: Callable[[Any], None] | None = None,
    ) -> Any:
        """Wait for a place of one's own (None), or for what is shared; who gives up, leaves.

        `decline` is told of what was shared in the moment of giving up. Raises TimeoutError when
        it is not one's turn by `until`, in the loop's time.
        """
        timer = turn.get_loop().call_at(until, _too_late, turn) if until else None
        try:
            return await turn
        except (asyncio.CancelledError, TimeoutError):
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled() and turn.exception() is None:
                if turn.result() is None:
                    self.leave()
                elif decline:
                    decline(turn.result())
            raise
        finally:
            if timer:
                timer.cancel()

    def leave(self) -> None:
        """Give the place to the next in line, or free it."""
        if not self._call_next(None):
            self.busy -= 1

    def share(self, what: object) -> bool:
        """Let the next in line have part in a place that is taken; whether there was anybody."""
        return self._call_next(what)

    def _call_next(self, gift: object) -> bool:
        while self._waiting:
            turn = self._waiting.pop(0)
            if not turn.done():
                turn.set_result(gift)
                return True
        return False

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._waiting)


def _too_late(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(TimeoutError())
