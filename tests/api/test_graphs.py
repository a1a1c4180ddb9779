"""Reading graphs when the machine is busy: answers may come in pieces from the very beginning."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import httpx
from pyoxigraph import Literal, NamedNode, Quad, Store
from starlette.requests import Request
from starlette.responses import Response

from app.accounts import Accounts
from app.api.clients import Clients
from app.api.graphs import GraphStoreApp
from app.api.problems import Problems
from app.api.submissions import SubmissionDoor
from app.database import Database
from app.log import Log
from app.sandbox.pool import Checkpoint, Limits
from app.sparql.cache import ResultCache
from app.sparql.endpoint import Endpoint
from app.sparql.evaluation import CagedEvaluator
from app.sparql.guard import Guard
from tests.sandbox.cage import pool

GRAPH = NamedNode("http://example.org/g")


class Door:
    """Nobody writes here."""

    base_iri = "http://example.org/"


def test_a_graph_is_found_also_when_every_answer_is_slow(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    store.add(Quad(NamedNode("http://example.org/s"), GRAPH, Literal("x"), GRAPH))
    store.flush()
    del store
    database = Database(f"sqlite:///{tmp_path / 'lifetec.db'}")
    log = Log(database, database.blobs("diffs", tmp_path / "diffs"))

    def render(request: Request, problem: object) -> Response:
        raise AssertionError((request, problem))

    async def ask(graph: str) -> httpx.Response:
        async with pool(lambda: Checkpoint(str(tmp_path / "store"), 0)) as cages:
            limits = Limits(seconds=20, memory_mb=512, slice_seconds=0.0)  # all counts as heavy
            evaluator = CagedEvaluator(cages, base_iri=Door.base_iri, union=True, limits=limits)
            guard = Guard(None, max_result_bytes=1 << 20)
            app = GraphStoreApp(
                Endpoint(evaluator, ResultCache(0), guard),
                Clients(Accounts(database, Door.base_iri), guard),
                log,
                cast(SubmissionDoor, Door()),
                address="http://example.org/graphs",
                union=True,
                problems=Problems("http://example.org/problem/", render),
                max_bytes=1 << 20,
                max_result_bytes=1 << 20,
            )
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                headers = {"accept": "application/n-triples"}
                return await client.get("/graphs", params={"graph": graph}, headers=headers)

    try:
        found = asyncio.run(ask(GRAPH.value))
        assert (found.status_code, found.text.count("\n")) == (200, 1), found.text
        assert asyncio.run(ask("http://example.org/none")).status_code == 404
    finally:
        database.close()
