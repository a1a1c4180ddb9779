"""Named queries for people: /queries, and a form for the parameters of each."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter
from pyoxigraph import Literal, NamedNode, RdfFormat, parse
from starlette.requests import Request
from starlette.responses import Response

from app.errors import AppError, InvalidRequest, NotFound
from app.pages.languages import preferred
from app.pages.links import with_parameters
from app.pages.representations import GRAPH_RESULT_FORMATS, RESULT_FORMATS
from app.pages.site import Site
from app.rdf.tokens import tokens
from app.sparql.named import NamedQuery

Queries = Callable[[], Awaitable[tuple[int, dict[str, NamedQuery]]]]
"""All named queries by name, and the generation that they are of."""

Ask = Callable[[str], Awaitable[tuple[int, bytes]]]
"""The graph of a CONSTRUCT as N-Triples, and its generation."""

_FORMS: Final = ("SELECT", "ASK", "CONSTRUCT", "DESCRIBE")
_INPUTS: Final = {"date": "date", "integer": "number", "decimal": "number"}


class QueryPages:
    """The list, and each query with its text, its parameters and the ways to its result.

    A form is sent to the page itself, which shows the text with these values in it; results are
    those of `/api/v1/queries/{name}`.
    """

    def __init__(self, queries: Queries, ask: Ask, site: Site) -> None:
        self._queries = queries
        self._ask = ask
        self._site = site

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        for path, show in (("/queries", self._list), ("/queries/{name}", self._query)):
            router.add_route(path, show, methods=["GET"], include_in_schema=False)

    async def _list(self, request: Request) -> Response:
        lang = self._site.language(request)
        _, queries = await self._queries()
        rows = [
            {"href": f"/queries/{one.name}", "title": _title(one, lang), "keywords": one.keywords}
            for one in queries.values()
        ]
        context = {
            "current": "sparql",
            "rows": sorted(rows, key=lambda row: str(row["title"]).casefold()),
            "canonical": f"{self._site.public_url}/queries",
        }
        return self._site.page(request, "queries.html", context)

    async def _query(self, request: Request) -> Response:
        lang, name = self._site.language(request), request.path_params["name"]
        _, queries = await self._queries()
        query = queries.get(name)
        if query is None:
            near = next(iter(difflib.get_close_matches(name, list(queries), n=1)), None)
            raise NotFound(f"There is no query {name[:60]!r}; /queries lists all.", nearest=near)
        given = [
            (key, value)
            for key, value in request.query_params.multi_items()
            if key != "lang" and value
        ]
        text, fault = query.text, None
        try:
            text = query.bound(given)
        except InvalidRequest as error:
            fault = error
        context = {
            "current": "sparql",
            "query": query,
            "title": _title(query, lang),
            "text": text,
            "fault": fault and {"detail": fault.detail, "field": fault.facts.get("field")},
            "fields": await self._fields(query, given),
            "formats": [] if fault else _results(query, given),
            "editor": with_parameters("/sparql", [("query", text)]),
            "canonical": f"{self._site.public_url}/queries/{query.name}",
        }
        return self._site.page(request, "query.html", context, status=400 if fault else 200)

    async def _fields(
        self, query: NamedQuery, given: Sequence[tuple[str, str]]
    ) -> list[dict[str, Any]]:
        defaults = await self._defaults(query)
        return [
            {
                "name": one.name,
                "label": one.description or one.name,
                "hint": one.kind.hint,
                "kind": one.kind.name,
                "input": _INPUTS.get(one.kind.name, "text"),
                "values": [value for name, value in given if name == one.name]
                or defaults.get(one.name)
                or [""],
            }
            for one in query.parameters
        ]

    async def _defaults(self, query: NamedQuery) -> Mapping[str, list[str]]:
        """What stands in the blocks of the text, as a client would give it.

        The engine reads them: they may be written with prefixes of the query's own.
        """
        if not query.parameters:
            return {}
        names = [one.name for one in query.parameters]
        said = " ".join(f"<urn:p:{name}> <urn:p:is> ?{name} ." for name in names)
        blocks = " UNION ".join(
            f"{{ VALUES ?{one.name} {{ {query.defaults(one)} }} }}" for one in query.parameters
        )
        found: dict[str, list[str]] = {}
        try:
            _, body = await self._ask(
                f"{_prologue(query.text)} CONSTRUCT {{ {said} }} WHERE {{ {blocks} }}"
            )
        except AppError:  # the form is of use without them, too
            return {}
        for triple in parse(body, format=RdfFormat.N_TRIPLES):
            name = str(triple.subject.value).removeprefix("urn:p:")
            if isinstance(triple.object, NamedNode | Literal):
                found.setdefault(name, []).append(_as_given(triple.object))
        return found


def _title(query: NamedQuery, lang: str) -> str:
    return preferred(query.titles, lang) if query.titles else query.name


def _as_given(term: NamedNode | Literal) -> str:
    language = term.language if isinstance(term, Literal) else None
    return f"{term.value}@{language}" if language else term.value


def _prologue(text: str) -> str:
    """What stands before the query itself: its prefixes."""
    return text[: _form(text)[1]]


def _form(text: str) -> tuple[str, int]:
    """Which of the four forms a query has, and where it begins (SPARQL 1.1 §19.8)."""
    for token in tokens(text):
        if token.lastgroup == "words" and token.group().upper() in _FORMS:
            return token.group().upper(), token.start()
    return _FORMS[0], 0


def _results(query: NamedQuery, given: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names of formats, and where the result is in each."""
    graph = _form(query.text)[0] in {"CONSTRUCT", "DESCRIBE"}
    address = f"/api/v1/queries/{query.name}"
    return [
        (name, with_parameters(address, [*given, ("format", value)]))
        for value, name in (GRAPH_RESULT_FORMATS if graph else RESULT_FORMATS)
    ]
