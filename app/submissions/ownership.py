"""Nobody brings things into the world under the names of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pyoxigraph import NamedNode, Store

from app.errors import NotYours
from app.rdf.naming import Naming
from app.rdf.skolem import GENID
from app.rdf.terms import AS, GraphName, Subject, type_
from app.submissions.lines import Source, first_lines

_MOST_SHOWN = 20


def refuse_names_of_others(
    naming: Naming,
    spoken_of: Iterable[tuple[Subject, GraphName]],
    store: Store,
    sources: Sequence[Source] = (),
) -> None:
    """Raise NotYours if anything is to be said of things that may be neither minted nor claimed.

    What may not be minted may be spoken of if it is an entity that exists, and no partner: what
    these are is said by their accounts. `spoken_of` are the things, each with the graph that is to
    hold it; `sources` are searched for the lines of what is refused.
    """
    refused = sorted(
        {
            subject.value
            for subject, graph in set(spoken_of)
            if isinstance(subject, NamedNode)
            and not naming.may_mint(subject.value)
            and not _exists(store, subject, naming.base_iri)
            and not _is_kept(store, subject, graph, naming.base_iri)
        }
    )
    if refused:
        raise NotYours(
            _sentence(naming, refused),
            iris=_placed(refused[:_MOST_SHOWN], sources, naming.base_iri),
            total=len(refused),
        )


def _exists(store: Store, subject: NamedNode, base_iri: str) -> bool:
    entities = f"{base_iri}id/"
    if not subject.value.startswith(entities) or subject.value.startswith(f"{entities}partner/"):
        return False
    types = store.quads_for_pattern(subject, type_, None, None)
    return any(quad.object != AS["Tombstone"] for quad in types)


def _is_kept(store: Store, subject: NamedNode, graph: GraphName, base_iri: str) -> bool:
    """Whether this is what the service made of a blank node of the same graph, sent back."""
    if not subject.value.startswith(f"{base_iri}{GENID}"):
        return False
    return next(iter(store.quads_for_pattern(subject, None, None, graph)), None) is not None


def _placed(iris: list[str], sources: Sequence[Source], base_iri: str) -> list[dict[str, Any]]:
    found = first_lines(list(sources), set(iris), base_iri)
    placed: list[dict[str, Any]] = []
    for iri in iris:
        entry: dict[str, Any] = {"iri": iri}
        if iri in found:
            number, entry["line"] = found[iri]
            if (name := sources[number].name) is not None:
                entry["file"] = name
        placed.append(entry)
    return placed


def _sentence(naming: Naming, refused: list[str]) -> str:
    slug = naming.partner or "{partner}"
    more = f" and {len(refused) - 1:,} more" if len(refused) > 1 else ""
    return (
        f"<{refused[0]}>{more} cannot be described here. New names begin with "
        f"{naming.base_iri}id/{{type}}/{slug}-; of what others have named, only entities that "
        "exist can be spoken of; blank nodes are written as such, not by a .well-known/genid IRI."
    )
