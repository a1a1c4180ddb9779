"""Frames on the pipe between server and worker.

A frame is one byte of kind, four bytes of length (big endian) and the payload. Nothing is pickled:
a worker that has been taken over must not be able to run code in the server.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

HEAD: Final = struct.Struct(">BI")
MAX_PAYLOAD: Final = 1 << 20
"""Bytes in one frame; larger bodies and results travel in several."""

JOB: Final = ord("J")
"""To the worker: what to do (JSON)."""
BODY: Final = ord("B")
"""To the worker: a piece of the job's input."""
RUN: Final = ord("R")
"""To the worker: the input is complete."""

HEADER: Final = ord("H")
"""From the worker: facts about the result, before its first byte (JSON)."""
DATA: Final = ord("D")
"""From the worker: a piece of the result."""
PROGRESS: Final = ord("P")
"""From the worker: how far the job is (JSON)."""
ERROR: Final = ord("X")
"""From the worker: `AppError.as_dict()`; ends the job."""
DONE: Final = ord("Z")
"""From the worker: the result is complete."""


def frame(kind: int, payload: bytes = b"") -> bytes:
    """One frame; `payload` must not exceed MAX_PAYLOAD."""
    return HEAD.pack(kind, len(payload)) + payload


def frames(kind: int, payload: bytes) -> bytes:
    """As many frames as `payload` needs; none when it is empty."""
    return b"".join(
        frame(kind, payload[at : at + MAX_PAYLOAD]) for at in range(0, len(payload), MAX_PAYLOAD)
    )


def message(kind: int, value: Any) -> bytes:
    """A frame with a JSON value."""
    return frame(kind, json.dumps(value, separators=(",", ":")).encode())
