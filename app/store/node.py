"""This process's view of the graph: a store that follows the log, and the checkpoint to read."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from app.errors import AppError, Overloaded, StoreUnfit
from app.log import Log, catch_up
from app.sandbox.pool import Checkpoint
from app.store.port import EmbeddedStore
from app.store.remote import RemoteStore

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
_QUIET_SECONDS = 2.0
"""After the last commit, until the files of a store are merged."""

_QUIET_FACTOR = 10.0
"""At least so many times as long as merging took last: it is to be a small part of all work."""


class Node(Protocol):
    """What the gate and the workers need to know of the graph."""

    def checkpoint(self) -> Checkpoint:
        """The state that readers see now."""

    async def reach(self, generation: int) -> None:
        """Return when `checkpoint()` is of this generation or a later one."""


class Beside(Protocol):
    """What follows the log beside the node's own store, as fast as it can."""

    async def follow(self) -> None:
        """Follow until cancelled, whatever happens meanwhile."""

    async def reach(self, generation: int) -> None:
        """Wait until it shows this generation; for a while, and not when that cannot be soon."""


class Mirror:
    """A store elsewhere, which this node brings up to the log, beside others that may do the same.

    When it is away, it stays behind until it comes back; nothing else waits for that.
    """

    def __init__(self, log: Log, store: RemoteStore, *, patience_seconds: float) -> None:
        """Raises StoreUnfit when it holds what another log has written; it may well be away."""
        self._log = log
        self._store = store
        self._patience = patience_seconds
        self._lock = threading.Lock()
        self._closing = False
        self.generation = 0
        self.unreadable: AppError | None = None
        self.fault: AppError | None = None
        with self._lock:
            self._look()
        if isinstance(self.unreadable, StoreUnfit):
            raise self.unreadable

    def _look(self) -> None:
        """Learn how far it is, and whether it may be asked."""
        try:
            if self.unreadable or not self.generation:
                self._store.agree(self._log)
            self.generation = self._store.marker()
            self.unreadable = None
        except AppError as fault:
            self.unreadable = fault
            self._note(fault)

    def _note(self, fault: AppError | None) -> None:
        if fault and (self.fault is None or fault.detail != self.fault.detail):
            log.warning("the store elsewhere: %s", fault.detail)
        elif self.fault and not fault:
            log.warning("the store elsewhere follows again, at generation %d", self.generation)
        self.fault = fault

    def advance(self) -> None:
        """Apply what is missing, as far as it can be, unless that is under way."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._look()
            if not self.unreadable:
                self._apply_rest()
        finally:
            self._lock.release()

    def _apply_rest(self) -> None:
        try:
            for commit in self._log.since(self.generation):
                if self._closing:
                    return
                self._store.apply(commit)
                self.generation = commit.generation
        except AppError as fault:
            self._note(fault)
        else:
            self._note(None)

    async def reach(self, generation: int) -> None:
        """Wait until it shows this generation; for a while, and not at all when it is away."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while self.generation < generation and not self.fault:
                    await asyncio.to_thread(self.advance)
                    if self.generation < generation:
                        await asyncio.sleep(_POLL_SECONDS / 10)

    async def follow(self) -> None:
        """See `Beside.follow`."""
        await _repeated(self.advance)

    def close(self) -> None:
        """Stop before the next commit; it goes on from its marker next time."""
        self._closing = True
        with self._lock:
            self._store.close()


class StoreNode:
    """Holds the live store and follows the log; the server is one.

    Who publishes waits for what follows `beside` it, too: a mirror, the search index. When nothing
    has been published for a moment, the store is merged: what a small commit leaves beside the rest
    costs every query a fifth of its time.
    """

    def __init__(
        self,
        log: Log,
        store: EmbeddedStore,
        in_use: Callable[[], Iterable[int]],
        mirror: Mirror | None = None,
    ) -> None:
        self._log = log
        self._store = store
        self._in_use = in_use
        self.mirror = mirror
        self.beside: list[Beside] = [mirror] if mirror else []
        self._lock = threading.Lock()
        self._quiet = _QUIET_SECONDS
        self._advance()

    def checkpoint(self) -> Checkpoint:
        """See `Node.checkpoint`."""
        return self._checkpoint

    def _advance(self) -> None:
        with self._lock:
            catch_up(self._log, self._store)
            self._show_newest()
            self._advanced = time.monotonic()

    def _show_newest(self) -> None:
        self._checkpoint = self._store.checkpoint()
        self._store.prune(self._in_use())

    async def reach(self, generation: int) -> None:
        """See `Node.reach`."""
        if self._checkpoint.generation < generation:
            await asyncio.to_thread(self._advance)
        await asyncio.gather(*(one.reach(generation) for one in self.beside))

    async def follow(self) -> None:
        """Follow what other processes append, until cancelled, whatever happens meanwhile."""
        async with asyncio.TaskGroup() as all_of_them:
            all_of_them.create_task(_repeated(self._catch_up))
            for one in self.beside:
                all_of_them.create_task(one.follow())

    def _catch_up(self) -> None:
        if self._checkpoint.generation < self._log.head():
            self._advance()
        elif time.monotonic() - self._advanced > self._quiet:
            self._merge()

    def _merge(self) -> None:
        began = time.monotonic()
        if self._store.merge():
            self._quiet = max(_QUIET_SECONDS, _QUIET_FACTOR * (time.monotonic() - began))
            with self._lock:
                self._show_newest()


async def _repeated(step: Callable[[], None]) -> None:
    told = False
    while True:
        try:
            await asyncio.to_thread(step)
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
