"""SPARQL 1.1 Protocol §2.2: a request for an update becomes a value before anything runs. Pure.

Beside the protocol's parameters there are `dry_run` and `force`, in the address or in the form.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import InvalidRequest, MethodNotAllowed, PayloadTooLarge, UnsupportedMediaType
from app.rdf import media
from app.rdf.tokens import refuse_federation
from app.rdf.updates import Targets, read_update
from app.sparql.request import (
    FORM_TYPE,
    QUERY_TYPE,
    UPDATE_TYPE,
    Parameters,
    Request,
    check_version,
    decoded,
    graph_iris,
    switch,
    utf8_body,
)

METHODS = ("POST", "OPTIONS")
_NO_QUERIES = "This address takes updates only; send queries to /sparql."
_OF_QUERIES = frozenset({"query", "default-graph-uri", "named-graph-uri"})


@dataclass(frozen=True, slots=True)
class Update:
    """One update operation (§2.2); the protocol's dataset is in the text, as USING.

    `targets` are the graphs that it may change. A `dry_run` shows what it would do; `force` leaves
    tombstones for what others still refer to.
    """

    text: str
    targets: Targets
    dry_run: bool = False
    force: bool = False


def read_update_request(request: Request, *, base_iri: str, max_update_bytes: int) -> Update:
    """The update that a request asks for.

    Raises MethodNotAllowed, InvalidRequest, SyntaxRejected, FederationRefused,
    UnsupportedMediaType and PayloadTooLarge. It takes time in proportion to the text, some 0.2 s
    for a megabyte.
    """
    if request.method not in METHODS:
        raise MethodNotAllowed(request.method, list(METHODS))
    parameters, text = _posted(request)
    if any(name in _OF_QUERIES for name, _ in parameters):
        raise InvalidRequest(
            f"{_NO_QUERIES} The dataset of an update is named by using-graph-uri and "
            "using-named-graph-uri.",
            field="query",
        )
    check_version(parameters)
    if len(text.encode("utf-8", "surrogatepass")) > max_update_bytes:
        raise PayloadTooLarge(
            f"The update is longer than {max_update_bytes // 1024} kB. Send data as a submission, "
            "or by PUT or POST to /graphs.",
            limit=max_update_bytes,
        )
    script = read_update(text, base_iri)
    text = script.text
    refuse_federation(text)
    default = graph_iris(parameters, "using-graph-uri")
    named = graph_iris(parameters, "using-named-graph-uri")
    if default or named:
        if script.states_dataset:
            raise InvalidRequest(
                "The update states its dataset twice, by WITH or USING and by parameters of the "
                "request (SPARQL 1.1 Protocol §2.2.3). Leave one of them out.",
                field="using-graph-uri",
            )
        text = script.using(default, named)
    dry_run, force = switch(parameters, "dry_run"), switch(parameters, "force")
    return Update(text, script.targets, dry_run, force)


def _posted(request: Request) -> tuple[Parameters, str]:
    """All parameters, and the text of the update (§2.2.1, §2.2.2)."""
    kind, parameters = media.bare(request.content_type), decoded(request.query_string)
    if any(name == "update" for name, _ in parameters):
        raise InvalidRequest(
            "The parameter 'update' belongs in the body of the request.", field="update"
        )
    if kind == UPDATE_TYPE:
        return parameters, utf8_body(request, "update")
    if kind == QUERY_TYPE:
        raise InvalidRequest(_NO_QUERIES)
    if kind != FORM_TYPE:
        raise UnsupportedMediaType(kind or None, [UPDATE_TYPE, FORM_TYPE])
    parameters += decoded(request.body)
    texts = [value for name, value in parameters if name == "update"]
    if not texts and any(name in _OF_QUERIES for name, _ in parameters):
        raise InvalidRequest(_NO_QUERIES, field="query")
    if len(texts) != 1:
        raise InvalidRequest(
            f"The parameter 'update' must be given exactly once, not {len(texts)} times.",
            field="update",
        )
    return parameters, texts[0]
