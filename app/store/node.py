"""This process's view of the graph: a store that follows the log, and the checkpoint to read."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from app.errors import Overloaded
from app.log import Log, catch_up
from app.sandbox.pool import Checkpoint
from app.store.port import GraphStore

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5


class Node(Protocol):
    """What the gate and the workers need to know of the graph."""

    def checkpoint(self) -> Checkpoint:
        """The state that readers see now."""

    async def reach(self, generation: int) -> None:
        """Return when `checkpoint()` is of this generation or a later one."""


class StoreNode:
    """Holds the live store and follows the log; the server is one."""

    def __init__(self, log: Log, store: GraphStore, in_use: Callable[[], Iterable[int]]) -> None:
        self._log = log
        self._store = store
        self._in_use = in_use
        self._lock = threading.Lock()
        self._advance()

    def checkpoint(self) -> Checkpoint:
        """See `Node.checkpoint`."""
        return self._checkpoint

    def _advance(self) -> None:
        with self._lock:
            catch_up(self._log, self._store)
            self._checkpoint = self._store.checkpoint()
            self._store.prune(self._in_use())

    async def reach(self, generation: int) -> None:
        """See `Node.reach`."""
        if self._checkpoint.generation < generation:
            await asyncio.to_thread(self._advance)

    async def follow(self) -> None:
        """Follow what other processes append, until cancelled, whatever happens meanwhile."""
        told = False
        while True:
            try:
                head = await asyncio.to_thread(self._log.head)
                await self.reach(head)
                told = False
            except Exception:  # the database may be away for a while, or the disk full
                if not told:
                    log.exception("the log cannot be followed; trying again")
                told = True
            await asyncio.sleep(_POLL_SECONDS)


class CheckpointNode:
    """Reads the checkpoints that a running server makes; the CLI beside it is one.

    A checkpoint is pinned by hard links of its own, so the server may prune it meanwhile.
    """

    def __init__(self, folder: Path, *, patience_seconds: float = 60.0) -> None:
        self._checkpoints = folder / "checkpoints"
        self._pins = folder / "readers" / str(os.getpid())
        self._patience = patience_seconds
        self._current = self._pin_newest()

    def checkpoint(self) -> Checkpoint:
        """See `Node.checkpoint`."""
        return self._current

    async def reach(self, generation: int) -> None:
        """See `Node.reach`; raises Overloaded when the server does not follow in time."""
        try:
            async with asyncio.timeout(self._patience):
                while self._newest() < generation:  # noqa: ASYNC110 -- another process makes it
                    await asyncio.sleep(_POLL_SECONDS / 5)
        except TimeoutError:
            raise Overloaded(retry_after=round(self._patience)) from None
        if self._current.generation < generation:
            self._current = self._pin_newest()

    def close(self) -> None:
        """Remove the pins."""
        shutil.rmtree(self._pins, ignore_errors=True)

    def _newest(self) -> int:
        return max((int(f.name) for f in self._checkpoints.iterdir() if not f.suffix), default=0)

    def _pin_newest(self) -> Checkpoint:
        while True:
            generation = self._newest()
            name = f"{generation:012d}"
            pin = self._pins / name
            if pin.exists():
                return Checkpoint(str(pin), generation)
            with contextlib.suppress(FileNotFoundError):  # pruned meanwhile: take the newer one
                shutil.copytree(self._checkpoints / name, pin, copy_function=os.link)
                return Checkpoint(str(pin), generation)
            shutil.rmtree(pin, ignore_errors=True)
