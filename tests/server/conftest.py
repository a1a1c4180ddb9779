"""Servers that the tests share."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import Postgres
from tests.server.running import RunningServer


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with the whole seed and the example data; nobody may write to it."""
    folder = tmp_path_factory.mktemp("seeded") / "var"
    shutil.copytree(loaded_seed(tmp_path_factory), folder)
    with RunningServer(folder, example="on") as server:
        yield server


def loaded_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the seed, which takes a minute: loaded once, for all processes."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base  # pytest-xdist
    folder, lock = shared / "loaded" / "var", shared / "loaded.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not folder.exists():
            loading = folder.with_name("loading")
            shutil.rmtree(loading, ignore_errors=True)
            loading.parent.mkdir(exist_ok=True)
            with RunningServer(loading, example="on"):
                pass
            loading.rename(folder)
    return folder


def bare_in(folder: Path) -> dict[str, Any]:
    """Settings of a service without any data, shapes or ontology of its own."""
    folders: dict[str, Any] = {}
    for name in ("ontology_dir", "shapes_dir", "seed_dir"):
        folders[name] = folder / name
        folders[name].mkdir()
    return folders


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, Any]:
    """The same for one test."""
    return bare_in(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database(request: pytest.FixtureRequest, bare: dict[str, Any]) -> dict[str, Any]:
    """The same, with the operations database on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return bare
    server: Postgres = request.getfixturevalue("postgres")
    return {**bare, "database_url": server.new_database()}
