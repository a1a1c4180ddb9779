"""Frames on the pipe between server and worker.

A frame is one byte of kind, four bytes of length (big endian) and the payload. Nothing is pickled:
a worker that has been taken over must not be able to run code in the server.
"""

from __future__ import annotations

import functools
import json
import struct
from typing import Any, Final, NamedTuple

HEAD: Final = struct.Struct(">BI")
MAX_PAYLOAD: Final = 1 << 20
"""Bytes in one frame; larger bodies and results travel in several."""

_SMALL: Final = 4_096
"""Bytes up to which a message is remembered."""

JOB: Final = ord("J")
"""To the worker: what to do (JSON)."""
BODY: Final = ord("B")
"""To the worker: a piece of the job's input."""
RUN: Final = ord("R")
"""To the worker: the last piece of the input, and to begin."""

SKIP: Final = ord("S")
"""To the worker: do not begin the job of this number, counted from one (JSON)."""

HEADER: Final = ord("H")
"""From the worker: facts about the result, before its first byte (JSON)."""
DATA: Final = ord("D")
"""From the worker: a piece of the result."""
PROGRESS: Final = ord("P")
"""From the worker: how far the job is (JSON)."""
ERROR: Final = ord("X")
"""From the worker: `AppError.as_dict()`; ends the job."""
DONE: Final = ord("Z")
"""From the worker: the last piece of the result."""
SKIPPED: Final = ord("K")
"""From the worker: the job was not begun, as was asked."""

LAST: Final = frozenset({ERROR, DONE, SKIPPED})
"""What ends an answer; each job gets exactly one, in the order in which they were asked."""


def frame(kind: int, payload: bytes | bytearray = b"") -> bytes:
    """One frame; `payload` must not exceed MAX_PAYLOAD."""
    return HEAD.pack(kind, len(payload)) + payload


def pieces(kind: int, payload: bytes | bytearray, *, last: int) -> bytes:
    """A payload in as many frames as it needs; the one that ends it is of the kind `last`."""
    if len(payload) <= MAX_PAYLOAD:
        return HEAD.pack(last, len(payload)) + payload
    cuts = range(0, len(payload), MAX_PAYLOAD)
    made = [frame(kind, payload[at : at + MAX_PAYLOAD]) for at in cuts[:-1]]
    return b"".join([*made, frame(last, payload[cuts[-1] :])])


def cut(received: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames at the front of what has been received, and the rest."""
    found = []
    begin = HEAD.size
    while begin <= len(received):
        kind, size = HEAD.unpack_from(received, begin - HEAD.size)
        end = begin + size
        if end > len(received):
            break
        found.append((kind, received[begin:end]))
        begin = end + HEAD.size
    return found, received[begin - HEAD.size :]


def message(kind: int, value: Any) -> bytes:
    """A frame with a JSON value."""
    return frame(kind, encoded(value))


def encoded(value: Any) -> bytes:
    """JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def value_of(payload: bytes) -> Any:
    """The JSON of a message, which nobody may change: small ones come again with the next job."""
    return _remembered(payload) if len(payload) <= _SMALL else json.loads(payload)


@functools.lru_cache(maxsize=256)
def _remembered(payload: bytes) -> Any:
    return json.loads(payload)


class Asked(NamedTuple):
    """What a job is asked, beside its input; `args` is JSON."""

    job: str
    args: bytes
    seconds: float
    memory_mb: int


def job(checkpoint: str | None, generation: int, asked: Asked) -> bytes:
    """The message that begins a job; of most lookups it is the same."""
    made = _job if len(asked.args) <= _SMALL else _job.__wrapped__
    return made(checkpoint, generation, asked)


@functools.lru_cache(maxsize=256)
def _job(checkpoint: str | None, generation: int, asked: Asked) -> bytes:
    facts = {
        "checkpoint": checkpoint,
        "generation": generation,
        "job": asked.job,
        "seconds": asked.seconds,
        "memory_mb": asked.memory_mb,
    }
    return frame(JOB, encoded(facts)[:-1] + b',"args":' + asked.args + b"}")
