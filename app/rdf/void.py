"""How VoID counts of a dataset stand in the reserved graph, told by their form alone.

What concerns a dataset as a whole is said of its IRI. Partitions and link sets are fragments of
`{base}.well-known/void`, by a hash of what they are parts of, so they are neither blank nor can
anybody take them for a part of the dataset's own description.
"""

from __future__ import annotations

import hashlib

from pyoxigraph import NamedNode, Quad

from app.rdf.terms import VOID, type_

TOTALS = (
    VOID["triples"],
    VOID["distinctSubjects"],
    VOID["distinctObjects"],
    VOID["entities"],
    VOID["classes"],
    VOID["properties"],
)
"""Counts of a whole dataset."""

_OF_DATASETS = frozenset({*TOTALS, VOID["classPartition"], VOID["propertyPartition"]})


def document_iri(base_iri: str) -> str:
    """The document that describes all datasets; its fragments are their partitions."""
    return f"{base_iri}.well-known/void"


def partition_iri(base_iri: str, *path: str) -> NamedNode:
    """The partition of a dataset to which a path of names leads; the dataset comes first."""
    digest = hashlib.sha256("\n".join(path).encode("utf-8", "surrogatepass")).hexdigest()
    return NamedNode(f"{document_iri(base_iri)}#{digest[:24]}")


def is_statistic(quad: Quad, base_iri: str) -> bool:
    """Whether a statement of the reserved graph is a count, or leads to one."""
    return is_total(quad) or str(quad.subject).startswith(f"<{document_iri(base_iri)}#")


def is_total(quad: Quad) -> bool:
    """Whether this is said of a dataset as a whole."""
    return quad.predicate in _OF_DATASETS or (
        quad.predicate == type_ and quad.object == VOID["Dataset"]
    )
