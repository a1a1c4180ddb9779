"""Named moments at which a test can have the process die, to prove that nothing is half done."""

from __future__ import annotations

import os
import signal
from typing import Final

FAILPOINTS: Final = (
    "submission.source-written",
    "submission.received",
    "submission.validated",
    "submission.waiting",
    "log.diff-written",
    "log.before-append",
    "log.appended",
    "store.before-data",
    "store.between-data-and-marker",
    "store.marked",
    "store.checkpoint-unnamed",
    "store.checkpoint-named",
    "merge.checkpoint-unnamed",
    "merge.checkpoint-named",
    "remote.before-update",
    "remote.between-updates",
    "remote.updated",
    "index.before-commit",
    "index.committed",
    "index.building",
    "index.built",
    "submission.published",
)


def failpoint(name: str) -> None:
    """End this process as kill -9 would, if LIFETEC_FAILPOINT is `name`."""
    if os.environ.get("LIFETEC_FAILPOINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
