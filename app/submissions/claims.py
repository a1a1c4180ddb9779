"""Claims: what datasets say about entities that other partners curate."""

from __future__ import annotations

from collections.abc import Iterable

from pyoxigraph import NamedNode, Quad, Store

from app.rdf.diff import Diff
from app.rdf.naming import Naming, is_ours, partner_of
from app.rdf.terms import LT, Subject
from app.submissions.change import After, Touched, entity_of, is_part

CLAIMS = LT["claimsAbout"]


def claims(
    after: After, touched: Touched, store: Store, reserved: NamedNode, base_iri: str
) -> Diff:
    """How the claims change in the reserved graph: `<dataset> lt:claimsAbout <entity>`.

    A dataset claims what it speaks of, if a dataset of another partner says what that is, and not
    as a claim of its own, and unless the name is the partner's own. A claim ends when the dataset
    is silent about the entity. Only entities that the change touches are looked at; graphs that
    are not the dataset of a partner make no claims.
    """
    added, removed = set[Quad](), set[Quad]()
    for graph, all_nodes in touched.nodes.items():
        partner = partner_of(graph.value, base_iri) if isinstance(graph, NamedNode) else None
        if partner is None or not isinstance(graph, NamedNode):
            continue
        own = Naming(base_iri, partner, everywhere=False)
        for entity, nodes in _by_entity(all_nodes, base_iri).items():
            claim = Quad(graph, CLAIMS, entity, reserved)
            speaks = any(next(after.about(node, None, graph), None) for node in nodes)
            if claim in store:
                if not speaks:
                    removed.add(claim)
            elif (
                speaks
                and not _is_own(entity, own)
                and _curators(entity, after, store, reserved, base_iri) - {partner}
            ):
                added.add(claim)
    return Diff(frozenset(added), frozenset(removed))


def _by_entity(nodes: Iterable[Subject], base_iri: str) -> dict[NamedNode, set[Subject]]:
    """Entity → itself and its fragments."""
    found: dict[NamedNode, set[Subject]] = {}
    for node in nodes:
        if isinstance(node, NamedNode) and not is_part(node, base_iri):
            entity = entity_of(node)
            found.setdefault(entity, {entity}).add(node)
    return found


def _is_own(entity: NamedNode, own: Naming) -> bool:
    """Whether the name is the partner's own, or the service's, which nobody curates."""
    iri = entity.value
    in_ids = iri.startswith(f"{own.base_iri}id/")
    return is_ours(iri, own.base_iri) and (not in_ids or own.may_mint(iri))


def _curators(
    entity: NamedNode, after: After, store: Store, reserved: NamedNode, base_iri: str
) -> set[str]:
    """The partners whose datasets say what the entity is, not as a claim."""
    partners = {
        partner_of(graph.value, base_iri)
        for graph in after.type_graphs(entity)
        if isinstance(graph, NamedNode) and Quad(graph, CLAIMS, entity, reserved) not in store
    }
    return {partner for partner in partners if partner is not None}
