"""One thing in several formats: by a suffix of its address, or by the Accept header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import NotAcceptable, NotFound
from app.rdf.media import GRAPH_FORMATS, HTML, JSON, SUFFIXES, negotiate

OFFERED = (HTML, *GRAPH_FORMATS, JSON)
"""In which formats a thing is shown. The order is the server's preference."""

SUFFIX_OF = {media: suffix for suffix, media in SUFFIXES.items() if media in GRAPH_FORMATS} | {
    JSON: "json",
    HTML: "html",
}
_MEDIA_OF = {suffix: media for media, suffix in SUFFIX_OF.items()}
FORMAT_NAMES = {
    "text/turtle": "Turtle",
    "application/ld+json": "JSON-LD",
    "application/n-triples": "N-Triples",
    "application/rdf+xml": "RDF/XML",
    JSON: "JSON",
}
RESULT_FORMATS = (("json", "JSON"), ("csv", "CSV"), ("tsv", "TSV"), ("xml", "XML"))
GRAPH_RESULT_FORMATS = (
    ("ttl", "Turtle"),
    ("jsonld", "JSON-LD"),
    ("nt", "N-Triples"),
    ("rdf", "RDF/XML"),
)
"""What results of queries are called in `format=`, and for people."""
VARY = {"Vary": "Accept, Accept-Language", "X-Content-Type-Options": "nosniff"}


def split_suffix(slug: str) -> tuple[str, str | None]:
    """Take a format's suffix off a slug."""
    stem, dot, suffix = slug.rpartition(".")
    return (stem, _MEDIA_OF[suffix]) if dot and stem and suffix in _MEDIA_OF else (slug, None)


def media_of(suffix: str) -> str:
    """The media type that a suffix stands for; raises NotFound."""
    if suffix not in _MEDIA_OF:
        raise NotFound(f"The formats here are: {', '.join(sorted(_MEDIA_OF))}.")
    return _MEDIA_OF[suffix]


def suffixed(path: str, media: str | None) -> str:
    """The address of a thing in one format."""
    if media is None:
        return path
    address, hash_, fragment = path.partition("#")
    stem, mark, query = address.partition("?")
    return f"{stem}.{SUFFIX_OF[media]}{mark}{query}{hash_}{fragment}"


def accepted(request: Request, offered: Sequence[str] = OFFERED) -> str:
    """The offered format that a request prefers; raises NotAcceptable."""
    media = negotiate(request.headers.get("accept"), offered)
    if media is None:
        raise NotAcceptable(list(offered))
    return media


def see_other(path: str, headers: Mapping[str, str]) -> Response:
    """303 to another address of this service."""
    return RedirectResponse(path, status_code=303, headers=dict(headers))
