"""The stream of a job: comments while nothing happens, an end, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from app.api import jobs as api
from app.jobs import Job, Jobs, State

RUNNING = Job(
    id="a",
    name="test",
    state=State.RUNNING,
    progress={},
    result=None,
    error=None,
    owner=None,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    started_at=None,
    ended_at=None,
    attempts=1,
)


class Watched:
    """Jobs of which one can be watched, until it is told to end."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.left = False

    async def watch(self, _: str) -> AsyncGenerator[Job, None]:
        try:
            yield RUNNING
            await self.end.wait()
            yield replace(RUNNING, state=State.DONE, result={})
        except asyncio.CancelledError:
            self.left = True
            raise


def stream(watched: Watched) -> AsyncGenerator[bytes, None]:
    return api._events(cast(Jobs, cast(Any, watched)), "a", "https://example.org/problem/")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "KEEPALIVE_SECONDS", 0.01)


def test_comments_keep_the_line_open(impatient: None) -> None:
    async def run() -> list[bytes]:
        watched, seen = Watched(), []
        async for event in stream(watched):
            seen.append(event)
            if seen.count(b": ping\n\n") == 2:
                watched.end.set()
        return seen

    first, *comments, last = asyncio.run(run())
    assert first.startswith(b"event: progress\ndata: {")
    assert set(comments) == {b": ping\n\n"}
    assert last.startswith(b"event: done\ndata: {")


@pytest.mark.parametrize("waiting", [True, False], ids=["between-comments", "in-the-wait"])
def test_nothing_is_watched_when_the_client_has_gone(impatient: None, waiting: bool) -> None:
    async def run() -> None:
        watched = Watched()
        events = stream(watched)
        await anext(events)
        if waiting:
            assert await anext(events) == b": ping\n\n"
            await events.aclose()
        else:
            reading = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            reading.cancel()
        async with asyncio.timeout(10):
            while not watched.left:  # noqa: ASYNC110 -- it wakes nobody
                await asyncio.sleep(0)

    asyncio.run(run())
