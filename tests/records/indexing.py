"""An index in this process, beside a log and a graph in memory, and what must be in it."""

from __future__ import annotations

import contextlib
import json
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast

import pyoxigraph as ox
import tantivy

from app.log import Log
from app.profile import Profile
from app.records.documents import Documents
from app.records.graph import Graph
from app.records.index import SearchIndex
from app.records.indexer import Indexer
from app.sandbox.pool import Limits, Pool
from tests.records.direct import DirectRunner

CONTEXT = "http://here.example/context.jsonld"
_KEYWORDS = ("id", "type", "slug", "shows", "holds", "t_ids")


class DirectPool:
    """What the indexer needs of a pool; jobs run here, on the store as it is."""

    def __init__(self, store: ox.Store) -> None:
        self._store = store
        self.generation = 0
        self.jobs: list[str] = []

    async def run(self, job: str, args: Any, body: bytes = b"", *, limits: Limits) -> bytes:
        del limits
        self.jobs.append(job)
        return await DirectRunner(self._store).run(job, args, body)

    @contextlib.asynccontextmanager
    async def job(
        self, job: str, args: Mapping[str, Any], body: bytes, *, limits: Limits
    ) -> AsyncIterator[_Answer]:
        generation = self.generation
        yield _Answer(generation, await self.run(job, args, body, limits=limits))


class _Answer:
    def __init__(self, generation: int, body: bytes) -> None:
        self.generation = generation
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        half = len(self._body) // 2  # lines come in pieces
        yield self._body[:half]
        yield self._body[half:]


def indexer_of(log: Log, store: ox.Store, profile: Profile, folder: Path) -> Indexer:
    """An indexer of an index in `folder`; its pool shows generation 0 until told otherwise."""
    limits = Limits(60, 1024)
    return Indexer(
        log,
        SearchIndex(folder, profile, CONTEXT),
        cast(Pool, DirectPool(store)),
        profile,
        limits=limits,
        small=limits,
        patience_seconds=10,
    )


def assert_as_if_built_anew(index: SearchIndex, store: ox.Store, profile: Profile) -> None:
    """The same entities, records, keywords and sort keys as documents made from the graph now."""
    making = Documents(Graph(store, profile.base_iri), profile)
    lines = {iri: making.line(iri) for iri in making.entities()}
    wanted: dict[str, dict[str, Any]] = {i: json.loads(line) for i, line in lines.items() if line}
    searcher = index.searcher()
    assert index.entities == len(wanted)
    for iri, document in wanted.items():
        stored = b64decode(document["stored"][0])
        for lang in profile.languages:
            shown = index.get(iri, lang)
            assert shown == index._stored.record(stored, lang), iri
    fields = {name for document in wanted.values() for name in document}
    for name in sorted(fields):
        if name in _KEYWORDS or name.startswith(("k_", "x_", "o_")):
            terms = Counter(value for one in wanted.values() for value in set(one.get(name, ())))
            everything = tantivy.Query.all_query()
            assert dict(searcher.terms_with_prefix(name, "", everything)) == dict(terms), name
