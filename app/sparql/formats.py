"""In which formats a request wants its result: by Accept, or by a parameter where none can be set.

Every name that other endpoints have for such a parameter is understood, since clients send them
all: `format` (Virtuoso), `output` (Fuseki), `results` (SPARQLWrapper sends the three).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from app.errors import InvalidRequest, NotAcceptable
from app.rdf import media
from app.sparql.request import Parameters

RESULT_OFFERS: Final = (*media.RESULT_FORMATS, *media.RESULT_ALIASES)
"""Media types of SELECT and ASK."""

GRAPH_OFFERS: Final = (*media.RDF_FORMATS, *media.RDF_ALIASES)
"""Media types of CONSTRUCT and DESCRIBE."""

_NAMES: Final[dict[str, tuple[str | None, str | None]]] = {
    "json": (media.RESULTS_JSON, media.JSON_LD),
    "xml": (media.RESULTS_XML, media.RDF_XML),
    "csv": (media.RESULTS_CSV, None),
    "tsv": (media.RESULTS_TSV, None),
    "turtle": (None, media.TURTLE),
    "nt": (None, media.N_TRIPLES),
    "jsonld": (None, media.JSON_LD),
    "rdf": (None, media.RDF_XML),
    "trig": (None, media.TRIG),
    "nq": (None, media.N_QUADS),
}
_OTHER_NAMES: Final = {
    "srj": "json",
    "sparql-results+json": "json",
    "srx": "xml",
    "sparql": "xml",
    "sparql-results+xml": "xml",
    "ttl": "turtle",
    "n3": "turtle",
    "ntriples": "nt",
    "n-triples": "nt",
    "text": "nt",
    "json-ld": "jsonld",
    "ld+json": "jsonld",
    "rdfxml": "rdf",
    "rdf/xml": "rdf",
    "rdf+xml": "rdf",
    "nquads": "nq",
    "n-quads": "nq",
}
_PARAMETERS: Final = frozenset({"format", "output", "results"})
_LONGEST_NAME: Final = 100


def named_format(parameters: Parameters) -> str | None:
    """What the parameters name as a format, if they do; the first counts."""
    return next((value for key, value in parameters if key in _PARAMETERS and value), None)


def chosen_formats(parameters: Parameters, accept: str | None) -> tuple[str, str]:
    """The media types for solutions and for graphs.

    Raises InvalidRequest for a format that is not known, and NotAcceptable.
    """
    wanted = named_format(parameters)
    if wanted is not None:
        results, graphs = _by_name(wanted)
    else:
        results = media.negotiate(accept, RESULT_OFFERS)
        graphs = media.negotiate(accept, GRAPH_OFFERS)
        if results is None and graphs is None:
            raise NotAcceptable([*media.RESULT_FORMATS, *media.RDF_FORMATS])
    # Clients that name the formats of one kind only, such as rdflib's, read the other kind too:
    # RFC 9110 §12.4.1 lets a server answer as if there were no preference.
    return results or media.RESULTS_JSON, graphs or media.TURTLE


def _by_name(wanted: str) -> tuple[str | None, str | None]:
    name = wanted.lower().replace(" ", "+")  # a plus that was not encoded
    if found := _NAMES.get(_OTHER_NAMES.get(name, name)):
        return found
    results = name if name in RESULT_OFFERS else None
    graphs = name if name in GRAPH_OFFERS else None
    if results is None and graphs is None:
        raise InvalidRequest(
            f"Unknown format {wanted[:100]!r}; use one of: {', '.join(_NAMES)}.", field="format"
        )
    return results, graphs


def download_name(parameters: Parameters) -> str | None:
    """The name under which the result is to be saved, if it is: `filename=…`, or `download`."""
    for key, value in parameters:
        if key == "filename" and value:
            return value
    return next(
        (
            "result"
            for key, value in parameters
            if key == "download" and value.lower() not in {"false", "0"}
        ),
        None,
    )


def content_disposition(name: str, media_type: str) -> bytes:
    """The header that has a browser save a result (RFC 6266), with the suffix of its format.

    The name is a stranger's: nothing of it is a path or ends the header, and what is not ASCII is
    said once more, encoded (RFC 8187).
    """
    safe = re.sub(r"[^\w .()+,=@-]", "_", name)[:_LONGEST_NAME].strip(" .") or "result"
    suffix = _suffix(media_type)
    if not safe.lower().endswith(f".{suffix}"):
        safe = f"{safe}.{suffix}"
    plain = safe.encode("ascii", "replace").decode().replace("?", "_")
    encoded = "" if plain == safe else f"; filename*=UTF-8''{quote(safe, safe='')}"
    return f'attachment; filename="{plain}"{encoded}'.encode()


def _suffix(media_type: str) -> str:
    known = {
        media.RESULTS_JSON: "srj",
        media.RESULTS_XML: "srx",
        media.RESULTS_CSV: "csv",
        media.RESULTS_TSV: "tsv",
        media.JSON: "json",
    }
    return known.get(media_type) or media.suffix(media_type)
