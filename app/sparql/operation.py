"""SPARQL 1.1 Protocol §2: an HTTP request becomes a value before anything runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

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
    check_version,
    decoded,
    graph_iris,
    utf8_body,
)

METHODS = ("GET", "HEAD", "POST", "OPTIONS")

_NO_UPDATES = "This address answers queries only; send updates to /sparql/update, with a key."
_OF_UPDATES = frozenset({"update", "using-graph-uri", "using-named-graph-uri"})

_SHORT = 1_000
"""Characters of wishes up to which they are remembered."""

_LONGEST_CHARACTER = 4
"""Bytes of UTF-8."""

_CALLING = ("SERVICE", "LOAD")
_CHANGING = ("RAND", "NOW", "UUID", "STRUUID")
"""What gives another result each time. BNODE only gives other labels."""


class _Asked(NamedTuple):
    """What makes a query the same as another one."""

    text: str
    default_graphs: tuple[str, ...] | None
    named_graphs: tuple[str, ...] | None
    results: str
    graphs: str


class Query(_Asked):
    """One query operation (§2.1).

    `default_graphs` and `named_graphs` are the protocol's dataset, which overrides FROM (§2.1.4);
    both are None when the request states none. `results` and `graphs` are the media type for
    either kind of result. `download` is the name under which a browser shall save the result; it
    makes no other query.

    A tuple, for the sake of its hash: cache and flights look for each query ten times.
    """

    download: str | None
    _uses: frozenset[str]

    def __new__(
        cls,
        text: str,
        default_graphs: tuple[str, ...] | None = None,
        named_graphs: tuple[str, ...] | None = None,
        results: str = media.RESULTS_JSON,
        graphs: str = media.TURTLE,
        *,
        download: str | None = None,
    ) -> Query:
        """See the class."""
        made = tuple.__new__(cls, (text, default_graphs, named_graphs, results, graphs))
        made.download = download
        # Here, since a long request is read in a thread, and what comes after is not.
        made._uses = used_keywords(text, *_CALLING, *_CHANGING)
        return made

    def with_text(self, text: str) -> Query:
        """Another query on the same terms."""
        _, default, named, results, graphs = self
        return Query(text, default, named, results, graphs, download=self.download)

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
    parameters, text = _posted(request) if request.method == "POST" else (_linked(request), None)
    texts = [] if text is None else [text]
    others = []
    for parameter in parameters:
        name, value = parameter
        if name == "query":
            texts.append(value)
        elif name in _OF_UPDATES:
            raise InvalidRequest(_NO_UPDATES, field="update")
        else:
            others.append(parameter)
    if not texts and request.method != "POST":
        return _describe(request, parameters)
    if len(texts) != 1:
        raise InvalidRequest(
            f"A query must be given exactly once, in the parameter 'query' or as the body, not "
            f"{len(texts)} times.",
            field="query",
        )
    text = texts[0]
    wishes = _wishes(tuple(others), request.accept, linked=request.method != "POST")
    if wishes is None:
        return Form(text)
    if len(text) * _LONGEST_CHARACTER > max_query_bytes:
        _refuse_longer(text, max_query_bytes)
    if not text or text.isspace():
        raise InvalidRequest("The query is empty.", field="query")
    default, named, results, graphs, download = wishes
    return Query(text, default, named, results, graphs, download=download)


def _refuse_longer(text: str, max_query_bytes: int) -> None:
    if len(text.encode("utf-8", "surrogatepass")) > max_query_bytes:
        raise PayloadTooLarge(f"The query is longer than {max_query_bytes // 1024} kB.")


class _Wishes(NamedTuple):
    """What a request says of its query beside the text, as the fields of `Query`."""

    default_graphs: tuple[str, ...] | None
    named_graphs: tuple[str, ...] | None
    results: str
    graphs: str
    download: str | None


def _wishes(
    parameters: tuple[tuple[str, str], ...], accept: str | None, *, linked: bool
) -> _Wishes | None:
    """Of a request that may be a followed link; None is for a person, who is shown the form.

    Most have them in common, so those that are short are remembered.
    """
    size = len(accept or "") + sum([len(name) + len(value) for name, value in parameters])
    read = _remembered_wishes if size <= _SHORT else _read_wishes
    return read(parameters, accept, linked)


def _read_wishes(
    parameters: tuple[tuple[str, str], ...], accept: str | None, linked: bool
) -> _Wishes | None:
    check_version(parameters)
    download = download_name(parameters)
    if linked and not (download or named_format(parameters)):
        offered = (*RESULT_OFFERS, *GRAPH_OFFERS, media.HTML)
        if media.negotiate(accept, offered) == media.HTML:
            return None
    default = graph_iris(parameters, "default-graph-uri")
    named = graph_iris(parameters, "named-graph-uri")
    results, graphs = chosen_formats(parameters, accept)
    if not (default or named):
        return _Wishes(None, None, results, graphs, download)
    return _Wishes(default, named, results, graphs, download)


_remembered_wishes = lru_cache(maxsize=256)(_read_wishes)


def _linked(request: Request) -> list[tuple[str, str]]:
    """The parameters of a GET or HEAD, which has no body (§2.1.1)."""
    if request.body:
        raise InvalidRequest(
            f"A {request.method} has no body (SPARQL 1.1 Protocol §2.1.1). Send the query in the "
            "parameter 'query', or by POST.",
            field="query",
        )
    return decoded(request.query_string)


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
