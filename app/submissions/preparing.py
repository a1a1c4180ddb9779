"""From what somebody sends to a report, and to the change that it would make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, Store, parse

from app.rdf.diff import Diff, from_n_quads, to_n_quads
from app.rdf.naming import Naming, graph_of, name_of
from app.rdf.parsing import in_graph, readable
from app.rdf.skolem import skolemise
from app.rdf.terms import GraphName, Subject
from app.rdf.void import is_total
from app.sandbox.worker import Cage, Reply
from app.submissions import reading
from app.submissions.change import After, Touched, entity_of, is_part
from app.submissions.claims import CLAIMS, claims
from app.submissions.judging import judged, profile
from app.submissions.laps import Laps
from app.submissions.lines import Source
from app.submissions.ownership import refuse_names_of_others
from app.submissions.references import is_mark, refuse_dangling, tombstones, withdrawn
from app.submissions.statistics import Statistics
from app.submissions.updating import updated

_NOTHING = Diff(frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent, as a net change of datasets.

    `count` are the statements that were sent; `given` is what is judged if that is more than the
    change touches: the whole of a replaced dataset.
    """

    diff: Diff
    count: int
    sources: Sequence[Source] = ()
    given: Collection[Quad] | None = None


class Preparation:
    """One submission on one checkpoint; see `jobs.prepare` for its arguments."""

    def __init__(self, cage: Cage, args: Mapping[str, Any], body: bytes) -> None:
        self._cage = cage
        self._store: Store = cage.store
        self._args = args
        self._body = body
        self._base_iri: str = args["base_iri"]
        self._reserved = NamedNode(args["reserved"])
        names = args["names"]
        self._naming = None if names is None else Naming.of(names, self._base_iri)

    def run(self, reply: Reply) -> None:
        """Write the header and the change."""
        laps = Laps()
        sent = self._read()
        laps.lap("read")
        reply.progress(stage="validate", statements=sent.count)
        after = After(self._store, sent.diff)
        touched = Touched(after, self._base_iri)
        report = self._report(sent, after, touched)
        laps.lap("validate")
        reply.progress(stage="compare", statements=sent.count)
        gone = withdrawn(after, self._base_iri)
        if report["conforms"] and not self._args["force"]:
            refuse_dangling(gone, after, self._reserved, self._base_iri)
        diff = _together(
            sent.diff,
            self._description(),
            claims(after, touched, self._store, self._reserved, self._base_iri),
            tombstones(gone, sent.diff, self._store, self._reserved, self._args["time"]),
        )
        added, removed = to_n_quads(diff.added), to_n_quads(diff.removed)
        entities = touched.entities(without=self._reserved)
        changed = "".join(sorted(f"{entity.value}\n" for entity in entities)).encode()
        laps.lap("compare")
        counted = self._statistics(sent.diff)
        laps.lap("count")
        reply.start(
            {
                "report": report,
                "statements": sent.count,
                "added_bytes": len(added),
                "removed_bytes": len(removed),
                "changed_bytes": len(changed),
                "counted_bytes": [len(part) for part in counted],
                "datasets": self._datasets(diff),
                "withdrawn": len(gone),
                "generation": self._cage.generation,
                "seconds": laps.seconds,
            }
        )
        for part in (added, removed, changed, *counted):
            reply.write(part)

    # what was sent

    def _read(self) -> _Sent:
        readers: Mapping[str, Callable[[], _Sent]] = {
            "replace": self._replaced,
            "merge": self._merged,
            "remove": self._removed,
            "update": self._updated,
            "patch": self._patched,
        }
        return readers[self._args["mode"]]()

    def _replaced(self) -> _Sent:
        quads, sources = self._files()
        after = self._placed(quads)
        before = set(self._store.quads_for_pattern(None, None, None, self._target))
        if self._describes_itself:
            before |= self._said_of(self._args["dataset"])
        return _Sent(Diff.between(before, after), len(quads), sources, after)

    def _merged(self) -> _Sent:
        quads, sources = self._files()
        return _Sent(self._net(self._placed(quads), ()), len(quads), sources)

    def _removed(self) -> _Sent:
        quads, sources = self._files()
        return _Sent(self._net((), self._placed(quads)), len(quads), sources)

    def _updated(self) -> _Sent:
        args, text = self._args, self._body.decode()
        union = args.get("union", False)
        before, after = updated(self._cage, text, self._base_iri, args["graphs"], union=union)
        diff = Diff.between(before, after)
        self._refuse_names_of_others((quad.subject, quad.graph_name) for quad in diff.added)
        by_graph: dict[GraphName, list[Quad]] = defaultdict(list)
        for quad in readable(diff.added):
            by_graph[quad.graph_name].append(quad)
        added = {
            quad
            for graph, quads in by_graph.items()
            for quad in self._skolemised(_moved(quads, DefaultGraph()), graph)
        }
        return _Sent(self._net(added, diff.removed), len(diff.added) + len(diff.removed))

    def _patched(self) -> _Sent:
        at = self._args["added_bytes"]
        datasets = {graph_of(name, self._base_iri) for name in self._args["datasets"]}
        added, removed = (
            {quad for quad in from_n_quads(part) if self._is_meant(quad, datasets)}
            for part in (self._body[:at], self._body[at:])
        )
        # what stood for blank nodes is the service's own work, and comes back as it was
        self._refuse_names_of_others(
            (quad.subject, quad.graph_name)
            for quad in added
            if not is_part(quad.subject, self._base_iri)
        )
        return _Sent(self._net(added, removed - added), len(added) + len(removed))

    def _is_meant(self, quad: Quad, datasets: Collection[GraphName]) -> bool:
        """Whether a quad of an old commit is one of its datasets, or says what these are."""
        if quad.graph_name != self._reserved or not isinstance(quad.subject, NamedNode):
            return quad.graph_name in datasets
        described = self._args["description"] is None and entity_of(quad.subject) in datasets
        return described and not _is_of_service(quad)

    def _files(self) -> tuple[list[Quad], list[Source]]:
        args = self._args
        sources = reading.sources(args["files"], self._body, args["max_bytes"])
        quads = reading.quads(sources, self._base_iri)
        statements = reading.statements(quads, args["dataset"], self._base_iri)
        if args["mode"] != "remove":  # who only takes away brings nothing into the world
            spoken_of = ((quad.subject, self._target) for quad in statements)
            self._refuse_names_of_others(spoken_of, sources)
        return statements, sources

    def _refuse_names_of_others(
        self, spoken_of: Iterable[tuple[Subject, GraphName]], sources: Sequence[Source] = ()
    ) -> None:
        if self._naming is not None:
            refuse_names_of_others(self._naming, spoken_of, self._store, sources)

    def _net(self, added: Iterable[Quad], removed: Iterable[Quad]) -> Diff:
        return Diff(
            frozenset(quad for quad in added if quad not in self._store),
            frozenset(quad for quad in removed if quad in self._store),
        )

    # where it goes

    @cached_property
    def _target(self) -> GraphName:
        return graph_of(self._args["dataset"], self._base_iri)

    @property
    def _describes_itself(self) -> bool:
        """Whether a file says what its dataset is; else the accounts do."""
        return self._args["description"] is None

    def _skolemised(self, statements: Iterable[Quad], graph: GraphName) -> set[Quad]:
        if self._args["skolemize"]:
            scope = name_of(graph, self._base_iri)
            statements = skolemise(statements, base_iri=self._base_iri, scope=scope)
        return set(_moved(statements, graph))

    def _placed(self, statements: Iterable[Quad]) -> set[Quad]:
        """Statements in the dataset; what they say of it itself goes to the reserved graph."""
        quads = self._skolemised(statements, self._target)
        if not self._describes_itself:
            return quads
        about: dict[Subject, list[Quad]] = defaultdict(list)
        for quad in quads:
            about[quad.subject].append(quad)
        merged = self._args["mode"] != "replace"
        kept = self._in_store if merged else _nothing
        described = set(_tree(self._args["dataset"], lambda node: [*about[node], *kept(node)]))
        about_it = {quad for quad in quads if quad.subject in described}
        counted = {quad for quad in about_it if is_total(quad)}  # the service counts itself
        return (quads - about_it) | set(_moved(about_it - counted, self._reserved))

    # what the service says of it

    def _description(self) -> Diff:
        """What the accounts say of dataset and partner, in place of what was said before."""
        if self._describes_itself:
            return _NOTHING
        text = self._args["description"].encode()
        quads = in_graph(parse(input=text, format=RdfFormat.N_TRIPLES), self._reserved)
        before = {quad for iri in self._args["described"] for quad in self._said_of(iri)}
        return Diff.between(before, quads)

    def _said_of(self, iri: str) -> set[Quad]:
        return {quad for node in _tree(iri, self._in_store) for quad in self._in_store(node)}

    def _in_store(self, node: NamedNode) -> list[Quad]:
        quads = self._store.quads_for_pattern(node, None, None, self._reserved)
        return [quad for quad in quads if not _is_of_service(quad)]

    # what comes of it

    def _report(self, sent: _Sent, after: After, touched: Touched) -> dict[str, Any]:
        """On all that was sent, or, where that is a change, on all that it touches."""
        graphs = (
            [sent.given] if sent.given is not None else touched.descriptions(without=self._reserved)
        )
        return judged(self._cage, self._args, graphs, after.about, list(sent.sources))

    def _statistics(self, diff: Diff) -> tuple[bytes, bytes]:
        """How the counts of the datasets change, as N-Quads; no part of what was sent."""
        if not diff:
            return b"", b""
        known = profile(self._cage, self._args)
        statistics = Statistics(self._store, self._reserved, self._base_iri, known)
        change = statistics.after(diff)
        return to_n_quads(change.added), to_n_quads(change.removed)

    def _datasets(self, diff: Diff) -> list[str]:
        graphs = {quad.graph_name for quad in (*diff.added, *diff.removed)} - {self._reserved}
        names = {name_of(graph, self._base_iri) for graph in graphs}
        target = self._args["dataset"]
        return [target, *sorted(names - {target})] if target else sorted(names)


def _together(*diffs: Diff) -> Diff:
    added = frozenset().union(*(diff.added for diff in diffs))
    removed = frozenset().union(*(diff.removed for diff in diffs))
    return Diff(added - removed, removed - added)


def _moved(quads: Iterable[Quad], graph: GraphName) -> Iterator[Quad]:
    return (Quad(quad.subject, quad.predicate, quad.object, graph) for quad in quads)


def _nothing(_node: NamedNode) -> list[Quad]:
    return []


def _is_of_service(quad: Quad) -> bool:
    """Whether the service says this of its own accord: no description holds it."""
    return quad.predicate == CLAIMS or is_mark(quad) or is_total(quad)


def _tree(iri: str, about: Callable[[NamedNode], Iterable[Quad]]) -> list[NamedNode]:
    """The thing and those of its fragments to which it leads, by what is said `about` each."""
    found, pending, own = dict[NamedNode, None](), [NamedNode(iri)], f"{iri}#"
    while pending:
        node = pending.pop()
        if node not in found:
            found[node] = None
            pending += (
                quad.object
                for quad in about(node)
                if isinstance(quad.object, NamedNode) and quad.object.value.startswith(own)
            )
    return list(found)
