"""The search index: one Tantivy document for each entity, with its finished records.

It is made from the graph alone and can be thrown away. A folder holds numbered indexes; the newest
that fits is used. A new one is built beside it under a temporary name, so whoever reads never meets
half of one, and whoever builds may be another process.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import shutil
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

import tantivy

from app.failpoints import failpoint
from app.profile import Profile
from app.records.documents import Stored
from app.records.schema import VERSION, index_schema, register_analyzers
from app.records.segments import are_whole

_UPDATE_BYTES = 30_000_000
_BUILD_BYTES = 150_000_000
_BUILDING = ".building"
_MARKER = "marker"


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
        self._stored = Stored(profile.languages, context_url)
        self._fingerprint = _fingerprint(profile)
        self._none = tantivy.Index(self.schema).searcher()
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
        opened = self._open
        return opened.generation if opened else 0

    @property
    def entities(self) -> int:
        """How many entities it holds."""
        return self._open.searcher.num_docs - 1 if self._open else 0

    def searcher(self) -> tantivy.Searcher:
        """The newest state, for as long as the searcher is kept; see `schema` for the fields."""
        opened = self._open
        return opened.searcher if opened else self._none

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
        """Open the newest index that fits, if it is not open."""
        for number in sorted(self._numbers(), reverse=True):
            if self._open and self._open.number >= number:
                return
            opened = _open(self._path(number), number, self._fingerprint, self._profile)
            if opened is not None:
                self._turn_to(opened)
                return

    def tidy(self) -> None:
        """Remove the indexes that are older than the open one; all, when none is open."""
        for number in self._numbers():
            if self._open is None or number < self._open.number:
                shutil.rmtree(self._path(number), ignore_errors=True)

    def sweep(self) -> None:
        """Remove what somebody left who died while building; only where nobody builds."""
        for path in self._folder.glob(f"*{_BUILDING}"):
            shutil.rmtree(path, ignore_errors=True)

    def verify(self) -> None:
        """Throw the open index away if its files are damaged."""
        if (opened := self._open) is not None and not _are_whole(self._path(opened.number)):
            self._turn_to(None)
            shutil.rmtree(self._path(opened.number), ignore_errors=True)

    def update(self, iris: Iterable[str]) -> Writing:
        """Begin to replace the documents of `iris` by those that are added; one at a time."""
        opened = self._open
        if opened is None:
            raise ValueError("there is no index to update")
        return Update(opened, self._fingerprint, iris)

    def build(self) -> Writing:
        """Begin a new index beside this one, which takes its place at the end.

        Works in another process than the one that has this index open; that has to `turn` then.
        """
        path = Path(tempfile.mkdtemp(suffix=_BUILDING, dir=self._folder))
        index = tantivy.Index(self.schema, str(path), reuse=False)
        register_analyzers(index, self._profile)
        return Build(self, index.writer(_BUILD_BYTES, 1), self._fingerprint, path)

    def close(self) -> None:
        """End writing; the index is as it was committed."""
        self._turn_to(None)

    def put(self, path: Path) -> None:
        """Take over an index that was built here."""
        for number in itertools.count(max(self._numbers(), default=0) + 1):
            try:
                path.rename(self._path(number))
                return
            except OSError:  # another process was faster
                if not self._path(number).exists():
                    raise

    def _turn_to(self, opened: _Open | None) -> None:
        before, self._open = self._open, opened
        if before:
            before.discard()

    def _numbers(self) -> list[int]:
        return [int(one.name) for one in self._folder.iterdir() if one.name.isdecimal()]

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}"


class Writing:
    """Documents on their way into an index: all of them, with the marker, or none."""

    def __init__(self, writer: tantivy.IndexWriter, fingerprint: str) -> None:
        self._writer = writer
        self._fingerprint = fingerprint
        self._lock = threading.Lock()
        self._ended = False

    def add(self, lines: Iterable[bytes]) -> None:
        """Add documents, each a line of JSON."""
        with self._lock:
            for line in lines if not self._ended else ():
                self._writer.add_json(line.decode())

    def finish(self, generation: int) -> None:
        """Commit, and say which generation the index shows from now on."""
        facts = {"generation": generation, "fingerprint": self._fingerprint}
        document = tantivy.Document()
        document.add_text(_MARKER, _MARKER)
        document.add_bytes("stored", json.dumps(facts).encode())
        with self._lock:
            self._writer.delete_documents_by_term(_MARKER, _MARKER)
            self._writer.add_document(document)
            self._commit()
            self._ended = True

    def end(self) -> None:
        """Give up, unless it is finished: the index is as it was."""
        with self._lock:
            if not self._ended:
                self._ended = True
                self._give_up()

    def _commit(self) -> None:
        raise NotImplementedError

    def _give_up(self) -> None:
        raise NotImplementedError


class Update(Writing):
    """Changes of the index that is open."""

    def __init__(self, opened: _Open, fingerprint: str, iris: Iterable[str]) -> None:
        super().__init__(opened.writing(), fingerprint)
        self._opened = opened
        for iri in iris:
            self._writer.delete_documents_by_term("id", iri)

    def _commit(self) -> None:
        failpoint("index.before-commit")
        self._writer.commit()
        failpoint("index.committed")
        self._opened.refresh()

    def _give_up(self) -> None:
        self._opened.discard()


class Build(Writing):
    """A new index."""

    def __init__(
        self, of: SearchIndex, writer: tantivy.IndexWriter, fingerprint: str, path: Path
    ) -> None:
        super().__init__(writer, fingerprint)
        self._of = of
        self._path = path

    def _commit(self) -> None:
        failpoint("index.building")
        self._writer.commit()
        self._writer.wait_merging_threads()
        failpoint("index.built")
        self._of.put(self._path)
        self._of.turn()

    def _give_up(self) -> None:
        with contextlib.suppress(ValueError):  # it is committed, but could not be put
            self._writer.wait_merging_threads()
        shutil.rmtree(self._path, ignore_errors=True)


class _Open:
    """An index on disk that is read, and maybe written."""

    def __init__(self, index: tantivy.Index, number: int) -> None:
        self._index = index
        self._writer: tantivy.IndexWriter | None = None
        self.number = number
        self.refresh()

    def writing(self) -> tantivy.IndexWriter:
        """The one writer, which is kept."""
        if self._writer is None:
            self._writer = self._index.writer(_UPDATE_BYTES, 1)
        return self._writer

    def refresh(self) -> None:
        """Show what was committed."""
        self._index.reload()
        searcher = self._index.searcher()
        marks = tantivy.Query.term_query(self._index.schema, _MARKER, _MARKER)
        hits = searcher.search(marks, 1).hits
        facts = json.loads(_stored(searcher, hits[0][1])) if hits else {}
        self.fingerprint: str | None = facts.get("fingerprint")
        self.generation: int = facts.get("generation", 0)
        self.searcher = searcher

    def discard(self) -> None:
        """Let go of the writer, and of what was not committed."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(ValueError, OSError):  # the folder may be gone
                writer.rollback()
                writer.wait_merging_threads()


def _open(path: Path, number: int, fingerprint: str, profile: Profile) -> _Open | None:
    """The index in a folder; None when it is damaged, or made from something else."""
    if not _are_whole(path):
        return None
    try:
        index = tantivy.Index.open(str(path))
        index.config_reader("manual")
        register_analyzers(index, profile)
        opened = _Open(index, number)
    except (ValueError, OSError):
        return None
    return opened if opened.fingerprint == fingerprint else None


def _are_whole(path: Path) -> bool:
    try:
        return are_whole(path)
    except (ValueError, LookupError, TypeError, OSError):
        return False


def _stored(searcher: tantivy.Searcher, hit: tantivy.DocAddress) -> bytes:
    found: bytes = searcher.doc(hit).get_first("stored") or b""
    return found


def _fingerprint(profile: Profile) -> str:
    made = [VERSION, profile.fingerprint, profile.base_iri, profile.languages]
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()
