"""SPARQL 1.1 Graph Store HTTP Protocol: a request becomes a value before anything runs. Pure.

Graphs are identified indirectly, by `?graph=` (§4.2) or `?default`; their own addresses are those
of entities' pages, so direct identification (§4.1) is not offered. What a body holds is the
business of who reads it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyoxigraph import NamedNode

from app.errors import InvalidRequest, MethodNotAllowed, NotAcceptable
from app.rdf import media
from app.sparql.operation import GRAPH_OFFERS, Query
from app.sparql.request import decoded, switch

METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True)
class GraphRead:
    """GET or HEAD of one graph (§5.2, §5.7); `graph` is None for the default graph (§4.2)."""

    graph: NamedNode | None
    media_type: str

    @property
    def _pattern(self) -> str:
        return f"GRAPH {self.graph} {{ ?s ?p ?o }}" if self.graph else "?s ?p ?o"

    def exists(self) -> Query:
        """Whether the graph holds anything; the store knows no empty graphs."""
        return Query(f"ASK {{ {self._pattern} }}")

    def content(self) -> Query:
        """The graph itself."""
        text = f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ {self._pattern} }}"
        return Query(text, graphs=self.media_type)


@dataclass(frozen=True, slots=True)
class GraphWrite:
    """PUT replaces (§5.3), POST merges (§5.5), DELETE empties (§5.4) a graph.

    `graph` is None for the default graph. A `dry_run` shows what it would do; `force` leaves
    tombstones for what others still refer to.
    """

    graph: NamedNode | None
    method: str
    dry_run: bool = False
    force: bool = False


def read_graph_request(
    method: str, query_string: bytes, accept: str | None
) -> GraphRead | GraphWrite:
    """What a request asks for of the one graph that it names.

    Raises MethodNotAllowed, InvalidRequest and NotAcceptable. What a write answers with is not
    negotiated here.
    """
    if method not in METHODS:
        raise MethodNotAllowed(method, list(METHODS))
    parameters = decoded(query_string)
    named = [value for name, value in parameters if name == "graph"]
    default = [value for name, value in parameters if name == "default"]
    if method == "POST" and not named and not default:
        # §5.5 lets the store mint a graph here, but a dataset has an owner, a licence and a name
        raise InvalidRequest(
            "No graph is made without a name: have the dataset registered, then POST to ?graph= "
            "and its IRI.",
            field="graph",
        )
    if len(named) + len(default) != 1 or any(default):
        raise InvalidRequest(
            "Name one graph: ?graph= and its IRI, or ?default. Graphs are not identified by the "
            "address alone.",
            field="graph",
        )
    try:
        graph = NamedNode(named[0]) if named else None
    except ValueError:
        raise InvalidRequest(
            f"The name of a graph must be an absolute IRI: {named[0]!r}.", field="graph"
        ) from None
    if method in {"PUT", "POST", "DELETE"}:
        return GraphWrite(graph, method, switch(parameters, "dry_run"), switch(parameters, "force"))
    suffix = next((value.lower() for name, value in parameters if name == "format"), None)
    if suffix is not None and suffix not in media.SUFFIXES:
        raise InvalidRequest(
            f"Unknown format {suffix[:40]!r}; use one of: {', '.join(media.SUFFIXES)}.",
            field="format",
        )
    media_type = media.SUFFIXES[suffix] if suffix else media.negotiate(accept, GRAPH_OFFERS)
    if media_type not in GRAPH_OFFERS:
        raise NotAcceptable(list(media.GRAPH_FORMATS))
    return GraphRead(graph, media_type)
