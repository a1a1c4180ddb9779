"""A diff as bytes: RDF Patch lines (`A` adds, `D` deletes a quad), compressed."""

from __future__ import annotations

import re
import zlib

from pyoxigraph import NamedNode

INLINE_BYTES = 64 * 1024
"""Larger compressed diffs are blobs."""

_PIECE = 64 * 1024
"""Compressed bytes that are unpacked at a time to be searched."""


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


def about(patch: bytes, *subjects: str) -> tuple[bytes, bytes]:
    """The lines of `decode` whose subject is one of these IRIs, or one with a fragment.

    A patch may be hundreds of megabytes when it is unpacked, and anybody may ask for the history
    of an entity: so it is searched as bytes, a piece at a time, and nothing is parsed.
    """
    begun = b"|".join(re.escape(str(NamedNode(one))[:-1].encode()) for one in subjects)
    line = re.compile(rb"\n([AD]) ((?:" + begun + rb")[>#][^\n]*)")
    found: dict[bytes, list[bytes]] = {b"A": [], b"D": []}
    unpacking = zlib.decompressobj()
    text = b"\n"
    for at in range(0, len(patch), _PIECE):
        text += unpacking.decompress(patch[at : at + _PIECE])
        whole = text.rfind(b"\n")
        for kind, said in line.findall(text, 0, whole):
            found[kind].append(said + b"\n")
        text = text[whole:]
    for kind, said in line.findall(text):
        found[kind].append(said + b"\n")
    return b"".join(found[b"A"]), b"".join(found[b"D"])
