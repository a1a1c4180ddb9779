"""A job as others see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from app.errors import AppError

if TYPE_CHECKING:
    from dbos import WorkflowStatus

STARTED: Final = "started_at"
RETRIES: Final = "retries"
PROGRESS: Final = "progress"
"""Names of what is noted beside a workflow while it runs."""

RESULT: Final = "result"
ERROR: Final = "error"
"""A workflow ends with one of these two; so it never ends by an exception of ours."""

FAULT: Final = AppError("The service failed here; the fault has been logged.").as_dict()
"""What a caller is told of a fault of the service."""


class State(StrEnum):
    """Where a job is on its way."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A job at one moment.

    `result` is there when it is done, `error` when it failed, as `AppError.as_dict` writes it.
    `attempts` counts how often it was begun, `started_at` is when it was begun last. Moments are to
    the second.
    """

    id: str
    name: str
    state: State
    progress: Mapping[str, Any]
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    owner: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    attempts: int

    @property
    def ended(self) -> bool:
        """Whether nothing more will change."""
        return self.state in {State.DONE, State.FAILED}


def read_job(status: WorkflowStatus) -> Job:
    """A job from what the library keeps of it."""
    noted = status.attributes or {}
    outcome = status.output if isinstance(status.output, dict) else {}
    state = _state(status, noted, outcome)
    started = noted.get(STARTED)
    return Job(
        id=status.workflow_id,
        name=status.name,
        state=state,
        progress=noted.get(PROGRESS, {}),
        result=outcome.get(RESULT) if state is State.DONE else None,
        error=outcome.get(ERROR, FAULT) if state is State.FAILED else None,
        owner=status.authenticated_user,
        created_at=_moment(status.created_at or 0),
        started_at=None if started is None else _moment(started),
        ended_at=None if status.completed_at is None else _moment(status.completed_at),
        attempts=0 if started is None else (status.recovery_attempts or 1) + noted.get(RETRIES, 0),
    )


def _state(status: WorkflowStatus, noted: Mapping[str, Any], outcome: Mapping[str, Any]) -> State:
    if status.status == "SUCCESS":
        return State.DONE if RESULT in outcome else State.FAILED
    if status.status == "PENDING":
        return State.RUNNING if STARTED in noted else State.QUEUED
    # What is left are the library's own ways to fail: cancelled, or begun too often.
    return State.QUEUED if status.status in {"ENQUEUED", "DELAYED"} else State.FAILED


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1000, UTC)
