"""What a submission can be, and the one table of how it gets from one state to another."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a submission is on its way."""

    RECEIVED = "received"
    VALIDATED = "validated"
    IN_REVIEW = "in-review"
    PUBLISHED = "published"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"

    @property
    def final(self) -> bool:
        """Whether it stays so for good."""
        return not TRANSITIONS[self]


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.RECEIVED: frozenset({State.VALIDATED, State.REJECTED, State.WITHDRAWN}),
    State.VALIDATED: frozenset({State.IN_REVIEW, State.PUBLISHED, State.REJECTED, State.WITHDRAWN}),
    State.IN_REVIEW: frozenset({State.PUBLISHED, State.REJECTED, State.WITHDRAWN}),
    State.PUBLISHED: frozenset(),
    State.REJECTED: frozenset(),
    State.WITHDRAWN: frozenset(),
}
"""What may follow each state. A published submission is undone by another one that reverts it."""


class Mode(StrEnum):
    """What a submission does to its dataset."""

    REPLACE = "replace"
    MERGE = "merge"
    REMOVE = "remove"
    UPDATE = "update"
    REVERT = "revert"
