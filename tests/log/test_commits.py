from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, Quad
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.schema import KeyRow, PartnerRow
from app.database import Database
from app.database.blobs import digest_of
from app.errors import Conflict, NotFound
from app.log import Draft, Log, MovedOn, catch_up, commits, patches
from app.log.commits import Commit
from app.log.schema import CommitRow
from app.rdf.diff import to_n_quads

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def draft(dataset: str = "http://d/1", lines: int = 1, **more: Any) -> Draft:
    added = b"".join(b'<http://s/%d> <http://p> "%d" <http://g> .\n' % (n, n) for n in range(lines))
    facts: dict[str, Any] = {
        "datasets": (dataset,),
        "author": "http://a",
        "licence": "http://l",
        "source_hash": "h",
        "report": {"kinds": ["http://k"]},
        "created_at": NOW,
        "added": added,
        "removed": b"",
    }
    return Draft(**{**facts, **more})


def open_log(database: Database, folder: Path) -> Log:
    return Log(database, database.blobs("diffs", folder / "diffs"))


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    return open_log(database, tmp_path)


def test_commits_are_numbered_from_one_and_say_what_was_said(log: Log) -> None:
    assert (log.head(), [*log.since(0)]) == (0, [])
    removed = b'<http://s/x> <http://p> "old" <http://g> .\n'
    log.append(draft(), after=0)
    given_back = log.append(draft(removed=removed, lines=2), after=1)
    assert log.head() == 2
    (kept,) = log.since(1)
    for commit in (given_back, kept):
        assert (commit.generation, commit.datasets, commit.author) == (
            2,
            ("http://d/1",),
            "http://a",
        )
        assert (commit.licence, commit.source_hash) == ("http://l", "h")
        assert commit.report == {"kinds": ["http://k"]}
        assert (commit.added_count, commit.removed_count) == (2, 1)
        assert commit.added == draft(lines=2).added
        assert commit.removed == removed
        assert (commit.created_at, commit.created_at.tzinfo) == (NOW, UTC)


@pytest.mark.parametrize("after", [0, 2, 5])
def test_an_append_after_another_generation_is_a_conflict(log: Log, after: int) -> None:
    log.append(draft(), after=0)
    with pytest.raises(MovedOn, match=f"moved on from generation {after}"):
        log.append(draft(), after=after)
    assert log.head() == 1


RACE = """
import sys
from pathlib import Path
from app.database import Database, utc_now
from app.log import Draft, Log, MovedOn
url, folder, name, count = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
database = Database(url)
log = Log(database, database.blobs("diffs", folder / "diffs"))
print("ready", flush=True)
sys.stdin.readline()
conflicts = 0
for number in range(count):
    while True:
        try:
            added = f"<http://{name}/{number}> <http://p> <http://o> <http://g> .\\n".encode()
            draft = Draft((name,), name, None, None, {}, utc_now(), added, b"")
            log.append(draft, after=log.head())
            break
        except MovedOn:
            conflicts += 1
print(conflicts)
"""


def test_racing_processes_leave_every_commit_once_and_no_gap(
    log: Log, database_url: str, tmp_path: Path
) -> None:
    racers, each = 3, 25
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, database_url, str(tmp_path), f"racer{n}", str(each)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(racers)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    conflicts = sum(int(process.communicate(timeout=60)[0]) for process in processes)
    found = list(log.since(0))
    assert conflicts > 0, "the processes did not meet, so nothing was proved"
    assert [commit.generation for commit in found] == list(range(1, racers * each + 1))
    said = {(c.datasets, c.added) for c in found}
    assert len(said) == racers * each


def test_reading_goes_on_over_many_pages(log: Log) -> None:
    count = 2 * commits._PAGE + 1
    for after in range(count):
        log.append(draft(lines=1), after=after)
    assert [c.generation for c in log.since(0)] == list(range(1, count + 1))
    assert [c.generation for c in log.since(count - 1)] == [count]
    assert next(c.generation for c in log.since(commits._PAGE)) == commits._PAGE + 1


class Lines:
    """A follower that keeps a line count."""

    def __init__(self) -> None:
        self.generation = self.lines = 0

    def marker(self) -> int:
        return self.generation

    def apply(self, commit: Commit) -> None:
        self.lines += commit.added_count
        self.generation = commit.generation


def test_a_follower_goes_on_from_its_marker(log: Log) -> None:
    follower = Lines()
    assert catch_up(log, follower) == 0
    log.append(draft(lines=2), after=0)
    assert catch_up(log, follower) == 1
    log.append(draft(lines=3), after=1)
    log.append(draft(lines=4), after=2)
    assert catch_up(log, follower) == catch_up(log, follower) == 3
    assert follower.lines == 9


def incompressible(count: int) -> bytes:
    chance = random.Random(7)
    return b"".join(
        f'<http://s/{n}> <http://p> "{chance.randbytes(40).hex()}" <http://g> .\n'.encode()
        for n in range(count)
    )


class Shelf:
    """Blobs that are counted, and can be lost."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def write(self, data: bytes) -> str:
        self.kept[digest_of(data)] = data
        return digest_of(data)

    def read(self, digest: str) -> bytes:
        return self.kept[digest]

    def delete(self, digest: str) -> None:
        del self.kept[digest]


def test_a_large_diff_is_a_blob_and_a_small_one_is_not(database: Database) -> None:
    shelf = Shelf()
    log = Log(database, shelf)
    log.append(draft(lines=10), after=0)
    assert shelf.kept == {}
    data = incompressible(3_000)
    log.append(draft(added=data), after=1)
    log.append(draft(added=data), after=2)
    (patch,) = shelf.kept.values()
    assert len(patch) > patches.INLINE_BYTES
    for commit in log.since(1):
        assert (commit.added, commit.added_count) == (data, 3_000)
    shelf.kept.clear()
    with pytest.raises(LookupError):
        _ = next(log.since(1)).added


def test_nodes_that_share_a_database_share_large_diffs(
    log: Log, database_url: str, tmp_path: Path
) -> None:
    data = incompressible(3_000)
    log.append(draft(added=data), after=0)
    second = Database(database_url)
    elsewhere = tmp_path if database_url.startswith("sqlite") else tmp_path / "other"
    (commit,) = open_log(second, elsewhere).since(0)
    assert commit.added == data
    second.close()


def test_sources_are_the_newest_commit_of_each_dataset(log: Log) -> None:
    for after, (dataset, name) in enumerate([("a", "1"), ("b", "2"), ("a", "3")]):
        log.append(draft(dataset, source_hash=name), after=after)
    found = {source.dataset: source for source in log.sources()}
    assert {name: source.hash for name, source in found.items()} == {"a": "3", "b": "2"}
    assert found["a"].kinds == ("http://k",)
    assert [log.generation_of(name) for name in "abc"] == [3, 2, 0]
    assert log.generation_of("a", until=2) == 1


def test_a_commit_of_several_datasets_is_the_newest_of_each(log: Log) -> None:
    log.append(draft("http://d/2", source_hash="1"), after=0)
    names = ("http://d/2", "http://d/1", "http://d/3")
    given_back = log.append(draft(datasets=names, source_hash="2"), after=1)
    log.append(draft("http://d/3", source_hash="3"), after=2)
    kept = log.commit(2)
    assert kept is not None
    assert kept.datasets == given_back.datasets == names
    assert [commit.datasets for commit in log.since(0)] == [names[:1], names, names[2:]]
    newest = {name: log.generation_of(name) for name in names}
    assert newest == {"http://d/1": 2, "http://d/2": 2, "http://d/3": 3}
    assert {source.dataset: source.hash for source in log.sources()} == {
        "http://d/1": "2",
        "http://d/2": "2",
        "http://d/3": "3",
    }


@pytest.mark.parametrize("datasets", [(), ("http://d/1", "http://d/2", "http://d/1")])
def test_a_commit_names_its_datasets_each_once(datasets: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="each once"):
        draft(datasets=datasets)


def test_a_commit_is_found_by_its_number(log: Log) -> None:
    log.append(draft(submission="s1"), after=0)
    found = log.commit(1)
    assert found is not None
    assert (found.generation, found.submission, found.added_count) == (1, "s1", 1)
    assert log.commit(0) is log.commit(2) is None


def test_a_submission_is_published_once(log: Log) -> None:
    log.append(draft(), after=0)
    log.append(draft(), after=1)  # many have none
    log.append(draft(submission="s1"), after=2)
    for after in (2, 3):
        with pytest.raises(Conflict, match="s1 was published already, as commit 3"):
            log.append(draft(submission="s1"), after=after)
    assert log.append(draft(submission="s2"), after=3).submission == "s2"


def test_what_else_is_written_is_there_exactly_when_the_commit_is(
    log: Log, database: Database
) -> None:
    """Partners stand for what a caller may want to write in the same act."""

    def add(session: Session) -> None:
        assert session.scalar(select(func.count(CommitRow.generation))) == 1
        session.add(PartnerRow(slug="p", names={}, contact="c", trusted=False, created_at=NOW))

    def partners() -> int:
        with database.session() as session:
            return session.scalar(select(func.count(PartnerRow.slug))) or 0

    def add_and_fail(session: Session) -> None:
        add(session)
        session.flush()
        raise NotFound("no such submission")

    with pytest.raises(NotFound, match="no such submission"):
        log.append(draft(), after=0, also=add_and_fail)
    assert (log.head(), partners()) == (0, 0)
    log.append(draft(), after=0, also=add)
    assert (log.head(), partners()) == (1, 1)
    with pytest.raises(MovedOn):
        log.append(draft(), after=0, also=add_and_fail)
    assert (log.head(), partners()) == (1, 1)


def test_what_the_database_refuses_of_it_is_not_taken_for_a_conflict(
    log: Log, database: Database
) -> None:
    def add(session: Session) -> None:
        session.add(KeyRow(id="k", hash="h", role="reader", partner="nobody", created_at=NOW))

    with pytest.raises(IntegrityError):
        log.append(draft(), after=0, also=add)
    assert log.head() == 0


def test_a_second_log_on_the_same_database_sees_the_same(
    log: Log, database_url: str, tmp_path: Path
) -> None:
    log.append(draft(), after=0)
    again = Database(database_url)
    assert open_log(again, tmp_path).head() == 1
    again.close()


def test_one_who_looked_before_the_other_committed_gets_a_conflict(
    log: Log, database_url: str, tmp_path: Path
) -> None:
    """Both saw generation 0 as the newest; only the number decides."""
    second = Database(database_url)
    overtaken = False

    def overtake(*_: Any) -> None:
        nonlocal overtaken
        if not overtaken:
            overtaken = True  # before the append, which comes here too
            log.append(draft("http://d/first"), after=0)

    event.listen(Session, "before_flush", overtake)
    try:
        with pytest.raises(MovedOn, match="moved on from generation 0"):
            open_log(second, tmp_path).append(draft("http://d/second"), after=0)
    finally:
        event.remove(Session, "before_flush", overtake)
        second.close()
    assert [commit.datasets for commit in log.since(0)] == [("http://d/first",)]


ENTITY = "http://s/é"


def test_the_changes_of_several_things_are_found_together(log: Log) -> None:
    lines = [f'<http://s/{n}> <http://p> "{n}" <http://g> .\n'.encode() for n in range(12)]
    log.append(draft(added=b"".join(lines)), after=0)
    (commit,) = log.since(0)
    assert commit.about("http://s/1", "http://s/10").added == lines[1] + lines[10]


def test_the_changes_of_an_entity_are_its_statements_and_those_of_its_fragments(log: Log) -> None:
    hers = '<http://s/é> <http://p> "1" <http://g> .\n<http://s/é#a> <http://p> "2" .\n'.encode()
    others = (
        '<http://s/é-2> <http://p> "3" <http://g> .\n'
        "<http://s/x> <http://p> <http://s/é> <http://g> .\n"
        '<http://s/x> <http://p> "\\nA <http://s/é> <http://p>" <http://g> .\n'
        '<http://s/É> <http://p> "4" <http://g> .\n'
        '_:é <http://p> "5" <http://s/é> .\n'
    ).encode()
    log.append(draft(added=hers + others), after=0)
    log.append(draft(added=others), after=1)
    log.append(draft(added=b"", removed=others + hers), after=2)
    log.append(draft(added=hers[:-1], removed=b""), after=3)
    found = log.changes_of(ENTITY, [3, 9, 1, 2])
    assert [(one.commit.generation, one.added, one.removed) for one in found] == [
        (3, b"", hers),
        (1, hers, b""),
        (2, b"", b""),
    ]
    assert log.changes_of(ENTITY, [4])[0].added == hers
    assert log.changes_of(ENTITY, []) == []
    with pytest.raises(ValueError, match="IRI"):
        log.changes_of("http://s/é> <http://p", [1])


def test_the_changes_of_an_entity_are_found_in_large_patches(log: Log) -> None:
    data = incompressible(20_000)
    log.append(draft(added=data, removed=data), after=0)
    lines = data.splitlines(keepends=True)
    for number in (0, 1, 9_999, 19_999):
        (change,) = log.changes_of(f"http://s/{number}", [1])
        assert change.added == change.removed == lines[number]


LINE = st.from_regex(rb"<http://[a-z]{1,5}> <http://p> \"[^\n\"\\]{0,20}\" \.", fullmatch=True)
DOCUMENT = st.lists(LINE, max_size=5).map(lambda lines: b"".join(line + b"\n" for line in lines))


@given(DOCUMENT, DOCUMENT)
def test_a_patch_is_decoded_as_it_was_encoded(added: bytes, removed: bytes) -> None:
    assert patches.decode(patches.encode(added, removed)) == (added, removed)


SUBJECT = st.sampled_from([ENTITY, f"{ENTITY}#", f"{ENTITY}#a", f"{ENTITY}a", "http://s/", "_:b"])
QUAD = st.tuples(SUBJECT, st.text(max_size=60)).map(
    lambda pair: Quad(
        BlankNode("b") if pair[0] == "_:b" else NamedNode(pair[0]),
        NamedNode("http://p"),
        Literal(pair[1]),
        NamedNode("http://g"),
    )
)


@given(st.sets(QUAD), st.sets(QUAD), st.integers(1, 40))
def test_the_lines_of_an_entity_are_those_that_parsing_finds(
    added: set[Quad], removed: set[Quad], piece: int
) -> None:
    def hers(quads: set[Quad]) -> bytes:
        said = ENTITY, f"{ENTITY}#", f"{ENTITY}#a"
        return to_n_quads(q for q in quads if getattr(q.subject, "value", "") in said)

    patch = patches.encode(to_n_quads(added), to_n_quads(removed))
    with mock.patch.object(patches, "_PIECE", piece):
        assert patches.about(patch, ENTITY) == (hers(added), hers(removed))
