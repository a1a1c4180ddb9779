"""kill -9 at every named moment: afterwards log, store and checkpoint agree, on each database."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from app.failpoints import FAILPOINTS
from tests.server.conftest import bare_in
from tests.server.peers import Peer
from tests.server.running import RunningServer, environment, free_port, lifetec

DATASET = "http://example.org/d"
MANY = 25_000
"""More than one transaction holds, so that bulk loading is met too."""
_ELSEWHERE_TOLD = ("submission.", "remote.", "index.", "merge.")
_LOADING = [name for name in FAILPOINTS if not name.startswith(_ELSEWHERE_TOLD)]
"""The moments that every change passes; others are below, in `test_crash_submissions` and in
`test_index`."""


def _file(path: Path, first: int, count: int) -> Path:
    path.write_text(
        "".join(
            f'<http://example.org/s{n}> <http://example.org/p> "{n}" .\n'
            for n in range(first, first + count)
        )
    )
    return path


LOAD = ("load", "--dataset", DATASET)
House = tuple[Path, dict[str, Any]]
"""A data directory, and the settings that go with it."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def begun(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> House:
    """Ten statements are published; made once for each kind of database, and only copied."""
    folder = tmp_path_factory.mktemp(request.param)
    var, settings = folder / "var", bare_in(folder)
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres").new_database()
    loaded = lifetec(var, *LOAD, _file(folder / "a.nt", 0, 10), **settings)
    assert loaded.returncode == 0, loaded.stderr
    return var, settings


@pytest.fixture
def house(begun: House, tmp_path: Path, request: pytest.FixtureRequest) -> House:
    """A copy of it for one test."""
    var, settings = begun
    shutil.copytree(var, tmp_path / "var")
    if url := settings.get("database_url"):
        copy = request.getfixturevalue("postgres").new_database(like=url)
        settings = {**settings, "database_url": copy}
    return tmp_path / "var", settings


@pytest.mark.parametrize("failpoint", _LOADING)
def test_killed_load_is_whole_or_nothing(failpoint: str, house: House, tmp_path: Path) -> None:
    var, settings = house
    file = _file(tmp_path / "b.nt", 5, MANY)
    killed = lifetec(var, *LOAD, file, **settings, failpoint=failpoint)
    assert killed.returncode == -signal.SIGKILL, (killed.returncode, killed.stderr)

    dumped = lifetec(var, "dump", **settings)  # the first to open the store again: it catches up
    assert dumped.returncode == 0, dumped.stderr
    statements = dumped.stdout.count(f"<{DATASET}> .\n")  # that is, in its graph
    published = failpoint not in {"log.diff-written", "log.before-append"}
    assert statements == (MANY if published else 10)
    checked = lifetec(var, "check", **settings)
    assert checked.returncode == 0, checked.stdout

    again = lifetec(var, *LOAD, file, **settings)
    assert again.returncode == 0, again.stderr
    assert ("unchanged" in again.stderr) == published
    if not published:
        assert lifetec(var, "check", **settings).returncode == 0


@pytest.mark.parametrize("failpoint", [name for name in FAILPOINTS if name.startswith("store.")])
def test_killed_follower_catches_up(failpoint: str, house: House, tmp_path: Path) -> None:
    """A server dies while it follows what the CLI beside it published."""
    var, settings = house
    with RunningServer(var, **settings, failpoint=failpoint) as server:
        publishing = _lifetec_started(var, *LOAD, _file(tmp_path / "b.nt", 5, MANY), **settings)
        try:
            deadline = time.monotonic() + 60
            while Path(f"/proc/{server.pid}/exe").exists():
                assert time.monotonic() < deadline, "the server did not reach the failpoint"
                time.sleep(0.05)
        finally:
            publishing.kill()
            publishing.wait()
    with RunningServer(var, **settings) as restarted:
        rows = restarted.select("SELECT (COUNT(*) AS ?n) { ?s <http://example.org/p> ?o }")
        assert int(rows[0]["n"]) == MANY
    checked = lifetec(var, "check", **settings)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("failpoint", [name for name in FAILPOINTS if name.startswith("merge.")])
def test_killed_while_files_are_merged(failpoint: str, house: House) -> None:
    """A server dies at what it does when nothing is published for a while, and does it again."""
    var, settings = house
    query = "SELECT (COUNT(*) AS ?n) { ?s <http://example.org/p> ?o }"
    serve = ("serve", "--port", str(free_port()))
    killed = lifetec(var, *serve, **settings, failpoint=failpoint)
    assert killed.returncode == -signal.SIGKILL, (killed.returncode, killed.stderr)
    with RunningServer(var, **settings) as restarted:
        assert restarted.select(query)[0]["n"] == "10"
        deadline = time.monotonic() + 60
        while not list((var / "store" / "checkpoints").glob("*.merged")):
            assert time.monotonic() < deadline, "the server does not merge"
            time.sleep(0.05)
        assert restarted.select(f"{query} # again")[0]["n"] == "10"
    checked = lifetec(var, "check", **settings)
    assert checked.returncode == 0, checked.stdout


def _lifetec_started(var: Path, *words: str | Path, **settings: Any) -> subprocess.Popen[bytes]:
    """A `lifetec` command that goes on by itself."""
    return subprocess.Popen(
        [sys.executable, "-m", "app", *map(str, words)],
        env=environment(var, **settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_load_beside_a_running_server_and_one_that_starts_again(
    tmp_path: Path, each_database: dict[str, Any]
) -> None:
    """The CLI appends to the log; the server follows, and both see the same generation."""
    var, settings = tmp_path / "var", each_database

    def load(count: int) -> str:
        file = _file(tmp_path / f"{count}.nt", 0, count)
        done = lifetec(var, *LOAD, file, **settings)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def seen(server: RunningServer) -> int:
        rows = server.select("SELECT (COUNT(*) AS ?n) { ?s <http://example.org/p> ?o }")
        return int(rows[0]["n"])

    with RunningServer(var, **settings) as server:
        for generation, count in enumerate((10, 20, 5), start=1):
            assert f"generation {generation}" in load(count)
            assert seen(server) == count
        server.stop(signal.SIGKILL)
        load(30)
        server.start()
        assert seen(server) == 30
        checked = lifetec(var, "check", **settings)
        assert checked.returncode == 0, checked.stdout
        assert "4 commits" in checked.stdout
    assert bool(list(var.glob("*.db*"))) == ("database_url" not in settings)


_ELSEWHERE = ["log.appended", "store.marked", *(n for n in FAILPOINTS if n.startswith("remote."))]


@pytest.mark.parametrize("failpoint", _ELSEWHERE)
@pytest.mark.parametrize("peer", ["oxigraph", "virtuoso"])
def test_a_store_elsewhere_agrees_after_a_kill(
    peer: str, failpoint: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whatever reached it, whole or in part, the next start brings the rest."""
    server: Peer = request.getfixturevalue(peer)
    server.clear()
    var, settings = tmp_path / "var", {**bare_in(tmp_path), **server.settings}
    first = lifetec(var, *LOAD, _file(tmp_path / "a.nt", 0, 10), **settings)
    assert first.returncode == 0, first.stderr
    many = 1_000  # several updates
    file = _file(tmp_path / "b.nt", 5, many)
    killed = lifetec(var, *LOAD, file, **settings, failpoint=failpoint)
    assert killed.returncode == -signal.SIGKILL, (killed.returncode, killed.stderr)

    again = lifetec(var, *LOAD, file, **settings)
    assert again.returncode == 0, again.stderr
    assert "unchanged" in again.stderr
    checked = lifetec(var, "check", **settings)
    assert checked.returncode == 0, checked.stdout
    assert "ok   remote graphs" in checked.stdout
    there = server.rows(f"SELECT (COUNT(*) AS ?n) {{ GRAPH <{DATASET}> {{ ?s ?p ?o }} }}")
    assert there == [{"n": str(many)}]
