"""Which addresses become links, how links keep the asked language, and what is an IRI."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit

from pyoxigraph import NamedNode

from app.errors import InvalidRequest, NotFound

_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f<>\"`\\^{|}\u2028\u2029]")


def safe_href(address: str) -> str | None:
    """Return `address` if it may be a link to elsewhere, else None (it is then shown as text).

    Only http, https, mailto and tel are links, so that no IRI of the graph can run a script.
    """
    if _UNSAFE.search(address):
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme.lower() not in _SCHEMES:
        return None
    if parts.scheme.lower() in {"http", "https"} and not parts.netloc:
        return None
    return address


def local_href(path: str | None) -> str | None:
    """Return `path` if it is an address of this site (begins with exactly one slash)."""
    if path and path.startswith("/") and not path.startswith("//") and not _UNSAFE.search(path):
        return path
    return None


_EU_LICENCE = "http://publications.europa.eu/resource/authority/licence/"
_CC = re.compile(r"https?://creativecommons\.org/(licenses|publicdomain)/([a-z-]+)/([\d.]+)/?")


def licence_name(iri: str) -> str | None:
    """The usual short name of a licence of the EU authority list or of Creative Commons."""
    if iri.startswith(_EU_LICENCE):
        code = iri.removeprefix(_EU_LICENCE)
        return re.sub(r"(\d)_(?=\d)", r"\1.", code).replace("_", " ").strip() or None
    if found := _CC.match(iri):
        kind = "CC0" if found[2] == "zero" else f"CC {found[2].upper()}"
        return f"{kind} {found[3]}"
    return None


def with_parameters(path: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Add query parameters to a local path, before its fragment."""
    encoded = urlencode(list(parameters))
    if not encoded:
        return path
    address, hash_, fragment = path.partition("#")
    return address + ("&" if "?" in address else "?") + encoded + hash_ + fragment


def resource_path(iri: str) -> str:
    """The page of a thing that has no address of its own here."""
    return "/resource?" + urlencode({"iri": iri})


def checked_iri(iri: str | None, *, parameter: bool = False) -> str:
    """Return an absolute IRI; anything else names nothing, or is a wrong parameter."""
    try:
        valid = iri is not None and ":" in iri and NamedNode(iri) is not None
    except ValueError:
        valid = False
    if valid and iri is not None:
        return iri
    if parameter:
        raise InvalidRequest("Give an absolute IRI, percent-encoded, as iri=…", field="iri")
    raise NotFound("This address names nothing here.")
