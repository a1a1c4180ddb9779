"""What a wrong reference may have meant: the most similar of the things that are known."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from pyoxigraph import Literal, NamedNode, Quad, Store
from rapidfuzz import fuzz, process

from app.rdf.terms import DCTERMS, EURIO, RDFS, SCHEMA, SKOS, Subject, Term, type_

MAX_SEARCHES = 200
"""References that are looked for in one report."""

MAX_CANDIDATES = 100_000
"""Things of one kind that are compared."""

LABELS = (SKOS["prefLabel"], DCTERMS["title"], EURIO["title"], RDFS["label"], SCHEMA["name"])
"""What things are called, the best first."""

_SIMILAR = 75.0
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class Near:
    """A known thing and what it is called, by language."""

    iri: str
    labels: Mapping[str, str]


class Neighbours:
    """Known things: those of the store, and those that the data describes itself."""

    def __init__(self, store: Store, data: Iterable[Quad]) -> None:
        self._store = store
        self._own = Store()
        wanted = {type_, SKOS["inScheme"], *LABELS}
        self._own.bulk_extend(quad for quad in data if quad.predicate in wanted)
        self._texts: dict[tuple[frozenset[str], str | None], dict[str, list[str]]] = {}
        self._found: dict[tuple[object, ...], Near | None] = {}

    def labels(self, node: Term) -> dict[str, str]:
        """What a thing is called, by language; texts without one count as English."""
        if isinstance(node, Literal):
            return {}
        for predicate in LABELS:
            found: dict[str, str] = {}
            for store in (self._own, self._store):
                for quad in store.quads_for_pattern(node, predicate, None, None):
                    if isinstance(quad.object, Literal):
                        language = (quad.object.language or "en").partition("-")[0]
                        found.setdefault(language, quad.object.value[:200])
            if found:
                return dict(sorted(found.items()))
        return {}

    def classes(self, node: Subject) -> list[NamedNode]:
        """The classes of a thing."""
        return [
            quad.object
            for store in (self._own, self._store)
            for quad in store.quads_for_pattern(node, type_, None, None)
            if isinstance(quad.object, NamedNode)
        ]

    def of_kind(
        self, value: Term, classes: Iterable[NamedNode], scheme: NamedNode | None = None
    ) -> Near | None:
        """The thing of these classes, and of this code list, that is most similar to `value`."""
        kinds = frozenset(cls.value for cls in classes)
        key = (kinds, scheme.value if scheme else None)
        if not kinds or len(self._found) >= MAX_SEARCHES:
            return None
        if (value, *key) not in self._found:
            if key not in self._texts:
                self._texts[key] = self._things(kinds, scheme)
            self._found[value, *key] = self._best(value, self._texts[key])
        return self._found[value, *key]

    def among(self, value: Term, choices: Iterable[Term]) -> Near | None:
        """The most similar of a few terms."""
        terms = [one for one in choices if isinstance(one, NamedNode) and one != value]
        if len(self._found) >= MAX_SEARCHES:
            return None
        return self._best(value, {term.value: self._names(term) for term in terms})

    def _things(self, kinds: frozenset[str], scheme: NamedNode | None) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for store in (self._own, self._store):
            for kind in sorted(kinds):
                for quad in store.quads_for_pattern(None, type_, NamedNode(kind), None):
                    node = quad.subject
                    if not isinstance(node, NamedNode) or node.value in found:
                        continue
                    if len(found) == MAX_CANDIDATES:
                        return found
                    if scheme is None or self._is_in(node, scheme):
                        found[node.value] = self._names(node)
        return found

    def _is_in(self, node: NamedNode, scheme: NamedNode) -> bool:
        return any(
            next(iter(store.quads_for_pattern(node, SKOS["inScheme"], scheme, None)), None)
            for store in (self._own, self._store)
        )

    def _names(self, node: NamedNode) -> list[str]:
        return [_slug(node.value), *map(_folded, self.labels(node).values())]

    def _best(self, value: Term, things: Mapping[str, list[str]]) -> Near | None:
        if isinstance(value, NamedNode):
            asked = {_slug(value.value), *map(_folded, self.labels(value).values())}
        elif isinstance(value, Literal):
            asked = {_folded(value.value[:200])}
        else:
            return None
        own = value.value
        names = [(name, iri) for iri, all_ in things.items() for name in all_ if iri != own]
        best: tuple[float, str] | None = None
        for text in sorted(asked):
            if len(text) < _SHORTEST:
                continue
            found = process.extractOne(
                text, [name for name, _ in names], scorer=fuzz.ratio, score_cutoff=_SIMILAR
            )
            if found is not None and (best is None or found[1] > best[0]):
                best = found[1], names[found[2]][1]
        return Near(best[1], self.labels(NamedNode(best[1]))) if best else None


def _slug(iri: str) -> str:
    return _folded(unquote(re.split(r"[/#]", iri.rstrip("/#"))[-1]))


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    words = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(re.split(r"[\s_\-.,]+", words)).strip()
