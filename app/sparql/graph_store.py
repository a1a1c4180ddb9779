"""SPARQL 1.1 Graph Store HTTP Protocol, the reading half: a request becomes a value. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from pyoxigraph import NamedNode

from app.errors import InvalidRequest, MethodNotAllowed, NotAcceptable
from app.rdf import media
from app.sparql.operation import GRAPH_OFFERS, Query

METHODS = ("GET", "HEAD", "OPTIONS")


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


def read_graph_request(method: str, query_string: bytes, accept: str | None) -> GraphRead:
    """The graph that a request names by `?graph=IRI` or `?default` (§4.1, §4.2), exactly one.

    Raises MethodNotAllowed, InvalidRequest and NotAcceptable.
    """
    if method not in METHODS:
        raise MethodNotAllowed(method, list(METHODS))
    try:
        parameters = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20
        )
    except (UnicodeDecodeError, ValueError):
        raise InvalidRequest("The parameters must be percent-encoded UTF-8.") from None
    named = [value for name, value in parameters if name == "graph"]
    default = [value for name, value in parameters if name == "default"]
    if len(named) + len(default) != 1 or any(default):
        raise InvalidRequest("Name one graph: ?graph= and its IRI, or ?default.", field="graph")
    media_type = media.negotiate(accept, GRAPH_OFFERS)
    if media_type is None:
        raise NotAcceptable(list(media.GRAPH_FORMATS))
    try:
        graph = NamedNode(named[0]) if named else None
    except ValueError:
        raise InvalidRequest(
            f"The name of a graph must be an absolute IRI: {named[0]!r}.", field="graph"
        ) from None
    return GraphRead(graph, media_type)
