"""Hostile queries end as they must, alone and all at the same time, and leave nothing behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.server.attacks import ATTACKS, SLOW, Attack, descendants, handles, memory, send, storm
from tests.server.conftest import bare_in
from tests.server.listener import Listener
from tests.server.running import RunningServer, lifetec

SECONDS = 2
PATIENT_SECONDS = 6
MEMORY_MB = 256
WORKERS = 3
STORM_SECONDS = 10
THINGS = 3_000
_BESIDE_WORKERS = 2  # the fork server and its tracker of resources


@pytest.fixture(scope="module")
def circles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A data directory with some thousand statements that run in circles, and its settings."""
    root = tmp_path_factory.mktemp("attacked")
    settings: dict[str, Any] = {
        **bare_in(root),
        "query_memory_mb": MEMORY_MB,
        "query_result_mb": 8,
        "workers": WORKERS,
    }
    data = root / "circles.nt"
    with data.open("w") as lines:
        for n in range(THINGS):
            name = f"<http://example.org/s{n}>"
            lines.write(
                f"{name} <http://example.org/p{n % 5}> <http://example.org/s{7 * n % THINGS}> .\n"
            )
            lines.write(f'{name} <http://example.org/label> "{n}" .\n')
    loaded = lifetec(root / "var", "load", data, "--dataset", "http://example.org/d", **settings)
    assert loaded.returncode == 0, loaded.stderr
    return root / "var", settings


@pytest.fixture
def attacked(
    circles: tuple[Path, dict[str, Any]], request: pytest.FixtureRequest
) -> Iterator[RunningServer]:
    """A server on it, with the deadline that the test asks for."""
    data, settings = circles
    with RunningServer(data, **settings, query_seconds=request.param) as server:
        yield server


def figures(server: RunningServer) -> dict[str, float]:
    samples = (line.rpartition(" ") for line in server.get("/metrics").text.splitlines())
    return {name: float(value) for name, _, value in samples if name[:1] != "#"}


def at_rest(server: RunningServer) -> None:
    """Wait until no job runs or waits, and no worker is on its way in or out."""
    until, before = time.monotonic() + 10, -1.0
    while True:
        now = figures(server)
        taken = sum(
            n for name, n in now.items() if name.startswith(("lifetec_lane_busy", "lifetec_lane_w"))
        )
        alive = len(descendants(server.pid)) - _BESIDE_WORKERS
        if (
            taken == 0
            and before == now["lifetec_workers_started_total"]
            and alive == now["lifetec_workers"]
        ):
            return
        assert time.monotonic() < until, now
        before = now["lifetec_workers_started_total"]
        time.sleep(0.2)


@pytest.mark.parametrize("attacked", [SECONDS], indirect=True)
def test_each_attack_ends_as_it_must(attacked: RunningServer) -> None:
    assert len(ATTACKS) >= 25
    with Listener() as listener, ThreadPoolExecutor(WORKERS) as threads:

        def alone(attack: Attack) -> tuple[Attack, str, float]:
            ended = send(attacked.port, attack.query, listener=listener.port)
            return attack, ended.how, ended.seconds

        wrong = [
            (attack.name, how, seconds)
            for attack, how, seconds in threads.map(alone, ATTACKS)
            if how not in attack.ends or seconds > SECONDS + 1
        ]
        assert wrong == []
        assert listener.visits == 0
    assert attacked.get("/health/ready").status_code == 200


@pytest.mark.parametrize("attacked", [PATIENT_SECONDS], indirect=True)
def test_all_attacks_at_the_same_time_leave_nothing_behind(attacked: RunningServer) -> None:
    for attack in ATTACKS[::14]:  # what is opened once, and stays open, is no leak
        send(attacked.port, attack.query, listener=0)
    at_rest(attacked)
    before = figures(attacked)["lifetec_workers"], handles(attacked.pid), memory(attacked.pid)
    with Listener() as listener:
        found = storm(attacked.port, attacked.pid, seconds=STORM_SECONDS, listener=listener.port)
        assert listener.visits == 0
    assert found.trouble == []
    assert found.failed_light == []
    assert len(found.light) > 5
    assert sum(found.ended.values()) > len(ATTACKS)
    # on a busy machine what is fine alone may be late, or find the line full
    may = {one.name: one.ends | SLOW | {"overloaded"} for one in ATTACKS}
    assert {(name, how) for name, how in found.ended if how not in may[name]} == set()
    places = 2 * WORKERS + 2
    assert found.most_memory < before[2] + places * (MEMORY_MB << 20)
    at_rest(attacked)
    after = figures(attacked)
    assert after["lifetec_workers"] <= places
    more = 3 * max(0.0, after["lifetec_workers"] - before[0])
    until = time.monotonic() + 10
    while handles(attacked.pid).total() > before[1].total() + more:
        # the last connections may still be closing
        assert time.monotonic() < until, (handles(attacked.pid) - before[1], more)
        time.sleep(0.1)
    assert Path(f"/proc/{attacked.pid}").exists()
    assert attacked.get("/health/ready").status_code == 200
