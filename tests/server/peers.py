"""SPARQL servers of others, each in a folder and on ports of its own, ended by its process id."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import httpx

from app.store.address import Address
from tests.server.running import free_port

_SECONDS = 120


class Peer:
    """A running SPARQL server; `with` waits until it answers."""

    name: ClassVar[str]
    missing: ClassVar[str]
    """What to install where there is no such server."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"lifetec-{self.name}-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def installed(cls) -> str | None:
        """The server's program, if it is there."""
        raise NotImplementedError

    @property
    def address(self) -> Address:
        """Where it answers, and as whom."""
        raise NotImplementedError

    @property
    def settings(self) -> dict[str, Any]:
        """The same as settings of a service."""
        one = self.address
        given = {"store": f"sparql+{one.query}", "store_update_url": one.update}
        if one.user:
            given |= {"store_user": one.user, "store_password": one.password or ""}
        return given

    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    def _prepare(self) -> None:
        """What must be done once it answers for the first time."""

    def start(self) -> None:
        """Start it, with what it holds on disk."""
        out = self.folder / "out"
        with out.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), cwd=self.folder, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _SECONDS
        while True:
            with contextlib.suppress(httpx.TransportError):
                asked = {"query": "ASK { VALUES ?x { 1 } }"}
                if httpx.post(self.address.query, data=asked, timeout=5).status_code == 200:
                    return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(out.read_text()[-4000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """End it; what it holds stays in its folder."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(30)

    def __enter__(self) -> Self:
        try:
            self.start()
            self._prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def update(self, text: str) -> httpx.Response:
        """Send an update as who may."""
        headers = {"content-type": "application/sparql-update"}
        with httpx.Client(auth=self.address.auth(), timeout=60) as client:
            reply = client.post(self.address.update, content=text.encode(), headers=headers)
            assert reply.is_success, reply.text
            return reply

    def rows(self, query: str) -> list[dict[str, str]]:
        """The rows of a SELECT, as values by variable."""
        asked = {"accept": "application/sparql-results+json"}
        reply = httpx.post(self.address.query, data={"query": query}, headers=asked, timeout=60)
        assert reply.is_success, reply.text
        found = reply.json()["results"]["bindings"]
        return [{name: cell["value"] for name, cell in row.items()} for row in found]

    def clear(self) -> None:
        """Forget all that tests brought."""
        raise NotImplementedError


class OxigraphServer(Peer):
    """`oxigraph serve` of the package oxigraph."""

    name = "oxigraph"
    missing = "The program oxigraph is not installed: pip install oxigraph"

    def __init__(self, *, union: bool = False) -> None:
        super().__init__()
        self._options = ["--union-default-graph"] if union else []

    @classmethod
    def installed(cls) -> str | None:
        """See `Peer.installed`."""
        beside = Path(sys.executable).with_name("oxigraph")
        return str(beside) if beside.exists() else shutil.which("oxigraph")

    @property
    def address(self) -> Address:
        """See `Peer.address`."""
        return Address(f"{self.url}/query", f"{self.url}/update")

    def _command(self) -> Sequence[str]:
        place = ["--location", str(self.folder / "data"), "--bind", f"127.0.0.1:{self.port}"]
        return [str(self.installed()), "serve", *place, *self._options]

    def clear(self) -> None:
        """See `Peer.clear`."""
        self.update("CLEAR ALL")


_OWN_GRAPHS = (
    "http://www.openlinksw.com/", "http://localuriqaserver/", "http://www.w3.org/",
    "http://localhost:",
)  # fmt: skip

_INI = """
[Database]
DatabaseFile = virtuoso.db
ErrorLogFile = virtuoso.log
LockFile = virtuoso.lck
TransactionFile = virtuoso.trx
xa_persistent_file = virtuoso.pxa
FileExtend = 200
[TempDatabase]
DatabaseFile = temporary.db
TransactionFile = temporary.trx
[Parameters]
ServerPort = 127.0.0.1:{sql_port}
DisableUnixSocket = 1
MaxClientConnections = 20
NumberOfBuffers = {buffers}
MaxDirtyBuffers = {dirty}
DirsAllowed = .
CaseMode = 2
[HTTPServer]
ServerPort = 127.0.0.1:{port}
ServerRoot = .
ServerThreads = 20
MaxKeepAlives = 20
KeepAliveTimeout = 60
Charset = UTF-8
[SPARQL]
ResultSetMaxRows = 10000000
"""


def virtuoso_ini(*, port: int, sql_port: int, buffers: int = 20_000) -> str:
    """A configuration for a folder of its own; a buffer is 8 kB."""
    return _INI.format(port=port, sql_port=sql_port, buffers=buffers, dirty=buffers * 3 // 4)


class Virtuoso(Peer):
    """The server of Debian's package virtuoso-opensource; a user may write, by Digest."""

    name = "virtuoso"
    missing = "Virtuoso is not installed: apt-get install virtuoso-opensource"

    def __init__(self) -> None:
        super().__init__()
        self._sql_port = free_port()
        ini = virtuoso_ini(port=self.port, sql_port=self._sql_port)
        (self.folder / "virtuoso.ini").write_text(ini)

    @classmethod
    def installed(cls) -> str | None:
        """See `Peer.installed`."""
        return shutil.which("virtuoso-t")

    @property
    def address(self) -> Address:
        """See `Peer.address`."""
        return Address(f"{self.url}/sparql", f"{self.url}/sparql-auth", "lifetec", "tiger")

    def _command(self) -> Sequence[str]:
        return [str(self.installed()), "+configfile", "virtuoso.ini", "+foreground"]

    def _prepare(self) -> None:
        statements = (
            "USER_SET_PASSWORD('dba', 'changed');"
            "DB.DBA.USER_CREATE('lifetec', 'tiger');"
            'grant SPARQL_UPDATE to "lifetec";'
        )
        server = f"127.0.0.1:{self._sql_port}"
        done = subprocess.run(
            ["isql-vt", server, "dba", "dba", f"exec={statements}"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert "Error" not in done.stderr + done.stdout, done.stdout + done.stderr

    def clear(self) -> None:
        """See `Peer.clear`."""
        for row in self.rows("SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }"):
            if not row["g"].startswith(_OWN_GRAPHS):
                self.update(f"CLEAR GRAPH <{row['g']}>")
