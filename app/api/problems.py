"""The only mapping of errors to HTTP: RFC 9457 problem documents."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from app import errors
from app.rdf import media

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"

_STATUS: dict[type[errors.AppError], int] = {
    errors.AppError: 500,
    errors.InvalidRequest: 400,
    errors.SyntaxRejected: 400,
    errors.FederationRefused: 400,
    errors.QueryRejected: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotYours: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.NotAcceptable: 406,
    errors.Conflict: 409,
    errors.StillReferenced: 409,
    errors.Gone: 410,
    errors.PreconditionFailed: 412,
    errors.PayloadTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.Invalid: 422,
    errors.KeyReused: 422,
    errors.RateLimited: 429,
    errors.ServiceFailed: 502,
    errors.Overloaded: 503,
    errors.NotReady: 503,
    errors.DeadlineExceeded: 504,
    errors.MemoryExceeded: 503,
    errors.WorkerDied: 503,
    errors.StoreAway: 503,
    errors.StoreUnfit: 503,
}

Render = Callable[[Request, dict[str, Any]], Response]


def status_of(error: errors.AppError) -> int:
    """The HTTP status of an error."""
    return _STATUS[type(error)]


def problem_document(error: errors.AppError, types: str) -> dict[str, Any]:
    """The members of RFC 9457 §3.1 and the error's own facts; `types` is the prefix of types."""
    members = {
        "type": f"{types}{error.slug}",
        "title": error.title,
        "status": status_of(error),
        "detail": error.detail,
    }
    return members | error.facts | members  # no fact takes the place of a member


def problem_headers(error: errors.AppError) -> dict[str, str]:
    """What else the status asks for: Retry-After, Allow, WWW-Authenticate (RFC 6750 §3)."""
    headers = {"content-type": PROBLEM_JSON, "cache-control": "no-store", "vary": "Accept"}
    if isinstance(
        error, errors.Overloaded | errors.NotReady | errors.RateLimited | errors.StoreAway
    ):
        headers["retry-after"] = str(error.facts["retry_after"])
    if isinstance(error, errors.MethodNotAllowed):
        headers["allow"] = ", ".join(error.facts["allowed"])
    if isinstance(error, errors.Unauthenticated):
        missing = error.facts["reason"] == "missing"
        headers["www-authenticate"] = "Bearer" if missing else 'Bearer error="invalid_token"'
    if isinstance(error, errors.Forbidden):
        headers["www-authenticate"] = 'Bearer error="insufficient_scope"'
    return headers


class Problems:
    """Handlers for an application: people get a page, programs a problem document."""

    def __init__(self, types: str, render: Render) -> None:
        self._types = types
        self._render = render

    def response(self, request: Request, error: errors.AppError) -> Response:
        """The reply to a request that failed."""
        document = problem_document(error, self._types)
        headers = problem_headers(error) | getattr(request.state, "rate_limit", {})
        accept = request.headers.get("accept")
        if accept and media.negotiate(accept, (PROBLEM_JSON, media.JSON, media.HTML)) == media.HTML:
            page = self._render(request, document)
            for name, value in headers.items():
                if name != "content-type":
                    page.headers[name] = value
            return page
        return Response(json.dumps(document), status_of(error), headers)

    async def on_app_error(self, request: Request, error: Exception) -> Response:
        """For AppError."""
        known = error if isinstance(error, errors.AppError) else errors.AppError(str(error))
        if type(known) is errors.AppError:
            log.error("%s %s: %s", request.method, request.url.path, known)
        return self.response(request, known)

    async def on_unexpected(self, request: Request, error: Exception) -> Response:
        """For all else: a fault of ours, which the log shows and the reply does not."""
        log.exception("%s %s", request.method, request.url.path, exc_info=error)
        return self.response(
            request, errors.AppError("The service failed here; the fault has been logged.")
        )

    async def on_validation(self, request: Request, error: Exception) -> Response:
        """For parameters that the framework refuses."""
        if not isinstance(error, RequestValidationError):
            return await self.on_unexpected(request, error)
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return self.response(
            request, errors.InvalidRequest(f"{field}: {first['msg']}.", field=field)
        )

    async def on_http(self, request: Request, error: Exception) -> Response:
        """For the framework's own 404 and 405."""
        if not isinstance(error, HTTPException):
            return await self.on_unexpected(request, error)
        if error.status_code == HTTPStatus.NOT_FOUND:
            return self.response(request, errors.NotFound("There is nothing at this address."))
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return self.response(
                request, errors.MethodNotAllowed(request.method, _offered(request))
            )
        return self.response(request, errors.InvalidRequest(str(error.detail)))


def _offered(request: Request) -> list[str]:
    """All methods of an address (RFC 9110 §10.2.1), which may be several routes."""
    offered = set[str]()
    for route in _flat(request.app.routes):
        if route.matches(request.scope)[0] is not Match.NONE:
            offered |= set(getattr(route, "methods", None) or ())
    return sorted(offered)


def _flat(routes: Iterable[Any]) -> Iterator[BaseRoute]:
    for route in routes:
        included = getattr(route, "original_router", None)
        yield from _flat(included.routes) if included is not None else [route]


Handler = Callable[[Request, Exception], Awaitable[Response]]
