from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import Conflict
from app.log import Draft, Log, catch_up, commits, patches
from app.log.commits import Commit

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def draft(dataset: str = "http://d/1", lines: int = 1, **more: Any) -> Draft:
    added = b"".join(b'<http://s/%d> <http://p> "%d" <http://g> .\n' % (n, n) for n in range(lines))
    facts: dict[str, Any] = {
        "dataset": dataset,
        "author": "http://a",
        "licence": "http://l",
        "source_hash": "h",
        "report": {"kinds": ["http://k"]},
        "created_at": NOW,
        "added": added,
        "removed": b"",
    }
    return Draft(**{**facts, **more})


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    return Log(database, tmp_path / "diffs")


def test_commits_are_numbered_from_one_and_say_what_was_said(log: Log) -> None:
    assert (log.head(), [*log.since(0)]) == (0, [])
    removed = b'<http://s/x> <http://p> "old" <http://g> .\n'
    log.append(draft(), after=0)
    given_back = log.append(draft(removed=removed, lines=2), after=1)
    assert log.head() == 2
    (kept,) = log.since(1)
    for commit in (given_back, kept):
        assert (commit.generation, commit.dataset, commit.author) == (2, "http://d/1", "http://a")
        assert (commit.licence, commit.source_hash) == ("http://l", "h")
        assert commit.report == {"kinds": ["http://k"]}
        assert (commit.added_count, commit.removed_count) == (2, 1)
        assert commit.added == draft(lines=2).added
        assert commit.removed == removed
        assert (commit.created_at, commit.created_at.tzinfo) == (NOW, UTC)


@pytest.mark.parametrize("after", [0, 2, 5])
def test_an_append_after_another_generation_is_a_conflict(log: Log, after: int) -> None:
    log.append(draft(), after=0)
    with pytest.raises(Conflict, match=f"moved on from generation {after}"):
        log.append(draft(), after=after)
    assert log.head() == 1


RACE = """
import sys
from pathlib import Path
from app.database import Database, utc_now
from app.errors import Conflict
from app.log import Draft, Log
url, folder, name, count = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
log = Log(Database(url), folder / "diffs")
print("ready", flush=True)
sys.stdin.readline()
conflicts = 0
for number in range(count):
    while True:
        try:
            added = f"<http://{name}/{number}> <http://p> <http://o> <http://g> .\\n".encode()
            draft = Draft(name, name, None, None, {}, utc_now(), added, b"")
            log.append(draft, after=log.head())
            break
        except Conflict:
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
    said = {(c.dataset, c.added) for c in found}
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


def test_a_large_diff_lies_in_a_file_named_by_its_hash(log: Log, tmp_path: Path) -> None:
    data = incompressible(3_000)
    log.append(draft(added=data), after=0)
    (file,) = (tmp_path / "diffs").rglob("*.rdfp.z")
    assert file.name.split(".")[0] == patches.digest(file.read_bytes())
    assert file.stat().st_size > patches.INLINE_BYTES
    (commit,) = log.since(0)
    assert (commit.added, commit.added_count) == (data, 3_000)
    log.append(draft(added=data), after=1)
    assert len(list((tmp_path / "diffs").rglob("*"))) == 2  # its folder and itself: no remains


def test_a_small_diff_needs_no_file(log: Log, tmp_path: Path) -> None:
    log.append(draft(lines=10), after=0)
    assert list((tmp_path / "diffs").iterdir()) == []


@pytest.mark.parametrize("at", [0, 1000, -1])
def test_a_damaged_file_is_noticed(log: Log, tmp_path: Path, at: int) -> None:
    log.append(draft(added=incompressible(3_000)), after=0)
    (file,) = (tmp_path / "diffs").rglob("*.rdfp.z")
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    (commit,) = log.since(0)
    with pytest.raises(ValueError, match="damaged"):
        _ = commit.added


def test_sources_are_the_newest_commit_of_each_dataset(log: Log) -> None:
    for after, (dataset, name) in enumerate([("a", "1"), ("b", "2"), ("a", "3")]):
        log.append(draft(dataset, source_hash=name), after=after)
    found = {source.dataset: source for source in log.sources()}
    assert {name: source.hash for name, source in found.items()} == {"a": "3", "b": "2"}
    assert found["a"].kinds == ("http://k",)
    newest = log.newest_of("a")
    assert newest is not None
    assert newest.generation == 3
    assert log.newest_of("c") is None


def test_a_second_log_on_the_same_database_sees_the_same(
    log: Log, database_url: str, tmp_path: Path
) -> None:
    log.append(draft(), after=0)
    again = Database(database_url)
    assert Log(again, tmp_path / "diffs").head() == 1
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
        with pytest.raises(Conflict, match="moved on from generation 0"):
            Log(second, tmp_path / "diffs").append(draft("http://d/second"), after=0)
    finally:
        event.remove(Session, "before_flush", overtake)
        second.close()
    assert [commit.dataset for commit in log.since(0)] == ["http://d/first"]


LINE = st.from_regex(rb"<http://[a-z]{1,5}> <http://p> \"[^\n\"\\]{0,20}\" \.", fullmatch=True)
DOCUMENT = st.lists(LINE, max_size=5).map(lambda lines: b"".join(line + b"\n" for line in lines))


@given(DOCUMENT, DOCUMENT)
def test_a_patch_is_decoded_as_it_was_encoded(added: bytes, removed: bytes) -> None:
    assert patches.decode(patches.encode(added, removed)) == (added, removed)
