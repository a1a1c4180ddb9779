"""Whether the files of an index are as Tantivy wrote them: each ends in a checksum of the rest."""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_TAIL = struct.Struct("<II")
"""Length of the footer, and a magic number."""

_MAGIC = 1337


def are_whole(folder: Path) -> bool:
    """Whether all files that the last commit names are there and undamaged.

    Raises OSError or ValueError when not even that can be read.
    """
    return all(_is_whole(path) for path in _committed(folder))


def _committed(folder: Path) -> Iterator[Path]:
    meta = json.loads((folder / "meta.json").read_bytes())
    for segment in meta["segments"]:
        name = segment["segment_id"].replace("-", "")
        files = [path for path in folder.glob(f"{name}.*") if path.suffix != ".del"]
        if not files:
            raise ValueError(f"segment {name} is missing")
        yield from files
        if deletes := segment.get("deletes"):
            yield folder / f"{name}.{deletes['opstamp']}.del"


def _is_whole(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if len(data) < _TAIL.size:
            return False
        length, magic = _TAIL.unpack(data[-_TAIL.size :])
        end = len(data) - _TAIL.size - length
        if magic != _MAGIC or end < 0:
            return False
        footer = json.loads(data[end : -_TAIL.size])
        with memoryview(data) as whole, whole[:end] as body:
            return bool(footer["crc"] == zlib.crc32(body))
