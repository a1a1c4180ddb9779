"""Canonical Turtle: the same triples give the same bytes, and diffs of them are readable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pyoxigraph import BlankNode, Quad, Store, Triple

from app.rdf import media
from app.rdf.serialising import serialise
from app.rdf.terms import PREFIXES, type_


def canonical(triples: Iterable[Triple]) -> list[Triple]:
    """The distinct triples, literals in the engine's normal form, in canonical order.

    The order is that of subject, predicate and object as N-Triples, `rdf:type` first within a
    subject. Raises ValueError for a blank node, because it has no stable place in an order.
    """
    store = Store()
    store.bulk_extend(Quad(t.subject, t.predicate, t.object) for t in triples)
    found = [quad.triple for quad in store]
    for triple in found:
        if isinstance(triple.subject, BlankNode) or isinstance(triple.object, BlankNode):
            raise ValueError(f"Give this blank node an IRI: {triple}")  # noqa: TRY004
    return sorted(found, key=_position)


def _position(triple: Triple) -> tuple[str, bool, str, str]:
    return (
        str(triple.subject),
        triple.predicate != type_,
        str(triple.predicate),
        str(triple.object),
    )


def to_turtle(triples: Iterable[Triple], prefixes: Mapping[str, str] = PREFIXES) -> bytes:
    """The canonical Turtle document of a set of ground triples."""
    return serialise(canonical(triples), media.TURTLE, prefixes)


def write_turtle(
    path: Path, triples: Iterable[Triple], prefixes: Mapping[str, str] = PREFIXES
) -> int:
    """Write `to_turtle`, and return how many bytes that are."""
    return path.write_bytes(to_turtle(triples, prefixes))
