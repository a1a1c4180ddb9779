"""Prove that what is read is what the log says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyoxigraph import NamedNode, Quad, Store

from app.log import Log
from app.rdf.diff import canonical_hash, from_n_quads
from app.rdf.terms import DCAT, string
from app.store.embedded import reserved_graph


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    what: str
    good: bool
    detail: str


def check_all(log: Log, folder: Path, base_iri: str) -> Iterator[Finding]:
    """Rebuild the graph from the log, and compare the newest checkpoint with it.

    The live store itself may be held by a server; its checkpoints are what anybody reads.
    """
    head = log.head()
    numbers = [commit.generation for commit in log.since(0)]
    whole = numbers == list(range(1, head + 1))
    yield Finding("log", whole, f"{head} commits, numbered without gaps" if whole else "gaps")
    folders = sorted(f for f in (folder / "checkpoints").glob("*") if f.name.isdigit())
    if not folders:
        yield Finding("checkpoint", head == 0, "there is none")
        return
    newest = folders[-1]
    generation = int(newest.name)
    yield Finding("checkpoint", generation == head, f"generation {generation}, log at {head}")
    found = set(Store.read_only(str(newest)))
    expected = rebuilt(log, base_iri, upto=generation)
    agree = found == expected
    yield Finding(
        "graph",
        agree,
        f"{len(found)} quads, SHA-256 {canonical_hash(found)}"
        if agree
        else f"{len(found - expected)} quads too many, {len(expected - found)} missing",
    )


def rebuilt(log: Log, base_iri: str, *, upto: int) -> set[Quad]:
    """The graph as of a generation, from the log alone."""
    quads: set[Quad] = set()
    for commit in log.since(0):
        if commit.generation > upto:
            break
        quads.difference_update(from_n_quads(commit.removed))
        quads.update(from_n_quads(commit.added))
    return quads | set(_marker(base_iri, upto))


def _marker(base_iri: str, generation: int) -> Iterable[Quad]:
    if generation:
        yield Quad(
            NamedNode(f"{base_iri}catalog"),
            DCAT["version"],
            string(str(generation)),
            reserved_graph(base_iri),
        )
