"""What became of an entity, commit by commit, and since when its datasets say what they say.

The graph knows which commits changed an entity (`jobs.commits`), the log what they changed. Both
are asked here, in the server, since only it reads the log.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.errors import Overloaded
from app.log import Change, Commit, Log
from app.profile import Profile
from app.rdf.skolem import GENID
from app.records.service import Runner

MAX_LIMIT = 50
"""Commits on one page at most."""

_AT_ONCE = 2
_WAITING = 20
_BATCH = 10
_MAX_DATED = 200
"""Commits in which the beginning of a statement is looked for."""

_MAX_PARTS = 100
_SHOWN_ENTITIES = 20


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Commits of one entity, the newest first; `before` is where the next page begins, if any."""

    iri: str
    name: str
    total: int
    items: Sequence[Mapping[str, Any]]
    before: int | None


class History:
    """The past of every entity. `context_url` goes into records as their `@context`."""

    def __init__(
        self, runner: Runner, log: Log, profile: Profile, context_url: str | None = None
    ) -> None:
        self._runner = runner
        self._log = log
        self._common = {
            "ontology": str(profile.ontology_dir),
            "shapes": str(profile.shapes_dir),
            "base_iri": profile.base_iri,
            "context": context_url,
        }
        self._wording = {
            "ontology_dir": str(profile.ontology_dir),
            "shapes_dir": str(profile.shapes_dir),
            "base_iri": profile.base_iri,
        }
        parts = re.escape(f"{profile.base_iri}{GENID}".encode())
        self._part = re.compile(rb" <(%b[^>]+)> (?:<[^>]*> )?\.$" % parts, re.MULTILINE)
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    @property
    def generation(self) -> int:
        """The generation that an answer would show now."""
        return self._runner.generation

    async def page(
        self, iri: str, *, lang: str = "en", limit: int = 10, before: int | None = None
    ) -> HistoryPage:
        """The newest commits that changed an entity, before the generation `before`.

        Each item tells the commit (`generation`, `commit`, `time`, `datasets`, `partner`,
        `licence`, `submission`), whether the entity was `added`, `removed` or `changed` by it, and
        in plain words which `fields`. Raises NotFound for an IRI that was never described.
        """
        answer = await self._run("commits", iri=iri, lang=lang, limit=limit, before=before)
        found = json.loads(answer)
        items = found["items"]
        changes = await self._changes(iri, [one["generation"] for one in items], parts=True)
        for item in items:
            item.update(await self._in_words(iri, changes.get(item["generation"]), lang))
        following = items[-1]["generation"] if items and found["more"] else None
        return HistoryPage(iri, found["name"], found["total"], items, following)

    async def record_json(self, iri: str, *, lang: str = "en") -> bytes:
        """The record with a member `provenance`: `fields` and `conflicts`, see `Assertions`.

        Instead of the statement each dataset has `since`: `generation` and `time` of the newest
        commit by which it said so; null when that is more than 200 commits ago.
        """
        head, _, record = (await self._run("provenance", iri=iri, lang=lang)).partition(b"\n")
        facts = json.loads(head)
        generations = facts.pop("generations")
        by_line: dict[bytes, list[dict[str, Any]]] = {}
        for said in _asserted(facts["fields"]):
            said["since"] = None
            by_line.setdefault(said.pop("line").encode(), []).append(said)
        async for commit, line in self._beginnings(iri, generations, set(by_line)):
            since = {"generation": commit.generation, "time": _time(commit)}
            for said in by_line[line]:
                said["since"] = since
        text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
        return record[:-1] + b',"provenance":' + text.encode("utf-8", "surrogatepass") + b"}"

    async def _beginnings(
        self, iri: str, generations: Sequence[int], lines: set[bytes]
    ) -> AsyncIterator[tuple[Commit, bytes]]:
        """The newest commit that added each statement."""
        for at in range(0, min(len(generations), _MAX_DATED), _BATCH):
            changes = await self._changes(iri, generations[at : at + _BATCH])
            for number in sorted(changes, reverse=True):
                found = lines.intersection(changes[number].added.splitlines())
                lines -= found
                for line in found:
                    yield changes[number].commit, line
            if not lines:
                return

    async def _in_words(self, iri: str, change: Change | None, lang: str) -> dict[str, Any]:
        added, removed = (change.added, change.removed) if change else (b"", b"")
        answer = await self._runner.run(
            "submissions.explain_diff",
            {
                **self._wording,
                "added_bytes": len(added),
                "language": lang,
                "limit": _SHOWN_ENTITIES,
                "offset": 0,
            },
            added + removed,
        )
        found = (one for one in json.loads(answer)["entities"] if one["id"] == iri)
        entity = next(found, {"change": "changed", "fields": []})
        return {key: entity[key] for key in ("change", "fields")}

    async def _changes(
        self, iri: str, generations: Sequence[int], *, parts: bool = False
    ) -> dict[int, Change]:
        """What commits changed of an entity; with `parts` also of parts without own names.

        The diffs of large commits take a moment to search, so few do it at a time.
        """
        async with self._place():
            changes = await asyncio.to_thread(self._log.changes_of, iri, generations)
            if parts:
                changes = await asyncio.to_thread(self._with_parts, iri, changes)
        return {change.commit.generation: change for change in changes}

    def _with_parts(self, iri: str, changes: Sequence[Change]) -> list[Change]:
        return [self._with_parts_of(iri, change) for change in changes]

    def _with_parts_of(self, iri: str, change: Change) -> Change:
        subjects = {iri: None}
        while True:
            named = self._part.findall(change.added) + self._part.findall(change.removed)
            more = dict.fromkeys(one.decode() for one in named)
            if more.keys() <= subjects.keys() or len(subjects) > _MAX_PARTS:
                return change
            subjects |= more
            change = change.commit.about(*subjects)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._waiting >= _WAITING:
            raise Overloaded(retry_after=2)
        self._waiting += 1
        try:
            async with self._places:
                yield
        finally:
            self._waiting -= 1

    async def _run(self, job: str, **args: Any) -> bytes:
        return await self._runner.run(f"records.{job}", {**self._common, **args})


def _asserted(fields: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for field in fields:
        for value in field["values"]:
            yield from value["asserted_by"]


def _time(commit: Commit) -> str:
    return commit.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
