"""Skolem IRIs for blank nodes (RDF 1.1 Concepts §3.5) that do not depend on their neighbours.

RDFC-1.0 labels depend on the whole dataset: one added entity renames all. Here a blank node's
IRI is the hash of its own *connected component* — the blank nodes that reach each other through
triples, with every triple that mentions one of them — in canonical form. So the same statements
get the same IRIs in any file, syntax and order, an added entity changes only its own, and two
nodes that say different things are never fused.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from pyoxigraph import BlankNode, CanonicalizationAlgorithm, Dataset, NamedNode, Quad, Triple

from app.errors import PayloadTooLarge

MAX_COMPONENT = 5_000
"""Blank nodes in one component; canonical form takes exponential time in the worst case."""

GENID = ".well-known/genid/"


def skolemise(quads: Iterable[Quad], *, base_iri: str, scope: str) -> Iterator[Quad]:
    """The quads with every blank node replaced by `{base_iri}.well-known/genid/{hash}-{n}`.

    `scope`, the dataset's IRI, goes into the hash: equal anonymous structures of two datasets
    stay two nodes. Raises PayloadTooLarge when a component has more than MAX_COMPONENT nodes.
    """
    ground: list[Quad] = []
    open_: list[Quad] = []
    groups = _Groups()
    for quad in quads:
        nodes = _blank_nodes(quad)
        if nodes:
            open_.append(quad)
            groups.join(nodes)
        else:
            ground.append(quad)
    yield from ground
    components: dict[str, list[Quad]] = defaultdict(list)
    for quad in open_:
        components[groups.root(_blank_nodes(quad)[0])].append(quad)
    for root, component in components.items():
        if groups.size(root) > MAX_COMPONENT:
            raise PayloadTooLarge(
                f"More than {MAX_COMPONENT:,} blank nodes hang together (a long or deeply nested "
                "list, for example). Give some of them an IRI."
            )
        yield from _skolemised(component, base_iri, scope)


def _skolemised(component: list[Quad], base_iri: str, scope: str) -> list[Quad]:
    dataset = Dataset(component)
    dataset.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    lines = sorted(str(quad) for quad in dataset)
    digest = hashlib.sha256("\n".join([scope, *lines]).encode()).hexdigest()[:32]

    def replace(term: object) -> object:
        if isinstance(term, BlankNode):
            return NamedNode(f"{base_iri}{GENID}{digest}-{term.value.removeprefix('c14n')}")
        if isinstance(term, Triple):
            return Triple(
                replace(term.subject),  # type: ignore[arg-type]
                term.predicate,
                replace(term.object),  # type: ignore[arg-type]
            )
        return term

    return [
        Quad(
            replace(quad.subject),  # type: ignore[arg-type]
            quad.predicate,
            replace(quad.object),  # type: ignore[arg-type]
            replace(quad.graph_name),  # type: ignore[arg-type]
        )
        for quad in dataset
    ]


def _blank_nodes(quad: Quad) -> list[str]:
    found: list[str] = []
    pending: list[object] = [quad.subject, quad.object, quad.graph_name]
    while pending:
        term = pending.pop()
        if isinstance(term, BlankNode):
            found.append(term.value)
        elif isinstance(term, Triple):
            pending += [term.subject, term.object]
    return found


class _Groups:
    """Union-find over blank node labels."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._size: dict[str, int] = {}

    def root(self, node: str) -> str:
        while (parent := self._parent[node]) != node:
            self._parent[node] = node = self._parent[parent]
        return node

    def size(self, root: str) -> int:
        return self._size[root]

    def join(self, nodes: list[str]) -> None:
        for node in nodes:
            if node not in self._parent:
                self._parent[node] = node
                self._size[node] = 1
        first = self.root(nodes[0])
        for node in nodes[1:]:
            other = self.root(node)
            if other == first:
                continue
            if self._size[other] > self._size[first]:
                first, other = other, first
            self._parent[other] = first
            self._size[first] += self._size.pop(other)
