"""Prove that what is read is what the log says."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store

from app.log import Log
from app.rdf.diff import canonical_hash, from_n_quads
from app.rdf.terms import DCAT, XSD, GraphName, string
from app.store.embedded import reserved_graph
from app.store.remote import RemoteStore


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


def check_remote(log: Log, store: RemoteStore, base_iri: str) -> Iterator[Finding]:
    """Compare a store elsewhere, graph by graph, with what the log says as of its marker."""
    head, generation = log.head(), store.marker()
    yield Finding("remote marker", generation == head, f"generation {generation}, log at {head}")
    expected: dict[GraphName, set[Quad]] = defaultdict(set)
    for quad in rebuilt(log, base_iri, upto=generation):
        expected[quad.graph_name].add(quad)
    count, otherwise, wrong = 0, 0, []
    for name, quads in expected.items():
        if isinstance(name, BlankNode):  # LIFETEC_SKOLEMIZE=off has no store elsewhere
            continue
        found = set(store.graph(name))
        missing, extra = quads - found, found - quads
        rewritten = {_gist(quad) for quad in missing} & {_gist(quad) for quad in extra}
        missing = {quad for quad in missing if _gist(quad) not in rewritten}
        extra = {quad for quad in extra if _gist(quad) not in rewritten}
        count, otherwise = count + len(found), otherwise + len(rewritten)
        if missing or extra:
            wrong.append(f"graph {name}: {len(extra)} quads too many, {len(missing)} missing")
    told = f"{count} quads in {len(expected)} graphs"
    if otherwise:
        told += f", {otherwise} values written in another form"
    yield Finding("remote graphs", not wrong, "; ".join(wrong) or told)


_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")


def _gist(quad: Quad) -> tuple[object, ...]:
    """A statement without what stores write in their own form: the digits of numbers."""
    thing = quad.object
    if not isinstance(thing, Literal) or thing.datatype == XSD["string"] or thing.language:
        return (quad.subject, quad.predicate, thing)
    skeleton = _NUMBER.sub("#", thing.value)
    numbers = tuple(f"{float(one):.6g}" for one in _NUMBER.findall(thing.value))
    return (quad.subject, quad.predicate, skeleton, numbers)


def rebuilt(log: Log, base_iri: str, *, upto: int) -> set[Quad]:
    """The graph as of a generation, from the log alone."""
    quads: set[Quad] = set()
    for commit in log.since(0):
        if commit.generation > upto:
            break
        quads.difference_update(from_n_quads(commit.removed))
        quads.update(from_n_quads(commit.added))
    return quads | set(marker(base_iri, upto))


def marker(base_iri: str, generation: int) -> Iterable[Quad]:
    """The statement that says which generation a graph is; none for the empty one."""
    if generation:
        yield Quad(
            NamedNode(f"{base_iri}catalog"),
            DCAT["version"],
            string(str(generation)),
            reserved_graph(base_iri),
        )
