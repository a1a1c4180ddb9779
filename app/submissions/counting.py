"""How the counts of a graph change with a diff: by look-ups, never by going through the graph."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal as OneOf

from pyoxigraph import Literal, NamedNode, Quad, Store

from app.rdf.diff import Diff
from app.rdf.terms import RDF, VOID, GraphName, Subject, Term, type_
from app.submissions.change import is_part

Path = tuple[str, ...]
"""What is counted: () the graph, ("class", C), ("property", P), ("class", C, "property", P), the
last with "class", "datatype" or "space" and what its objects are, and ("links", P, "space", S)."""

Counts = Counter[tuple[Path, NamedNode]]
"""How many there are of what is counted, by its VoID property."""

TRIPLES, ENTITIES = VOID["triples"], VOID["entities"]
SUBJECTS, OBJECTS = VOID["distinctSubjects"], VOID["distinctObjects"]

_LANG_STRING = RDF["langString"].value
_FOREIGN = re.compile(
    r"http://data\.europa\.eu/(?:nuts/code|8mn/euroscivoc)/"
    r"|http://publications\.europa\.eu/resource/authority/[^/]+/"
    r"|https://ror\.org/|https?://(?:www\.)?isni\.org/(?:isni/)?|https://www\.grid\.ac/institutes/"
    r"|http://www\.wikidata\.org/entity/|https?://(?:sws|www)\.geonames\.org/|https://doi\.org/"
)
"""Where identifiers come from; a space for each homepage would be longer than the graph."""

_Side = OneOf["before", "after"]
_Pattern = tuple[Subject | None, NamedNode | None, Term | None]


def space_of(iri: str, base_iri: str) -> str | None:
    """The namespace that an IRI belongs to, told by its form: ours by type, and known others."""
    if iri.startswith(base_iri):
        kind, _, rest = iri[len(base_iri) :].partition("/")
        name, slash, _ = rest.partition("/")
        if kind in {"id", "scheme"} and slash:
            return f"{base_iri}{kind}/{name}/"
        return f"{base_iri}graph/" if kind == "graph" else None
    found = _FOREIGN.match(iri)
    return found[0] if found else None


class Counting:
    """What a net change of one graph does to its counts.

    `store` is the graph before; None for one that is counted from the beginning, of which `diff`
    adds everything. It is asked for subjects, types and objects of the change only, so the cost
    follows the change, and, where a thing gets another type, what refers to it.

    The class of an object is its type in the same graph, else the space of its IRI tells what it
    is; so the counts of a graph do not depend on other graphs.
    """

    def __init__(self, store: Store | None, graph: GraphName, diff: Diff, base_iri: str) -> None:
        self._store = Store() if store is None else store
        self._graph = graph
        self._diff = diff
        self._base_iri = base_iri
        self._types: dict[_Side, dict[Subject, tuple[str, ...]]] = {"before": {}, "after": {}}
        self._changed_types: dict[_Side, dict[Subject, set[str]]] = {
            "before": _types_in(diff.removed),
            "after": _types_in(diff.added),
        }

    def counts(self) -> Counts:
        """What is to be added to each count; may be negative, is never zero."""
        found: Counts = Counter()
        for quad in self._affected():
            if quad not in self._diff.added:
                found.subtract(self._counted(quad, "before"))
            if quad not in self._diff.removed:
                found.update(self._counted(quad, "after"))
        self._count_different(found)
        self._count_entities(found)
        return Counter({key: number for key, number in found.items() if number})

    def _affected(self) -> Iterator[Quad]:
        """The change, and what is counted otherwise since its subject or object has other types."""
        changed = {*self._diff.added, *self._diff.removed}
        yield from changed
        seen = set[Quad]()
        for thing in self._retyped():
            for quad in (*self._said(subject=thing), *self._said(value=thing)):
                if quad not in changed and quad not in seen:
                    seen.add(quad)
                    yield quad

    def _retyped(self) -> list[Subject]:
        changed = self._changed_types
        things = {*changed["before"], *changed["after"]}
        return [one for one in things if self._of(one, "before") != self._of(one, "after")]

    # of single statements

    def _counted(self, quad: Quad, side: _Side) -> Iterator[tuple[Path, NamedNode]]:
        predicate, value = quad.predicate.value, quad.object
        kinds = tuple(self._kinds(value, side))
        yield (), TRIPLES
        yield ("property", predicate), TRIPLES
        for kind in kinds:
            if kind[0] == "space":
                yield ("links", predicate, *kind), TRIPLES
        for cls in self._of(quad.subject, side):
            yield ("class", cls, "property", predicate), TRIPLES
            for kind in kinds:
                yield ("class", cls, "property", predicate, *kind), TRIPLES

    def _kinds(self, value: Term, side: _Side) -> Iterator[tuple[str, str]]:
        if isinstance(value, Literal):
            yield "datatype", _LANG_STRING if value.language else value.datatype.value
        else:
            classes = self._of(value, side)
            for cls in classes:
                yield "class", cls
            if not classes and isinstance(value, NamedNode):
                space = space_of(value.value, self._base_iri)
                if space is not None:
                    yield "space", space

    def _of(self, thing: Subject, side: _Side) -> tuple[str, ...]:
        """The classes of a thing in this graph, sorted."""
        known = self._types[side]
        found = known.get(thing)
        if found is None:
            quads = self._said(subject=thing, predicate=type_)
            before = {q.object.value for q in quads if isinstance(q.object, NamedNode)}
            if side == "after":
                before -= self._changed_types["before"].get(thing, set())
                before |= self._changed_types["after"].get(thing, set())
            found = known[thing] = tuple(sorted(before))
        return found

    # of different things

    def _count_different(self, found: Counts) -> None:
        """Patterns that matched nothing and will match something count one, and the other way."""
        patterns = defaultdict[tuple[Path, NamedNode, _Pattern], bool](bool)
        for quads, gain in ((self._diff.added, True), (self._diff.removed, False)):
            for quad in quads:
                for asked in _patterns(quad):
                    patterns[asked] |= gain
        for (path, asks, pattern), gains in patterns.items():
            stays = was = False
            for quad in self._said(*pattern):
                was = True
                if gains or quad not in self._diff.removed:
                    stays = True
                    break
            found[path, asks] += (gains or stays) - was

    def _count_entities(self, found: Counts) -> None:
        """Things with a type that have a name of their own: no fragment, and no blank node."""
        for thing in {*self._changed_types["before"], *self._changed_types["after"]}:
            if isinstance(thing, NamedNode) and not _is_nameless(thing, self._base_iri):
                was, will_be = (bool(self._of(thing, side)) for side in ("before", "after"))
                found[(), ENTITIES] += will_be - was

    def _said(
        self,
        subject: Subject | None = None,
        predicate: NamedNode | None = None,
        value: Term | None = None,
    ) -> Iterator[Quad]:
        return self._store.quads_for_pattern(subject, predicate, value, self._graph)


def _patterns(quad: Quad) -> Iterator[tuple[Path, NamedNode, _Pattern]]:
    """What a statement may be the first or the last of."""
    subject, predicate, value = quad.subject, quad.predicate, quad.object
    path = ("property", predicate.value)
    yield (), SUBJECTS, (subject, None, None)
    yield (), OBJECTS, (None, None, value)
    yield path, SUBJECTS, (subject, predicate, None)
    yield path, OBJECTS, (None, predicate, value)
    if predicate == type_ and isinstance(value, NamedNode):
        yield ("class", value.value), ENTITIES, (subject, predicate, value)


def _is_nameless(thing: NamedNode, base_iri: str) -> bool:
    return "#" in thing.value or is_part(thing, base_iri)


def _types_in(quads: Iterable[Quad]) -> dict[Subject, set[str]]:
    found: dict[Subject, set[str]] = {}
    for quad in quads:
        if quad.predicate == type_ and isinstance(quad.object, NamedNode):
            found.setdefault(quad.subject, set()).add(quad.object.value)
    return found
