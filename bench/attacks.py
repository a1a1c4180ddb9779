"""What attackers do to those who ask light queries: `python -m bench.attacks [--data DIR]`.

A real server is asked light queries, one after the other: first alone, then beside 16 connections
that send the queries of tests/server/attacks.py, all at the same time. Rate limits are off, since
here all come from one address. The data directory is copied; without one, the seed is loaded.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.server.attacks import Storm, descendants, handles, lookups, memory, storm
from tests.server.listener import Listener
from tests.server.running import RunningServer

_MB = 1 << 20
_QUERY_MEMORY_MB = 1024
_WORKERS = 2
_REST_SECONDS = 25


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data", type=Path, help="a data directory with the seed")
    asked.add_argument("--seconds", type=float, default=60)
    asked.add_argument("--connections", type=int, default=16)
    args = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "var"
        if args.data:
            shutil.copytree(args.data, data)
        settings = {"workers": _WORKERS, "query_memory_mb": _QUERY_MEMORY_MB}
        with RunningServer(data, **settings) as server, Listener() as listener:
            _measure(server, listener, args.seconds, args.connections)


def _measure(server: RunningServer, listener: Listener, seconds: float, connections: int) -> None:
    idle = Storm()
    lookups(server.port, 2, Storm())
    lookups(server.port, max(5.0, seconds / 4), idle)
    before = len(descendants(server.pid)), handles(server.pid).total(), memory(server.pid)
    found = storm(
        server.port, server.pid, seconds=seconds, listener=listener.port, connections=connections
    )
    time.sleep(_REST_SECONDS)
    after = len(descendants(server.pid)), handles(server.pid).total(), memory(server.pid)
    limit = before[2] + (2 * _WORKERS + 2) * _QUERY_MEMORY_MB * _MB
    print(f"light query, idle:  {_latencies(idle.light)}")
    print(f"light query, storm: {_latencies(found.light)}, {len(found.failed_light)} failed")
    print(f"ratio of p99: {_quantile(found.light, 0.99) / _quantile(idle.light, 0.99):.1f}")
    print(f"memory: {found.most_memory // _MB} MB at most, limits {limit // _MB} MB")
    for name, index in (("processes", 0), ("handles", 1)):
        print(f"{name}: {before[index]} before, {after[index]} after")
    print(f"memory: {before[2] // _MB} MB before, {after[2] // _MB} MB after")
    print(f"visits to the listener: {listener.visits}; troubles: {found.trouble[:5]}")
    ends: Counter[str] = Counter()
    for (_, how), times in found.ended.items():
        ends[how] += times
    print("attacks:", ", ".join(f"{how} {times}" for how, times in ends.most_common()))


def _latencies(seconds: list[float]) -> str:
    parts = (f"p{q * 100:g} {_quantile(seconds, q) * 1000:.1f} ms" for q in (0.5, 0.9, 0.99))
    return f"{', '.join(parts)} of {len(seconds)}"


def _quantile(seconds: list[float], q: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(q * len(seconds)))]


if __name__ == "__main__":
    main()
