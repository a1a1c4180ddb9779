"""Graph Store HTTP Protocol: request in, value or refusal out."""

from __future__ import annotations

import pytest
from pyoxigraph import NamedNode

from app.errors import AppError, InvalidRequest, MethodNotAllowed, NotAcceptable
from app.rdf import media
from app.sparql.graph_store import GraphCreation, GraphRead, GraphWrite, read_graph_request

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
    ("string", "graph", "dry_run", "force"),
    [
        (ENCODED, G, False, False),
        (b"default", None, False, False),
        (ENCODED + b"&dry_run=true", G, True, False),
        (b"force=1&dry_run=0&default=", None, False, True),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_a_graph_is_written(
    method: str, string: bytes, graph: NamedNode | None, dry_run: bool, force: bool
) -> None:
    expected = GraphWrite(graph, method, dry_run, force)
    assert read_graph_request(method, string, "image/png") == expected


ADDRESS = "https://example.org/graphs"


@pytest.mark.parametrize(
    ("below", "name"),
    [
        ("/person/1.ttl", "/person/1.ttl"),
        ("/a%2Fb", "/a%2Fb"),
        ("/%C3%A9/x:y@z", "/%C3%A9/x:y@z"),
    ],
)
def test_below_the_graph_store_an_address_is_the_name_of_a_graph(below: str, name: str) -> None:
    """§4.1; as it was sent, since names are compared letter by letter."""
    graph = NamedNode(ADDRESS + name)
    read = read_graph_request("GET", b"", None, below=below, address=ADDRESS)
    assert read == GraphRead(graph, media.TURTLE)
    write = read_graph_request("PUT", b"dry_run=true", None, below=below, address=ADDRESS)
    assert write == GraphWrite(graph, "PUT", dry_run=True)


@pytest.mark.parametrize(
    ("below", "string"),
    [
        ("/a", b"default"),
        ("/a", b"graph=http://a"),
        ("/a//b", b""),
        ("//a", b""),
        ("/a/", b""),
        ("/a/../b", b""),
        ("/%2e%2E/b", b""),
        ("/.", b""),
        ('/a"b', b""),
        ("/a>b", b""),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_an_address_that_names_no_graph_or_two_is_refused(
    method: str, below: str, string: bytes
) -> None:
    with pytest.raises(InvalidRequest):
        read_graph_request(method, string, None, below=below, address=ADDRESS)


@pytest.mark.parametrize("below", ["", "/"])
def test_what_is_posted_without_a_name_is_a_new_graph(below: str) -> None:
    made = read_graph_request("POST", b"dry_run=1", "image/png", below=below, address=ADDRESS)
    assert made == GraphCreation(dry_run=True)


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
        ("PATCH", ENCODED, None, MethodNotAllowed),
        ("put", ENCODED, None, MethodNotAllowed),
        # the graph store itself is no graph
        ("PUT", b"", None, InvalidRequest),
        ("DELETE", b"", None, InvalidRequest),
        ("DELETE", b"dry_run=true", None, InvalidRequest),
        ("PUT", b"graph=relative", None, InvalidRequest),
        ("PUT", b"graph=http://a/%3E%20%7B", None, InvalidRequest),
        ("DELETE", b"graph=http://a&graph=http://b", None, InvalidRequest),
        ("POST", b"graph=http://a&default", None, InvalidRequest),
        # a trial that is not understood must not become the real thing
        ("DELETE", ENCODED + b"&dryrun=true", None, InvalidRequest),
        ("DELETE", ENCODED + b"&Dry-Run=true", None, InvalidRequest),
        ("DELETE", ENCODED + b"&dry_run=perhaps", None, InvalidRequest),
        ("DELETE", ENCODED + b"&dry_run=true&dry_run=false", None, InvalidRequest),
    ],
)
def test_what_names_no_graph_is_refused(
    method: str, string: bytes, accept: str | None, kind: type[AppError]
) -> None:
    with pytest.raises(kind) as error:
        read_graph_request(method, string, accept)
    assert type(error.value) is kind
