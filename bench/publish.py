"""How long publishing takes, and whether it depends on how much is there already.

    python -m bench.publish

A trusted partner publishes 1,000 organisations (10,000 triples) over HTTP on two real servers: one
with the seed, one with a synthetic graph of six million triples beside it. Each round publishes
them into a dataset of its own, again unchanged, and again with ten names changed; rounds alternate
between the servers. What the stages took comes from the submission's job; "rest" is HTTP, the
register and the job itself.

Both data directories are built once, in build/bench; the measured ones are copies. They are without
a search index; what that takes, `bench.records` measures.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import httpx

from app.accounts import Accounts, Role
from app.database import Database, utc_now
from app.log import Draft, Log, catch_up
from app.store.embedded import DiskStore
from bench.generate import BASE, GRAPH, ROOT, concepts, generate, regions
from tests.server.running import RunningServer

BUILT = ROOT / "build" / "bench"
_ORGANISATIONS = 1_000
_CHANGED = 10
_QUADS_PER_ORGANISATION = 96
"""Of the synthetic graph, with all that belongs to them, if there are 0.4 projects for each."""

_DRAFT_QUADS = 500_000
LICENCE = "http://publications.europa.eu/resource/authority/licence/CC0"
_STAGES = ("read", "validate", "compare", "count", "append", "follow", "rest")


@dataclass
class Measured:
    """A running server with a key for it, and what it took so far, by kind of publication."""

    name: str
    server: RunningServer
    accounts: Accounts
    key: str
    stages: dict[str, list[dict[str, float]]] = field(default_factory=lambda: defaultdict(list))

    def publish(self, kind: str, dataset: str, data: bytes) -> None:
        """Publish once, and keep how long it took."""
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/n-triples"}
        with httpx.Client(base_url=self.server.url, headers=headers, timeout=900) as client:
            began = time.perf_counter()
            reply = client.post(
                "/api/v1/submissions", params={"dataset": f"demo/{dataset}"}, content=data
            )
            took = time.perf_counter() - began
            if reply.status_code != 201 or reply.json()["state"] != "published":
                raise SystemExit(f"{kind}: {reply.status_code} {reply.text[:2000]}")
            job = client.get(f"/api/v1/jobs/{reply.json()['id']}").json()
        seconds: dict[str, float] = job["result"]["seconds"]
        rest = took - sum(seconds.values())
        self.stages[kind].append({**seconds, "rest": rest, "all": took})

    def median(self, kind: str, stage: str) -> float:
        """Seconds that a stage takes."""
        return statistics.median(one.get(stage, 0.0) for one in self.stages[kind])


def organisations(dataset: str, *, changed: int = 0) -> bytes:
    """Organisations of a dataset, ten triples each; so many of them under a new name."""
    chance = random.Random(dataset)
    places = regions(ROOT / "ontology" / "regions.ttl")
    topics = concepts(ROOT / "ontology" / "euroscivoc.ttl")
    lines: list[str] = []
    for number in range(_ORGANISATIONS):
        s = f"<{BASE}id/organisation/demo-{dataset}-{number}>"
        new = " Renamed" if number < changed else ""
        place = chance.choice(places)
        lines += [
            f"{s} <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
            "<http://www.w3.org/ns/org#Organization> .",
            f'{s} <http://www.w3.org/2004/02/skos/core#prefLabel> "Demo {number}{new}"@en .',
            f'{s} <http://purl.org/dc/terms/description> "Made up for measuring."@en .',
            f'{s} <http://www.w3.org/ns/legal#legalName> "Demo {number} BV" .',
            f"{s} <http://www.w3.org/ns/org#classification> "
            f"<{BASE}scheme/organisation-type/company> .",
            f"{s} <http://purl.org/dc/terms/spatial> <http://data.europa.eu/nuts/code/{place}> .",
            f"{s} <http://xmlns.com/foaf/0.1/homepage> <https://{dataset}-{number}.example/> .",
            *(
                f"{s} <https://schema.org/knowsAbout> <{topic}> ."
                for topic in chance.sample(topics, 3)
            ),
        ]
    return "\n".join(lines).encode()


def built(triples: int) -> Path:
    """The data directory with the seed, and with so many synthetic triples if that is not 0."""
    folder = BUILT / f"seed-and-{triples}"
    if folder.exists():
        return folder
    unnamed = folder.with_suffix(".tmp")
    shutil.rmtree(unnamed, ignore_errors=True)
    if triples:
        copy_folder(built(0), unnamed)
        number = triples // _QUADS_PER_ORGANISATION
        add_synthetic(unnamed, number, number * 2 // 5)
    else:
        unnamed.parent.mkdir(parents=True, exist_ok=True)
        print("loading the seed", flush=True)
        with RunningServer(unnamed, index="off"):
            pass
    return unnamed.rename(folder)


def add_synthetic(
    folder: Path, organisations: int, projects: int, consortium: float | None = None
) -> None:
    """Append the synthetic graph to the log; validating it all would take hours."""
    print(f"generating {organisations:,} organisations, {projects:,} projects", flush=True)
    file = folder / "synthetic.nq"
    sizes = {} if consortium is None else {"consortium": consortium}
    generate(organisations, projects, 1, file, **sizes)
    database = Database(f"sqlite:///{folder.resolve() / 'lifetec.db'}")
    log = Log(database, database.blobs("diffs", folder / "diffs", suffix=".rdfp.z"))
    author = f"{BASE}id/partner/lifetec"
    for lines in _parts(file):
        print(f"appending {len(lines):,}", flush=True)
        log.append(
            Draft((GRAPH,), author, LICENCE, None, {}, utc_now(), b"".join(lines), b""),
            after=log.head(),
        )
    file.unlink()
    print("applying", flush=True)
    store = DiskStore(folder / "store", BASE)
    catch_up(log, store)
    store.checkpoint()
    store.close()
    database.close()


def _parts(file: Path) -> Iterator[list[bytes]]:
    with file.open("rb") as lines:
        while part := sorted(set(islice(lines, _DRAFT_QUADS))):
            yield part


def copy_folder(folder: Path, to: Path) -> None:
    """Files that are never changed are linked, so that a large store is copied at once."""

    def copy(source: str, target: str) -> None:
        if source.endswith((".sst", ".rdfp.z")):
            os.link(source, target)
        else:
            shutil.copy2(source, target)

    shutil.copytree(folder, to, copy_function=copy)


def _started(name: str, triples: int, folder: Path, stack: ExitStack) -> Measured:
    var = folder / name
    copy_folder(built(triples), var)
    database = Database(f"sqlite:///{var.resolve() / 'lifetec.db'}")
    stack.callback(database.close)
    accounts = Accounts(database, BASE)
    accounts.add_partner("demo", names={"en": "Demo"}, contact="office@example.org")
    accounts.change_partner("demo", trusted=True)
    key = accounts.issue_key(Role.PARTNER, partner="demo").text
    settings = {"submission_wait_seconds": 900, "index": "off"}
    server = stack.enter_context(RunningServer(var, **settings))
    return Measured(name, server, accounts, key)


def _round(number: int, servers: Sequence[Measured]) -> None:
    dataset = f"round-{number}"
    data, renamed = organisations(dataset), organisations(dataset, changed=_CHANGED)
    order = servers if number % 2 else servers[::-1]
    for one in order:
        one.accounts.add_dataset("demo", dataset, titles={"en": dataset}, licence=LICENCE)
    for kind, sent in (("first", data), ("unchanged", data), ("ten changed", renamed)):
        for one in order:
            one.publish(kind, dataset, sent)


def _print(servers: Sequence[Measured]) -> None:
    names = (*_STAGES, "all")
    print("\n" + " " * 28 + "".join(f"{name:>10}" for name in names) + "     ratio")
    for kind in servers[0].stages:
        for one in servers:
            cells = "".join(f"{one.median(kind, name):>10.3f}" for name in names)
            ratio = one.median(kind, "all") / servers[0].median(kind, "all")
            print(f"{kind:<14}{one.name:<14}{cells}{ratio:>10.2f}")
        share = servers[0].median(kind, "validate") / servers[0].median(kind, "all")
        print(f"{'':<28}validation is {share:.0%} in the first store")


def main() -> None:
    """Build what is missing, publish in turns, print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--triples", type=int, default=6_000_000)
    given = parser.parse_args()
    with ExitStack() as stack:
        BUILT.mkdir(parents=True, exist_ok=True)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=BUILT)))
        servers = [
            _started("seed", 0, folder, stack),
            _started(f"and {given.triples:,}", given.triples, folder, stack),
        ]
        _round(0, servers)
        for one in servers:
            one.stages.clear()  # the first round warms up
        for number in range(1, given.rounds + 1):
            load = os.getloadavg()[0]
            _round(number, servers)
            print(f"round {number}; load before it {load:.1f}", flush=True)
        _print(servers)


if __name__ == "__main__":
    main()
