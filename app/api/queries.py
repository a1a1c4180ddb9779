"""Named queries as addresses: `/api/v1/queries` and `/api/v1/queries/{name}?parameter=value`."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.openapi import PROBLEM, Json
from app.api.problems import Problems
from app.errors import AppError, MethodNotAllowed, NotFound
from app.rdf import media
from app.sparql.named import FORMAT_PARAMETERS, MOST_VALUES, NamedQuery, Parameter
from app.sparql.request import decoded

PATH = "/api/v1/queries"

Queries = Callable[[], Awaitable[tuple[int, dict[str, NamedQuery]]]]
"""All named queries by name, and the generation that they are of."""


class NamedQueryApp:
    """One named query: puts the values into the text, and has the endpoint answer.

    What the endpoint does for every query, formats, limits, cache, it does for these.
    """

    def __init__(self, queries: Queries, sparql: ASGIApp, problems: Problems) -> None:
        self._queries = queries
        self._sparql = sparql
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            scope = await self._as_query(scope)
        except AppError as error:
            reply = self._problems.response(Request(scope), error)
            await reply(scope, receive, send)
            return
        await self._sparql(scope, receive, send)

    async def _as_query(self, scope: Scope) -> Scope:
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodNotAllowed(scope["method"], ["GET", "HEAD"])
        _, queries = await self._queries()
        name = scope["path_params"]["name"]
        query = queries.get(name)
        if query is None:
            near = next(iter(difflib.get_close_matches(name, list(queries), n=1)), None)
            hint = f"did you mean {near!r}?" if near else f"{PATH} lists all."
            raise NotFound(f"There is no query {name[:60]!r}; {hint}", nearest=near)
        given = decoded(scope["query_string"])
        form = [(key, value) for key, value in given if key in FORMAT_PARAMETERS]
        text = query.bound((key, value) for key, value in given if key not in FORMAT_PARAMETERS)
        asked = urlencode([("query", text), *form]).encode()
        return {**scope, "path": "/sparql", "raw_path": b"/sparql", "query_string": asked}


def queries_router(
    queries: Queries, sparql: ASGIApp, problems: Problems, public_url: str
) -> APIRouter:
    """The list, and each of them."""
    router = APIRouter()

    async def listed(request: Request) -> Response:
        generation, found = await queries()
        items = [described(one, public_url) for one in found.values()]
        body = json.dumps({"total": len(items), "items": items}, ensure_ascii=False).encode()
        headers = {
            "ETag": f'W/"{hashlib.sha256(body).hexdigest()[:20]}"',
            "Cache-Control": "no-cache",
            "X-Generation": str(generation),
        }
        held = {tag.strip() for tag in request.headers.get("if-none-match", "").split(",")}
        if headers["ETag"] in held:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=media.JSON, headers=headers)

    router.add_route(PATH, listed, methods=["GET"], include_in_schema=False)
    router.add_route(
        f"{PATH}/{{name}}",
        NamedQueryApp(queries, sparql, problems),  # type: ignore[arg-type]
        methods=["GET", "HEAD"],
        include_in_schema=False,
    )
    return router


def described(one: NamedQuery, public_url: str) -> Json:
    """A named query as the list shows it."""
    return {
        "name": one.name,
        "id": one.iri,
        "title": one.titles.get("en") or next(iter(one.titles.values()), one.name),
        "titles": dict(one.titles),
        "keywords": list(one.keywords),
        "url": f"{public_url}{PATH}/{one.name}",
        "query": one.text,
        "parameters": [
            {
                "name": parameter.name,
                "type": parameter.kind.name,
                "description": parameter.description,
                "default": one.defaults(parameter),
            }
            for parameter in one.parameters
        ],
    }


def describe_queries(openapi: Json, queries: dict[str, NamedQuery]) -> Json:
    """Add the list and every query with its parameters to an OpenAPI document; returns it."""
    paths = {**openapi["paths"]}
    listed = {
        "description": "Name, words, text and parameters of each",
        "content": {media.JSON: {}},
    }
    paths[PATH] = {
        "get": {
            "tags": ["queries"],
            "operationId": "list-queries",
            "summary": "Named queries",
            "responses": {"200": listed, "default": PROBLEM},
        }
    }
    for query in queries.values():
        paths[f"{PATH}/{query.name}"] = {"get": _operation(query)}
    tag = {"name": "queries", "description": "Questions with a name, answered like SPARQL queries"}
    return {**openapi, "paths": paths, "tags": [*openapi.get("tags", []), tag]}


def _operation(query: NamedQuery) -> Json:
    formats: Json = {kind: {} for kind in (*media.RESULT_FORMATS, *media.GRAPH_FORMATS)}
    return {
        "tags": ["queries"],
        "operationId": f"query-{query.name}",
        "summary": query.titles.get("en", query.name),
        "parameters": [*(_parameter(query, one) for one in query.parameters), _FORMAT],
        "responses": {
            "200": {"description": "The result in the format asked for", "content": formats},
            "default": PROBLEM,
        },
    }


def _parameter(query: NamedQuery, one: Parameter) -> Json:
    return {
        "name": one.name,
        "in": "query",
        "description": f"{one.description} ({one.kind.hint}); without it {query.defaults(one)}",
        "schema": {"type": "array", "items": dict(one.kind.schema), "maxItems": MOST_VALUES},
        "style": "form",
        "explode": True,
    }


_FORMAT: Json = {
    "name": "format",
    "in": "query",
    "description": "Format of the result; without it the Accept header decides",
    "schema": {
        "type": "string",
        "enum": ["", "json", "xml", "csv", "tsv", "turtle", "nt", "jsonld", "rdf"],
    },
}
