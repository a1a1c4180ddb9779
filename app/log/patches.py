"""A diff as bytes: RDF Patch lines (`A` adds, `D` deletes a quad), compressed."""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

from app.failpoints import failpoint

INLINE_BYTES = 64 * 1024
"""Larger compressed diffs lie in files."""


def encode(added: bytes, removed: bytes) -> bytes:
    """Compress two N-Quads documents into one patch."""
    lines = [b"D " + line for line in removed.split(b"\n") if line]
    lines += [b"A " + line for line in added.split(b"\n") if line]
    return zlib.compress(b"\n".join(lines), level=6)


def decode(patch: bytes) -> tuple[bytes, bytes]:
    """Inverse of `encode`: added and removed N-Quads."""
    added: list[bytes] = []
    removed: list[bytes] = []
    for line in zlib.decompress(patch).split(b"\n"):
        if line:
            (added if line.startswith(b"A ") else removed).append(line[2:] + b"\n")
    return b"".join(added), b"".join(removed)


def digest(patch: bytes) -> str:
    """The patch's name."""
    return hashlib.sha256(patch).hexdigest()


class PatchFiles:
    """Large patches as files named by their hash, on disk before anything refers to them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.rdfp.z"

    def write(self, name: str, patch: bytes) -> None:
        """Write and sync; a file of that name is already right, since the name is its hash."""
        path = self._path(name)
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        unnamed = path.with_suffix(f".{os.getpid()}.tmp")
        with unnamed.open("wb") as file:
            file.write(patch)
            file.flush()
            os.fsync(file.fileno())
        unnamed.rename(path)
        for folder in (path.parent, self._folder):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        failpoint("log.diff-file-written")

    def read(self, name: str) -> bytes:
        """The patch; ValueError when the file is not what its name says."""
        patch = self._path(name).read_bytes()
        if digest(patch) != name:
            raise ValueError(f"the diff file {self._path(name)} is damaged")
        return patch
