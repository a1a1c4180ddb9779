"""All named graphs read as one: the merged view in which no statement counts twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import pyoxigraph as ox

from app.profile import Step
from app.rdf.terms import AS, DCTERMS, GEO, LT, PROV, RDF, SKOS
from app.rdf.void import is_total

Node = ox.NamedNode | ox.BlankNode
Value = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple

_TYPE = RDF["type"]
_MAX_KEPT = 5_000
_MAX_OBJECTS = 50_000
UP = (
    Step(SKOS["broader"]),
    Step(SKOS["narrower"], inverse=True),
    Step(GEO["sfWithin"]),
    Step(GEO["sfContains"], inverse=True),
)
"""The steps from a concept or region to what it lies in."""

BOOKKEEPING = frozenset({PROV["influenced"], LT["claimsAbout"]})
"""What the service notes of commits and datasets, a statement for each entity: see `commits`."""


@dataclass(frozen=True, slots=True)
class About:
    """What is said about one subject: predicate → values, and the graphs that say it.

    `type_graphs` are those that give its types.
    """

    values: dict[ox.NamedNode, list[Value]]
    graphs: frozenset[object]
    type_graphs: frozenset[object]

    @property
    def classes(self) -> list[ox.NamedNode]:
        """The IRIs of its classes."""
        return [v for v in self.values.get(_TYPE, ()) if isinstance(v, ox.NamedNode)]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a removed entity."""

    deleted_at: str | None
    replaced_by: str | None


class Graph:
    """Reads of one immutable checkpoint; every answer is free of duplicates."""

    def __init__(self, store: ox.Store, base_iri: str) -> None:
        self.store = store
        self.service = ox.NamedNode(f"{base_iri}graph/service")
        self.default = ox.NamedNode(f"{base_iri}graph/default")
        self._about: dict[Node, About] = {}
        self._objects: dict[tuple[Node, ox.NamedNode], list[Value]] = {}
        self._above: dict[ox.NamedNode, frozenset[ox.NamedNode]] = {}
        self._example = ox.NamedNode(f"{base_iri}scheme/dataset-type/example")

    def about(self, subject: Node) -> About:
        """All that any dataset says about `subject`; empty values when nothing does."""
        found = self._about.get(subject)
        if found is None:
            if len(self._about) >= _MAX_KEPT:
                self._about.clear()
            found = self._about[subject] = self._read(subject)
        return found

    def _read(self, subject: Node) -> About:
        values: dict[ox.NamedNode, list[Value]] = {}
        graphs, type_graphs = set(), set()
        seen: set[tuple[ox.NamedNode, Value]] = set()
        for quad in self.store.quads_for_pattern(subject, None, None, None):
            predicate, value = quad.predicate, quad.object
            if quad.graph_name == self.service and (predicate in BOOKKEEPING or is_total(quad)):
                continue
            graphs.add(quad.graph_name)
            if predicate == _TYPE:
                type_graphs.add(quad.graph_name)
            if (predicate, value) not in seen:
                seen.add((predicate, value))
                values.setdefault(predicate, []).append(value)
        return About(values, frozenset(graphs), frozenset(type_graphs))

    def datasets_of(self, about: About) -> list[ox.NamedNode]:
        """The datasets that say something; what the service says of itself is none of them."""
        return [g for g in about.graphs if isinstance(g, ox.NamedNode) and g != self.service]

    def has(self, subject: Node) -> bool:
        """Whether anything is said about `subject`."""
        quads = self.store.quads_for_pattern(subject, None, None, None)
        return next(iter(quads), None) is not None

    def objects(self, subject: Node, predicate: ox.NamedNode) -> list[Value]:
        """The values of one predicate; not to be changed."""
        about = self._about.get(subject)
        if about is not None:
            return about.values.get(predicate, [])
        found = self._objects.get((subject, predicate))
        if found is None:
            if len(self._objects) >= _MAX_OBJECTS:
                self._objects.clear()
            quads = self.store.quads_for_pattern(subject, predicate, None, None)
            found = list(dict.fromkeys(quad.object for quad in quads))
            self._objects[subject, predicate] = found
        return found

    def subjects(self, predicate: ox.NamedNode, value: Value) -> list[Node]:
        """The things with this value."""
        quads = self.store.quads_for_pattern(None, predicate, value, None)
        found = dict.fromkeys(quad.subject for quad in quads)
        return [s for s in found if not isinstance(s, ox.Triple)]

    # One query for many things: the engine joins on keys and decodes only what it returns.

    def texts(self, predicate: ox.NamedNode) -> Iterator[ox.Literal]:
        """The different literals of a predicate."""
        for row in self._select(f"SELECT DISTINCT ?v {{ ?s {predicate} ?v }}"):
            if isinstance(row[0], ox.Literal):
                yield row[0]

    def column(
        self, classes: Iterable[ox.NamedNode], path: Iterable[Step]
    ) -> Iterator[tuple[str, Value]]:
        """IRI and value at the end of `path` for all things of these classes."""
        pattern = f"{_values(classes)} ?s a ?c ; {_path(path)} ?v"
        for row in self._select(f"SELECT DISTINCT ?s ?v {{ {pattern} }}"):
            if isinstance(row[0], ox.NamedNode):
                yield row[0].value, row[1]

    def labels_along(
        self, classes: Iterable[ox.NamedNode], path: Iterable[Step], label: ox.NamedNode
    ) -> Iterator[tuple[str, Value]]:
        """IRI and label of what `path` leads to from things of these classes."""
        pattern = f"{_values(classes)} ?s a ?c ; {_path(path)} ?v . ?v {label} ?l"
        for row in self._select(f"SELECT DISTINCT ?v ?l {{ {pattern} }}"):
            if isinstance(row[0], ox.NamedNode):
                yield row[0].value, row[1]

    def _select(self, query: str) -> Iterator[ox.QuerySolution]:
        rows = self.store.query(query, use_default_graph_as_union=True)
        if isinstance(rows, ox.QuerySolutions):
            yield from rows

    def instances(self, classes: Iterable[ox.NamedNode]) -> list[str]:
        """IRIs of the things of any of these classes, sorted."""
        found = set()
        for cls in classes:
            for quad in self.store.quads_for_pattern(None, _TYPE, cls, None):
                if isinstance(quad.subject, ox.NamedNode):
                    found.add(quad.subject.value)
        return sorted(found)

    def way(self, start: Node, path: Iterable[Step], limit: int) -> list[list[Value]]:
        """What lies on the way from `start`: the things after each step, at most `limit`."""
        found: list[list[Value]] = []
        frontier: Iterable[Value] = (start,)
        for step in path:
            reached = (value for node in frontier for value in self._step(node, step))
            frontier = list(dict.fromkeys(islice(reached, limit)))
            found.append(frontier)
        return found

    def above(self, thing: ox.NamedNode) -> frozenset[ox.NamedNode]:
        """What a concept or region lies in, to the top; without itself unless it goes round."""
        found = self._above.get(thing)
        if found is None:
            reached: set[ox.NamedNode] = set()
            frontier = {thing}
            while frontier:
                over = {
                    value for node in frontier for step in UP for value in self._step(node, step)
                }
                frontier = {v for v in over if isinstance(v, ox.NamedNode)} - reached
                reached |= frontier
            if len(self._above) >= _MAX_KEPT:
                self._above.clear()
            found = self._above[thing] = frozenset(reached)
        return found

    def walk(self, start: Node, path: Iterable[Step], limit: int) -> tuple[list[Value], bool]:
        """Values at the end of `path`, at most `limit` after each step; whether there are more."""
        frontier: list[Value] = [start]
        cut = False
        for step in path:
            reached: dict[Value, None] = {}
            for node in frontier:
                for value in self._step(node, step):
                    if value in reached:
                        continue
                    if len(reached) == limit:
                        cut = True
                        break
                    reached[value] = None
                if len(reached) == limit and cut:
                    break
            frontier = list(reached)
        return frontier, cut

    def walk_back(self, ends: Iterable[Value], path: tuple[Step, ...]) -> set[Value]:
        """The things from which `path` leads to any of `ends`."""
        frontier = set(ends)
        for step in reversed(path):
            back = Step(step.predicate, inverse=not step.inverse)
            frontier = {value for node in frontier for value in self._step(node, back)}
        return frontier

    def _step(self, node: Value, step: Step) -> Iterator[Value]:
        if step.inverse:
            for quad in self.store.quads_for_pattern(None, step.predicate, node, None):
                yield quad.subject
        elif isinstance(node, ox.NamedNode | ox.BlankNode) and node in self._about:
            yield from self._about[node].values.get(step.predicate, ())
        elif isinstance(node, ox.NamedNode | ox.BlankNode):
            for quad in self.store.quads_for_pattern(node, step.predicate, None, None):
                yield quad.object

    @cached_property
    def example_graphs(self) -> frozenset[object]:
        """The datasets that are fictional, as the catalogue says."""
        quads = self.store.quads_for_pattern(None, DCTERMS["type"], self._example, self.service)
        return frozenset(quad.subject for quad in quads)

    def is_example(self, node: Node, about: About) -> bool:
        """Whether the thing is a fictional dataset, or one asserts what the thing is."""
        fictional = self.example_graphs
        return node in fictional or not fictional.isdisjoint(about.type_graphs)

    def tombstone(self, iri: ox.NamedNode) -> Tombstone | None:
        """The tombstone of an entity of which nothing but the tombstone is left."""
        grave = {
            quad.predicate: quad.object.value
            for quad in self.store.quads_for_pattern(iri, None, None, self.service)
            if isinstance(quad.object, ox.Literal)
            or (isinstance(quad.object, ox.NamedNode) and quad.object != AS["Tombstone"])
        }
        marks = self.store.quads_for_pattern(iri, _TYPE, AS["Tombstone"], self.service)
        if next(iter(marks), None) is None:
            return None
        for quad in self.store.quads_for_pattern(iri, None, None, None):
            if quad.graph_name != self.service:
                return None
        return Tombstone(grave.get(AS["deleted"]), grave.get(DCTERMS["isReplacedBy"]))


def _values(classes: Iterable[ox.NamedNode]) -> str:
    return f"VALUES ?c {{ {' '.join(str(cls) for cls in classes)} }}"


def _path(path: Iterable[Step]) -> str:
    return "/".join(f"{'^' if step.inverse else ''}{step.predicate}" for step in path)
