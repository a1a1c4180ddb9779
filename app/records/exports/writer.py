"""What turns finished records into the bytes of one format."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol

from app.errors import PayloadTooLarge

_PIECE = 1 << 18
FOLDER_PREFIX = "lifetec-export-"


class Writer(Protocol):
    """Writes one export; used by one thread at a time.

    Records are JSON objects as bytes. The pieces that `begin`, `write` and `end` give, in this
    order, are the whole document; memory does not grow with the number of records. After `close`,
    which may come at any moment, nothing is left behind.
    """

    whole: bool
    """Whether nothing comes before `end`: the format is made in a file, and may fail until then."""

    def begin(self) -> bytes:
        """What stands before the records."""

    def write(self, records: Sequence[bytes]) -> bytes:
        """Some more records."""

    def end(self) -> Iterator[bytes]:
        """What stands after them."""

    def close(self) -> None:
        """Give up files and whatever else is held."""


class Scratch:
    """A folder for one export, with a limit of bytes; gone after `close`."""

    def __init__(self, max_bytes: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, ignore_cleanup_errors=True)
        self._max_bytes = max_bytes

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self._folder.name)

    def check(self, size: int) -> None:
        """Raise PayloadTooLarge where a file of this size is too large."""
        if size > self._max_bytes:
            raise PayloadTooLarge(
                f"This export needs more than {self._max_bytes >> 20} MB here. Filter the list, "
                "or take NDJSON or CSV, which have no limit.",
            )

    def close(self) -> None:
        """Remove the folder and all in it."""
        self._folder.cleanup()


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file from where it stands to its end."""
    while piece := file.read(_PIECE):
        yield piece
