"""By what name a data directory is known to the others that share its database."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

_FILE = "node"


def executor_of(folder: Path) -> str:
    """The name kept in the file `node` of a data directory, made at first and then the same.

    Jobs are begun again by the executor that had begun them, so the name is on disk before it is
    used.
    """
    path = folder / _FILE
    if not path.exists():
        _make(path)
    return path.read_text("utf-8").strip()


def _make(path: Path) -> None:
    unnamed = path.with_suffix(f".{os.getpid()}.tmp")
    with unnamed.open("w", encoding="utf-8") as file:
        file.write(f"{uuid.uuid4().hex}\n")
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):  # of several that begin at once, one names it
        path.hardlink_to(unnamed)
    unnamed.unlink()
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
