"""Runs jobs in this process, for tests of what they answer."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import pyoxigraph as ox


class DirectCage:
    def __init__(self, store: ox.Store) -> None:
        self.store = store
        self.generation = 1
        self._made: dict[tuple[Any, ...], Any] = {}

    def once(self, factory: Callable[..., Any], *args: Any) -> Any:
        key = (factory, *args)
        if key not in self._made:
            self._made[key] = factory(*args)
        return self._made[key]


class DirectReply:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self.parts.append(data)
        return len(data)


class DirectRunner:
    def __init__(self, store: ox.Store) -> None:
        self.cage = DirectCage(store)

    @property
    def generation(self) -> int:
        return self.cage.generation

    async def run(self, job: str, args: Mapping[str, Any], body: bytes = b"") -> bytes:
        room, _, name = job.partition(".")
        reply = DirectReply()
        function = getattr(importlib.import_module(f"app.{room}.jobs"), name)
        function(self.cage, args, body, reply)
        return b"".join(reply.parts)
