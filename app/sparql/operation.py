"""SPARQL 1.1 Protocol §2: an HTTP request becomes a value before anything runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NotAcceptable,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from app.rdf import media
from app.rdf.tokens import used_keywords
from app.sparql.request import (
    FORM_TYPE,
    QUERY_TYPE,
    UPDATE_TYPE,
    Request,
    decoded,
    graph_iris,
    utf8_body,
)

METHODS = ("GET", "HEAD", "POST", "OPTIONS")

RESULT_OFFERS = (*media.RESULT_FORMATS, *media.RESULT_ALIASES)
GRAPH_OFFERS = (*media.GRAPH_FORMATS, *media.RDF_ALIASES)
_FORMAT_NAMES = {
    "json": media.RESULTS_JSON,
    "xml": media.RESULTS_XML,
    "csv": media.RESULTS_CSV,
    "tsv": media.RESULTS_TSV,
    "turtle": media.TURTLE,
    "ttl": media.TURTLE,
    "nt": media.N_TRIPLES,
    "ntriples": media.N_TRIPLES,
    "jsonld": media.JSON_LD,
    "json-ld": media.JSON_LD,
    "rdf": media.RDF_XML,
    "rdfxml": media.RDF_XML,
}
_NO_UPDATES = "This address answers queries only; send updates to /sparql/update, with a key."
_OF_UPDATES = frozenset({"update", "using-graph-uri", "using-named-graph-uri"})


@dataclass(frozen=True, slots=True)
class Query:
    """One query operation (§2.1).

    `default_graphs` and `named_graphs` are the protocol's dataset, which overrides FROM (§2.1.4);
    both are None when the request states none. `results` and `graphs` are the media type for
    either kind of result.
    """

    text: str
    default_graphs: tuple[str, ...] | None = None
    named_graphs: tuple[str, ...] | None = None
    results: str = media.RESULTS_JSON
    graphs: str = media.TURTLE

    @property
    def federated(self) -> bool:
        """Whether it asks others (SERVICE, LOAD); what they say belongs to no generation."""
        return bool(used_keywords(self.text, "SERVICE", "LOAD"))


@dataclass(frozen=True, slots=True)
class ServiceDescription:
    """A GET without a query: describe the service (Service Description §2)."""

    media_type: str


@dataclass(frozen=True, slots=True)
class Form:
    """A person with a browser: show the form, with the query in it if there is one."""

    text: str | None = None


Operation = Query | ServiceDescription | Form


def read_operation(request: Request, *, max_query_bytes: int) -> Operation:
    """The operation that a request asks for.

    Raises MethodNotAllowed, InvalidRequest, UnsupportedMediaType,
    PayloadTooLarge and NotAcceptable.
    """
    if request.method not in METHODS:
        raise MethodNotAllowed(request.method, list(METHODS))
    if request.method == "POST":
        parameters, text = _posted(request)
    else:
        parameters, text = decoded(request.query_string), None
    if any(name in _OF_UPDATES for name, _ in parameters):
        raise InvalidRequest(_NO_UPDATES, field="update")
    if text is None:
        texts = [value for name, value in parameters if name == "query"]
        if not texts and request.method != "POST":
            return _describe(request)
        if len(texts) != 1:
            raise InvalidRequest(
                f"The parameter 'query' must be given exactly once, not {len(texts)} times.",
                field="query",
            )
        text = texts[0]
        if _from_a_person(request, parameters):
            return Form(text)
    return _query(text, parameters, request.accept, max_query_bytes)


def _from_a_person(request: Request, parameters: list[tuple[str, str]]) -> bool:
    """Whether a followed link, not a program or the form itself, asks for a query."""
    named = any(name in {"format", "output"} and value for name, value in parameters)
    offered = (*RESULT_OFFERS, *GRAPH_OFFERS, media.HTML)
    prefers_page = media.negotiate(request.accept, offered) == media.HTML
    return request.method != "POST" and not named and prefers_page


def _posted(request: Request) -> tuple[list[tuple[str, str]], str | None]:
    kind = media.bare(request.content_type)
    if kind == FORM_TYPE:
        return decoded(request.body), None
    if kind == QUERY_TYPE:
        return decoded(request.query_string), utf8_body(request, "query")
    if kind == UPDATE_TYPE:
        raise InvalidRequest(_NO_UPDATES)
    raise UnsupportedMediaType(kind or None, [QUERY_TYPE, FORM_TYPE])


def _describe(request: Request) -> ServiceDescription | Form:
    offered = (media.TURTLE, *media.GRAPH_FORMATS[1:], media.HTML, *media.RDF_ALIASES)
    chosen = media.negotiate(request.accept, offered)
    if chosen is None:
        raise NotAcceptable([*media.GRAPH_FORMATS, media.HTML])
    return Form() if chosen == media.HTML else ServiceDescription(chosen)


def _query(
    text: str, parameters: list[tuple[str, str]], accept: str | None, max_query_bytes: int
) -> Query:
    if len(text.encode("utf-8", "surrogatepass")) > max_query_bytes:
        raise PayloadTooLarge(f"The query is longer than {max_query_bytes // 1024} kB.")
    if not text.strip():
        raise InvalidRequest("The query is empty.", field="query")
    default = graph_iris(parameters, "default-graph-uri")
    named = graph_iris(parameters, "named-graph-uri")
    stated = bool(default or named)
    results, graphs = _formats(parameters, accept)
    return Query(
        text=text,
        default_graphs=default if stated else None,
        named_graphs=named if stated else None,
        results=results,
        graphs=graphs,
    )


def _formats(parameters: list[tuple[str, str]], accept: str | None) -> tuple[str, str]:
    wanted = [value for key, value in parameters if key in {"format", "output"} and value]
    if wanted:
        media_type = _FORMAT_NAMES.get(wanted[0].lower(), wanted[0].replace(" ", "+").lower())
        if media_type not in {*RESULT_OFFERS, *GRAPH_OFFERS}:
            raise InvalidRequest(
                f"Unknown format {wanted[0]!r}; use one of: {', '.join(_FORMAT_NAMES)}.",
                field="format",
            )
        # The other kind of result falls back to its default: who asks for CSV of a CONSTRUCT
        # is better served by Turtle than by an error.
        return (
            media_type if media_type in RESULT_OFFERS else media.RESULTS_JSON,
            media_type if media_type in GRAPH_OFFERS else media.TURTLE,
        )
    results, graphs = (
        media.negotiate(accept, RESULT_OFFERS),
        media.negotiate(accept, GRAPH_OFFERS),
    )
    if results is None and graphs is None:
        raise NotAcceptable([*media.RESULT_FORMATS, *media.GRAPH_FORMATS])
    # Clients that name the formats of one kind only, such as rdflib's, read the other kind too:
    # RFC 9110 §12.4.1 lets a server answer as if there were no preference.
    return results or media.RESULTS_JSON, graphs or media.TURTLE
