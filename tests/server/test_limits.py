"""Query bombs end at their limits, and nobody else notices."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.attacks import descendants
from tests.server.running import RunningServer, lifetec

SECONDS = 6
PRODUCT = "SELECT * {?a ?b ?c. ?d ?e ?f. ?g ?h ?i} ORDER BY ?i"
LONG = "SELECT (COUNT(*) AS ?n) {?a ?b ?c. ?d ?e ?f. ?g ?h ?i}"
LOOKUP = "SELECT ?o { <http://example.org/s7> <http://example.org/p> ?o }"


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with a short deadline and some thousand statements."""
    root = tmp_path_factory.mktemp("limited")
    empty: dict[str, Any] = {}
    for name in ("ontology_dir", "shapes_dir", "seed_dir"):
        empty[name] = root / name
        empty[name].mkdir()
    data = root / "many.nt"
    data.write_text(
        "".join(
            f'<http://example.org/s{n}> <http://example.org/p> "{n:0200d}" .\n'
            for n in range(3_000)
        )
    )
    settings = {**empty, "query_seconds": SECONDS, "query_memory_mb": 512, "workers": 2}
    loaded = lifetec(root / "var", "load", data, "--dataset", "http://example.org/many", **settings)
    assert loaded.returncode == 0, loaded.stderr
    with RunningServer(root / "var", **settings) as server:
        yield server


_number = itertools.count()


def _different(query: str) -> str:
    """The same query in another text; one that is the same would be shared, or kept."""
    return f"{query} # {next(_number)}"


def _timed(server: RunningServer, query: str) -> tuple[int, str, float]:
    began = time.monotonic()
    data = {"query": _different(query)}
    reply = httpx.post(f"{server.url}/sparql", data=data, timeout=60)
    return reply.status_code, reply.text, time.monotonic() - began


def test_eight_products_neither_stall_the_server_nor_outlive_their_deadline(
    limited: RunningServer,
) -> None:
    live: list[float] = []
    lookups: list[float] = []
    assert _timed(limited, LOOKUP)[0] == 200
    with ThreadPoolExecutor(8) as threads, httpx.Client(base_url=limited.url) as client:
        bombs = [threads.submit(_timed, limited, f"{PRODUCT} # {n}") for n in range(8)]
        while not all(bomb.done() for bomb in bombs):
            began = time.monotonic()
            assert client.get("/health/live").status_code == 200
            live.append(time.monotonic() - began)
            began = time.monotonic()
            reply = client.post("/sparql", data={"query": _different(LOOKUP)}, timeout=30)
            assert reply.status_code == 200, reply.text
            assert len(reply.json()["results"]["bindings"]) == 1
            lookups.append(time.monotonic() - began)
            time.sleep(0.02)
        ended = [bomb.result() for bomb in bombs]
    assert len(live) > 20
    assert max(live) < 0.1
    assert sorted(lookups)[len(lookups) // 2] < SECONDS / 4
    for status, text, took in ended:
        assert status in {503, 504}, text
        assert took < SECONDS + 1, text
        assert httpx.Response(status, text=text).json()["type"].rpartition("/")[2] in {
            "deadline",
            "memory",
            "overloaded",
        }


def test_memory_bomb_kills_only_its_worker(limited: RunningServer) -> None:
    with ThreadPoolExecutor(2) as threads:
        bomb = threads.submit(_timed, limited, PRODUCT)
        while not bomb.done():
            assert _timed(limited, LOOKUP)[0] == 200
            time.sleep(0.02)  # what it takes from the processors would be time of the bomb's
        status, text, _ = bomb.result()
    assert status == 503, text
    assert "memory" in text
    assert limited.get("/health/ready").status_code == 200


def test_a_result_that_is_cut_off_never_looks_whole(limited: RunningServer) -> None:
    endless = "SELECT * {?a ?b ?c. ?d ?e ?f. ?g ?h ?i}"
    with httpx.stream(
        "POST", f"{limited.url}/sparql", data={"query": endless}, timeout=60
    ) as reply:
        assert reply.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            sum(len(chunk) for chunk in reply.iter_bytes())
    assert _timed(limited, LOOKUP)[0] == 200


def test_a_client_that_leaves_frees_its_worker(limited: RunningServer) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{limited.url}/sparql", data={"query": LONG}, timeout=1)
    deadline = time.monotonic() + SECONDS
    while any(_busy(pid) for pid in descendants(limited.pid)):
        assert time.monotonic() < deadline, "the worker still runs"
        time.sleep(0.1)


def _busy(pid: int) -> bool:
    """Whether a process uses its processor right now."""

    def ticks() -> int:
        try:
            facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0
        return int(facts[11]) + int(facts[12])

    before = ticks()
    time.sleep(0.2)
    return ticks() - before > os.sysconf("SC_CLK_TCK") // 10


def test_no_worker_is_left_when_the_server_is_killed(bare: dict[str, Any], tmp_path: Path) -> None:
    import signal  # noqa: PLC0415

    server = RunningServer(tmp_path / "var", **bare)
    server.start()
    workers = descendants(server.pid)
    assert workers
    server.stop(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "workers outlive their server"
        time.sleep(0.05)


def test_bounded_waiting_line(bare: dict[str, Any], tmp_path: Path) -> None:
    data = tmp_path / "many.nt"
    data.write_text("".join(f'<http://e/s{n}> <http://e/p> "{n}" .\n' for n in range(2_000)))
    settings = {**bare, "workers": 1, "queue": 1, "query_seconds": 3}
    loaded = lifetec(tmp_path / "var", "load", data, "--dataset", "http://e/d", **settings)
    assert loaded.returncode == 0, loaded.stderr
    with RunningServer(tmp_path / "var", **settings) as server, ThreadPoolExecutor(8) as threads:
        ended = [
            f.result() for f in [threads.submit(_timed, server, f"{LONG} # {n}") for n in range(8)]
        ]
        refused = [text for status, text, took in ended if status == 503 and took < 2]
        assert refused, ended
        assert all("overloaded" in text and "retry_after" in text for text in refused)
        reply = server.get("/health/ready")
        assert reply.json()["workers"] <= 3
