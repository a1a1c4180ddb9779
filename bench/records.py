"""Lists and searches of records beside Datasette, single records, and what the index costs.

    python -m bench.records

On 100,000 organisations and 200,000 projects, made up by `bench.generate`. Datasette gets the same
rows: SQLite with an index on each column that is filtered, counted or sorted by, and full text in
FTS5. Both are asked the same questions, in turns and by as many connections: a page of a list with
three filters and facets, and a page of a search in text with facets. Whether both found the same
number is compared before anything is measured.

A single record is compared with an endpoint of the same framework that answers `{}`. The index is
built anew by the server's own way, and updated by publishing 1,000 organisations anew.

The data directory is built once, in build/bench; the measured one is a copy.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from app.accounts import Accounts, Role
from app.database import Database
from bench.generate import BASE
from bench.publish import BUILT, LICENCE, add_synthetic, built, copy_folder, organisations
from bench.systems import System
from tests.server.running import RunningServer

_CONSORTIUM = 1.0
"""Partners of a project beside its coordinator: as few as may be, because they are records too."""

_CONNECTIONS = 8
_PAGE = 25
_QUESTIONS = 400
_PATIENCE = 3_600.0
_ROWS_OF_SEED = 20
_WORDS_APART = 0.15
_LUA = """
local paths = {{ {paths} }}
local number = 0
request = function()
  number = number % #paths + 1
  return wrk.format("GET", paths[number])
end
done = function(summary, latency)
  io.write(string.format("p50 %d p95 %d requests %d duration %d errors %d\\n",
    latency:percentile(50), latency:percentile(95), summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""
_EMPTY = """
import sys
import uvicorn
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
async def empty() -> dict[str, str]:
    return {}

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
"""


@dataclass(frozen=True)
class Timing:
    """Of one round: milliseconds, and requests in a second."""

    p50: float
    p95: float
    rate: float


@dataclass
class Asked:
    """A server and the addresses that are asked there, with what it took so far."""

    name: str
    url: str
    paths: Sequence[str]
    rounds: list[Timing] = field(default_factory=list)

    def measure(self, seconds: int, folder: Path) -> None:
        """One round of all connections."""
        script = folder / "paths.lua"
        script.write_text(_LUA.format(paths=", ".join(json.dumps(one) for one in self.paths)))
        words = [System.program("wrk"), "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}"]
        out = subprocess.run(  # noqa: S603 -- of our own words
            [*words, "--timeout", "60", "-s", str(script), self.url],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        found = re.search(r"p50 (\d+) p95 (\d+) requests (\d+) duration (\d+) errors (\d+)", out)
        if not found or int(found[5]) or int(found[3]) == 0:
            raise SystemExit(f"{self.name}: {out}")
        p50, p95, requests, duration, _ = map(int, found.groups())
        self.rounds.append(Timing(p50 / 1e3, p95 / 1e3, requests / duration * 1e6))

    def median(self, of: Callable[[Timing], float]) -> float:
        """Of all rounds."""
        return statistics.median(map(of, self.rounds))


# data


def prepared(number: int, projects: int) -> Path:
    """The data directory with seed and synthetic graph, without an index."""
    folder = BUILT / f"records-{number}-{projects}"
    if not folder.exists():
        unnamed = folder.with_suffix(".tmp")
        shutil.rmtree(unnamed, ignore_errors=True)
        copy_folder(built(0), unnamed)
        add_synthetic(unnamed, number, projects, _CONSORTIUM)
        unnamed.rename(folder)
    return folder


def _records(url: str, collection: str) -> Iterator[dict[str, Any]]:
    with httpx.stream("GET", f"{url}/api/v1/{collection}.ndjson", timeout=_PATIENCE) as lines:
        lines.raise_for_status()
        yield from map(json.loads, lines.iter_lines())


def _text(record: Mapping[str, Any]) -> str:
    """All labels and texts of a record, as what is searched in text."""
    found: list[str] = []
    for value in record.values():
        if isinstance(value, dict) and "id" not in value:
            for one in value.values():
                found += one if isinstance(one, list) else [str(one)]
    return " ".join(found)


def _iri(reference: Any) -> str | None:
    """The first thing that is referred to; the made-up organisations have one of each."""
    first = reference[0] if isinstance(reference, list) and reference else reference
    return str(first["id"]) if isinstance(first, dict) else None


def _columns(record: Mapping[str, Any]) -> dict[str, Any]:
    """A row: what the questions ask for, and the whole record as JSON as a list shows it."""
    fields = record.get("fields_of_science") or [None]
    return {
        "id": record["id"],
        "name": record["name"],
        "classification": _iri(record.get("classification")),
        "country": _iri(record.get("country")),
        "region": _iri(record.get("regions")),
        "city": (record.get("city") or [None])[0],
        "science": _iri(fields),
        "texts": _text(record),
        "record": json.dumps(record, ensure_ascii=False),
    }


_FACETS = {"organisations": ("classification", "country", "region"), "projects": ("science",)}


def write_sqlite(url: str, file: Path) -> None:
    """The rows of both types, as Datasette's documentation advises for facets and search."""
    with sqlite3.connect(file) as database:
        for table, facets in _FACETS.items():
            names = list(_columns({"id": "", "name": ""}))
            database.execute(f"CREATE TABLE {table} ({', '.join(names)}, PRIMARY KEY (id))")
            rows = (tuple(_columns(one).values()) for one in _records(url, table))
            marks = ", ".join("?" * len(names))
            database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
            for name in ("name", *facets):
                database.execute(f"CREATE INDEX {table}_{name} ON {table} ({name})")
            # All three filters at once: the best index that this list could have.
            if len(facets) > 1:
                database.execute(f"CREATE INDEX {table}_all ON {table} ({', '.join(facets)})")
            database.execute(
                f"CREATE VIRTUAL TABLE {table}_fts USING fts5 "
                f'(texts, content="{table}", tokenize="porter unicode61")'
            )
            database.execute(
                f"INSERT INTO {table}_fts (rowid, texts) SELECT rowid, texts FROM {table}"  # noqa: S608
            )
        database.execute("ANALYZE")
    database.close()


class Datasette(System):
    """Datasette on a file that does not change, with time for every facet."""

    name = "datasette"
    path = "/-/versions.json"

    def command(self) -> Sequence[str]:
        """See `System.command`."""
        limits = {"facet_time_limit_ms": 60_000, "sql_time_limit_ms": 60_000}
        settings = [word for name, value in limits.items() for word in ("--setting", name, value)]
        served = ["serve", "-i", str(self.quads), "-h", "127.0.0.1", "-p", str(self.port)]
        return [self.program("datasette"), *served, *map(str, settings)]


class Empty(System):
    """An application of the same framework that does nothing."""

    name = "empty"
    path = "/"

    def command(self) -> Sequence[str]:
        """See `System.command`."""
        return [self.program("python"), "-c", _EMPTY, str(self.port)]


# questions


def _ours(collection: str, facets: Sequence[str], asked: Mapping[str, str]) -> str:
    query = {**asked, "limit": _PAGE, "facets": ",".join(facets)}
    return f"/api/v1/{collection}?{urlencode(query)}"


def _theirs(table: str, facets: Sequence[str], asked: Mapping[str, str]) -> str:
    query = [("_search" if name == "q" else name, value) for name, value in asked.items()]
    shown = [("_shape", "objects"), ("_size", str(_PAGE)), ("_col", "record"), ("_sort", "name")]
    counted = [("_facet", name) for name in facets]
    return f"/data/{table}.json?{urlencode([*query, *counted, *shown])}"


def _filters(file: Path, chance: random.Random) -> Iterator[dict[str, str]]:
    """Filters that some made-up organisation has; their regions have no others below them."""
    with sqlite3.connect(file) as database:
        rows = database.execute(
            "SELECT DISTINCT classification, country, region FROM organisations "
            "WHERE id LIKE '%/bench-%'"
        ).fetchall()
    for row in chance.sample(rows, min(_QUESTIONS, len(rows))):
        yield dict(zip(_FACETS["organisations"], row, strict=True))


def _words(file: Path, chance: random.Random) -> Iterator[dict[str, str]]:
    """Two longer words of a project; short ones may be stop words."""
    with sqlite3.connect(file) as database:
        rows = database.execute(
            "SELECT texts FROM projects ORDER BY random() LIMIT ?", (_QUESTIONS,)
        ).fetchall()
    for (texts,) in rows:
        words = sorted(set(re.findall(r"[a-z]{5,}", texts)))
        if len(words) > 1:
            yield {"q": " ".join(chance.sample(words, 2))}


_OUR_NAMES = {"region": "regions", "science": "fields_of_science"}


def questions(kind: str, file: Path) -> tuple[list[str], list[str]]:
    """The same questions as our addresses and as Datasette's."""
    chance = random.Random(kind)
    table, made = {
        "list": ("organisations", _filters),
        "search": ("projects", _words),
    }[kind]
    asked = list(made(file, chance))
    facets = _FACETS[table]
    ours = [_OUR_NAMES.get(name, name) for name in facets]
    named = [{_OUR_NAMES.get(name, name): value for name, value in one.items()} for one in asked]
    return (
        [_ours(table, ours, one) for one in named],
        [_theirs(table, facets, one) for one in asked],
    )


def compare_totals(ours: Asked, theirs: Asked, number: int) -> None:
    """Stop unless both find as many for the first questions.

    But for stems of words and the names of what a record refers to, which only our index has, and
    for organisations of the seed that have several values of a facet, of which a row has one.
    """
    for mine, other in zip(ours.paths[:number], theirs.paths[:number], strict=True):
        mine_found = httpx.get(f"{ours.url}{mine}", timeout=60)
        found = httpx.get(f"{theirs.url}{other}", timeout=60)
        if not (mine_found.is_success and found.is_success):
            raise SystemExit(f"{mine}: {mine_found.text[:500]}; {other}: {found.text[:500]}")
        total, reply = mine_found.json()["total"], found.json()
        count = reply["filtered_table_rows_count"]
        if reply.get("facets_timed_out") or not reply["facet_results"]:
            raise SystemExit(f"Datasette counts no facets: {other}")
        if abs(total - count) > max(_ROWS_OF_SEED, _WORDS_APART * count):
            raise SystemExit(f"{total} here, {count} there: {mine}")


# the index


def build_index(server: RunningServer) -> tuple[float, int]:
    """Seconds from the start of a server without an index until it has one; entities in it."""
    began = time.monotonic()
    server.start()
    while True:
        facts = httpx.get(f"{server.url}/health/ready", timeout=60).json()
        if facts["index"]["status"] == "ready":
            return time.monotonic() - began, facts["index"]["entities"]
        time.sleep(0.5)


def update_index(server: RunningServer) -> float:
    """Seconds from when 1,000 renamed organisations are in the graph until they are found."""
    database = Database(f"sqlite:///{server.data_dir.resolve() / 'lifetec.db'}")
    accounts = Accounts(database, BASE)
    accounts.add_partner("demo", names={"en": "Demo"}, contact="office@example.org")
    accounts.change_partner("demo", trusted=True)
    accounts.add_dataset("demo", "update", titles={"en": "Update"}, licence=LICENCE)
    key = accounts.issue_key(Role.PARTNER, partner="demo").text
    database.close()
    _publish(server, key, organisations("update"))
    return _publish(server, key, organisations("update", changed=1_000))


def _publish(server: RunningServer, key: str, data: bytes) -> float:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/n-triples"}
    with (
        httpx.Client(base_url=server.url, timeout=900) as client,
        ThreadPoolExecutor(1) as beside,
    ):
        before = client.get("/health/ready").json()["generation"]
        sent = beside.submit(
            httpx.post,
            f"{server.url}/api/v1/submissions?dataset=demo/update",
            content=data,
            headers=headers,
            timeout=900,
        )
        shown: float | None = None
        while True:
            facts = client.get("/health/ready").json()
            now = time.monotonic()
            if shown is None and facts["generation"] > before:
                shown = now
            if shown is not None and facts["index"]["generation"] > before:
                sent.result().raise_for_status()
                return now - shown
            if sent.done() and sent.result().status_code != 201:
                raise SystemExit(sent.result().text)
            time.sleep(0.005)


class _PatientServer(RunningServer):
    """A server that may build its index before it is ready."""

    ready_seconds = 3 * _PATIENCE
    pause_seconds = 0.5  # asking is work, too


# all of it


def compare(data: Path, rounds: int, seconds: int) -> None:
    """Build, ask, update, print."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=BUILT)))
        copy_folder(data, folder / "var")
        shutil.rmtree(folder / "var" / "index", ignore_errors=True)
        server = _PatientServer(folder / "var", rate_limits="off", index_wait_seconds=60)
        stack.callback(server.stop)
        print("building the index", flush=True)
        built_in, entities = build_index(server)
        print(f"index of {entities:,} entities: {built_in:.1f} s, the start included", flush=True)
        file = folder / "data.db"
        write_sqlite(server.url, file)
        datasette = stack.enter_context(Datasette(folder, file))
        pairs = []
        for kind in ("list", "search"):
            ours, theirs = questions(kind, file)
            pair = Asked("lifetec", server.url, ours), Asked("datasette", datasette.url, theirs)
            compare_totals(*pair, 20)
            pairs.append((kind, pair))
        single = _records_and_nothing(server, file, stack.enter_context(Empty(folder, file)))
        pairs.append(("record", single))
        for turn in range(rounds):
            for _, pair in pairs:
                for one in pair if turn % 2 else pair[::-1]:
                    one.measure(seconds, folder)
        for kind, pair in pairs:
            _print(kind, *pair)
        updated_in = update_index(server)
        print(
            f"update of 1,000 entities: {updated_in:.2f} s, 1/{built_in / updated_in:.0f} of the "
            "build (at most 1/50)"
        )


def _records_and_nothing(server: RunningServer, file: Path, empty: Empty) -> tuple[Asked, Asked]:
    with sqlite3.connect(file) as database:
        rows = database.execute("SELECT id FROM organisations ORDER BY random() LIMIT 1000")
        slugs = [str(iri).rpartition("/")[2] for (iri,) in rows]
    paths = [f"/api/v1/organisations/{slug}" for slug in slugs]
    return Asked("lifetec", server.url, paths), Asked("empty", empty.url, ["/"])


def _print(kind: str, ours: Asked, theirs: Asked) -> None:
    print(f"\n{kind:<12}{'p50 ms':>10}{'p95 ms':>10}{'per second':>12}")
    for one in (ours, theirs):
        p50, p95 = one.median(lambda t: t.p50), one.median(lambda t: t.p95)
        print(f"{one.name:<12}{p50:>10.2f}{p95:>10.2f}{one.median(lambda t: t.rate):>12,.0f}")
    if kind == "record":
        ratio = ours.median(lambda t: t.rate) / theirs.median(lambda t: t.rate)
        print(f"rate: {ratio:.2f} of an empty endpoint's (at least 0.6)")
    else:
        ratio = theirs.median(lambda t: t.p95) / ours.median(lambda t: t.p95)
        print(f"p95: 1/{ratio:.1f} of Datasette's (at most 1/5)")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--organisations", type=int, default=100_000)
    parser.add_argument("--projects", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="of each round")
    given = parser.parse_args()
    compare(prepared(given.organisations, given.projects), given.rounds, given.seconds)


if __name__ == "__main__":
    main()
