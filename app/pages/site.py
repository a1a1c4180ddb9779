"""The frame of every page: templates, language of a request, navigation, headers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.pages.formats import format_number
from app.pages.languages import LANGUAGES, Texts, choose_language
from app.pages.links import safe_href, with_parameters
from app.profile import EntityType, Profile

_HERE = Path(__file__).resolve().parent
STATIC = _HERE / "static"

MAIN_TYPES = 3
"""Types that stand in the header; the others are behind "more"."""

HTML_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Vary": "Accept, Accept-Language",
}


class Site:
    """Renders templates; one for the whole service, without state."""

    def __init__(
        self,
        profile: Profile,
        *,
        public_url: str,
        source_url: str | None = None,
    ) -> None:
        self.profile = profile
        self.texts = Texts()
        self.public_url = public_url
        self._versions = {
            file.relative_to(STATIC).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()[:12]
            for file in STATIC.rglob("*")
            if file.is_file()
        }
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["capital"] = _capital
        safe_source = safe_href(source_url) if source_url else None
        self._environment.globals.update(
            languages=LANGUAGES,
            profile=profile,
            main_types=profile.types[:MAIN_TYPES],
            more_types=profile.types[MAIN_TYPES:],
            static=self.static,
            source_url=safe_source,
        )

    def static(self, name: str) -> str:
        """Address of a static file, with its content's digest so that it may be kept forever."""
        return f"/static/{name}?v={self._versions[name]}"

    def language(self, request: Request) -> str:
        """The language that a request is answered in."""
        return choose_language(
            request.query_params.get("lang"), request.headers.get("accept-language")
        )

    def plural(self, kind: EntityType, lang: str) -> str:
        """The name of a type's collection; the type's own label where no plural is known."""
        return self.texts.find(lang, f"plural.{kind.collection}") or kind.label(lang)

    def linker(self, request: Request) -> Callable[[str], str]:
        """A function that gives local links the language the address asked for, if it did."""
        asked = request.query_params.get("lang")
        if asked not in LANGUAGES:
            return lambda path: path
        return lambda path: with_parameters(path, [("lang", asked)])

    def page(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any],
        *,
        status: int = 200,
    ) -> Response:
        """Render a page with its headers; a request that has it already gets 304."""
        lang = self.language(request)
        here = [(k, v) for k, v in request.query_params.multi_items() if k != "lang"]
        html = self._environment.get_template(template).render(
            {
                "lang": lang,
                "t": lambda key, **values: self.texts.get(lang, key, **values),
                "number": lambda value: format_number(value, lang),
                "link": self.linker(request),
                "asked_lang": lang if request.query_params.get("lang") in LANGUAGES else None,
                "in_language": lambda code: with_parameters(
                    request.url.path, [*here, ("lang", code)]
                ),
                "path": request.url.path,
                "public_url": self.public_url,
                "current": None,
                "canonical": None,
                "alternates": (),
                "plural": lambda kind: self.plural(kind, lang),
                **context,
            }
        )
        headers = {**HTML_HEADERS, "Content-Language": lang}
        if status != 200:  # noqa: PLR2004 - only a good page is worth keeping
            return HTMLResponse(html, status, {**headers, "Cache-Control": "no-store"})
        return conditional(request, html.encode(), "text/html; charset=utf-8", headers)


def _capital(text: str) -> str:
    """A label at the beginning of a line; shapes write them as they stand in a sentence.

    What looks like an address or a prefixed name stays as it is.
    """
    if ":" in text.partition(" ")[0]:
        return text
    return text[:1].upper() + text[1:]


def conditional(
    request: Request, body: bytes, media_type: str, headers: Mapping[str, str]
) -> Response:
    """Answer with an ETag of the content, or 304 where the client holds it (RFC 9110 §13.1.2)."""
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
    kept = {"ETag": etag, "Cache-Control": "no-cache", **headers}
    held = {tag.strip() for tag in request.headers.get("if-none-match", "").split(",")}
    if etag in held or etag.removeprefix("W/") in held or "*" in held:
        return Response(status_code=304, headers=kept)
    return Response(body, headers=kept, media_type=media_type)
