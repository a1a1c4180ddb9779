"""A change that is not made yet, and the graph as it will be after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from pyoxigraph import BlankNode, NamedNode, Quad, Store

from app.rdf.diff import Diff
from app.rdf.skolem import GENID
from app.rdf.terms import AS, GraphName, Subject, Term, type_


class After:
    """The checkpoint with `diff` on top; every question is a few look-ups by pattern.

    `diff` must be net: what it adds is not in `store`, what it removes is.
    """

    def __init__(self, store: Store, diff: Diff) -> None:
        self._store = store
        self.diff = diff

    @cached_property
    def _added_about(self) -> dict[Subject, list[Quad]]:
        found: dict[Subject, list[Quad]] = defaultdict(list)
        for quad in self.diff.added:
            found[quad.subject].append(quad)
        return found

    @cached_property
    def _added_referring(self) -> dict[Term, list[Quad]]:
        found: dict[Term, list[Quad]] = defaultdict(list)
        for quad in self.diff.added:
            found[quad.object].append(quad)
        return found

    def about(
        self,
        subject: Subject,
        predicate: NamedNode | None = None,
        graph: GraphName | None = None,
    ) -> Iterator[Quad]:
        """What will be said of `subject`; None matches every predicate, and every graph."""
        for quad in self._store.quads_for_pattern(subject, predicate, None, graph):
            if quad not in self.diff.removed:
                yield quad
        for quad in self._added_about.get(subject, ()):
            if predicate in (None, quad.predicate) and graph in (None, quad.graph_name):
                yield quad

    def referring(self, thing: NamedNode | BlankNode, graph: GraphName | None) -> Iterator[Quad]:
        """What will be said with `thing` as the object."""
        for quad in self._store.quads_for_pattern(None, None, thing, graph):
            if quad not in self.diff.removed:
                yield quad
        for quad in self._added_referring.get(thing, ()):
            if graph in (None, quad.graph_name):
                yield quad

    def type_graphs(self, thing: NamedNode) -> set[GraphName]:
        """The graphs that will say what `thing` is; a tombstone does not."""
        return {
            quad.graph_name for quad in self.about(thing, type_) if quad.object != AS["Tombstone"]
        }


def is_part(node: object, base_iri: str) -> bool:
    """Whether a node has no name of its own: a blank node, or what stands for one."""
    return isinstance(node, BlankNode) or (
        isinstance(node, NamedNode) and node.value.startswith(f"{base_iri}{GENID}")
    )


def entity_of(iri: NamedNode) -> NamedNode:
    """The thing of which `iri` is a fragment, or itself."""
    thing, hash_, _ = iri.value.partition("#")
    return NamedNode(thing) if hash_ else iri


class Touched:
    """What a change touches: `nodes` by graph, with those that they are parts of."""

    def __init__(self, after: After, base_iri: str) -> None:
        self._after = after
        self._base_iri = base_iri
        subjects: dict[GraphName, set[Subject]] = defaultdict(set)
        for quad in (*after.diff.added, *after.diff.removed):
            subjects[quad.graph_name].add(quad.subject)
        self.nodes: Mapping[GraphName, set[Subject]] = {
            graph: _with_owners(after, found, graph, base_iri) for graph, found in subjects.items()
        }

    def entities(self, *, without: GraphName) -> set[NamedNode]:
        """The entities whose descriptions change, in any graph but one."""
        return {
            entity_of(node)
            for graph, nodes in self.nodes.items()
            for node in nodes
            if graph != without
            and isinstance(node, NamedNode)
            and not is_part(node, self._base_iri)
        }

    def descriptions(self, *, without: GraphName) -> list[set[Quad]]:
        """For each graph but one the whole descriptions, as they will be, of what is touched.

        The description of an entity holds its fragments and the blank nodes that it leads to, to
        any depth.
        """
        return [
            set(_described(self._after, nodes, graph, self._base_iri))
            for graph, nodes in self.nodes.items()
            if graph != without
        ]


def _with_owners(
    after: After, subjects: Iterable[Subject], graph: GraphName, base_iri: str
) -> set[Subject]:
    seen, pending = set[Subject](), [*subjects]
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, NamedNode | BlankNode) and is_part(node, base_iri):
            pending += (quad.subject for quad in after.referring(node, graph))
        elif isinstance(node, NamedNode):
            pending.append(entity_of(node))
    return seen


def _described(
    after: After, subjects: Iterable[Subject], graph: GraphName, base_iri: str
) -> Iterator[Quad]:
    seen, pending = set[Subject](), [*subjects]
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        own = f"{entity_of(node).value}#" if isinstance(node, NamedNode) else None
        for quad in after.about(node, None, graph):
            yield quad
            value = quad.object
            if is_part(value, base_iri) or (
                own is not None and isinstance(value, NamedNode) and value.value.startswith(own)
            ):
                pending.append(value)  # type: ignore[arg-type]
