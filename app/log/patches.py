"""A diff as bytes: RDF Patch lines (`A` adds, `D` deletes a quad), compressed."""

from __future__ import annotations

import zlib

INLINE_BYTES = 64 * 1024
"""Larger compressed diffs are blobs."""


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
