"""The net difference between two sets of ground quads, and its N-Quads form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from pyoxigraph import Quad, RdfFormat, parse

from app.rdf.terms import n_quad


@dataclass(frozen=True, slots=True)
class Diff:
    """Added and removed quads, disjoint. Applying a diff twice is the same as once."""

    added: frozenset[Quad]
    removed: frozenset[Quad]

    @staticmethod
    def between(before: Iterable[Quad], after: Iterable[Quad]) -> Diff:
        """What turns `before` into `after`."""
        old, new = frozenset(before), frozenset(after)
        return Diff(added=new - old, removed=old - new)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def to_n_quads(quads: Iterable[Quad]) -> bytes:
    """Sorted N-Quads, a line per quad."""
    return "".join(f"{line}\n" for line in sorted(n_quad(quad) for quad in quads)).encode()


def from_n_quads(data: bytes) -> list[Quad]:
    """Inverse of `to_n_quads`."""
    return list(parse(input=data, format=RdfFormat.N_QUADS))


def canonical_hash(quads: Iterable[Quad]) -> str:
    """SHA-256 over the sorted N-Quads of ground quads; equal for equal sets."""
    return hashlib.sha256(to_n_quads(quads)).hexdigest()
