"""Whose an IRI is, told by its form alone; and what graphs are called."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from pyoxigraph import DefaultGraph, NamedNode

from app.rdf.terms import GraphName

PARTNER_SLUG: Final = r"[a-z][a-z0-9]{1,30}"
"""No hyphen: a minted name is `{partner}-{local}`, so the first hyphen ends the partner's."""

DATASET_SLUG: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

_DEFAULT: Final = "graph/default"
_ABSOLUTE: Final = re.compile(r"(https?)://(?:[^/?#]*@)?([^/?#]*)([^?#]*)")
_DEFAULT_PORT: Final = re.compile(r"\.?(?::(?:80|443)?)?$")


@dataclass(frozen=True, slots=True)
class Naming:
    """What somebody may write to and bring into the world, under `base_iri`.

    `partner` is the slug under which names may be minted, None for no partner; with `everywhere`
    under that of every partner. `scope` are the IRIs of the only datasets, None for no limit.
    """

    base_iri: str
    partner: str | None
    everywhere: bool
    scope: frozenset[str] | None = None

    def arguments(self) -> dict[str, Any]:
        """What a job is told; `of` is the inverse."""
        scope = None if self.scope is None else sorted(self.scope)
        return {"partner": self.partner, "everywhere": self.everywhere, "scope": scope}

    @staticmethod
    def of(arguments: Mapping[str, Any], base_iri: str) -> Naming:
        """Made from `arguments`."""
        scope = arguments["scope"]
        return Naming(
            base_iri,
            arguments["partner"],
            arguments["everywhere"],
            None if scope is None else frozenset(scope),
        )

    def may_write(self, dataset: str) -> bool:
        """Whether the dataset with this IRI, `{base}graph/{partner}/{dataset}`, may be written to.

        Says nothing about whether the dataset exists. No role writes to other graphs, above all
        not to the one in which the service speaks of itself.
        """
        partner = partner_of(dataset, self.base_iri)
        within = self.scope is None or dataset in self.scope
        return partner is not None and within and self._acts_for(partner)

    def may_mint(self, iri: str) -> bool:
        """Whether statements may be made that bring this IRI into the world.

        Foreign IRIs are free. Of ours these may be minted: `{base}id/{type}/{partner}-{local}`,
        the partner itself, and datasets that may be written; each with fragments.
        """
        if not is_ours(iri, self.base_iri):
            return True
        thing = iri.partition("#")[0]
        if thing.startswith(f"{self.base_iri}graph/"):
            return self.may_write(thing)
        # read with and without its percent-encoding, in which a slash can hide
        minters = {_minter(thing, self.base_iri), _minter(unquote(thing), self.base_iri)}
        (minter,) = minters if len(minters) == 1 else (None,)
        return minter is not None and self._acts_for(minter)

    def _acts_for(self, partner: str) -> bool:
        return self.everywhere or self.partner == partner


def partner_of(graph: str, base_iri: str) -> str | None:
    """The slug of the partner whose dataset this graph is; None for every other graph."""
    found = re.fullmatch(rf"{re.escape(base_iri)}graph/({PARTNER_SLUG})/{DATASET_SLUG}", graph)
    return found[1] if found else None


def may_name_graph(name: str, base_iri: str) -> bool:
    """Whether this can be the name of a graph: an absolute IRI that is not ours, or a plain one.

    Plain are names of small letters, digits and hyphens, so that none can be taken for another.
    `graphs/…` are addresses of the graph store, where it is reached under the namespace.
    """
    if is_ours(name, base_iri):
        plain = r"graphs?(?:/[a-z0-9][a-z0-9-]*)+"
        return re.fullmatch(re.escape(base_iri) + plain, name) is not None
    try:
        NamedNode(name)
    except ValueError:
        return False
    return True


def _minter(thing: str, base_iri: str) -> str | None:
    base = re.escape(base_iri)
    found = re.fullmatch(rf"{base}id/partner/({PARTNER_SLUG})", thing) or re.fullmatch(
        rf"{base}id/(?!partner/)[a-z][a-z0-9-]*/({PARTNER_SLUG})-[^/?#\s]+", thing
    )
    return found[1] if found else None


def is_ours(iri: str, base_iri: str) -> bool:
    """Whether an IRI lies in the namespace, or would be taken for one that does.

    Capitals, percent-encoding, dot segments, the other of http and https, a default port and
    letters that look the same make no difference.
    """
    return iri.startswith(base_iri) or _folded(iri).startswith(_folded(base_iri))


def _folded(iri: str) -> str:
    plain = unicodedata.normalize("NFKC", unquote(iri)).casefold()
    found = _ABSOLUTE.match(plain)
    if found is None:
        return plain
    path = posixpath.normpath(f"/{found[3].lstrip('/')}")
    if found[3].endswith(("/", "/.", "/..")) and path != "/":
        path += "/"
    return _DEFAULT_PORT.sub("", found[2]) + path


def graph_of(name: str, base_iri: str) -> GraphName:
    """The graph of this name in the store: `{base}graph/default` is the default graph."""
    return DefaultGraph() if name == f"{base_iri}{_DEFAULT}" else NamedNode(name)


def name_of(graph: GraphName, base_iri: str) -> str:
    """Inverse of `graph_of`."""
    return graph.value if isinstance(graph, NamedNode) else f"{base_iri}{_DEFAULT}"
