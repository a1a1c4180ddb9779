"""What follows the log: each with a marker of its own, each disposable."""

from __future__ import annotations

from typing import Protocol

from app.log.commits import Commit, Log


class Follower(Protocol):
    """Something readable that is made from the log alone.

    After `apply(commit)` returns, `marker()` is the commit's generation, also after a crash.
    Applying a commit that has been applied, wholly or in part, changes nothing: a diff is two
    sets of ground quads.
    """

    def marker(self) -> int:
        """The generation that is fully applied; 0 at first."""

    def apply(self, commit: Commit) -> None:
        """Apply the next commit."""


def catch_up(log: Log, follower: Follower) -> int:
    """Apply all that is missing; the generation reached."""
    reached = follower.marker()
    for commit in log.since(reached):
        follower.apply(commit)
        reached = commit.generation
    return reached
