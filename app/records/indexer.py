"""Brings the search index up to the graph: a follower of the log.

From a few commits to the documents that they concern (`changes`), which are replaced together with
the marker; or, when there is no index that fits or too much has changed, from the whole graph to a
new one. The cage reads the graph and makes the documents; this process only writes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import tantivy
from tantivy import Occur, Query

from app.log import Log
from app.profile import Profile
from app.records.index import SearchIndex, Writing
from app.sandbox.pool import Limits, Pool, Result

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_LONGEST_PAUSE = 60.0
_MOST_STATEMENTS = 200_000
"""Changed statements from which on building anew is less work."""

_FEW = 100
"""Documents that are made among the queries; more are made in the lane of the index."""

_AT_ONCE = 1_000
_MOST_HITS = 10_000_000

Progress = Callable[[int, int], None]
"""Told how many documents are written, and of how many."""


@dataclass(frozen=True, slots=True)
class State:
    """How far the index is: documents written and expected while it is built, else None."""

    usable: bool
    generation: int
    entities: int
    built: tuple[int, int] | None
    fault: str | None


class Indexer:
    """Writes one index; there is one at a time in a process, in one event loop.

    `limits` are for a job that reads the whole graph; what concerns few entities has `small`.
    """

    def __init__(
        self,
        log: Log,
        index: SearchIndex,
        pool: Pool,
        profile: Profile,
        *,
        limits: Limits,
        small: Limits,
        patience_seconds: float,
    ) -> None:
        self.index = index
        self._log = log
        self._pool = pool
        self._limits = replace(limits, lane="index")
        self._small = replace(small, lane="light", slice_seconds=small.seconds)
        self._patience = patience_seconds
        self._moved = asyncio.Event()
        self._following = False
        self._built: tuple[int, int] | None = None
        self._fault: str | None = None
        self._args = {
            "ontology": str(profile.ontology_dir),
            "shapes": str(profile.shapes_dir),
            "base_iri": profile.base_iri,
            "lang": profile.languages[0],
            "context": None,
        }

    @property
    def state(self) -> State:
        """How far it is."""
        index = self.index
        return State(index.usable, index.generation, index.entities, self._built, self._fault)

    async def follow(self) -> None:
        """Keep the index up to the graph until cancelled, whatever happens meanwhile."""
        await asyncio.to_thread(self.index.sweep)
        self._following = True
        pause = _POLL_SECONDS
        try:
            while True:
                pause = await self._tried(pause)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._moved.wait()
                self._moved.clear()
        finally:
            self._following = False

    async def _tried(self, pause: float) -> float:
        """Take a step; how long to wait before the next, longer each time that it fails."""
        try:
            await self.step()
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a full disk, busy workers, a panic over a damaged file
            if str(error) != self._fault:
                log.exception("the index cannot follow; trying again")
            self._fault = str(error)
            await asyncio.to_thread(self.index.verify)
            return min(2 * pause, _LONGEST_PAUSE)
        self._fault = None
        return _POLL_SECONDS

    async def reach(self, generation: int) -> None:
        """Wait until the index shows this generation; for a while, and not while it is built."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while self._following and self.index.usable and not self._fault:
                    if self.index.generation >= generation or self._built:
                        return
                    self._moved.set()
                    await asyncio.sleep(_POLL_SECONDS / 20)

    async def step(self) -> None:
        """Bring the index up to the graph as it is now, if it is behind."""
        await asyncio.to_thread(self.index.turn)  # another process may have built one
        await asyncio.to_thread(self.index.tidy)
        if not self.index.usable:
            await self.build()
        elif self.index.generation < self._pool.generation:
            await self._update()

    async def build(self, progress: Progress | None = None) -> None:
        """Build the index anew from the graph as it is now, beside the one there is."""
        self._built = (0, 0)
        try:
            async with (
                _ended(await asyncio.to_thread(self.index.build)) as writing,
                self._documents([], everything=True) as (generation, batches),
            ):
                await self._write_all(writing, batches, progress)
                await asyncio.to_thread(writing.finish, generation)
        finally:
            self._built = None

    async def _write_all(
        self, writing: Writing, batches: AsyncIterator[list[bytes]], progress: Progress | None
    ) -> None:
        total: int | None = None
        written = 0
        async for lines in batches:
            if total is None:  # the first line says how many there are
                total = int(lines.pop(0))
            await asyncio.to_thread(writing.add, lines)
            written += len(lines)
            self._built = (written, total)
            if progress:
                progress(written, total)

    # from commits to documents

    async def _update(self) -> None:
        generation = self._pool.generation
        diff = await asyncio.to_thread(self._difference, generation)
        if diff is None:
            await self.build()
            return
        touched = json.loads(
            await self._run(self._small, "touched", b"".join(diff), added=len(diff[0]))
        )
        searcher = self.index.searcher()
        iris = await asyncio.to_thread(self._concerned, searcher, touched)
        if len(iris) > max(_AT_ONCE, searcher.num_docs // 2):
            await self.build()
            return
        await self._replace(iris, generation)

    def _difference(self, upto: int) -> tuple[bytes, bytes] | None:
        """What commits added and removed since the index was written; None if that is too much."""
        added, removed, statements = [], [], 0
        for commit in self._log.since(self.index.generation):
            if commit.generation > upto:
                break
            statements += commit.added_count + commit.removed_count
            if statements > _MOST_STATEMENTS:
                return None
            added.append(commit.added)
            removed.append(commit.removed)
        return b"".join(added), b"".join(removed)

    def _concerned(self, searcher: tantivy.Searcher, touched: dict[str, Any]) -> list[str]:
        """The IRIs that a change concerns, with those that only the index knows."""
        found: set[str] = set(touched["entities"])
        for names, fields in ((touched["entities"], ["holds"]), (touched["named"], ["shows"])):
            for some in _batches(names, _AT_ONCE):
                found.update(self._ids(searcher, self._any(fields, some)))
        for ends in touched["cut"]:
            both = [(Occur.Must, self._any(["id", "shows"], [end])) for end in ends]
            found.update(self._ids(searcher, Query.boolean_query(both)))
        return sorted(found)

    def _any(self, fields: Iterable[str], names: Sequence[str]) -> Query:
        schema = self.index.schema
        sets = [Query.term_set_query(schema, field, list(names)) for field in fields]
        return Query.boolean_query([(Occur.Should, one) for one in sets])

    def _ids(self, searcher: tantivy.Searcher, query: Query) -> Iterator[str]:
        hits = searcher.search(query, _MOST_HITS, count=False, order_by_field="id").hits
        return (str(key) for key, _ in hits)

    async def _replace(self, iris: list[str], generation: int) -> None:
        async with (
            _ended(await asyncio.to_thread(self.index.update, iris)) as writing,
            self._documents(iris, everything=False) as (_, batches),
        ):
            async for lines in batches:
                await asyncio.to_thread(writing.add, lines)
            await asyncio.to_thread(writing.finish, generation)

    # the cage

    @contextlib.asynccontextmanager
    async def _documents(
        self, iris: list[str], *, everything: bool
    ) -> AsyncIterator[tuple[int, AsyncIterator[list[bytes]]]]:
        """Documents in batches of lines, and the generation that they show."""
        limits = self._limits if everything or len(iris) > _FEW else self._small
        body = "\n".join(iris).encode()
        args = {**self._args, "all": everything}
        async with self._pool.job("records.documents", args, body, limits=limits) as result:
            yield result.generation, _lines(result)

    async def _run(self, limits: Limits, job: str, body: bytes, **args: Any) -> bytes:
        return await self._pool.run(f"records.{job}", {**self._args, **args}, body, limits=limits)


@contextlib.asynccontextmanager
async def _ended(writing: Writing) -> AsyncIterator[Writing]:
    try:
        yield writing
    finally:
        await asyncio.to_thread(writing.end)


async def _lines(result: Result) -> AsyncIterator[list[bytes]]:
    """Whole lines, as many as have come."""
    begun = b""
    async for chunk in result:
        *lines, begun = (begun + chunk).split(b"\n")
        if lines:
            yield lines


def _batches(names: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(names)
    while some := list(islice(rest, size)):
        yield some
