"""An index of a small store, built in this process."""

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox

from app.profile import Profile
from app.records.documents import Documents
from app.records.graph import Graph
from app.records.index import SearchIndex


def indexed(
    folder: Path,
    store: ox.Store,
    profile: Profile,
    context_url: str | None = None,
    generation: int = 1,
) -> SearchIndex:
    """The index of all that `store` holds now."""
    index = SearchIndex(folder, profile, context_url)
    reindex(index, store, profile, generation)
    return index


def reindex(
    index: SearchIndex,
    store: ox.Store,
    profile: Profile,
    generation: int = 1,
) -> None:
    """Build the index anew, as of `generation`."""
    documents = Documents(Graph(store, profile.base_iri), profile)
    writing = index.build()
    lines = (documents.line(iri) for iri in documents.entities())
    writing.add(line for line in lines if line is not None)
    writing.finish(generation)
    writing.end()
