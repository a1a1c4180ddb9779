"""A real PostgreSQL server for tests: its own folder, a unix socket, ended by its pid."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

_SECONDS = 60


def installed() -> Path | None:
    """The folder of the newest server's programs; Debian keeps them out of the PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[4].zfill(4)
    )
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).resolve().parent if named else None


class Postgres:
    """A server that only this test run knows; each `new_database` is empty."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="lifetec-postgres-"))
        self._numbers = itertools.count(1)
        # The server refuses to run as root, so it gets the user that its package has made.
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(self._folder, "postgres", "postgres")
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        data, out = self._folder / "data", self._folder / "log"
        subprocess.run(
            [str(self._programs / "initdb"), "-D", str(data), "-U", "lifetec", "-A", "trust",
             "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd=self._folder, **self._user,
        )  # fmt: skip
        with out.open("wb") as log:
            self._server = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(data), "-k", str(self._folder),
                 "-c", "listen_addresses=", "-c", "fsync=off", "-c", "timezone=Asia/Tokyo"],
                stdout=log, stderr=log, cwd=self._folder, **self._user,
            )  # fmt: skip
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                self._execute("SELECT 1")
            except OperationalError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(out.read_text()[-4000:]) from None
                time.sleep(0.05)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        assert self._server
        # Immediate shutdown: it waits for no client, and writes nothing that is thrown away anyway.
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self, like: str | None = None) -> str:
        """URL of an empty database, as an operator would write it, or of a copy of another."""
        name = f"test{next(self._numbers)}"
        template = make_url(like).database if like else "template1"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._url(name)

    @contextlib.contextmanager
    def away(self, url: str) -> Iterator[None]:
        """Nobody gets to a database, and who was connected is sent away."""
        name = make_url(url).database
        self._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            self._execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
            yield
        finally:
            self._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    def _url(self, name: str) -> str:
        return f"postgresql://lifetec@/{name}?host={self._folder}"

    def _execute(self, statement: str) -> None:
        engine = create_engine(
            self._url("postgres").replace("://", "+psycopg://", 1), isolation_level="AUTOCOMMIT"
        )
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()
