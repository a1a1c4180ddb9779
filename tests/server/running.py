"""A real server process for tests: started on a free port, stopped by its own process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).resolve().parents[2]


def environment(data_dir: Path, **settings: Any) -> dict[str, str]:
    """The environment of a `lifetec` process with these settings; else nobody is counted."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LIFETEC_")}
    counted = {"rate_limits": "off", **settings}  # a test's requests all come from one address
    given = {f"LIFETEC_{name.upper()}": str(value) for name, value in counted.items()}
    return {**kept, "LIFETEC_DATA_DIR": str(data_dir), "NO_COLOR": "1", "COLUMNS": "200", **given}


def lifetec(
    data_dir: Path, *words: str | Path, timeout: float = 120, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Run one `lifetec` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app", *map(str, words)],
        cwd=ROOT,
        env=environment(data_dir, **settings),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def free_port() -> int:
    """A port of the loopback interface on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _indexed(facts: dict[str, Any]) -> bool:
    return "index" not in facts or facts["index"]["status"] == "ready"


class RunningServer:
    """`lifetec serve` in a process of its own; `with` waits until it is ready."""

    program: Sequence[str] = ("-m", "app", "serve")
    """What the interpreter is given; another one serves with parts of a test."""

    ready_seconds: float = 300
    pause_seconds: float = 0.05

    def __init__(self, data_dir: Path, **settings: Any) -> None:
        self.data_dir = data_dir
        self.settings = settings
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until the newest published state is served, and indexed."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.program],
                cwd=ROOT,
                env=environment(self.data_dir, port=self.port, **self.settings),
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + self.ready_seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(f"the server ended:\n{self.log.read_text()[-4000:]}")
            try:
                reply = httpx.get(f"{self.url}/health/ready", timeout=2)
                if reply.status_code == 200 and _indexed(reply.json()):
                    return
            except httpx.TransportError:
                pass
            time.sleep(self.pause_seconds)
        self.stop()
        raise AssertionError(f"not ready in time:\n{self.log.read_text()[-4000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process, and wait for its end."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(20)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def get(self, path: str, **headers: str) -> httpx.Response:
        """One GET, redirects not followed."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(f"{self.url}{path}", headers=named, timeout=60)

    def select(self, query: str) -> list[dict[str, str]]:
        """The rows of a SELECT, as values by variable."""
        reply = httpx.post(
            f"{self.url}/sparql",
            content=query.encode(),
            headers={
                "content-type": "application/sparql-query",
                "accept": "application/sparql-results+json",
            },
            timeout=60,
        )
        assert reply.status_code == 200, reply.text
        rows = reply.json()["results"]["bindings"]
        return [{name: cell["value"] for name, cell in row.items()} for row in rows]
