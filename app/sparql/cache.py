"""Results that are kept for who asks the same."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import lru_cache
from typing import Final, NamedTuple

from app.sparql.operation import Query

_LARGEST_SHARE: Final = 16
_OVERHEAD: Final = 1_024
"""Bytes that an entry takes beside text and body, generously."""


class Kept(NamedTuple):
    """A complete result, as of a generation."""

    generation: int
    media_type: str
    body: bytes
    etag: str


def etag(query: Query, generation: int) -> str:
    """What names the result of a query on a generation of the graph (RFC 9110 §8.8.3).

    Weak: the rows are the same, but without ORDER BY another node may write them in another order,
    and blank nodes have new labels each time.
    """
    text, *rest = query
    digest = _begun(*rest).copy()
    digest.update(text.encode("utf-8", "surrogatepass"))
    return f'W/"{generation}-{digest.hexdigest()}"'


@lru_cache(maxsize=64)
def _begun(*rest: object) -> hashlib.blake2b:
    """The digest of all but the text, which most queries have in common."""
    return hashlib.blake2b(repr(rest).encode("utf-8", "surrogatepass"), digest_size=12)


class ResultCache:
    """The results that were asked for last, of one generation, in bounded memory.

    A result of more than a sixteenth of it is not kept. 0 bytes keep nothing.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Query, tuple[Kept, int]] = OrderedDict()
        self._generation = 0
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    @property
    def entries(self) -> int:
        """How many results are kept."""
        return len(self._entries)

    def get(self, query: Query, generation: int) -> Kept | None:
        """The result of a query on this generation, if it is kept."""
        if generation > self._generation:
            self._turn_to(generation)
        entry = self._entries.get(query)
        if entry is None or generation < self._generation:
            return None
        self._entries.move_to_end(query)
        self.hits += 1
        return entry[0]

    def put(self, query: Query, kept: Kept) -> None:
        """Keep a result, unless there is a newer generation or it is too large."""
        if kept.generation > self._generation:
            self._turn_to(kept.generation)
        size = _size(query, kept)
        if kept.generation < self._generation or size > self._max_bytes // _LARGEST_SHARE:
            return
        if old := self._entries.pop(query, None):
            self.bytes -= old[1]
        self._entries[query] = kept, size
        self.bytes += size
        while self.bytes > self._max_bytes:
            _, (_, freed) = self._entries.popitem(last=False)
            self.bytes -= freed

    def _turn_to(self, generation: int) -> None:
        """Nobody asks for an older state any more."""
        self._generation = generation
        self._entries.clear()
        self.bytes = 0


def _size(query: Query, kept: Kept) -> int:
    characters = len(query.text)
    for graphs in (query.default_graphs, query.named_graphs):
        if graphs:
            characters += sum(map(len, graphs))
    # A character takes up to four bytes in memory.
    return len(kept.body) + 4 * characters + _OVERHEAD
