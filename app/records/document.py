"""The RDF of one entity: its statements, those of its parts, and what it refers to is called."""

from __future__ import annotations

import re

import pyoxigraph as ox

from app.errors import NotAcceptable
from app.rdf import media
from app.rdf.terms import PREFIXES, RDFS, SKOS
from app.records.graph import About, Graph, Node

_MAX_LABELLED = 2_000
_ELEMENT = re.compile(r"[^\W\d][\w.-]*\Z")
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TITLES = (SKOS["prefLabel"], RDFS["label"])


def serialise(graph: Graph, subjects: dict[Node, About], media_type: str) -> bytes:
    """The document in one of `media.GRAPH_FORMATS`; triples sorted, so equal for equal content.

    The labels of at most 2,000 other things come with it. Raises NotAcceptable for an unknown
    format, and for RDF/XML when something said cannot be written in it.
    """
    if media_type not in media.GRAPH_FORMATS:
        raise NotAcceptable(list(media.GRAPH_FORMATS))
    triples = {
        ox.Triple(subject, predicate, value)
        for subject, about in subjects.items()
        for predicate, values in about.values.items()
        for value in values
    }
    others = sorted(
        {t.object for t in triples if isinstance(t.object, ox.NamedNode)} - subjects.keys(),
        key=lambda node: node.value,
    )
    for node in others[:_MAX_LABELLED]:
        for title in _TITLES:
            triples |= {ox.Triple(node, title, value) for value in graph.objects(node, title)}
    if media_type == media.RDF_XML and not all(_fits_xml(triple) for triple in triples):
        raise NotAcceptable([other for other in media.GRAPH_FORMATS if other != media.RDF_XML])
    order: dict[object, int] = {node: number for number, node in enumerate(subjects)}
    ordered = sorted(triples, key=lambda t: (order.get(t.subject, len(order)), *_key(t)))
    data = ox.serialize(ordered, format=media.RDF_FORMATS[media_type], prefixes=_prefixes(triples))
    return _sorted_prefixes(data or b"") if media_type == media.TURTLE else data or b""


def _fits_xml(triple: ox.Triple) -> bool:
    """RDF/XML writes predicates as element names and has no control characters (XML 1.0 §2.2)."""
    value = getattr(triple.object, "value", "")
    return bool(_ELEMENT.search(triple.predicate.value)) and not _NO_XML.search(value)


def _prefixes(triples: set[ox.Triple]) -> dict[str, str]:
    """Those that the document uses."""
    used = set()
    for triple in triples:
        for term in (triple.predicate, triple.object, getattr(triple.object, "datatype", None)):
            if isinstance(term, ox.NamedNode):
                used.add(term.value)
    namespaces = sorted(PREFIXES.items())
    return {p: n for p, n in namespaces if any(iri.startswith(n) for iri in used)}


def _sorted_prefixes(turtle: bytes) -> bytes:
    """The engine writes prefixes in no fixed order; equal content should be equal bytes."""
    lines = turtle.split(b"\n")
    count = next((n for n, line in enumerate(lines) if not line.startswith(b"@prefix ")), 0)
    return b"\n".join([*sorted(lines[:count]), *lines[count:]])


def _key(triple: ox.Triple) -> tuple[str, bool, str, str]:
    predicate = triple.predicate.value
    return str(triple.subject), not predicate.endswith("#type"), predicate, str(triple.object)
