"""SPARQL 1.1 Protocol §2: an HTTP request becomes a value before anything runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NotAcceptable,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from app.rdf import media
from app.rdf.tokens import used_keywords
from app.sparql.formats import (
    GRAPH_OFFERS,
    RESULT_OFFERS,
    chosen_formats,
    download_name,
    named_format,
)
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

_NO_UPDATES = "This address answers queries only; send updates to /sparql/update, with a key."
_OF_UPDATES = frozenset({"update", "using-graph-uri", "using-named-graph-uri"})


_CALLING = ("SERVICE", "LOAD")
_CHANGING = ("RAND", "NOW", "UUID", "STRUUID")
"""What gives another result each time. BNODE only gives other labels."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query operation (§2.1).

    `default_graphs` and `named_graphs` are the protocol's dataset, which overrides FROM (§2.1.4);
    both are None when the request states none. `results` and `graphs` are the media type for
    either kind of result. `download` is the name under which a browser shall save the result; it
    makes no other query.
    """

    text: str
    default_graphs: tuple[str, ...] | None = None
    named_graphs: tuple[str, ...] | None = None
    results: str = media.RESULTS_JSON
    graphs: str = media.TURTLE
    download: str | None = field(default=None, compare=False)
    _uses: frozenset[str] = field(init=False, compare=False, repr=False)
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Here, since a long request is read in a thread, and what comes after is not.
        object.__setattr__(self, "_uses", used_keywords(self.text, *_CALLING, *_CHANGING))
        known_by = (self.text, self.default_graphs, self.named_graphs, self.results, self.graphs)
        object.__setattr__(self, "_hash", hash(known_by))

    def __hash__(self) -> int:
        return self._hash  # cache and flights look for each query ten times

    @property
    def federated(self) -> bool:
        """Whether it asks others (SERVICE, LOAD); what they say belongs to no generation."""
        return not self._uses.isdisjoint(_CALLING)

    @property
    def repeatable(self) -> bool:
        """Whether the generation of the graph alone decides on its result."""
        return not self._uses


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
    texts = [value for name, value in parameters if name == "query"]
    if text is not None:
        texts.append(text)
    if not texts and request.method != "POST":
        return _describe(request, parameters)
    if len(texts) != 1:
        raise InvalidRequest(
            f"A query must be given exactly once, in the parameter 'query' or as the body, not "
            f"{len(texts)} times.",
            field="query",
        )
    text = texts[0]
    if _from_a_person(request, parameters):
        return Form(text)
    return _query(text, parameters, request.accept, max_query_bytes)


def _from_a_person(request: Request, parameters: list[tuple[str, str]]) -> bool:
    """Whether a followed link, not a program or the form itself, asks for a query."""
    named = named_format(parameters) or download_name(parameters)
    offered = (*RESULT_OFFERS, *GRAPH_OFFERS, media.HTML)
    prefers_page = media.negotiate(request.accept, offered) == media.HTML
    return request.method != "POST" and not named and prefers_page


def _posted(request: Request) -> tuple[list[tuple[str, str]], str | None]:
    """All parameters, of the address too, and the text of a query that is the body.

    The recommendation knows no parameters in the address of a form (§2.1.2), but clients send the
    dataset there: to pass it over would answer another question than was asked.
    """
    kind, parameters = media.bare(request.content_type), decoded(request.query_string)
    if kind == FORM_TYPE:
        return parameters + decoded(request.body), None
    if kind == QUERY_TYPE:
        return parameters, utf8_body(request, "query")
    if kind == UPDATE_TYPE:
        raise InvalidRequest(_NO_UPDATES)
    raise UnsupportedMediaType(kind or None, [QUERY_TYPE, FORM_TYPE])


def _describe(request: Request, parameters: list[tuple[str, str]]) -> ServiceDescription | Form:
    if named_format(parameters):
        return ServiceDescription(chosen_formats(parameters, None)[1])
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
    results, graphs = chosen_formats(parameters, accept)
    return Query(
        text=text,
        default_graphs=default if stated else None,
        named_graphs=named if stated else None,
        results=results,
        graphs=graphs,
        download=download_name(parameters),
    )
