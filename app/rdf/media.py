"""Media types, file suffixes and HTTP content negotiation (RFC 9110 §12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pyoxigraph import QueryResultsFormat, RdfFormat

from app.errors import UnsupportedMediaType

TURTLE = "text/turtle"
N_TRIPLES = "application/n-triples"
N_QUADS = "application/n-quads"
TRIG = "application/trig"
JSON_LD = "application/ld+json"
RDF_XML = "application/rdf+xml"
HTML = "text/html"
JSON = "application/json"
CSV = "text/csv"
NDJSON = "application/x-ndjson"
GEOJSON = "application/geo+json"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PARQUET = "application/vnd.apache.parquet"
RESULTS_JSON = "application/sparql-results+json"
RESULTS_XML = "application/sparql-results+xml"
RESULTS_CSV = "text/csv"
RESULTS_TSV = "text/tab-separated-values"

RDF_FORMATS: dict[str, RdfFormat] = {
    TURTLE: RdfFormat.TURTLE,
    JSON_LD: RdfFormat.JSON_LD,
    N_TRIPLES: RdfFormat.N_TRIPLES,
    RDF_XML: RdfFormat.RDF_XML,
    N_QUADS: RdfFormat.N_QUADS,
    TRIG: RdfFormat.TRIG,
}
"""What is read and written. The order is the server's preference."""

GRAPH_FORMATS: tuple[str, ...] = (TURTLE, JSON_LD, N_TRIPLES, RDF_XML)
"""What one graph, e.g. an entity or a CONSTRUCT result, is offered in."""

DATASET_FORMATS: frozenset[str] = frozenset({N_QUADS, TRIG, JSON_LD})
"""Those that can carry named graphs."""

SUFFIXES: dict[str, str] = {
    "ttl": TURTLE,
    "jsonld": JSON_LD,
    "nt": N_TRIPLES,
    "rdf": RDF_XML,
    "nq": N_QUADS,
    "trig": TRIG,
}

RESULT_FORMATS: dict[str, QueryResultsFormat] = {
    RESULTS_JSON: QueryResultsFormat.JSON,
    RESULTS_XML: QueryResultsFormat.XML,
    RESULTS_CSV: QueryResultsFormat.CSV,
    RESULTS_TSV: QueryResultsFormat.TSV,
}
"""SELECT and ASK results."""

RDF_ALIASES: dict[str, str] = {
    "application/x-turtle": TURTLE,
    "text/rdf+n3": TURTLE,
    "text/n3": TURTLE,
    "text/plain": N_TRIPLES,
    "text/x-nquads": N_QUADS,
    "application/x-trig": TRIG,
    JSON: JSON_LD,
    "application/x-json+ld": JSON_LD,
    "application/xml": RDF_XML,
    "text/xml": RDF_XML,
}
"""Other names that clients use for an RDF format."""

RESULT_ALIASES: dict[str, str] = {
    JSON: RESULTS_JSON,
    "application/xml": RESULTS_XML,
    "text/xml": RESULTS_XML,
}
"""Other names that clients use for a result format."""


def suffix(media_type: str) -> str:
    """The suffix of files of this media type, or of what it is an alias of; without its dot."""
    name = rdf_media_type(media_type)
    return next(suffix for suffix, known in SUFFIXES.items() if known == name)


def of_file(name: str) -> str:
    """The media type of a file by its suffix, which may be followed by `.gz`.

    Raises UnsupportedMediaType.
    """
    suffix = name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix not in SUFFIXES:
        raise UnsupportedMediaType(f"*.{suffix}", [f"*.{known}" for known in SUFFIXES])
    return SUFFIXES[suffix]


def rdf_media_type(media_type: str) -> str | None:
    """The RDF format's own name for a media type or an alias of it; None if it is neither."""
    name = RDF_ALIASES.get(media_type, media_type)
    return name if name in RDF_FORMATS else None


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One element of an Accept header."""

    type: str
    subtype: str
    q: float

    def matches(self, media_type: str) -> bool:
        """Whether the range covers `media_type`."""
        kind, _, sub = media_type.partition("/")
        return self.type in {"*", kind} and self.subtype in {"*", sub}

    @property
    def specificity(self) -> int:
        """2 for an exact type, 1 for `type/*`, 0 for `*/*`."""
        return (self.type != "*") + (self.subtype != "*")


def parse_accept(accept: str) -> list[MediaRange]:
    """Read an Accept header; elements that are no media range are passed over.

    Parameters other than `q` are ignored: none of the formats here has one that changes its
    meaning. A malformed weight counts as 0, which refuses rather than guesses.
    """
    ranges = []
    for element in accept.split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        kind, slash, sub = name.lower().partition("/")
        if not (slash and kind and sub) or (kind == "*" and sub != "*"):
            continue
        q = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                q = _weight(value.strip())
        ranges.append(MediaRange(kind, sub, q))
    return ranges


def _weight(text: str) -> float:
    try:
        q = float(text)
    except ValueError:
        return 0.0
    return q if 0.0 <= q <= 1.0 else 0.0


def negotiate(accept: str | None, offered: Sequence[str]) -> str | None:
    """The offered media type that the client likes best, or None if it accepts none.

    For each offered type the most specific matching range gives the weight (RFC 9110 §12.5.1);
    the highest weight wins and the earlier offer breaks ties. No or an empty header accepts all.
    """
    if accept and len(accept) > _LONG_ACCEPT:
        return _negotiate(accept, tuple(offered))
    return _remembered(accept, tuple(offered))


def _negotiate(accept: str | None, offered: tuple[str, ...]) -> str | None:
    ranges = parse_accept(accept) if accept and accept.strip() else []
    if not ranges:
        return offered[0]
    best, best_q = None, 0.0
    for media_type in offered:
        matching = [r for r in ranges if r.matches(media_type)]
        if not matching:
            continue
        q = max(matching, key=lambda r: r.specificity).q
        if q > best_q:
            best, best_q = media_type, q
    return best


_LONG_ACCEPT = 1_000
_remembered = lru_cache(maxsize=1_000)(_negotiate)
"""Clients are of a few kinds; what they accept is read once."""


def bare(content_type: str | None) -> str:
    """A Content-Type without parameters, in lower case; empty when missing."""
    return (content_type or "").split(";", 1)[0].strip().lower()
