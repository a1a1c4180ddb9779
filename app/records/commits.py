"""What the reserved graph tells of commits: which of them changed a thing, when, by whom.

Each commit refers to what it changed, so a look-up by the thing finds its commits, however many
there are of other things.
"""

from __future__ import annotations

from typing import Any

import pyoxigraph as ox

from app.rdf.terms import DCTERMS, LT, PROV
from app.records.graph import Graph
from app.records.names import Names

_CHANGED = (PROV["influenced"], PROV["generated"])


class Commits:
    """The commits that one checkpoint knows of."""

    def __init__(self, graph: Graph, names: Names, base_iri: str) -> None:
        self._graph = graph
        self._names = names
        self._base_iri = base_iri
        self._begin = f"{base_iri}commit/"

    def numbers(self, thing: ox.NamedNode) -> list[int]:
        """Generations of the commits that changed an entity or a dataset, the newest first."""
        found: set[int] = set()
        for predicate in _CHANGED:
            for quad in self._graph.store.quads_for_pattern(
                None, predicate, thing, self._graph.service
            ):
                number = str(quad.subject).removeprefix(f"<{self._begin}").removesuffix(">")
                if number.isdecimal():  # a dataset's own description may say such things too
                    found.add(int(number))
        return sorted(found, reverse=True)

    def describe(self, number: int) -> dict[str, Any]:
        """One commit: when, which datasets, by which partner, under which licence."""
        commit = ox.NamedNode(f"{self._begin}{number}")
        return {
            "generation": number,
            "commit": commit.value,
            "time": self._one(commit, PROV["endedAtTime"]),
            "datasets": self._references(commit, PROV["generated"]),
            "partner": next(iter(self._references(commit, PROV["wasAssociatedWith"])), None),
            "licence": self._one(commit, DCTERMS["license"]),
            "submission": self._one(commit, PROV["wasInformedBy"]),
        }

    def publisher(self, dataset: ox.NamedNode) -> dict[str, Any] | None:
        """The partner whose dataset it is, as the catalogue says, else as its name does."""
        said = self._references(dataset, DCTERMS["publisher"])
        if said:
            return said[0]
        slug, _, rest = dataset.value.removeprefix(f"{self._base_iri}graph/").partition("/")
        if not rest or slug == dataset.value:
            return None
        return self._names.reference(ox.NamedNode(f"{self._base_iri}id/partner/{slug}"))

    def claims(self, dataset: ox.NamedNode, thing: ox.NamedNode) -> bool:
        """Whether the dataset speaks of a thing that another partner curates."""
        claim = ox.Quad(dataset, LT["claimsAbout"], thing, self._graph.service)
        return claim in self._graph.store

    def _objects(self, subject: ox.NamedNode, predicate: ox.NamedNode) -> list[Any]:
        quads = self._graph.store.quads_for_pattern(subject, predicate, None, self._graph.service)
        return [quad.object for quad in quads]

    def _one(self, subject: ox.NamedNode, predicate: ox.NamedNode) -> str | None:
        return next((value.value for value in self._objects(subject, predicate)), None)

    def _references(self, subject: ox.NamedNode, predicate: ox.NamedNode) -> list[dict[str, Any]]:
        nodes = [v for v in self._objects(subject, predicate) if isinstance(v, ox.NamedNode)]
        return [self._names.reference(node) for node in sorted(nodes, key=str)]
