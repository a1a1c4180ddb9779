"""By what name a data directory is known to the others that share its database."""

from __future__ import annotations

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
    if path.exists():
        return path.read_text("utf-8").strip()
    name = uuid.uuid4().hex
    unnamed = path.with_suffix(f".{os.getpid()}.tmp")
    with unnamed.open("w", encoding="utf-8") as file:
        file.write(f"{name}\n")
        file.flush()
        os.fsync(file.fileno())
    unnamed.rename(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return name
