"""From statements that have changed to the entities whose documents change by that.

A document depends on what is said of its entity and of its parts, on the names of what it refers to
and where that lies among concepts and regions, and on every statement on the way of a derived
field. The graph tells what depends on a statement that is new; of a statement that is gone only the
index still knows, so that is left to be looked up there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

import pyoxigraph as ox

from app.profile import EntityType, Part, Profile, Step
from app.rdf.terms import DCTERMS, RDF
from app.rdf.void import is_total
from app.records.graph import BOOKKEEPING, UP, Graph, Node
from app.records.names import NAMES

_PLACES = {step.predicate for step in UP}


@dataclass(slots=True)
class Touched:
    """IRIs that a change concerns.

    `entities` may have changed themselves, and so may whatever has one of them as its part;
    `named` may have another name, or lie elsewhere, which concerns all who show them; `cut` are
    pairs of things between which a statement is gone: who shows both may have found the way by it.
    """

    entities: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    cut: set[tuple[str, str]] = field(default_factory=set)

    def as_dict(self) -> dict[str, Any]:
        """As values of JSON, sorted."""
        return {
            "entities": sorted(self.entities),
            "named": sorted(self.named),
            "cut": sorted(self.cut),
        }


class Changes:
    """Reads changes; the graph is that of their end, or a later one."""

    def __init__(self, graph: Graph, profile: Profile) -> None:
        self._graph = graph
        shapes: list[EntityType | Part] = [*profile.types, *profile.parts]
        fields = [one for shape in shapes for one in shape.fields]
        self._ways: dict[ox.NamedNode, list[tuple[tuple[Step, ...], int, bool]]] = {}
        for one in fields:
            for number, step in enumerate(one.path if one.derived else ()):
                place = (one.path, number, one.naming)
                self._ways.setdefault(step.predicate, []).append(place)
        # a thing's class says how to call it, and a dataset's type what is fictional
        self._names = {RDF["type"], DCTERMS["type"], *NAMES, *_PLACES}
        self._names.update(f.predicate for f in fields if f.predicate and (f.labelling or f.naming))

    def touched(self, added: bytes, removed: bytes) -> Touched:
        """What a change concerns, both parts of which are N-Quads."""
        found = Touched()
        new: Counter[Node] = Counter()
        for quad in self._quads(added):
            new[self._subject(quad, found)] += 1
            for path, number, naming in self._ways.get(quad.predicate, ()):
                self._follow_back(quad, path, number, found, naming=naming)
        for quad in self._quads(removed):
            subject = self._subject(quad, found)
            new.setdefault(subject, 0)
            if quad.predicate in self._ways:
                if isinstance(quad.object, ox.NamedNode):
                    found.cut.add((_iri(subject), quad.object.value))
                else:
                    found.named.add(_iri(subject))
        for subject, count in new.items():
            if self._came_or_went(subject, count):
                found.named.add(_iri(subject))
        return found

    def _quads(self, lines: bytes) -> Iterator[ox.Quad]:
        for quad in ox.parse(lines, format=ox.RdfFormat.N_QUADS):
            noted = quad.graph_name == self._graph.service and (
                quad.predicate in BOOKKEEPING or is_total(quad)
            )
            if not noted and isinstance(quad.subject, ox.NamedNode | ox.BlankNode):
                yield quad

    def _subject(self, quad: ox.Quad, found: Touched) -> Node:
        subject: Node = cast(Node, quad.subject)  # see _quads
        self._add(subject, found)
        if quad.predicate in self._names:
            found.named.add(_iri(subject))
        if quad.predicate in _PLACES and isinstance(quad.object, ox.NamedNode):
            found.named.add(quad.object.value)
        return subject

    def _add(self, thing: Node, found: Touched) -> None:
        found.entities.add(_iri(thing))
        found.entities.add(_iri(thing).partition("#")[0])

    def _follow_back(
        self, quad: ox.Quad, path: tuple[Step, ...], number: int, found: Touched, *, naming: bool
    ) -> None:
        near = quad.object if path[number].inverse else quad.subject
        for thing in self._graph.walk_back([near], path[:number]):
            if isinstance(thing, ox.NamedNode | ox.BlankNode):
                self._add(thing, found)
                if naming:
                    found.named.add(_iri(thing))

    def _came_or_went(self, subject: Node, added: int) -> bool:
        """Whether nothing is said of it any more, or no more than was added."""
        said = self._graph.store.quads_for_pattern(subject, None, None, None)
        return sum(1 for _ in islice(said, added + 1)) <= added


def _iri(node: Node) -> str:
    return node.value if isinstance(node, ox.NamedNode) else f"_:{node.value}"
