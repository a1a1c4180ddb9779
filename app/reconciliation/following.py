"""Keeping the index of names up to the generation that readers see."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from app.log import Log
from app.profile import Profile
from app.reconciliation.names import NameIndex, read_facts
from app.records.service import Runner

log = logging.getLogger(__name__)

_MOST_STATEMENTS = 20_000
_MOST_ENTITIES = 2_000
_PATIENCE_SECONDS = 2.0


class FollowingIndex:
    """The names of the generation that is shown, or for a moment of the one before.

    A small change is brought in entity by entity; after a large one the index is made anew beside
    the old one, which answers meanwhile. An entity that is named after others keeps its name until
    it changes itself or the index is made anew.
    """

    def __init__(self, runner: Runner, commits: Log, profile: Profile) -> None:
        self._runner = runner
        self._commits = commits
        self._args = {
            "ontology": str(profile.ontology_dir),
            "shapes": str(profile.shapes_dir),
            "base_iri": profile.base_iri,
        }
        self._index: NameIndex | None = None
        self._generation = -1
        self._work: asyncio.Task[None] | None = None

    async def current(self) -> NameIndex:
        """The index. Waits for the first one, and a moment for what has just been published."""
        work = self.begin()
        if work and self._index is None:
            await asyncio.shield(work)
        elif work:
            await asyncio.wait({work}, timeout=_PATIENCE_SECONDS)
        return self._index or NameIndex()

    def begin(self) -> asyncio.Task[None] | None:
        """Begin to follow if there is something to follow, and do not wait."""
        if self._generation == self._runner.generation:
            return None
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._follow())
            self._work.add_done_callback(_told)
        return self._work

    async def _follow(self) -> None:
        generation = self._runner.generation
        changed = None
        if self._index is not None and self._generation < generation:
            changed = await asyncio.to_thread(self._changed, self._generation, generation)
        if changed is None or self._index is None:
            lines = await self._facts(None)
            self._index = await asyncio.to_thread(_built, lines)
        elif changed:
            lines = await self._facts(sorted(changed))
            await asyncio.to_thread(_updated, self._index, changed, lines)
        self._generation = generation

    async def _facts(self, iris: list[str] | None) -> list[bytes]:
        answer = await self._runner.run("reconciliation.facts", {**self._args, "iris": iris})
        return answer.splitlines()

    def _changed(self, after: int, until: int) -> set[str] | None:
        """The things of which commits say something else; None when these are many."""
        found: set[str] = set()
        statements = 0
        for commit in self._commits.since(after):
            if commit.generation > until:
                break
            statements += commit.added_count + commit.removed_count
            if statements > _MOST_STATEMENTS:
                return None
            for line in (commit.added + commit.removed).splitlines():
                subject = line.partition(b"> ")[0]
                if subject.startswith(b"<"):
                    found.add(subject[1:].partition(b"#")[0].decode())
            if len(found) > _MOST_ENTITIES:
                return None
        return found


def _told(work: asyncio.Task[None]) -> None:
    if not work.cancelled() and (fault := work.exception()):
        log.warning("the index of names stays behind: %s", fault)


def _built(lines: Iterable[bytes]) -> NameIndex:
    index = NameIndex()
    for line in lines:
        index.add(read_facts(line))
    index.commit()
    return index


def _updated(index: NameIndex, changed: Iterable[str], lines: Iterable[bytes]) -> None:
    for iri in changed:
        index.remove(iri)
    for line in lines:
        index.add(read_facts(line))
    index.commit()
