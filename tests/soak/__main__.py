"""Kill a server again and again while clients publish, and see that nothing is lost or halved.

    python -m tests.soak --kills 100 --database sqlite

Three clients send submissions of every kind to a real server and repeat, with the same
Idempotency-Key, whatever they got no answer for. At random moments, also while it starts, the
server is killed by -9. Before each start, and at the end, these must hold:

- what an answer said to be published is a commit of the log, or changed nothing
- a submission is published exactly if the log has its commit, and only one commit has it
- commits are numbered without gaps, and each is described in the reserved graph
- the checkpoint is what the log says
- each dataset says what its client was told, no more and no less (clients look themselves)
- a follower made anew from the log has the same canonical hash
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from pyoxigraph import Store

from app.accounts import Accounts, Role
from app.database import Database
from app.log import Commit, Log, catch_up
from app.rdf.diff import canonical_hash
from app.store.check import check_all
from app.store.embedded import DiskStore
from app.submissions.register import Register, Submission
from app.submissions.states import State
from tests.postgres import Postgres, installed
from tests.server.conftest import bare_in
from tests.server.running import RunningServer, lifetec
from tests.soak.client import BASE, Client, Seen

_LICENCE = "http://publications.europa.eu/resource/authority/licence/CC0"
_PARTNERS = {"ada": True, "bob": True, "eve": False}
"""Slugs, and whether what they send needs no review."""

_LIFE_SECONDS = 8.0
_AT_THE_START = 0.2
"""How often a server dies before it is long up."""


@dataclass(frozen=True, slots=True)
class House:
    """Where everything lies; read here while no server runs, or beside one."""

    folder: Path
    database: Database
    settings: dict[str, object]

    @property
    def var(self) -> Path:
        """The data directory."""
        return self.folder / "var"

    @property
    def log(self) -> Log:
        """The commits."""
        return Log(
            self.database, self.database.blobs("diffs", self.var / "diffs", suffix=".rdfp.z")
        )

    @property
    def register(self) -> Register:
        """The submissions."""
        blobs = self.database.blobs
        return Register(
            self.database,
            blobs("sources", self.var / "sources"),
            blobs("results", self.var / "results"),
        )


def opened(folder: Path, kind: str, stack: ExitStack) -> House:
    """A new data directory with a new database of this kind."""
    settings: dict[str, object] = dict(bare_in(folder))
    (folder / "var").mkdir()
    url = f"sqlite:///{folder / 'var' / 'lifetec.db'}"
    if kind == "postgresql":
        programs = installed()
        if programs is None:
            sys.exit("PostgreSQL is not installed: apt-get install postgresql")
        url = stack.enter_context(Postgres(programs)).new_database()
        settings["database_url"] = url
    database = Database(url)
    stack.callback(database.close)
    return House(folder, database, settings)


def clients(house: House, url: str, seen: Seen, seed: int) -> list[Client]:
    """Partners with a dataset and a key each, and the clients that use them."""
    accounts = Accounts(house.database, BASE)
    curator = accounts.issue_key(Role.CURATOR).text
    made = []
    for partner, trusted in _PARTNERS.items():
        accounts.add_partner(partner, names={"en": partner}, contact="office@example.org")
        accounts.change_partner(partner, trusted=trusted)
        for dataset in ("own", "shared") if partner == "ada" else ("own",):
            accounts.add_dataset(partner, dataset, titles={"en": dataset}, licence=_LICENCE)
        key = accounts.issue_key(Role.PARTNER, partner=partner).text
        made.append(Client(partner, url=url, key=key, curator=curator, seen=seen, seed=seed))
    return made


def faults(house: House, seen: Seen) -> Iterator[str]:
    """What contradicts what, as long as no server runs."""
    published = dict(seen.published)  # before what is read below
    commits = list(house.log.since(0))
    rows = {one.id: one for one in house.register.find(limit=None)[1]}
    yield from _undescribed(commits)
    yield from _halved(commits, rows)
    for name, generation in published.items():
        if name not in rows or rows[name].state is not State.PUBLISHED:
            yield f"{name}: was answered as published, and is not"
        elif generation != rows[name].generation:
            yield f"{name}: was answered as {generation}, and is {rows[name].generation}"
    for finding in check_all(house.log, house.var / "store", BASE):
        # A checkpoint may be older than the log: what is missing is applied by the next start.
        if not finding.good and "log at" not in finding.detail:
            yield f"{finding.what}: {finding.detail}"


def _undescribed(commits: list[Commit]) -> Iterator[str]:
    for commit in commits:
        iri = f"<{BASE}commit/{commit.generation}>"
        for dataset in commit.datasets:
            said = f"{iri} <http://www.w3.org/ns/prov#generated> <{dataset}> "
            if said.encode() not in commit.added:
                yield f"{iri} does not say that it made <{dataset}>"


def _halved(commits: list[Commit], rows: dict[str, Submission]) -> Iterator[str]:
    named = Counter(commit.submission for commit in commits)
    yield from (f"{name}: {times} commits" for name, times in named.items() if times > 1)
    generations = {commit.submission: commit.generation for commit in commits}
    for name, one in rows.items():
        said = f"{name}: {one.state}, generation {one.generation}, "
        if one.generation != generations.pop(name, None):
            yield f"{said}but the log says otherwise"
        if one.generation and one.state is not State.PUBLISHED:
            yield f"{said}but in the log"
        if one.state is State.PUBLISHED and one.problem:
            yield f"{said}with the problem {one.problem}"
        if not one.state.final and one.source is None:
            yield f"{said}but what was sent is gone"
    yield from (f"{name}: in the log, but not in the register" for name in generations)


def lived(server: RunningServer, chance: random.Random) -> None:
    """Start the server and kill it at some moment, maybe before it is ready."""
    if chance.random() < _AT_THE_START:
        killing = Timer(chance.uniform(0.2, 2.0), lambda: os.kill(server.pid, signal.SIGKILL))
        killing.start()
        with suppress(AssertionError):  # that it ended before it was ready
            server.start()
        killing.join()
    else:
        server.start()
        time.sleep(chance.uniform(0.0, _LIFE_SECONDS))
    server.stop(signal.SIGKILL)


def ended(house: House, server: RunningServer, crowd: list[Client], seen: Seen) -> Iterator[str]:
    """Let the clients come to their end, then compare everything with everything."""
    with server:
        for client in crowd:
            client.stop.set()
        for client in crowd:
            client.join(300)
            client.compare()
        left = [
            f"{one.id}: {one.state} for good, {one.mode} by {one.author}, {one.problem}"
            for state in (State.RECEIVED, State.VALIDATED, State.IN_REVIEW)
            for one in house.register.find(state=state, limit=None)[1]
        ]
        yield from left
        checked = lifetec(house.var, "check", timeout=600, **house.settings)
        if checked.returncode != 0:
            yield checked.stdout + checked.stderr
    yield from faults(house, seen)
    with tempfile.TemporaryDirectory() as folder:
        anew, kept = (_hash(one, house.log) for one in (Path(folder), house.var / "store"))
    if anew != kept:
        yield f"a follower made anew has the hash {anew}, the store {kept}"


def _hash(folder: Path, log: Log) -> str:
    store = DiskStore(folder, BASE)
    catch_up(log, store)
    quads = Store.read_only(store.checkpoint().path or "")
    store.close()
    return canonical_hash(quads)


def soak(kills: int, kind: str, seed: int) -> list[str]:
    """Run it all; returns what was found wrong."""
    chance = random.Random(seed)
    seen = Seen()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="lifetec-soak-"))
        house = opened(folder, kind, stack)
        server = RunningServer(house.var, **house.settings)
        crowd = clients(house, server.url, seen, seed)
        for client in crowd:
            stack.callback(client.close)
            client.start()
        for number in range(1, kills + 1):
            lived(server, chance)
            seen.faults += faults(house, seen)
            sys.stdout.write(
                f"kill {number:>4}: {len(seen.published)} published, generation "
                f"{house.log.head()}, {seen.repeated} repeated, {len(seen.faults)} faults\n"
            )
            sys.stdout.flush()
            if seen.faults:
                break
        seen.faults += ended(house, server, crowd, seen)
        states = Counter(one.state.value for one in house.register.find(limit=None)[1])
        sys.stdout.write(f"{dict(states)}\n")
        if seen.faults:
            sys.stdout.write(f"{server.log.read_text()[-4000:]}\nsee {folder}\n")
        else:
            shutil.rmtree(folder)
    return seen.faults


def main() -> None:
    """Read the command line; the exit status says whether anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    sys.stdout.write(f"seed {given.seed}\n")
    found = soak(given.kills, given.database, given.seed)
    for fault in found:
        sys.stdout.write(f"FAULT {fault}\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
