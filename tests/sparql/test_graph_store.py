"""Graph Store HTTP Protocol, reading: request in, value or refusal out."""

from __future__ import annotations

import pytest
from pyoxigraph import NamedNode

from app.errors import AppError, InvalidRequest, MethodNotAllowed, NotAcceptable
from app.rdf import media
from app.sparql.graph_store import GraphRead, read_graph_request

G = NamedNode("http://example.org/g?a=b&c")
ENCODED = b"graph=http%3A%2F%2Fexample.org%2Fg%3Fa%3Db%26c"


@pytest.mark.parametrize(
    ("method", "string", "accept", "expected"),
    [
        ("GET", ENCODED, None, GraphRead(G, media.TURTLE)),
        ("HEAD", ENCODED, None, GraphRead(G, media.TURTLE)),
        ("GET", b"default", None, GraphRead(None, media.TURTLE)),
        ("GET", b"default=", None, GraphRead(None, media.TURTLE)),
        ("GET", ENCODED, "application/n-triples", GraphRead(G, media.N_TRIPLES)),
        ("GET", ENCODED, "text/html, application/rdf+xml;q=0.2", GraphRead(G, media.RDF_XML)),
    ],
)
def test_a_graph_is_named(
    method: str, string: bytes, accept: str | None, expected: GraphRead
) -> None:
    assert read_graph_request(method, string, accept) == expected


@pytest.mark.parametrize(
    ("method", "string", "accept", "kind"),
    [
        ("GET", b"", None, InvalidRequest),
        ("GET", b"graph=relative", None, InvalidRequest),
        ("GET", b"graph=http://a/%20b", None, InvalidRequest),
        ("GET", b"graph=http://a/%3E%7D%20UNION%20%7B", None, InvalidRequest),
        ("GET", b"graph=", None, InvalidRequest),
        ("GET", b"graph=http://a&graph=http://b", None, InvalidRequest),
        ("GET", b"graph=http://a&default", None, InvalidRequest),
        ("GET", b"default=yes", None, InvalidRequest),
        ("GET", b"graph=%FF", None, InvalidRequest),
        ("GET", b"default", "image/png", NotAcceptable),
        ("PUT", b"default", None, MethodNotAllowed),
    ],
)
def test_what_names_no_graph_is_refused(
    method: str, string: bytes, accept: str | None, kind: type[AppError]
) -> None:
    with pytest.raises(kind) as error:
        read_graph_request(method, string, accept)
    assert type(error.value) is kind
