"""`/health/ready`: how far this node is, for who sends it requests (see `front` for the other)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from app.records.indexer import State
from app.sandbox.pool import Pool
from app.store.node import Mirror


def health_router(
    pool: Pool,
    published: Callable[[], int],
    *,
    mirror: Mirror | None,
    index: Callable[[], State] | None,
) -> APIRouter:
    """The address. `published` is the newest generation of the log, and may wait for the database;
    `mirror` and `index` are what this node has beside its graph."""
    router = APIRouter(tags=["operation"])

    @router.get("/health/ready")
    async def ready() -> Response:
        """Whether the newest published state is served: 200 with its generation, else 503.

        The search index is told of, but not waited for: while it is built, lists and records come
        from the graph, and only searches are put off.
        """
        generation = pool.generation
        head = await asyncio.to_thread(published)
        facts: dict[str, Any] = {
            "status": "ready" if generation >= head else "behind",
            "generation": generation,
            "published": head,
            "workers": pool.processes,
            "network_refused_to_workers": pool.network_refused,
        }
        if mirror:
            behind = mirror.fault or mirror.generation < head
            facts["store"] = {
                "status": "away" if mirror.fault else "behind" if behind else "ready",
                "generation": mirror.generation,
            }
            if behind:
                facts["status"] = "behind"
        if index:
            facts["index"] = _index_facts(index(), head)
        return JSONResponse(
            facts,
            status_code=200 if facts["status"] == "ready" else 503,
            headers={"cache-control": "no-store"},
        )

    return router


def _index_facts(state: State, head: int) -> dict[str, Any]:
    ready = state.usable and state.generation >= head
    facts: dict[str, Any] = {
        "status": "ready" if ready else "behind" if state.usable else "building",
        "generation": state.generation,
        "entities": state.entities,
    }
    if state.built:
        facts["building"] = {"written": state.built[0], "of": state.built[1]}
    return facts
