"""The RDF of one entity: its statements, those of its parts, and what it refers to is called."""

from __future__ import annotations

import pyoxigraph as ox

from app.rdf.serialising import serialise
from app.rdf.terms import RDFS, SKOS
from app.records.graph import About, Graph, Node

_MAX_LABELLED = 2_000
_TITLES = (SKOS["prefLabel"], RDFS["label"])


def document(graph: Graph, subjects: dict[Node, About], media_type: str) -> bytes:
    """The document in one of `media.GRAPH_FORMATS`; triples sorted, so equal for equal content.

    The labels of at most 2,000 other things come with it. Raises NotAcceptable for an unknown
    format, and for RDF/XML when something said cannot be written in it.
    """
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
    order: dict[object, int] = {node: number for number, node in enumerate(subjects)}
    ordered = sorted(triples, key=lambda t: (order.get(t.subject, len(order)), *_key(t)))
    return serialise(ordered, media_type)


def _key(triple: ox.Triple) -> tuple[str, bool, str, str]:
    predicate = triple.predicate.value
    return str(triple.subject), not predicate.endswith("#type"), predicate, str(triple.object)
