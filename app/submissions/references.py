"""Entities that disappear: who still refers to them, and what is left of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyoxigraph import Literal, NamedNode, Quad, Store

from app.errors import StillReferenced
from app.rdf.diff import Diff
from app.rdf.naming import name_of
from app.rdf.terms import AS, XSD, type_
from app.submissions.change import After, entity_of

_MOST_SHOWN = 20


def withdrawn(after: After, base_iri: str) -> list[NamedNode]:
    """The entities of ours of which nobody will say any more what they are."""
    losing = {
        quad.subject
        for quad in after.diff.removed
        if quad.predicate == type_
        and isinstance(quad.subject, NamedNode)
        and quad.subject.value.startswith(f"{base_iri}id/")
        and "#" not in quad.subject.value
    }
    return sorted((one for one in losing if not after.type_graphs(one)), key=str)


def refuse_dangling(
    entities: Iterable[NamedNode], after: After, reserved: NamedNode, base_iri: str
) -> None:
    """Raise StillReferenced if statements that stay refer to any of the entities."""
    found: list[Quad] = []
    total = 0
    for entity in entities:
        for quad in _references(entity, after, reserved):
            total += 1
            if total <= _MOST_SHOWN:
                found.append(quad)
    if not found:
        return
    first = found[0]
    more = f" and {total - 1:,} more statements" if total > 1 else ""
    raise StillReferenced(
        f"{first.object} cannot be removed: {first.subject}{more} would refer to nothing. Change "
        "these first, or have a curator force the removal, which leaves a tombstone.",
        references=[
            {
                "subject": _plain(quad.subject),
                "predicate": quad.predicate.value,
                "object": _plain(quad.object),
                "dataset": name_of(quad.graph_name, base_iri),
            }
            for quad in found
        ],
        total=total,
    )


def _references(entity: NamedNode, after: After, reserved: NamedNode) -> Iterator[Quad]:
    """What refers to the entity, other than it itself and its fragments."""
    for quad in after.referring(entity, None):
        subject = quad.subject
        own = isinstance(subject, NamedNode) and entity_of(subject) == entity
        if quad.graph_name != reserved and not own:
            yield quad


def _plain(term: object) -> str:
    return term.value if isinstance(term, NamedNode) else str(term)


def tombstones(
    entities: Iterable[NamedNode], diff: Diff, store: Store, reserved: NamedNode, time: str
) -> Diff:
    """What the service says of entities that go, and no longer says of those that are back."""
    now = Literal(time, datatype=XSD["dateTime"])
    added = {
        quad
        for entity in entities
        for quad in (
            Quad(entity, type_, AS["Tombstone"], reserved),
            Quad(entity, AS["deleted"], now, reserved),
        )
    }
    removed = {
        quad
        for subject in {quad.subject for quad in diff.added if quad.predicate == type_}
        for quad in store.quads_for_pattern(subject, None, None, reserved)
        if is_mark(quad)
    }
    return Diff(frozenset(added), frozenset(removed))


def is_mark(quad: Quad) -> bool:
    """Whether this statement is part of a tombstone."""
    return quad.predicate == AS["deleted"] or quad.object == AS["Tombstone"]
