"""How long `lifetec serve` takes until it is ready: with the seed still to load, and after that.

    python -m bench.start

Prints seconds from the start of the process to the first 200 of /health/ready that says that the
search index is ready, too.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from tests.server.running import RunningServer

_RUNS = 5


def measure(server: RunningServer) -> float:
    """Seconds of one start; the server is stopped again."""
    began = time.perf_counter()
    with server:
        return time.perf_counter() - began


def main() -> None:
    """One first start, then several second ones."""
    with tempfile.TemporaryDirectory() as folder:
        server = RunningServer(Path(folder) / "var", example="on")
        print(f"first start   {measure(server):6.2f} s")
        again = [measure(server) for _ in range(_RUNS)]
        print(
            f"second start  {statistics.median(again):6.2f} s median of {_RUNS} "
            f"({min(again):.2f} to {max(again):.2f})"
        )


if __name__ == "__main__":
    main()
