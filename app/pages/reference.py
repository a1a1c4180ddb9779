"""The own vocabularies and the shapes, as documents and as what a reference page shows.

Both are read from the files of the profile, once; the page and the RDF come from the same triples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyoxigraph as ox

from app.profile import Profile
from app.rdf.media import RDF_FORMATS
from app.rdf.terms import DASH, PF, PREFIXES, RDF, RDFS, SH, SKOS, type_

_TEXT_PREDICATES = {RDFS["label"], RDFS["comment"], SKOS["definition"], SKOS["prefLabel"]}
_VOCABULARIES = ("ontology", "profile")
_Node = ox.NamedNode | ox.BlankNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One predicate of a term with its values; `values` are (text, IRI or None)."""

    predicate: str
    values: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term of a vocabulary: `name` is its fragment."""

    iri: str
    name: str
    labels: dict[str, str]
    comments: dict[str, str]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One property shape or other rule of a node shape, as the table of a reference shows it."""

    labels: dict[str, str]
    path: str
    rules: tuple[str, ...]
    severity: str
    messages: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A node shape that has an IRI."""

    iri: str
    name: str
    labels: dict[str, str]
    comments: dict[str, str]
    targets: tuple[str, ...]
    constraints: tuple[Constraint, ...]


class Document:
    """A set of triples that is served as one RDF document in every format."""

    def __init__(self, triples: Iterable[ox.Triple], base_iri: str) -> None:
        self._triples = sorted(
            triples, key=lambda t: (str(t.subject), t.predicate != type_, str(t))
        )
        self._prefixes = {**PREFIXES, "lt": f"{base_iri}ontology#", "pf": f"{base_iri}profile#"}
        self._prefixes["ltsh"] = f"{base_iri}shapes#"
        self._bodies: dict[str, bytes] = {}
        self._used = {
            name: str(iri)
            for name, iri in self._prefixes.items()
            if any(f"<{iri}" in str(triple) for triple in self._triples)
        }

    def __bool__(self) -> bool:
        return bool(self._triples)

    def serialised(self, media_type: str) -> bytes:
        """The document in one of the RDF formats; each is made once."""
        if media_type not in self._bodies:
            body = ox.serialize(self._triples, format=RDF_FORMATS[media_type], prefixes=self._used)
            self._bodies[media_type] = body or b""
        return self._bodies[media_type]


class Reference:
    """Everything that /ontology, /profile and /shapes show."""

    def __init__(self, profile: Profile) -> None:
        self._base = profile.base_iri
        shapes = _read(profile.shapes_dir)
        everything = _read(profile.ontology_dir, profile.shapes_dir)
        own = {name: _own_triples(everything, self._base + name) for name in _VOCABULARIES}
        self.ontology = Document(own["ontology"], self._base)
        self.profile = Document(own["profile"], self._base)
        self.shapes = Document((_triple(q) for q in shapes), self._base)
        self.ontology_terms = self._terms(own["ontology"], f"{self._base}ontology#")
        self.profile_terms = self._terms(own["profile"], f"{self._base}profile#")
        self.node_shapes = self._node_shapes(shapes)

    def compact(self, iri: str) -> str:
        """An IRI with a known prefix, or in full."""
        own = {"lt": "ontology#", "pf": "profile#", "ltsh": "shapes#"}
        spaces = {**PREFIXES, **{name: self._base + path for name, path in own.items()}}
        best = max(
            (item for item in spaces.items() if iri.startswith(item[1])),
            key=lambda item: len(item[1]),
            default=None,
        )
        return f"{best[0]}:{iri[len(best[1]) :]}" if best else iri

    def local(self, iri: str) -> str | None:
        """The address of a term's entry on this site; None for terms of others."""
        if not iri.startswith(self._base):
            return None
        page, hash_, fragment = iri[len(self._base) :].partition("#")
        known = page in {"ontology", "profile", "shapes"}
        return f"/{page}{hash_}{fragment}" if known else None

    def _terms(self, triples: Iterable[ox.Triple], namespace: str) -> tuple[Term, ...]:
        by_subject: dict[str, list[ox.Triple]] = {}
        for triple in triples:
            if isinstance(triple.subject, ox.NamedNode) and triple.subject.value.startswith(
                namespace
            ):
                by_subject.setdefault(triple.subject.value, []).append(triple)
        return tuple(
            Term(
                iri=iri,
                name=iri.removeprefix(namespace),
                labels=_texts(mine, RDFS["label"], SKOS["prefLabel"]),
                comments=_texts(mine, RDFS["comment"], SKOS["definition"]),
                facts=self._facts(mine),
            )
            for iri, mine in sorted(by_subject.items())
        )

    def _facts(self, triples: Iterable[ox.Triple]) -> tuple[Fact, ...]:
        grouped: dict[str, list[tuple[str, str | None]]] = {}
        for triple in triples:
            if triple.predicate in _TEXT_PREDICATES or isinstance(triple.object, ox.BlankNode):
                continue
            name = "a" if triple.predicate == type_ else self.compact(triple.predicate.value)
            value: tuple[str, str | None]
            if isinstance(triple.object, ox.NamedNode):
                value = (self.compact(triple.object.value), triple.object.value)
            else:
                value = (_term_text(triple.object), None)
            grouped.setdefault(name, []).append(value)
        order = sorted(grouped, key=lambda name: (name != "a", name))
        return tuple(Fact(predicate=n, values=tuple(sorted(grouped[n], key=str))) for n in order)

    def _node_shapes(self, graph: ox.Store) -> tuple[Shape, ...]:
        found = []
        for quad in graph.quads_for_pattern(None, type_, SH["NodeShape"], None):
            node = quad.subject
            if not isinstance(node, ox.NamedNode):
                continue
            mine = [_triple(q) for q in graph.quads_for_pattern(node, None, None, None)]
            order = min(
                (
                    float(t.object.value)
                    for t in mine
                    if t.predicate == SH["order"] and isinstance(t.object, ox.Literal)
                ),
                default=float("inf"),
            )
            targets = [
                self.compact(t.object.value)
                for t in mine
                if t.predicate.value.startswith(f"{SH}target")
                and isinstance(t.object, ox.NamedNode)
            ]
            shape = Shape(
                iri=node.value,
                name=node.value.replace("#", "/").rpartition("/")[2],
                labels=_texts(mine, RDFS["label"]),
                comments=_texts(mine, RDFS["comment"]),
                targets=tuple(sorted(targets)),
                constraints=self._constraints(graph, node),
            )
            found.append((order, shape.name, shape))
        return tuple(shape for _, _, shape in sorted(found, key=lambda item: item[:2]))

    def _constraints(self, graph: ox.Store, node: _Node) -> tuple[Constraint, ...]:
        found = []
        for predicate in (SH["property"], SH["sparql"]):
            for quad in graph.quads_for_pattern(node, predicate, None, None):
                if isinstance(quad.object, ox.NamedNode | ox.BlankNode):
                    found += [self._constraint(graph, quad.object)]
        found.sort(key=lambda item: item[:2])
        return tuple(constraint for _, _, constraint in found)

    def _constraint(self, graph: ox.Store, node: _Node) -> tuple[float, str, Constraint]:
        mine = [_triple(q) for q in graph.quads_for_pattern(node, None, None, None)]
        skipped = {
            SH["path"],
            SH["name"],
            SH["description"],
            SH["message"],
            SH["severity"],
            SH["order"],
            SH["group"],
            SH["select"],
            SH["prefixes"],
            SH["ask"],
            type_,
        }
        rules, order, path, severity = [], float("inf"), "", "Violation"
        for triple in mine:
            predicate, value = triple.predicate, triple.object
            if predicate == SH["path"]:
                path = self._path(graph, value)
            elif predicate == SH["severity"] and isinstance(value, ox.NamedNode):
                severity = value.value.removeprefix(SH)
            elif predicate == SH["order"] and isinstance(value, ox.Literal):
                order = float(value.value)
            elif predicate not in skipped and not predicate.value.startswith((DASH, PF)):
                rules.append(f"{self.compact(predicate.value)} {self._value(graph, value)}")
        constraint = Constraint(
            labels=_texts(mine, SH["name"]),
            path=path or "sh:sparql",
            rules=tuple(sorted(rules)),
            severity=severity,
            messages=_texts(mine, SH["message"]),
        )
        return order, constraint.path, constraint

    def _path(self, graph: ox.Store, node: object) -> str:
        if isinstance(node, ox.NamedNode):
            return self.compact(node.value)
        if not isinstance(node, ox.BlankNode):
            return ""
        for quad in graph.quads_for_pattern(node, SH["inversePath"], None, None):
            return "^" + self._path(graph, quad.object)
        return " / ".join(self._path(graph, member) for member in _members(graph, node))

    def _value(self, graph: ox.Store, node: object, depth: int = 0) -> str:
        if isinstance(node, ox.NamedNode):
            return self.compact(node.value)
        if isinstance(node, ox.Literal):
            return _term_text(node)
        if not isinstance(node, ox.BlankNode) or depth > 3:  # noqa: PLR2004 - deep enough to read
            return "…"
        members = _members(graph, node)
        if members:
            return "( " + " ".join(self._value(graph, m, depth + 1) for m in members) + " )"
        inner = [
            f"{self.compact(q.predicate.value)} {self._value(graph, q.object, depth + 1)}"
            for q in graph.quads_for_pattern(node, None, None, None)
            if q.predicate not in {SH["message"], SH["description"]}
        ]
        return "[ " + " ; ".join(sorted(inner)) + " ]"


def _read(*folders: Path) -> ox.Store:
    store = ox.Store()
    for file in (file for folder in folders for file in sorted(folder.glob("**/*.ttl"))):
        store.extend(
            ox.parse(file.read_bytes(), format=ox.RdfFormat.TURTLE, rename_blank_nodes=True)
        )
    return store


def _own_triples(store: ox.Store, document: str) -> list[ox.Triple]:
    """The triples about a document, its hash terms, and the blank nodes below them."""
    subjects = {
        quad.subject
        for quad in store
        if isinstance(quad.subject, ox.NamedNode)
        and quad.subject.value.partition("#")[0] == document
    }
    return _closure(store, subjects)


def _triple(quad: ox.Quad) -> ox.Triple:
    return ox.Triple(quad.subject, quad.predicate, quad.object)


def _closure(store: ox.Store, subjects: Iterable[ox.NamedNode]) -> list[ox.Triple]:
    waiting: list[_Node] = list(subjects)
    seen: set[_Node] = set(waiting)
    found = []
    while waiting:
        for quad in store.quads_for_pattern(waiting.pop(), None, None, None):
            found.append(_triple(quad))
            if isinstance(quad.object, ox.BlankNode) and quad.object not in seen:
                seen.add(quad.object)
                waiting.append(quad.object)
    return found


def _members(graph: ox.Store, head: object) -> list[object]:
    found: list[object] = []
    while isinstance(head, ox.BlankNode):
        first = list(graph.quads_for_pattern(head, RDF["first"], None, None))
        rest = list(graph.quads_for_pattern(head, RDF["rest"], None, None))
        if not first or not rest:
            break
        found.append(first[0].object)
        head = rest[0].object
    return found


def _texts(triples: Sequence[ox.Triple], *predicates: ox.NamedNode) -> dict[str, str]:
    found: dict[str, str] = {}
    for triple in triples:
        if triple.predicate in predicates and isinstance(triple.object, ox.Literal):
            found.setdefault(triple.object.language or "en", triple.object.value)
    return found


def _term_text(term: object) -> str:
    return term.value if isinstance(term, ox.Literal) else str(term)
