"""The VoID statistics of datasets in the reserved graph, kept up by each commit's own change."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from pyoxigraph import Literal, NamedNode, Quad, Store, Triple

from app.profile import Profile
from app.rdf.diff import Diff
from app.rdf.naming import name_of
from app.rdf.terms import SD, SKOS, VOID, VOID_EXT, GraphName, integer, string, type_
from app.rdf.void import TOTALS, is_statistic, partition_iri
from app.submissions.counting import ENTITIES, TRIPLES, Counting, Counts, Path

_CLASS_OF_FOREIGN = {
    "http://data.europa.eu/8mn/euroscivoc/": SKOS["Concept"],
    "http://publications.europa.eu/resource/authority/": SKOS["Concept"],
}

_LEADING = {
    *(VOID["classPartition"], VOID["propertyPartition"], VOID["subset"]),
    VOID_EXT["datatypePartition"],
}
_NUMBERED: Mapping[Path, tuple[NamedNode, NamedNode]] = {
    ("class",): (VOID["classes"], ENTITIES),
    ("property",): (VOID["properties"], TRIPLES),
}


class Statistics:
    """What the reserved graph says of how much is in each dataset.

    `profile` tells the class of things that other datasets describe, by the space of their IRIs.
    """

    def __init__(
        self, store: Store, reserved: NamedNode, base_iri: str, profile: Profile | None
    ) -> None:
        self._store = store
        self._reserved = reserved
        self._base_iri = base_iri
        self._profile = profile

    def after(self, diff: Diff) -> Diff:
        """How they change with a net change of the graphs: only counts that become others.

        A graph that has statements and no statistics yet is counted once, from its beginning.
        """
        added, removed = set[Quad](), set[Quad]()
        for graph, own in _by_graph(diff).items():
            if graph == self._reserved:
                continue
            name = name_of(graph, self._base_iri)
            for path, counts in self._changes(graph, name, own).items():
                old, new = self._rewritten(name, path, counts)
                added |= new - old
                removed |= old - new
        return Diff(frozenset(added), frozenset(removed))

    def _changes(self, graph: GraphName, name: str, diff: Diff) -> Mapping[Path, Counts]:
        store: Store | None = self._store
        if not self._numbers(NamedNode(name)):
            kept = self._store.quads_for_pattern(None, None, None, graph)
            everything = {quad for quad in kept if quad not in diff.removed} | diff.added
            store, diff = None, Diff(frozenset(everything), frozenset())
        by_path: dict[Path, Counts] = defaultdict(Counter)
        for key, number in Counting(store, graph, diff, self._base_iri).counts().items():
            by_path[key[0]][key] = number
        self._count_partitions(name, by_path)
        return by_path

    def _count_partitions(self, name: str, changes: dict[Path, Counts]) -> None:
        """How many classes and properties there are follows from which partitions come and go."""
        for path, counts in list(changes.items()):
            if path[:-1] in _NUMBERED:
                total, asks = _NUMBERED[path[:-1]]
                was = self._numbers(self._node(name, path)).get(asks, 0)
                changes[()][(), total] += (was + counts[path, asks] > 0) - (was > 0)

    def _rewritten(self, name: str, path: Path, changes: Counts) -> tuple[set[Quad], set[Quad]]:
        node = self._node(name, path)
        numbers = self._numbers(node)
        for (_, asks), change in changes.items():
            numbers[asks] = numbers.get(asks, 0) + change
        said = self._said(name, path, node, numbers)
        new = {Quad(one.subject, one.predicate, one.object, self._reserved) for one in said}
        return set(self._before(name, path, node)), new

    def _before(self, name: str, path: Path, node: NamedNode) -> Iterator[Quad]:
        """What is said of a node so far, but for the partitions of it, which say so themselves."""
        beside = [self._target(name, path)] if path[:1] in {(), ("links",)} else []
        for one in (node, *beside):
            for quad in self._about(one):
                if quad.predicate not in _LEADING and is_statistic(quad, self._base_iri):
                    yield quad
        if path:
            owner = self._node(name, path[:-2])
            yield from self._store.quads_for_pattern(owner, None, node, self._reserved)

    def _said(
        self, name: str, path: Path, node: NamedNode, numbers: Mapping[NamedNode, int]
    ) -> Iterator[Triple]:
        counts = {asks: number for asks, number in numbers.items() if number > 0}
        if not counts:
            return
        for asks, number in counts.items():
            yield Triple(node, asks, integer(number))
        if not path:
            described = self._target(name, path)
            yield Triple(node, type_, VOID["Dataset"])
            yield Triple(described, type_, SD["NamedGraph"])
            yield Triple(described, SD["name"], node)
            yield Triple(described, SD["graph"], node)
        elif path[0] == "links":
            target = self._target(name, path)
            yield Triple(node, type_, VOID["Linkset"])
            yield Triple(node, VOID["linkPredicate"], NamedNode(path[1]))
            yield Triple(node, VOID["subjectsTarget"], NamedNode(name))
            yield Triple(node, VOID["objectsTarget"], target)
            yield Triple(target, VOID["uriSpace"], string(path[3]))
        else:
            yield from self._part(name, path, node)

    def _part(self, name: str, path: Path, node: NamedNode) -> Iterator[Triple]:
        owner, (kind, what) = self._node(name, path[:-2]), path[-2:]
        if kind == "datatype":
            yield Triple(owner, VOID_EXT["datatypePartition"], node)
            yield Triple(node, VOID_EXT["datatype"], NamedNode(what))
        elif kind == "space":
            cls = self._class_of(what)
            yield Triple(owner, VOID["classPartition" if cls else "subset"], node)
            yield Triple(node, VOID["uriSpace"], string(what))
            if cls is not None:
                yield Triple(node, VOID["class"], cls)
        else:
            yield Triple(owner, VOID[f"{kind}Partition"], node)
            yield Triple(node, VOID[kind], NamedNode(what))

    def _class_of(self, space: str) -> NamedNode | None:
        for begin, cls in _CLASS_OF_FOREIGN.items():
            if space.startswith(begin):
                return cls
        for kind in self._profile.types if self._profile else ():
            if space.startswith(f"{self._base_iri}{kind.path}"):
                return kind.classes[0]
        return None

    # what is there

    def _node(self, name: str, path: Path) -> NamedNode:
        return partition_iri(self._base_iri, name, *path) if path else NamedNode(name)

    def _target(self, name: str, path: Path) -> NamedNode:
        """A node beside: where links lead to, or the dataset as a named graph of the service."""
        return partition_iri(self._base_iri, name, *path, "target")

    def _about(self, node: NamedNode) -> Iterator[Quad]:
        return self._store.quads_for_pattern(node, None, None, self._reserved)

    def _leading_to(self, name: str, path: Path, node: NamedNode) -> Iterator[Quad]:
        for quad in self._store.quads_for_pattern(None, None, node, self._reserved):
            if quad.subject == self._node(name, path[:-2]):
                yield quad

    def _numbers(self, node: NamedNode) -> dict[NamedNode, int]:
        return {
            quad.predicate: int(quad.object.value)
            for quad in self._about(node)
            if quad.predicate in TOTALS and isinstance(quad.object, Literal)
        }


def _by_graph(diff: Diff) -> dict[GraphName, Diff]:
    found: dict[GraphName, tuple[set[Quad], set[Quad]]] = defaultdict(lambda: (set(), set()))
    sides: Iterable[tuple[int, Iterable[Quad]]] = ((0, diff.added), (1, diff.removed))
    for side, quads in sides:
        for quad in quads:
            found[quad.graph_name][side].add(quad)
    return {
        graph: Diff(frozenset(added), frozenset(removed))
        for graph, (added, removed) in found.items()
    }
