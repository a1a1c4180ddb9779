"""`POST /api/v1/validate`: anybody may have data checked; nothing is published or kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.api.parameters import read_choice, read_parameters
from app.api.rate_limits import RateLimits
from app.api.readings import preferred_language
from app.api.uploads import Part, read_parts
from app.errors import InvalidRequest, NotAcceptable
from app.rdf import media
from app.submissions.checking import FORMATS, Checked, Checker
from app.submissions.gate import File

ADDRESS = "/api/v1/validate"
"""Where data is checked."""

POLICY = "validate"
"""Name of the rate limit."""

FORMAT_NAMES = {
    "json": media.JSON,
    "html": media.HTML,
    "ttl": media.TURTLE,
    "turtle": media.TURTLE,
    "jsonld": media.JSON_LD,
    "csv": media.CSV,
}
"""Values of the parameter `format`."""

_SHAPES = "shapes"
_HEADERS = {
    "Cache-Control": "no-store",
    "Vary": "Accept, Accept-Language",
    "X-Content-Type-Options": "nosniff",
}

Page = Callable[[Request, dict[str, Any]], Response]


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """In what form and language the report is wanted."""

    media_type: str
    language: str


def read_check_request(
    pairs: Sequence[tuple[str, str]],
    accept: str | None,
    accept_language: str | None,
    languages: Sequence[str],
) -> CheckRequest:
    """Parameters and headers as values; raises InvalidRequest and NotAcceptable."""
    given = read_parameters(pairs, ("format", "lang"))
    preferred = preferred_language(accept_language, languages)
    language = read_choice(given, "lang", languages, preferred)
    if "format" in given:
        name = read_choice(given, "format", list(FORMAT_NAMES), "json")
        return CheckRequest(FORMAT_NAMES[name], language)
    media_type = media.negotiate(accept, FORMATS)
    if media_type is None:
        raise NotAcceptable(list(FORMATS))
    return CheckRequest(media_type, language)


def read_files(parts: Sequence[Part]) -> tuple[list[File], File | None]:
    """The data and the own shapes; raises InvalidRequest if there are shapes but no data."""
    files = [File(p.name, p.media_type, p.data) for p in parts if p.field != _SHAPES]
    shapes = [File(p.name, p.media_type, p.data) for p in parts if p.field == _SHAPES]
    if len(shapes) > 1:
        raise InvalidRequest("Send the shapes as one part.", field=_SHAPES)
    if not files:
        raise InvalidRequest(
            "There is no data to check; send it as the body, or as a file of a form, for example "
            "by curl -F file=@data.ttl.",
            field="file",
        )
    return files, shapes[0] if shapes else None


def validate_router(
    checker: Checker, limits: RateLimits, *, rate: str, languages: Sequence[str], page: Page
) -> APIRouter:
    """The route; `page` shows a report to people."""

    async def validate(request: Request) -> Response:
        asked = read_check_request(
            request.query_params.multi_items(),
            request.headers.get("accept"),
            request.headers.get("accept-language"),
            languages,
        )
        fields = limits.admit(request, POLICY, rate)
        try:
            files, shapes = read_files(await read_parts(request, checker.max_bytes, "file"))
            report = await _unless_gone(request, _check(checker, asked, files, shapes))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        headers = {**_HEADERS, **fields, "Content-Language": asked.language}
        if asked.media_type == media.HTML:
            reply = page(request, json.loads(report.body))
            reply.headers.update(headers)
            return reply
        if asked.media_type == media.CSV:
            headers["Content-Disposition"] = 'attachment; filename="report.csv"'
        return Response(report.body, media_type=asked.media_type, headers=headers)

    router = APIRouter()
    router.add_route(ADDRESS, validate, methods=["POST"], name=POLICY, include_in_schema=False)
    return router


async def _check(
    checker: Checker, asked: CheckRequest, files: list[File], shapes: File | None
) -> Checked:
    written = media.JSON if asked.media_type == media.HTML else asked.media_type
    return await checker.check(files, shapes=shapes, media_type=written, language=asked.language)


async def _unless_gone(request: Request, work: Any) -> Checked:
    """The result of `work`, which is stopped when the client leaves (ClientDisconnect)."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        result: Checked = working.result()
        return result
    finally:
        leaving.cancel()
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
