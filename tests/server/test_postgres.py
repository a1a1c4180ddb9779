"""The whole service with its operations database on PostgreSQL."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import Postgres
from tests.server.running import RunningServer, lifetec

DATASET = "http://example.org/d"
COUNT = "SELECT (COUNT(*) AS ?n) { ?s <http://example.org/p> ?o }"


@pytest.fixture
def settings(bare: dict[str, Any], postgres: Postgres) -> dict[str, Any]:
    return {**bare, "database_url": postgres.new_database()}


def _load(var: Path, path: Path, count: int, **settings: Any) -> str:
    path.write_text(
        "".join(f'<http://example.org/s{n}> <http://example.org/p> "{n}" .\n' for n in range(count))
    )
    done = lifetec(var, "load", "--dataset", DATASET, path, **settings)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_load_beside_a_server_and_start_again(tmp_path: Path, settings: dict[str, Any]) -> None:
    with RunningServer(tmp_path / "var", **settings) as server:
        for generation, count in enumerate((10, 20, 5), start=1):
            told = _load(server.data_dir, tmp_path / f"{count}.nt", count, **settings)
            assert f"generation {generation}" in told
            assert server.select(COUNT) == [{"n": str(count)}]
        server.stop(signal.SIGKILL)
        _load(server.data_dir, tmp_path / "more.nt", 30, **settings)
        server.start()
        assert server.select(COUNT) == [{"n": "30"}]
        checked = lifetec(server.data_dir, "check", **settings)
        assert checked.returncode == 0, checked.stdout
        assert "4 commits" in checked.stdout
    assert not list((tmp_path / "var").glob("*.db*")), "nothing of it may lie in SQLite"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "mysql://u:hunter2@h/d",
            "LIFETEC_DATABASE_URL must begin with sqlite:// or postgresql://",
        ),
        ("postgresql://u:hunter2@127.0.0.1:1/d", "cannot be used: postgresql+psycopg://u:***@127"),
    ],
)
def test_a_database_that_does_not_fit_is_refused_in_words(
    url: str, told: str, tmp_path: Path, bare: dict[str, Any]
) -> None:
    done = lifetec(tmp_path / "var", "check", **bare, database_url=url)
    assert done.returncode in {1, 2}
    assert told in " ".join(done.stderr.split())
    assert "hunter2" not in done.stderr + done.stdout
