"""kill -9 at every named moment: afterwards log, store and checkpoint agree."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from app.failpoints import FAILPOINTS
from tests.server.running import RunningServer, environment, lifetec

DATASET = "http://example.org/d"
MANY = 25_000
"""More than one transaction holds, so that bulk loading is met too."""


def _file(path: Path, first: int, count: int) -> Path:
    path.write_text(
        "".join(
            f'<http://example.org/s{n}> <http://example.org/p> "{n}" .\n'
            for n in range(first, first + count)
        )
    )
    return path


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_killed_load_is_whole_or_nothing(
    failpoint: str, tmp_path: Path, bare: dict[str, Any]
) -> None:
    var = tmp_path / "var"
    before, after = _file(tmp_path / "a.nt", 0, 10), _file(tmp_path / "b.nt", 5, MANY)
    load = ("load", "--dataset", DATASET)
    assert lifetec(var, *load, before, **bare).returncode == 0

    killed = lifetec(var, *load, after, **bare, failpoint=failpoint)
    assert killed.returncode == -signal.SIGKILL, (killed.returncode, killed.stderr)

    dumped = lifetec(var, "dump", **bare)  # the first to open the store again: it catches up
    assert dumped.returncode == 0, dumped.stderr
    statements = dumped.stdout.count("<http://example.org/p>")
    published = failpoint not in {"log.diff-written", "log.before-append"}
    assert statements == (MANY if published else 10)
    checked = lifetec(var, "check", **bare)
    assert checked.returncode == 0, checked.stdout

    again = lifetec(var, *load, after, **bare)
    assert again.returncode == 0, again.stderr
    assert ("unchanged" in again.stderr) == published
    assert lifetec(var, "check", **bare).returncode == 0


@pytest.mark.parametrize("failpoint", [name for name in FAILPOINTS if name.startswith("store.")])
def test_killed_follower_catches_up(failpoint: str, tmp_path: Path, bare: dict[str, Any]) -> None:
    """A server dies while it follows what the CLI beside it published."""
    var = tmp_path / "var"
    load = ("load", "--dataset", DATASET)
    assert lifetec(var, *load, _file(tmp_path / "a.nt", 0, 10), **bare).returncode == 0
    server = RunningServer(var, **bare, failpoint=failpoint)
    server.start()
    publishing = lifetec_started(var, *load, _file(tmp_path / "b.nt", 5, MANY), **bare)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{server.pid}/exe").exists():
        assert time.monotonic() < deadline, "the server did not reach the failpoint"
        time.sleep(0.05)
    server.stop()
    publishing.kill()
    publishing.wait()
    with RunningServer(var, **bare) as restarted:
        rows = restarted.select("SELECT (COUNT(*) AS ?n) { ?s <http://example.org/p> ?o }")
        assert int(rows[0]["n"]) == MANY
    checked = lifetec(var, "check", **bare)
    assert checked.returncode == 0, checked.stdout


def lifetec_started(var: Path, *words: str | Path, **settings: object):  # type: ignore[no-untyped-def]
    """A `lifetec` command that goes on by itself."""
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    return subprocess.Popen(
        [sys.executable, "-m", "app", *map(str, words)],
        env=environment(var, **settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_load_beside_a_running_server(tmp_path: Path, bare: dict[str, Any]) -> None:
    """The CLI appends to the log; the server follows, and both see the same generation."""
    with RunningServer(tmp_path / "var", **bare) as server:
        for generation, count in enumerate((10, 20, 5), start=1):
            file = _file(tmp_path / f"{count}.nt", 0, count)
            done = lifetec(server.data_dir, "load", "--dataset", DATASET, file, **bare)
            assert done.returncode == 0, done.stderr
            assert f"generation {generation}" in done.stderr
            rows = server.select("SELECT (COUNT(*) AS ?n) { ?s <http://example.org/p> ?o }")
            assert int(rows[0]["n"]) == count
        checked = lifetec(server.data_dir, "check", **bare)
        assert checked.returncode == 0, checked.stdout
