"""Graphs to bytes by the engine, the same bytes for the same triples in the same order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pyoxigraph import NamedNode, Triple, serialize

from app.errors import NotAcceptable
from app.rdf import media
from app.rdf.terms import PREFIXES

_ELEMENT = re.compile(r"[^\W\d][\w.-]*\Z")
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def serialise(
    triples: Iterable[Triple], media_type: str, prefixes: Mapping[str, str] | None = None
) -> bytes:
    """One graph in one of `media.GRAPH_FORMATS`, in the order given.

    `prefixes` are those of the project that the triples use, unless others are given. Raises
    NotAcceptable for another format, and for RDF/XML when something said cannot be written in it.
    """
    if media_type not in media.GRAPH_FORMATS:
        raise NotAcceptable(list(media.GRAPH_FORMATS))
    ordered = list(triples)
    if media_type == media.RDF_XML and not all(_fits_xml(triple) for triple in ordered):
        raise NotAcceptable([other for other in media.GRAPH_FORMATS if other != media.RDF_XML])
    data = serialize(
        ordered,
        format=media.RDF_FORMATS[media_type],
        prefixes=dict(prefixes) if prefixes is not None else _used_prefixes(ordered),
    )
    return _sorted_prefixes(data or b"") if media_type == media.TURTLE else data or b""


def _fits_xml(triple: Triple) -> bool:
    """RDF/XML writes predicates as element names and has no control characters (XML 1.0 §2.2)."""
    value = getattr(triple.object, "value", "")
    return bool(_ELEMENT.search(triple.predicate.value)) and not _NO_XML.search(value)


def _used_prefixes(triples: Iterable[Triple]) -> dict[str, str]:
    used = set()
    for triple in triples:
        for term in (triple.predicate, triple.object, getattr(triple.object, "datatype", None)):
            if isinstance(term, NamedNode):
                used.add(term.value)
    namespaces = sorted(PREFIXES.items())
    return {p: n for p, n in namespaces if any(iri.startswith(n) for iri in used)}


def _sorted_prefixes(turtle: bytes) -> bytes:
    """The engine writes prefixes in no fixed order."""
    lines = turtle.split(b"\n")
    count = next((n for n, line in enumerate(lines) if not line.startswith(b"@prefix ")), 0)
    return b"\n".join([*sorted(lines[:count]), *lines[count:]])
