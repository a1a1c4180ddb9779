"""Open the operations database and bring its tables up to date."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.database.blobs import Blobs, FileBlobs, TableBlobs

MIGRATIONS = Path(__file__).parent / "migrations"

_MIGRATING = 0x6C696665
"""Number of the advisory lock under which PostgreSQL is migrated."""

_BUSY_SECONDS = 10
"""How long who needs the file of SQLite waits for another."""

_TRY_AGAIN_SECONDS = 0.01


class Database:
    """An open database whose tables are those of the newest migration.

    Safe to share between threads. Opening it raises ConnectionError when it does not answer; an
    error never names the password in `url`.
    """

    def __init__(self, url: str) -> None:
        address = _with_driver(make_url(url))
        self._engine = _engine(address)
        try:
            _migrate(self._engine)
        except OperationalError as error:
            self._engine.dispose()
            raise ConnectionError(
                "the operations database cannot be used: "
                f"{address.render_as_string(hide_password=True)}: {error.orig}"
            ) from None
        except BaseException:
            self._engine.dispose()
            raise

    def session(self) -> Session:
        """A unit of work; objects stay readable after its end."""
        return Session(self._engine, expire_on_commit=False)

    def blobs(self, room: str, folder: Path, suffix: str = "") -> Blobs:
        """Where a room keeps what is too large for its tables.

        Beside SQLite these are files in `folder` whose names end in `suffix`. Nodes that share a
        PostgreSQL may share nothing else, so there they lie in a table.
        """
        if self._engine.dialect.name == "sqlite":
            return FileBlobs(folder, suffix)
        return TableBlobs(self.session, room)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()


def open_engine(url: str) -> Engine:
    """An engine for a library that keeps tables of its own; the caller disposes of it.

    On SQLite its transactions take the one place of a writer at their beginning, not in their
    middle, where they could only fail.
    """
    engine = _engine(_with_driver(make_url(url)))
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            connection.isolation_level = "IMMEDIATE"

    return engine


def _with_driver(url: URL) -> URL:
    if url.drivername in {"postgres", "postgresql"}:
        return url.set(drivername="postgresql+psycopg")
    return url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        # The unique number of a commit decides between two appenders at this level; a stricter
        # one, if it were the server's default, would report the same as another kind of error.
        return create_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True)
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # A commit survives the loss of power, and readers never wait for a writer.
        connection.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Have a write-ahead log. The first to open a new file changes it, and SQLite lets nobody wait.

    It refuses at once where others open the file, too, lest two wait for each other.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(_TRY_AGAIN_SECONDS)
        else:
            return


def _migrate(engine: Engine) -> None:
    """Bring the tables to the newest revision; Alembic is imported only if they are behind.

    Of several processes that start at once, one migrates and the others wait for it.
    """
    newest = max(
        file.stem.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py")
    )
    with engine.connect() as connection:
        if _revision(connection) == newest:
            return
        from alembic import command  # noqa: PLC0415 -- takes as long to import as all of SQLAlchemy
        from alembic.config import Config  # noqa: PLC0415

        connection.rollback()
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found
