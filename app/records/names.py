"""What to call a thing: the best label in the language asked for."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyoxigraph as ox

from app.profile import EntityType, Profile, Step
from app.rdf.terms import DCTERMS, EURIO, FOAF, RDF, RDFS, SCHEMA, SKOS
from app.records.graph import About, Graph, Node, Value

_MAX_CACHED = 200_000
_MAX_NAMING = 3
_TYPE = RDF["type"]
_SECOND_CHOICES = (
    SKOS["altLabel"],
    SKOS["notation"],
    DCTERMS["title"],
    EURIO["title"],
    RDFS["label"],
    FOAF["name"],
    SCHEMA["name"],
)
NAMES = frozenset({SKOS["prefLabel"], *_SECOND_CHOICES})
"""What may tell how to call a thing, whatever its type."""


@dataclass(frozen=True, slots=True)
class Name:
    """A thing's name, and whether the graph says anything about the thing."""

    text: str
    known: bool


class Names:
    """Names in one language over one checkpoint; remembers what it has looked up."""

    def __init__(self, graph: Graph, profile: Profile, lang: str) -> None:
        self._graph = graph
        self._profile = profile
        self._lang = lang
        self._cache: dict[str, Name] = {}
        self._sources: dict[str, frozenset[str]] = {}
        self._plain: dict[str, str] = {}  # names of things that only lend theirs to others
        self._naming = {
            kind.name: tuple(field for field in kind.fields if field.naming)
            for kind in profile.types
        }
        self._labels: dict[str, tuple[ox.NamedNode, ...]] = {
            kind.name: tuple(
                field.predicate
                for field in kind.fields
                if field.labelling and field.predicate is not None
            )
            for kind in profile.types
        }

    def of(self, iri: ox.NamedNode) -> Name:
        """The name of any thing; a thing without statements is named after its IRI."""
        found = self._cache.get(iri.value)
        if found is None:
            found = self._look_up(iri)
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
                self._plain.clear()
            self._cache[iri.value] = found
        return found

    def preload(self, kind: EntityType) -> None:
        """Look up the names of all entities of a type with a few queries."""
        graph, label = self._graph, (Step(SKOS["prefLabel"]),)
        for iri, text in self._picked(graph.column(kind.classes, label)).items():
            self._cache[iri] = Name(text, known=True)
        lent: dict[str, list[list[str]]] = {}
        for number, field in enumerate(self._naming[kind.name]):
            along = graph.labels_along(kind.classes, field.path, SKOS["prefLabel"])
            self._plain.update(self._picked(along))
            for iri, value in graph.column(kind.classes, field.path):
                if isinstance(value, ox.NamedNode):
                    columns = lent.setdefault(iri, [[] for _ in self._naming[kind.name]])
                    columns[number].append(self._lent(value))
        for iri, names in lent.items():
            if iri not in self._cache:
                parts = [name for column in names for name in sorted(column)[:_MAX_NAMING]]
                self._cache[iri] = Name(" · ".join(parts), known=True)

    def _picked(self, rows: Iterable[tuple[str, Value]]) -> dict[str, str]:
        values: dict[str, list[Value]] = {}
        for iri, value in rows:
            values.setdefault(iri, []).append(value)
        return {iri: text for iri, of in values.items() if (text := self._pick(of))}

    def sources(self, thing: ox.NamedNode) -> frozenset[str]:
        """IRIs of the things that lend theirs to the name of a thing; none if it has a label."""
        found = self._sources.get(thing.value)
        if found is None:
            found = frozenset(self._lenders(thing))
            if len(self._sources) >= _MAX_CACHED:
                self._sources.clear()
            self._sources[thing.value] = found
        return found

    def _lenders(self, thing: ox.NamedNode) -> Iterable[str]:
        if self._pick(self._graph.objects(thing, SKOS["prefLabel"])):
            return
        classes = (v for v in self._graph.objects(thing, _TYPE) if isinstance(v, ox.NamedNode))
        kind = self._profile.of_classes(classes)
        for field in self._naming[kind.name] if kind else ():
            for things in self._graph.way(thing, field.path, _MAX_NAMING):
                yield from (one.value for one in things if isinstance(one, ox.NamedNode))

    def from_about(self, iri: ox.NamedNode, about: About) -> str:
        """The name of a thing whose statements are at hand."""
        found = self._cache.get(iri.value)
        return found.text if found else self._best(iri, about, naming=True)

    def reference(self, node: Node) -> dict[str, Any]:
        """`{id, name, url}`: the url is the thing's page here, or the link itself if it has none.

        Only web links count as such: what is put into an href must not be able to run anything.
        """
        if isinstance(node, ox.BlankNode):
            return {"id": f"_:{node.value}", "name": "", "url": ""}
        iri = node.value
        name = self.of(node)
        external = not name.known and iri.startswith(("http://", "https://"))
        external = external and not iri.startswith(self._profile.base_iri)
        return {
            "id": iri,
            "name": name.text,
            "url": iri if external else self._profile.local_path(iri),
        }

    def _look_up(self, iri: ox.NamedNode, *, naming: bool = True) -> Name:
        labels = self._graph.objects(iri, SKOS["prefLabel"])
        text = self._pick(labels)
        if text:
            return Name(text, known=True)
        about = self._graph.about(iri)
        if not about.values:
            return Name(self._from_iri(iri.value), known=False)
        return Name(self._best(iri, about, naming=naming), known=True)

    def _best(self, iri: ox.NamedNode, about: About, *, naming: bool) -> str:
        text = self._pick(about.values.get(SKOS["prefLabel"], ()))
        if text:
            return text
        kind = self._profile.of_classes(about.classes)
        if kind is not None:
            for predicate in self._labels[kind.name]:
                if text := self._pick(about.values.get(predicate, ())):
                    return text
            if naming and (text := self._after_references(iri, about, kind)):
                return text
        for predicate in _SECOND_CHOICES:
            if text := self._pick(about.values.get(predicate, ())):
                return text
        return self._from_iri(iri.value)

    def _after_references(self, iri: ox.NamedNode, about: About, kind: EntityType) -> str:
        """Names of the things that the naming fields lead to, which are not named so again."""
        found = []
        for field in self._naming[kind.name]:
            if field.predicate is not None:
                values = about.values.get(field.predicate, [])
            else:
                values, _ = self._graph.walk(iri, field.path, _MAX_NAMING)
            names = [
                self._lent(v) if isinstance(v, ox.NamedNode) else self._pick([v])
                for v in values[:_MAX_NAMING]
            ]
            found += sorted(name for name in names if name)
        return " · ".join(found)

    def _lent(self, iri: ox.NamedNode) -> str:
        found = self._plain.get(iri.value)
        if found is None:
            found = self._plain[iri.value] = self._look_up(iri, naming=False).text
        return found

    def _pick(self, values: Sequence[Value]) -> str:
        """The asked language, English, any; the first in the alphabet of several."""
        best: tuple[int, str, str] | None = None
        for value in values:
            if not isinstance(value, ox.Literal) or not value.value.strip():
                continue
            candidate = (self._rank(value.language), value.language or "", value.value)
            if best is None or candidate < best:
                best = candidate
        return best[2] if best else ""

    def _rank(self, lang: str | None) -> int:
        if lang is None:
            return 4
        main = lang.partition("-")[0]
        for rank, wanted in ((0, self._lang), (2, "en")):
            if main == wanted:
                return rank + (lang != wanted)
        return 5

    def _from_iri(self, iri: str) -> str:
        slug = self._profile.slug(iri)
        if slug is None and iri.startswith(self._profile.base_iri):
            slug = iri[len(self._profile.base_iri) :]
        if slug is not None:
            return slug
        return iri.removeprefix("https://").removeprefix("http://").rstrip("/") or iri


class InEach(tuple[str, ...]):
    """A name that is not the same in all languages: one for each, in their order."""

    __slots__ = ()


class AllNames:
    """Names in several languages at once: a string where they agree, else `InEach`."""

    def __init__(self, each: Sequence[Names]) -> None:
        self._each = each
        self._references: dict[Node, dict[str, Any]] = {}

    def from_about(self, iri: ox.NamedNode, about: About) -> str | InEach:
        """See `Names.from_about`."""
        return _agreed([names.from_about(iri, about) for names in self._each])

    def reference(self, node: Node) -> dict[str, Any]:
        """See `Names.reference`; what is returned must not be changed."""
        found = self._references.get(node)
        if found is None:
            each = [names.reference(node) for names in self._each]
            found = {**each[0], "name": _agreed([one["name"] for one in each])}
            if len(self._references) >= _MAX_CACHED:
                self._references.clear()
            self._references[node] = found
        return found


def _agreed(texts: list[str]) -> str | InEach:
    return texts[0] if texts.count(texts[0]) == len(texts) else InEach(texts)


def fold(text: str) -> str:
    """Text without case and accents, for sorting and finding."""
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
