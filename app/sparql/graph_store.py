"""SPARQL 1.1 Graph Store HTTP Protocol: a request becomes a value before anything runs. Pure.

Graphs are identified indirectly, by `?graph=` or `?default` (§4.2). Below the address of the graph
store, an address is the name of a graph as well (§4.1). What a body holds is the business of who
reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from pyoxigraph import NamedNode

from app.errors import InvalidRequest, MethodNotAllowed, NotAcceptable
from app.rdf import media
from app.sparql.formats import GRAPH_OFFERS
from app.sparql.operation import Query
from app.sparql.request import Parameters, decoded, switch

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


@dataclass(frozen=True, slots=True)
class GraphCreation:
    """POST to the graph store itself (§5.5): a new graph, for which the service finds a name."""

    dry_run: bool = False


def read_graph_request(
    method: str,
    query_string: bytes,
    accept: str | None,
    *,
    below: str = "",
    address: str = "",
) -> GraphRead | GraphWrite | GraphCreation:
    """What a request asks for of the one graph that it names.

    `address` is that of the graph store, and `below` what follows in the path of the request, as
    it was sent. Raises MethodNotAllowed, InvalidRequest and NotAcceptable. What a write answers
    with is not negotiated here.
    """
    if method not in METHODS:
        raise MethodNotAllowed(method, list(METHODS))
    parameters = decoded(query_string)
    dry_run, force = switch(parameters, "dry_run"), switch(parameters, "force")
    names = _names(parameters, below, address)
    if method == "POST" and not names:
        return GraphCreation(dry_run)
    if len(names) != 1:
        raise InvalidRequest(
            "Name one graph: ?graph= and its IRI, or ?default, or its own address below /graphs/.",
            field="graph",
        )
    graph = _node(names[0])
    if method in {"PUT", "POST", "DELETE"}:
        return GraphWrite(graph, method, dry_run, force)
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


def _names(parameters: Parameters, below: str, address: str) -> list[str | None]:
    """All that the request names, None for the default graph."""
    found: list[str | None] = [value for name, value in parameters if name == "graph"]
    for name, value in parameters:
        if name == "default":
            if value:
                raise InvalidRequest("?default takes no value.", field="default")
            found.append(None)
    if below.strip("/"):
        found.append(address + below)
        if any(unquote(part) in {"", ".", ".."} for part in below.split("/")[1:]):
            raise InvalidRequest("The address of a graph has no empty parts and no dots as parts.")
    return found


def _node(name: str | None) -> NamedNode | None:
    try:
        return None if name is None else NamedNode(name)
    except ValueError:
        raise InvalidRequest(
            f"The name of a graph must be an absolute IRI: {name!r}.", field="graph"
        ) from None
