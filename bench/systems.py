"""SPARQL servers to compare with, each in a folder and on loopback ports of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import httpx

from tests.server.peers import virtuoso_ini
from tests.server.running import free_port

_READY_SECONDS = 1_800
"""rdflib reads the data anew at each start."""

_BUFFERS = 170_000
"""Of Virtuoso, of 8 kB each: what its documentation advises for 2 GB of memory."""

_RDFLIB = """
import sys
import uvicorn
from rdflib import Dataset
from rdflib_endpoint import SparqlEndpoint

graph = Dataset(default_union=True)
graph.parse(sys.argv[1], format="nquads")
uvicorn.run(SparqlEndpoint(graph=graph), host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
"""


class System:
    """A running SPARQL server with the data; `with` waits until it answers."""

    name: ClassVar[str]
    path: ClassVar[str]
    """Where queries go."""

    def __init__(self, folder: Path, quads: Path) -> None:
        self.folder = folder / self.name
        self.folder.mkdir()
        self.quads = quads
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program(name: str) -> str:
        """A program beside the interpreter, or on the PATH."""
        beside = Path(sys.executable).with_name(name)
        found = str(beside) if beside.exists() else shutil.which(name)
        if not found:
            raise SystemExit(f"{name} is not installed.")
        return found

    def command(self) -> Sequence[str]:
        """What serves."""
        raise NotImplementedError

    def load(self) -> None:
        """Bring the data, before it serves."""

    def load_online(self) -> None:
        """Bring the data, once it serves."""

    def __enter__(self) -> Self:
        print(f"loading into {self.name}", flush=True)
        self.load()
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 -- of our own words
                self.command(), cwd=self.folder, stdout=out, stderr=out
            )
        try:
            self._wait()
            self.load_online()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and self._process and self._process.poll() is None:
            try:
                asked = {"query": "ASK { VALUES ?x { 1 } }"}
                if httpx.get(f"{self.url}{self.path}", params=asked, timeout=5).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise SystemExit(f"{self.name} does not start: {(self.folder / 'out').read_text()[-2000:]}")

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Oxigraph(System):
    """`oxigraph serve`: the same engine in a server of its own, without cage, limits and cache."""

    name = "oxigraph"
    path = "/query"

    def load(self) -> None:
        """See `System.load`."""
        place = ["--location", str(self.folder / "data"), "--file", str(self.quads)]
        words = [self.program("oxigraph"), "load", *place]
        subprocess.run(words, check=True, capture_output=True)  # noqa: S603 -- of our own words

    def command(self) -> Sequence[str]:
        """See `System.command`."""
        where = ["--location", str(self.folder / "data"), "--bind", f"127.0.0.1:{self.port}"]
        return [self.program("oxigraph"), "serve", *where, "--union-default-graph"]


class Virtuoso(System):
    """The server of Debian's package virtuoso-opensource."""

    name = "virtuoso"
    path = "/sparql"

    def __init__(self, folder: Path, quads: Path) -> None:
        super().__init__(folder, quads)
        self._sql_port = free_port()
        ini = virtuoso_ini(port=self.port, sql_port=self._sql_port, buffers=_BUFFERS)
        (self.folder / "virtuoso.ini").write_text(ini)

    def command(self) -> Sequence[str]:
        """See `System.command`."""
        return [self.program("virtuoso-t"), "+configfile", "virtuoso.ini", "+foreground"]

    def load_online(self) -> None:
        """See `System.load_online`."""
        shutil.copy(self.quads, self.folder / "data.nq")
        statements = "ld_dir('.', 'data.nq', 'urn:default'); rdf_loader_run(); checkpoint;"
        where = [f"127.0.0.1:{self._sql_port}", "dba", "dba"]
        subprocess.run(  # noqa: S603 -- of our own words
            [self.program("isql-vt"), *where, f"exec={statements}"],
            cwd=self.folder,
            check=True,
            capture_output=True,
        )


class Rdflib(System):
    """rdflib-endpoint on a dataset in memory."""

    name = "rdflib"
    path = "/"

    def command(self) -> Sequence[str]:
        """See `System.command`."""
        script = self.folder / "serve.py"
        script.write_text(_RDFLIB)
        return [sys.executable, str(script), str(self.quads), str(self.port)]
