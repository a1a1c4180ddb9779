"""pyoxigraph in this process, in memory or on disk, with checkpoints on disk either way."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, Store

from app.failpoints import failpoint
from app.log import Commit
from app.rdf.diff import from_n_quads
from app.rdf.terms import DCAT, string
from app.sandbox.pool import Checkpoint

_TRANSACTION_QUADS = 20_000
"""Up to here a commit is one transaction; larger ones are loaded in bulk, then marked."""
_KEPT = 2
_MANY_QUADS = 50_000
_QUAD_BYTES = 300
"""What a quad takes on disk, about: nine indexes, and its share of the terms."""

_SOON_MERGED_BYTES = 256 << 20
"""Up to here all files are merged within seconds."""

_MERGED = ".merged"
"""Ends the name of a second checkpoint of a generation, made of the same quads in fewer files."""


def reserved_graph(base_iri: str) -> NamedNode:
    """The graph in which the service speaks of itself."""
    return NamedNode(f"{base_iri}graph/service")


class _OxigraphStore:
    """All that does not depend on where the quads lie."""

    def __init__(self, store: Store, checkpoints: Path, base_iri: str) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._reserved = reserved_graph(base_iri)
        self._catalog = NamedNode(f"{base_iri}catalog")
        checkpoints.mkdir(parents=True, exist_ok=True)
        for unfinished in checkpoints.glob("*.tmp"):
            shutil.rmtree(unfinished)

    def marker(self) -> int:
        """See `GraphStore.marker`."""
        found = self._store.quads_for_pattern(self._catalog, DCAT["version"], None, self._reserved)
        return max((int(quad.object.value) for quad in found), default=0)  # type: ignore[union-attr]

    def apply(self, commit: Commit) -> None:
        """See `GraphStore.apply`."""
        failpoint("store.before-data")
        small = commit.added_count + commit.removed_count <= _TRANSACTION_QUADS
        if small and _ground(commit.added) and _ground(commit.removed):
            self._store.update(
                _data("DELETE", from_n_quads(commit.removed))
                + _data("INSERT", from_n_quads(commit.added))
                + self._mark(commit.generation)
            )
        else:
            self._apply_in_bulk(commit)
        self._store.flush()
        failpoint("store.marked")

    def _apply_in_bulk(self, commit: Commit) -> None:
        removed = from_n_quads(commit.removed)
        if _ground(commit.removed):
            for at in range(0, len(removed), _TRANSACTION_QUADS):
                self._store.update(_data("DELETE", removed[at : at + _TRANSACTION_QUADS]))
        else:
            for quad in removed:
                self._store.remove(quad)
        if _ground(commit.added):
            self._store.bulk_load(input=commit.added, format=RdfFormat.N_QUADS)
        else:  # a load would give the blank nodes other labels than the log has
            self._store.bulk_extend(from_n_quads(commit.added))
        self._store.flush()
        failpoint("store.between-data-and-marker")
        self._store.update(self._mark(commit.generation))

    def _mark(self, generation: int) -> str:
        where = f"GRAPH {self._reserved} {{ {self._catalog} {DCAT['version']} ?before }}"
        return f"DELETE {{ {where} }} WHERE {{ {where} }};\n" + _data(
            "INSERT",
            [Quad(self._catalog, DCAT["version"], string(str(generation)), self._reserved)],
        )

    def graph(self, name: NamedNode) -> Iterator[Quad]:
        """See `GraphStore.graph`."""
        return self._store.quads_for_pattern(None, None, None, name)

    def __len__(self) -> int:
        return len(self._store)

    def checkpoint(self) -> Checkpoint:
        """See `EmbeddedStore.checkpoint`."""
        generation = self.marker()
        return Checkpoint(str(self._copied(f"{generation:012d}")), generation)

    def merge(self) -> bool:
        """See `EmbeddedStore.merge`."""
        return False

    def _copied(self, name: str, moment: str = "store") -> Path:
        path = self._checkpoints / name
        if not path.exists():
            unnamed = path.with_suffix(".tmp")
            self._copy_to(unnamed)
            failpoint(f"{moment}.checkpoint-unnamed")
            unnamed.rename(path)
            failpoint(f"{moment}.checkpoint-named")
        return path

    def _copy_to(self, folder: Path) -> None:
        raise NotImplementedError

    def prune(self, in_use: Iterable[int]) -> None:
        """See `EmbeddedStore.prune`."""
        folders = [one for one in self._checkpoints.iterdir() if one.suffix in {"", _MERGED}]
        newest = sorted({int(folder.stem) for folder in folders})[-_KEPT:]
        kept = {*in_use, *newest}
        for folder in folders:
            if int(folder.stem) not in kept:
                shutil.rmtree(folder, ignore_errors=True)


class DiskStore(_OxigraphStore):
    """RocksDB in a folder of the data directory. One process at a time may hold it."""

    def __init__(self, folder: Path, base_iri: str) -> None:
        """Raises OSError when another process holds the store."""
        folder.mkdir(parents=True, exist_ok=True)
        self._live = folder / "live"
        self._unsorted = 0
        super().__init__(Store(str(self._live)), folder / "checkpoints", base_iri)
        generation = self.marker()
        known = (self._checkpoints / f"{generation:012d}{_MERGED}").exists()
        self._merged = generation if known else None

    def apply(self, commit: Commit) -> None:
        """See `GraphStore.apply`."""
        super().apply(commit)
        self._unsorted += commit.added_count + commit.removed_count

    def checkpoint(self) -> Checkpoint:
        """See `EmbeddedStore.checkpoint`. After much has changed, the files are merged first.

        Commits lie beside each other as they came, and a query looks through all of them: on six
        million quads that came in thirteen commits it takes two to three times as long. Merging
        takes less time than applying did.
        """
        if self._unsorted > _MANY_QUADS and self._unsorted * _QUAD_BYTES > _size(self._live) // 10:
            self._store.optimize()
            self._unsorted = 0
        made = super().checkpoint()
        if made.generation != self._merged:
            return made
        merged = self._copied(f"{made.generation:012d}{_MERGED}", "merge")
        return Checkpoint(str(merged), made.generation)

    def merge(self) -> bool:
        """See `EmbeddedStore.merge`. A large store waits until `checkpoint` finds it worth it."""
        generation = self.marker()
        if generation in {0, self._merged} or _size(self._live) > _SOON_MERGED_BYTES:
            return False
        self._store.optimize()
        self._merged = generation
        return True

    def _copy_to(self, folder: Path) -> None:
        self._store.backup(str(folder))  # hard links: it takes milliseconds at any size

    def close(self) -> None:
        """See `GraphStore.close`."""
        self._store.flush()
        del self._store


class MemoryStore(_OxigraphStore):
    """Quads in memory; a checkpoint is a full copy on disk, so this is for small graphs."""

    def __init__(self, folder: Path, base_iri: str) -> None:
        """Raises OSError when another process holds the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        super().__init__(Store(), folder / "checkpoints", base_iri)

    def _copy_to(self, folder: Path) -> None:
        copy = Store(str(folder))
        copy.bulk_extend(self._store)
        copy.flush()

    def close(self) -> None:
        """See `GraphStore.close`."""
        self._lock.close()


def _size(folder: Path) -> int:
    total = 0
    for file in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # merged meanwhile
            total += file.stat().st_size
    return total


def _ground(n_quads: bytes) -> bool:
    """Surely without blank nodes, which updates cannot name (LIFETEC_SKOLEMIZE=off keeps them)."""
    return b"_:" not in n_quads


def _data(verb: str, quads: Iterable[Quad]) -> str:
    """`INSERT DATA` or `DELETE DATA` of ground quads; their N-Quads terms are SPARQL terms too."""
    lines = []
    for quad in quads:
        triple = f"{quad.subject} {quad.predicate} {quad.object} ."
        default = isinstance(quad.graph_name, DefaultGraph)
        lines.append(triple if default else f"GRAPH {quad.graph_name} {{ {triple} }}")
    return f"{verb} DATA {{\n" + "\n".join(lines) + "\n};\n" if lines else ""
