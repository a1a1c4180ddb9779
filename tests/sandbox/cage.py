"""A pool on a small graph, for tests that run in its event loop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from pyoxigraph import Literal, NamedNode, Quad, Store

from app.rdf import media
from app.sandbox.pool import Checkpoint, Limits, Pool

P = NamedNode("http://example.org/p")
LIMITS = Limits(seconds=20, memory_mb=512)
PRODUCT = "SELECT * { ?a ?b ?c. ?d ?e ?f. ?g ?h ?i } ORDER BY ?i"
LOOKUP = "ASK { <http://example.org/7> ?p ?o }"


def graph(folder: Path, quads: int = 3_000) -> Checkpoint:
    store = Store(str(folder))
    store.bulk_extend(
        Quad(NamedNode(f"http://example.org/{n}"), P, Literal(f"value {n}")) for n in range(quads)
    )
    store.flush()
    return Checkpoint(str(folder), 1)


@contextlib.asynccontextmanager
async def pool(
    checkpoint: Checkpoint | Callable[[], Checkpoint] | None = None,
    *,
    start: bool = True,
    **sizes: int,
) -> AsyncIterator[Pool]:
    one = checkpoint or Checkpoint(None, 0)
    made = Pool(
        **{"light": 1, "heavy": 1, "batch": 1, "queue": 16, **sizes},
        checkpoint=one if callable(one) else lambda: one,
        preload=("app.sparql.jobs",),
    )
    try:
        if start:
            await made.start()
        yield made
    finally:
        await made.stop()


def arguments(**more: Any) -> dict[str, Any]:
    return {
        "base_iri": "http://b/",
        "union": False,
        "default_graphs": None,
        "named_graphs": None,
        "reserved": None,
        "results": media.RESULTS_TSV,
        "graphs": media.N_TRIPLES,
        **more,
    }


async def ask(pool: Pool, text: str, limits: Limits = LIMITS) -> bytes:
    return await pool.run("sparql.query", arguments(), text.encode(), limits=limits)


def descriptors() -> set[str]:
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(f"{path.name} {path.readlink()}")
    return found


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}
