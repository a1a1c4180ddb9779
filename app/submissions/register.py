"""The register of submissions: a row for each, its source, report and difference as blobs."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import Database, utc_now
from app.database.blobs import Blobs
from app.errors import Conflict, KeyReused, NotFound
from app.failpoints import failpoint
from app.log import patches
from app.submissions.schema import SubmissionRow
from app.submissions.states import TRANSITIONS, Mode, State


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """What is known of a submission when it arrives.

    `partner` is the slug of the partner whose dataset it is. `names` says what it may mint,
    `direct` whether it may be published without review, `expects` which generation its sender
    takes a dataset to be of; `fingerprint` is equal for equal requests. `files` are the facts of
    each file.
    """

    key: str
    idempotency: str | None
    fingerprint: str
    partner: str | None
    author: str
    licence: str | None
    mode: Mode
    dataset: str
    graphs: tuple[str, ...] | None
    names: Mapping[str, Any]
    force: bool
    direct: bool
    expects: Mapping[str, int]
    reverts: str | None
    files: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Submission(NewSubmission):
    """A submission as it stands. Numbers are None as long as it has not been validated.

    `source`, `report` and `diff` name blobs; the source is forgotten once the submission is
    decided. `compared_with` is the generation that the difference was made against, `generation`
    the commit that published it, None if it changed nothing.
    """

    id: str
    size: int
    source_hash: str
    source: str | None
    state: State
    created_at: datetime
    changed_at: datetime
    statements: int | None
    counts: Mapping[str, int] | None
    report: str | None
    compared_with: int | None
    added: int | None
    removed: int | None
    diff: str | None
    problem: Mapping[str, Any] | None
    reason: str | None
    decided_by: str | None
    generation: int | None


class Register:
    """All submissions of an operations database; safe for several threads and processes."""

    def __init__(self, database: Database, sources: Blobs, results: Blobs) -> None:
        self._database = database
        self._sources = sources
        self._results = results

    def add(self, new: NewSubmission, source: bytes) -> Submission:
        """Keep a submission before anything is done with it.

        If the same key sent the same with the same Idempotency-Key, that one is returned. Raises
        KeyReused if it was something else.
        """
        name, now = f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}", utc_now()
        # With its id in it no two sources are one blob, so each can be removed when it is decided.
        blob = self._sources.write(name.encode() + source)
        failpoint("submission.source-written")
        row = SubmissionRow(
            **{field.name: _plain(getattr(new, field.name)) for field in fields(new)},
            id=name,
            size=len(source),
            source_hash=hashlib.sha256(source).hexdigest(),
            source=blob,
            state=State.RECEIVED.value,
            created_at=now,
            changed_at=now,
        )
        with self._database.session() as session:
            session.add(row)
            try:
                session.commit()
            except IntegrityError:
                session.rollback()
                self._sources.delete(blob)
                before = self.sent_before(new)
                if before is None:
                    raise
                return before
        failpoint("submission.received")
        return _value(row)

    def sent_before(self, new: NewSubmission) -> Submission | None:
        """What the same key sent with the same Idempotency-Key; see `add`."""
        if new.idempotency is None:
            return None
        with self._database.session() as session:
            row = session.scalar(
                select(SubmissionRow).where(
                    SubmissionRow.key == new.key, SubmissionRow.idempotency == new.idempotency
                )
            )
        if row and row.fingerprint != new.fingerprint:
            raise KeyReused(row.id)
        return _value(row) if row else None

    def get(self, submission: str) -> Submission:
        """One submission; raises NotFound."""
        with self._database.session() as session:
            return _value(_row(session, submission))

    def find(
        self,
        *,
        partner: str | None = None,
        dataset: str | None = None,
        state: State | None = None,
        before: str | None = None,
        limit: int | None = 50,
    ) -> tuple[int, list[Submission]]:
        """How many there are, and a page of them, the newest first, from after the id `before`."""
        wanted = [
            column == value
            for column, value in (
                (SubmissionRow.partner, partner),
                (SubmissionRow.dataset, dataset),
                (SubmissionRow.state, state and state.value),
            )
            if value is not None
        ]
        with self._database.session() as session:
            total = session.scalar(select(func.count()).select_from(SubmissionRow).where(*wanted))
            page = select(SubmissionRow).where(*wanted).order_by(SubmissionRow.id.desc())
            if before is not None:
                page = page.where(SubmissionRow.id < before)
            rows = session.scalars(page.limit(limit))
            return total or 0, [_value(row) for row in rows]

    def move(self, submission: str, to: State, **facts: Any) -> Submission:
        """Bring a submission to its next state; raises Conflict if that may not follow."""
        with self._database.session() as session:
            self.move_within(session, submission, to, **facts)
            session.commit()
            return _value(_row(session, submission))

    def move_within(self, session: Session, submission: str, to: State, **facts: Any) -> None:
        """The same as a part of another transaction."""
        before = [state for state in State if to in TRANSITIONS[state]]
        moved = {"state": to.value, "changed_at": utc_now()}
        if not _changed(session, submission, before, {**facts, **moved}):
            state = _row(session, submission).state
            raise Conflict(
                f"The submission is {state}; it cannot become {to} any more.", state=state
            )

    def note(self, submission: str, **facts: Any) -> None:
        """Keep facts about a submission that is not decided yet; raises Conflict if it is."""
        with self._database.session() as session:
            if not _changed(session, submission, [one for one in State if not one.final], facts):
                state = _row(session, submission).state
                raise Conflict(f"The submission is {state} already.", state=state)
            session.commit()

    def keep_results(
        self, report: Mapping[str, Any], added: bytes, removed: bytes
    ) -> dict[str, str]:
        """Store report and difference; their names as facts for `move`."""
        text = json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode()
        return {
            "report": self._results.write(zlib.compress(text)),
            "diff": self._results.write(patches.encode(added, removed)),
        }

    def source(self, one: Submission) -> bytes:
        """What was sent; raises NotFound once it is forgotten."""
        if one.source is None:
            raise NotFound("What was sent is not kept after the decision.")
        return self._sources.read(one.source)[len(one.id) :]

    def report(self, one: Submission) -> dict[str, Any] | None:
        """The report in all languages; None as long as there is none."""
        if one.report is None:
            return None
        found: dict[str, Any] = json.loads(zlib.decompress(self._results.read(one.report)))
        return found

    def diff(self, one: Submission) -> tuple[bytes, bytes] | None:
        """Added and removed statements (N-Quads); None as long as nothing was compared."""
        return None if one.diff is None else patches.decode(self._results.read(one.diff))

    def forget_source(self, submission: str) -> None:
        """Remove the source of a submission if that is decided."""
        with self._database.session() as session:
            row = _row(session, submission)
            if row.source is not None and State(row.state).final:
                self._sources.delete(row.source)
                row.source = None
                session.commit()

    def forget_sources(self) -> None:
        """Remove the sources of all that is decided; a crash may have left some."""
        decided = [state.value for state in State if state.final]
        with self._database.session() as session:
            rows = session.scalars(
                select(SubmissionRow).where(
                    SubmissionRow.state.in_(decided), SubmissionRow.source.is_not(None)
                )
            )
            for row in rows:
                self._sources.delete(row.source or "")
                row.source = None
            session.commit()


def _row(session: Session, submission: str) -> SubmissionRow:
    row = session.get(SubmissionRow, submission)
    if row is None:
        raise NotFound(f"There is no submission {submission[:40]!r}.")
    return row


def _changed(
    session: Session, submission: str, before: Sequence[State], values: Mapping[str, Any]
) -> bool:
    """Change a submission if it is in one of these states."""
    # The condition is in the statement: of two who decide at once, one finds it decided.
    done = session.execute(
        update(SubmissionRow)
        .where(SubmissionRow.id == submission)
        .where(SubmissionRow.state.in_([state.value for state in before]))
        .values(**values),
        execution_options={"synchronize_session": False},
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def _plain(value: Any) -> Any:
    """A value as the database keeps it."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Mode):
        return value.value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [dict(one) if isinstance(one, Mapping) else one for one in value]
    return value


def _value(row: SubmissionRow) -> Submission:
    given = {field.name: getattr(row, field.name) for field in fields(Submission)}
    return Submission(
        **{
            **given,
            "mode": Mode(row.mode),
            "state": State(row.state),
            "graphs": None if row.graphs is None else tuple(row.graphs),
            "files": tuple(row.files),
        }
    )
