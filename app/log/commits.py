"""Append to the log and read from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.database import Database
from app.errors import Conflict
from app.failpoints import failpoint
from app.log import patches
from app.log.schema import CommitRow

_PAGE = 50


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be appended: who says what about which dataset, and the net diff (N-Quads)."""

    dataset: str
    author: str
    licence: str | None
    source_hash: str | None
    report: dict[str, Any]
    created_at: datetime
    added: bytes
    removed: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """Where the present state of a dataset came from."""

    dataset: str
    author: str
    hash: str | None
    kinds: tuple[str, ...]


class Commit:
    """One row of the log; the diff is read when asked for."""

    def __init__(self, row: CommitRow, files: patches.PatchFiles) -> None:
        self.generation = row.generation
        self.dataset = row.dataset
        self.author = row.author
        self.licence = row.licence
        self.created_at = row.created_at
        self.source_hash = row.source_hash
        self.report = row.report
        self.added_count = row.added
        self.removed_count = row.removed
        self._hash = row.diff_hash
        self._patch = row.diff
        self._files = files

    @cached_property
    def _diff(self) -> tuple[bytes, bytes]:
        patch = self._patch if self._patch is not None else self._files.read(self._hash)
        return patches.decode(patch)

    @property
    def added(self) -> bytes:
        """Added quads as N-Quads."""
        return self._diff[0]

    @property
    def removed(self) -> bytes:
        """Removed quads as N-Quads."""
        return self._diff[1]


class Log:
    """Commits numbered 1, 2, 3 …; appending one is the single act that changes public data.

    Safe to use from several threads and, through the database, several processes.
    """

    def __init__(self, database: Database, diffs: Path) -> None:
        self._database = database
        self._files = patches.PatchFiles(diffs)
        diffs.mkdir(parents=True, exist_ok=True)

    def head(self) -> int:
        """The newest generation; 0 when nothing was ever published."""
        with self._database.session() as session:
            return session.scalar(select(func.max(CommitRow.generation))) or 0

    def append(self, draft: Draft, *, after: int) -> Commit:
        """Append as generation `after` + 1.

        Raises Conflict when the log has moved on from `after`: the diff was made against a graph
        that is no longer the newest, so make it again.
        """
        patch = patches.encode(draft.added, draft.removed)
        name = patches.digest(patch)
        inline = len(patch) <= patches.INLINE_BYTES
        if not inline:
            self._files.write(name, patch)
        row = CommitRow(
            generation=after + 1,
            dataset=draft.dataset,
            author=draft.author,
            licence=draft.licence,
            created_at=draft.created_at,
            source_hash=draft.source_hash,
            report=draft.report,
            added=draft.added.count(b"\n"),
            removed=draft.removed.count(b"\n"),
            diff_hash=name,
            diff=patch if inline else None,
        )
        failpoint("log.before-append")
        with self._database.session() as session:
            if (session.scalar(select(func.max(CommitRow.generation))) or 0) != after:
                raise _moved_on(after)
            session.add(row)
            try:
                session.commit()
            except IntegrityError:
                raise _moved_on(after) from None
        failpoint("log.appended")
        return Commit(row, self._files)

    def since(self, generation: int) -> Iterator[Commit]:
        """Commits after `generation`, in order, a page at a time."""
        while True:
            with self._database.session() as session:
                rows = session.scalars(
                    select(CommitRow)
                    .where(CommitRow.generation > generation)
                    .order_by(CommitRow.generation)
                    .limit(_PAGE)
                ).all()
                session.expunge_all()
            for row in rows:
                yield Commit(row, self._files)
                generation = row.generation
            if len(rows) < _PAGE:
                return

    def sources(self) -> list[Source]:
        """The newest commit of each dataset, as the source of its present state."""
        newest = select(func.max(CommitRow.generation)).group_by(CommitRow.dataset)
        with self._database.session() as session:
            rows = session.scalars(select(CommitRow).where(CommitRow.generation.in_(newest)))
            return [
                Source(
                    row.dataset,
                    row.author,
                    row.source_hash,
                    tuple(cast(list[str], row.report.get("kinds", []))),
                )
                for row in rows
            ]

    def newest_of(self, dataset: str) -> Commit | None:
        """The last commit to a dataset."""
        with self._database.session() as session:
            row = session.scalar(
                select(CommitRow)
                .where(CommitRow.dataset == dataset)
                .order_by(CommitRow.generation.desc())
                .limit(1)
            )
            return Commit(row, self._files) if row else None


def _moved_on(after: int) -> Conflict:
    return Conflict(f"The log has moved on from generation {after}; make the diff again.")
