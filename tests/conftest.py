"""What tests of several rooms share: the operations database, on both kinds of server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from app.database import Database
from tests.postgres import Postgres, installed
from tests.server.peers import OxigraphServer, Peer, Virtuoso


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this test run; what is missing fails in continuous integration."""
    programs = installed()
    if programs is None:
        _missing("PostgreSQL is not installed: apt-get install postgresql")
    with Postgres(programs) as server:
        yield server


def _missing(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def _started(kind: type[Peer]) -> Iterator[Peer]:
    if kind.installed() is None:
        _missing(kind.missing)
    with kind() as server:
        yield server


@pytest.fixture(scope="session")
def oxigraph() -> Iterator[Peer]:
    """An Oxigraph server of this test run."""
    yield from _started(OxigraphServer)


@pytest.fixture(scope="session")
def virtuoso() -> Iterator[Peer]:
    """A Virtuoso of this test run."""
    yield from _started(Virtuoso)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'operations.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with all tables and nothing in them."""
    one = Database(database_url)
    yield one
    one.close()
