from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text

import app.accounts.schema
import app.submissions.schema  # noqa: F401
from app.database import Base, Database, UtcDateTime
from app.database.engine import MIGRATIONS
from app.log import Log


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A connection that is not ours, to look at what is there."""
    one = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    yield one
    one.dispose()


def test_migrations_go_up_down_and_match_the_tables(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    def run(step: Any, target: str) -> None:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            step(config, target)

    run(command.upgrade, "head")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    run(command.downgrade, "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    run(command.upgrade, "head")
    assert "commits" in inspect(engine).get_table_names()


def test_a_database_of_an_earlier_revision_keeps_its_commits(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    patch = zlib.compress(b'A <http://s> <http://p> "o" <http://g> .')
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for generation, dataset in enumerate(("d", "e", "d"), start=1):
            connection.execute(
                text(
                    "INSERT INTO commits (generation, dataset, author, created_at, report, added, "
                    "removed, diff_hash, diff) VALUES (:generation, :dataset, 'a', "
                    "'2026-01-02 03:04:05', '{}', 1, 0, 'h', :patch)"
                ),
                {"generation": generation, "dataset": dataset, "patch": patch},
            )
    database = Database(database_url)
    log = Log(database, database.blobs("diffs", tmp_path))
    assert [commit.datasets for commit in log.since(0)] == [("d",), ("e",), ("d",)]
    assert {source.dataset for source in log.sources()} == {"d", "e"}
    first = log.commit(1)
    assert first is not None
    assert first.added == b'<http://s> <http://p> "o" <http://g> .\n'
    assert first.submission is None
    database.close()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
        found = connection.execute(text("SELECT dataset FROM commits ORDER BY generation"))
        assert found.scalars().all() == ["d", "e", "d"]


OPEN = """
import sys
from app.database import Database
print("ready", flush=True)
sys.stdin.readline()
Database(sys.argv[1]).close()
"""


def test_processes_that_start_at_once_migrate_once(database_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, database_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    faults = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, faults


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:hunter2@127.0.0.1:1/none",
        "sqlite:////nowhere/at/all.db",
    ],
)
def test_a_database_that_does_not_answer_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ConnectionError) as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)
    assert ("127.0.0.1:1/none" if "none" in url else "/nowhere/at/all.db") in str(caught.value)


def test_sqlite_is_synced_and_lets_readers_pass(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.session() as session:
        modes = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert modes == {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 10000,
        "foreign_keys": 1,
    }
    database.close()


def test_a_moment_comes_back_in_utc_whatever_zone_it_came_in() -> None:
    kind = UtcDateTime()
    tokyo = datetime(2026, 1, 2, 12, tzinfo=timezone(timedelta(hours=9)))
    stored = kind.process_bind_param(tokyo, None)  # type: ignore[arg-type]
    assert stored == tokyo
    assert str(stored) == "2026-01-02 03:00:00+00:00"
    for answer in (tokyo, datetime(2026, 1, 2, 3)):  # noqa: DTZ001 -- as SQLite answers
        read = kind.process_result_value(answer, None)  # type: ignore[arg-type]
        assert (read, read and read.tzinfo) == (tokyo, UTC)
