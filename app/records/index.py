"""The search index: one Tantivy document for each entity, with its finished records.

It is made from the graph alone and can be thrown away. A folder holds numbered indexes; the newest
that fits is used. A new one is built beside it under a temporary name, so whoever reads never meets
half of one, and whoever builds may be another process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import tantivy

from app.failpoints import failpoint
from app.profile import Profile
from app.records.documents import Stored
from app.records.schema import VERSION, index_schema, register_analyzers

_UPDATE_BYTES = 30_000_000
_BUILD_BYTES = 150_000_000
_BUILDING = ".building"


class SearchIndex:
    """The index of one data directory.

    Reading is safe from any thread, and sees whole commits only. Writing is for one thread at a
    time, of one process.
    """

    def __init__(self, folder: Path, profile: Profile, context_url: str | None = None) -> None:
        self.schema = index_schema(profile)
        self.languages = profile.languages
        self._folder = folder
        self._profile = profile
        self._stored = Stored(profile.languages)
        self._fingerprint = _fingerprint(profile, context_url)
        self._lock = threading.Lock()
        self._open: _Open | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.turn()

    @property
    def usable(self) -> bool:
        """Whether there is an index; without one nothing is found."""
        return self._open is not None

    @property
    def generation(self) -> int:
        """The generation that it shows; 0 when there is none."""
        return self._open.generation if self._open else 0

    def searcher(self) -> tantivy.Searcher:
        """The newest state, for as long as the searcher is kept; see `schema` for the fields."""
        opened = self._open
        return opened.searcher if opened else self._empty()

    def get(self, iri: str, lang: str) -> bytes | None:
        """The record of an entity as JSON; None if there is none of this IRI."""
        searcher = self.searcher()
        query = tantivy.Query.term_query(self.schema, "id", iri)
        hits = searcher.search(query, 1, count=False).hits
        return self.record(searcher, hits[0][1], lang) if hits else None

    def record(self, searcher: tantivy.Searcher, hit: tantivy.DocAddress, lang: str) -> bytes:
        """The record of a hit as JSON."""
        return self._stored.record(_stored(searcher, hit), lang)

    # writing

    def turn(self) -> None:
        """Open the newest index that fits, if another than the open one; remove what is older."""
        for number in sorted(self._numbers(), reverse=True):
            if self._open and self._open.number >= number:
                break
            opened = _open(self._path(number), number, self._fingerprint, self._profile)
            if opened is None:
                shutil.rmtree(self._path(number), ignore_errors=True)
                continue
            self._turn_to(opened)
            break

    def drop(self) -> None:
        """Forget the index, because it is damaged or outdated."""
        if (opened := self._open) is not None:
            self._turn_to(None)
            shutil.rmtree(self._path(opened.number), ignore_errors=True)

    def apply(self, iris: Iterable[str], lines: Iterable[str], generation: int) -> None:
        """Replace the documents of `iris` by `lines` (JSON), and note the generation, at once."""
        with self._lock:
            if self._open is None:
                return
            writer = self._open.writing()
            for iri in iris:
                writer.delete_documents_by_term("id", iri)
            for line in lines:
                writer.add_json(line)
            _mark(writer, generation, self._fingerprint)
            failpoint("index.before-commit")
            writer.commit()
            failpoint("index.committed")
            self._open.refresh(generation)

    @contextlib.contextmanager
    def building(self) -> Iterator[Building]:
        """A new index beside this one, which takes its place at `Building.finish`."""
        path = self._folder / f"{os.getpid()}-{threading.get_ident()}{_BUILDING}"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        building = Building(self, path)
        try:
            yield building
        finally:
            building.close()
            shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """End writing; the index is as it was committed."""
        with self._lock:
            self._turn_to(None)

    def _turn_to(self, opened: _Open | None) -> None:
        before, self._open = self._open, opened
        if before:
            before.close()
            if opened:
                shutil.rmtree(self._path(before.number), ignore_errors=True)

    def _numbers(self) -> list[int]:
        return [int(one.name) for one in self._folder.iterdir() if one.name.isdecimal()]

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}"

    def _empty(self) -> tantivy.Searcher:
        return tantivy.Index(self.schema).searcher()


class Building:
    """An index that is being built."""

    def __init__(self, of: SearchIndex, path: Path) -> None:
        self._of = of
        self._path = path
        index = tantivy.Index(of.schema, str(path), reuse=False)
        register_analyzers(index, of._profile)
        self._writer: tantivy.IndexWriter | None = index.writer(_BUILD_BYTES, 1)

    def add(self, lines: Iterable[str]) -> None:
        """Add documents, each a line of JSON."""
        if self._writer is not None:
            for line in lines:
                self._writer.add_json(line)

    def finish(self, generation: int) -> None:
        """Put it in its place: from now on it is the newest index, of this generation."""
        if self._writer is None:
            return
        _mark(self._writer, generation, self._of._fingerprint)
        self._writer.commit()
        self.close()
        failpoint("index.built")
        number = max(self._of._numbers(), default=0) + 1
        while True:
            try:
                self._path.rename(self._of._path(number))
                break
            except OSError:  # another process was faster
                if not self._of._path(number).exists():
                    raise
                number += 1
        self._of.turn()

    def close(self) -> None:
        """Let go of the folder."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.wait_merging_threads()


class _Open:
    """An index on disk that is read, and maybe written."""

    def __init__(self, index: tantivy.Index, number: int, generation: int) -> None:
        self._index = index
        self._writer: tantivy.IndexWriter | None = None
        self.number = number
        self.generation = generation
        self.searcher = index.searcher()

    def writing(self) -> tantivy.IndexWriter:
        if self._writer is None:
            self._writer = self._index.writer(_UPDATE_BYTES, 1)
        return self._writer

    def refresh(self, generation: int) -> None:
        self._index.reload()
        self.searcher = self._index.searcher()
        self.generation = generation

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.wait_merging_threads()


def _open(path: Path, number: int, fingerprint: str, profile: Profile) -> _Open | None:
    """The index in a folder; None when it is damaged, or made from something else."""
    try:
        index = tantivy.Index.open(str(path))
        index.config_reader("manual")
        register_analyzers(index, profile)
        index.reload()
        searcher = index.searcher()
        marks = tantivy.Query.term_query(index.schema, "marker", "marker")
        hits = searcher.search(marks, 1).hits
        facts = json.loads(_stored(searcher, hits[0][1])) if hits else {}
    except (ValueError, OSError):
        return None
    if facts.get("fingerprint") != fingerprint:
        return None
    return _Open(index, number, facts["generation"])


def _stored(searcher: tantivy.Searcher, hit: tantivy.DocAddress) -> bytes:
    found: bytes = searcher.doc(hit).get_first("stored") or b""
    return found


def _mark(writer: tantivy.IndexWriter, generation: int, fingerprint: str) -> None:
    facts = json.dumps({"generation": generation, "fingerprint": fingerprint})
    writer.delete_documents_by_term("marker", "marker")
    document = tantivy.Document()
    document.add_text("marker", "marker")
    document.add_bytes("stored", facts.encode())
    writer.add_document(document)


def _fingerprint(profile: Profile, context_url: str | None) -> str:
    made = [VERSION, profile.fingerprint, profile.base_iri, context_url, profile.languages]
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()
