"""How what can be read here is asked for and answered: language, form, and the ETag.

An answer depends on nothing but the address, the language and the generation, so these make its
ETag and a repeated request costs no work.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response

from app.errors import NotAcceptable
from app.profile import Profile
from app.rdf import media
from app.records.search import read_language

_OFFERED = (media.JSON, media.JSON_LD)
_VARY = "Accept, Accept-Language"


class Readings:
    """Headers of answers from one profile, at the generation that is shown now."""

    def __init__(self, profile: Profile, generation: Callable[[], int]) -> None:
        self._profile = profile
        self._generation = generation

    def language(self, request: Request, asked: str | None) -> str:
        """The language asked for by parameter, else by header; raises InvalidRequest."""
        languages = self._profile.languages
        if asked is not None:
            return read_language(asked, languages) or asked
        return preferred_language(request.headers.get("accept-language"), languages)

    def headers(
        self, request: Request, lang: str, generation: int | None = None
    ) -> tuple[dict[str, str], bool]:
        """The answer's headers, and whether the client has the answer already.

        `generation` is given where it may be another than that of the graph. Raises NotAcceptable
        before any work is done.
        """
        headers = self.headers_in(request, lang, generation)
        media_type(request)
        return headers, unchanged(request, headers["ETag"])

    def headers_in(
        self, request: Request, lang: str, generation: int | None = None, form: str = ""
    ) -> dict[str, str]:
        """The same where the form, which the ETag tells too, has been chosen already."""
        address = zlib.crc32(f"{request.url.path}?{request.url.query}".encode())
        shown = self._generation() if generation is None else generation
        parts = [str(shown), lang, f"{address:x}", self._profile.fingerprint]
        return {
            "ETag": f'W/"{"-".join([*parts, form] if form else parts)}"',
            "Vary": _VARY,
            "Cache-Control": "no-cache",
            "Content-Language": lang,
        }


def answer(request: Request, body: bytes, headers: dict[str, str]) -> Response:
    """JSON in the form that the client accepts."""
    return Response(body, media_type=media_type(request), headers=headers)


def not_modified(headers: dict[str, str]) -> Response:
    """The client has the answer already."""
    return Response(status_code=304, headers=headers)


def preferred_language(accept: str | None, languages: Sequence[str]) -> str:
    """The language of an Accept-Language header (RFC 9110 §12.5.4) that is spoken here.

    The first of `languages` when the header names none of them.
    """
    best, best_q = languages[0], 0.0
    for element in (accept or "").split(","):
        tag, _, weight = element.strip().partition(";")
        main = tag.strip().lower().partition("-")[0]
        match = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight) if weight else None
        q = 1.0 if not weight else float(match[1]) if match else 0.0
        if main in languages and q > best_q:
            best, best_q = main, q
    return best


def media_type(request: Request) -> str:
    """JSON or JSON-LD, which is the same document; raises NotAcceptable."""
    chosen = media.negotiate(request.headers.get("accept"), _OFFERED)
    if chosen is None:
        raise NotAcceptable(list(_OFFERED))
    return chosen


def unchanged(request: Request, etag: str) -> bool:
    """If-None-Match by weak comparison (RFC 9110 §13.1.2)."""
    header = request.headers.get("if-none-match", "")
    bare = etag.removeprefix("W/")
    return any(tag.strip().removeprefix("W/") == bare for tag in header.split(","))
