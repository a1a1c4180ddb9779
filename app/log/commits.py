"""Append to the log and read from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import Blobs, Database
from app.database.blobs import digest_of
from app.errors import Conflict
from app.failpoints import failpoint
from app.log import patches
from app.log.schema import CommitDatasetRow, CommitRow

_PAGE = 50


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be appended: who says what in which datasets, and the net diff (N-Quads).

    The datasets are those whose statements change, each once and the one that is meant first;
    `submission` is the id of what was submitted.
    """

    datasets: tuple[str, ...]
    author: str
    licence: str | None
    source_hash: str | None
    report: dict[str, Any]
    created_at: datetime
    added: bytes
    removed: bytes
    submission: str | None = None

    def __post_init__(self) -> None:
        if not self.datasets or len(set(self.datasets)) < len(self.datasets):
            raise ValueError(f"a commit names its datasets, each once: {self.datasets}")


class MovedOn(Exception):
    """The log has a commit that the appender has not seen."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was loaded, as the whole of a dataset."""

    dataset: str
    author: str
    hash: str | None
    kinds: tuple[str, ...]


class Commit:
    """One row of the log; the diff is read when asked for."""

    def __init__(self, row: CommitRow, blobs: Blobs) -> None:
        self.generation = row.generation
        self.datasets = tuple(one.dataset for one in row.datasets)
        self.author = row.author
        self.licence = row.licence
        self.created_at = row.created_at
        self.source_hash = row.source_hash
        self.submission = row.submission
        self.report = row.report
        self.added_count = row.added
        self.removed_count = row.removed
        self._hash = row.diff_hash
        self._patch = row.diff
        self._blobs = blobs

    def _packed(self) -> bytes:
        return self._patch if self._patch is not None else self._blobs.read(self._hash)

    @cached_property
    def _diff(self) -> tuple[bytes, bytes]:
        return patches.decode(self._packed())

    @property
    def added(self) -> bytes:
        """Added quads as N-Quads."""
        return self._diff[0]

    @property
    def removed(self) -> bytes:
        """Removed quads as N-Quads."""
        return self._diff[1]

    def about(self, *subjects: str) -> Change:
        """What changed of one entity: the statements about these IRIs and fragments of them."""
        return Change(self, *patches.about(self._packed(), *subjects))


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit says anew of one entity, and no longer, as N-Quads."""

    commit: Commit
    added: bytes
    removed: bytes


class Log:
    """Commits numbered 1, 2, 3 …; appending one is the single act that changes public data.

    Safe to use from several threads and, through the database, several processes.
    """

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    def head(self) -> int:
        """The newest generation; 0 when nothing was ever published."""
        with self._database.session() as session:
            return session.scalar(select(func.max(CommitRow.generation))) or 0

    def append(
        self, draft: Draft, *, after: int, also: Callable[[Session], None] | None = None
    ) -> Commit:
        """Append as generation `after` + 1.

        `also` is called in the same transaction: what it writes is there exactly when the commit
        is, and what it raises leaves neither.

        Raises MovedOn when `after` is no longer the newest: look whether the diff still holds, or
        make it again. Raises Conflict when the draft's submission is in the log already.
        """
        patch = patches.encode(draft.added, draft.removed)
        inline = len(patch) <= patches.INLINE_BYTES
        if not inline:
            self._blobs.write(patch)
            failpoint("log.diff-written")
        row = CommitRow(
            generation=after + 1,
            datasets=[
                CommitDatasetRow(dataset=d, position=n) for n, d in enumerate(draft.datasets)
            ],
            author=draft.author,
            licence=draft.licence,
            created_at=draft.created_at,
            source_hash=draft.source_hash,
            submission=draft.submission,
            report=draft.report,
            added=draft.added.count(b"\n"),
            removed=draft.removed.count(b"\n"),
            diff_hash=digest_of(patch),
            diff=patch if inline else None,
        )
        failpoint("log.before-append")
        with self._database.session() as session:
            _refuse_again(session, draft.submission)
            if (session.scalar(select(func.max(CommitRow.generation))) or 0) != after:
                raise _moved_on(after)
            session.add(row)
            try:
                session.flush()
            except IntegrityError:
                raise _moved_on(after) from None
            if also:
                also(session)
            session.commit()
        failpoint("log.appended")
        return Commit(row, self._blobs)

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
                yield Commit(row, self._blobs)
                generation = row.generation
            if len(rows) < _PAGE:
                return

    def sources(self) -> list[Source]:
        """The newest file that the operator loaded into each dataset.

        What partners submit since then is no reason to load it again.
        """
        newest = (
            select(CommitDatasetRow.dataset, func.max(CommitDatasetRow.generation).label("number"))
            .join(CommitRow)
            .where(CommitRow.submission.is_(None))
            .group_by(CommitDatasetRow.dataset)
            .subquery()
        )
        with self._database.session() as session:
            rows = session.execute(
                select(newest.c.dataset, CommitRow.author, CommitRow.source_hash, CommitRow.report)
                .join(CommitRow, CommitRow.generation == newest.c.number)
                .order_by(CommitRow.generation, newest.c.dataset)
            )
            return [
                Source(dataset, author, name, tuple(cast(list[str], report.get("kinds", []))))
                for dataset, author, name, report in rows
            ]

    def commit(self, generation: int) -> Commit | None:
        """The commit of this number, if there is one."""
        with self._database.session() as session:
            row = session.get(CommitRow, generation)
            return Commit(row, self._blobs) if row else None

    def changes_of(self, subject: str, generations: Sequence[int]) -> list[Change]:
        """What each of these commits changed of the entity `subject` (an IRI), in their order.

        Numbers without a commit are left out; ValueError if `subject` is no IRI.
        """
        with self._database.session() as session:
            rows = session.scalars(select(CommitRow).where(CommitRow.generation.in_(generations)))
            commits = {row.generation: Commit(row, self._blobs) for row in rows}
        return [commits[number].about(subject) for number in generations if number in commits]

    def generation_of(self, dataset: str, *, until: int | None = None) -> int:
        """The newest commit to a dataset, up to `until`; 0 if it was never published."""
        query = select(func.max(CommitDatasetRow.generation)).where(
            CommitDatasetRow.dataset == dataset
        )
        if until is not None:
            query = query.where(CommitDatasetRow.generation <= until)
        with self._database.session() as session:
            return session.scalar(query) or 0


def _refuse_again(session: Session, submission: str | None) -> None:
    said = select(CommitRow.generation).where(CommitRow.submission == submission)
    if submission and (generation := session.scalar(said)):
        raise Conflict(f"Submission {submission} was published already, as commit {generation}.")


def _moved_on(after: int) -> MovedOn:
    return MovedOn(f"the log has moved on from generation {after}")
