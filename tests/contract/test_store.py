"""Every implementation of `app.store.port.GraphStore` keeps the same promises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store

from app.database import Database
from app.log import Commit, Draft, Log, catch_up
from app.rdf.diff import Diff, to_n_quads
from app.rdf.terms import DCAT, XSD
from app.store import embedded
from app.store.check import check_all
from app.store.embedded import DiskStore, MemoryStore, reserved_graph
from app.store.port import GraphStore

BASE = "https://example.org/"
G = NamedNode(f"{BASE}graph/partner/one")
P = NamedNode("http://example.org/p")
Open = Callable[[], GraphStore]


class Writer:
    """Appends real commits to a real log."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'log.db'}")
        self.log = Log(self.database, self.database.blobs("diffs", folder / "diffs"))

    def commit(self, added: Iterable[Quad] = (), removed: Iterable[Quad] = ()) -> Commit:
        draft = Draft(
            datasets=(G.value,),
            author=f"{BASE}id/partner/one",
            licence=None,
            source_hash=None,
            report={},
            created_at=datetime(2026, 1, 2, tzinfo=UTC),
            added=to_n_quads(added),
            removed=to_n_quads(removed),
        )
        return self.log.append(draft, after=self.log.head())


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    one = Writer(tmp_path)
    yield one
    one.database.close()


@pytest.fixture(params=[MemoryStore, DiskStore], ids=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GraphStore]:
    one: GraphStore = request.param(tmp_path / "store", BASE)
    yield one
    one.close()


def quad(n: int | str, graph: NamedNode = G) -> Quad:
    return Quad(NamedNode(f"http://example.org/{n}"), P, Literal(str(n)), graph)


def read(path: str | None) -> set[Quad]:
    assert path is not None
    return set(Store.read_only(path))


def marked(generation: int) -> Quad:
    version = Literal(str(generation))
    return Quad(NamedNode(f"{BASE}catalog"), DCAT["version"], version, reserved_graph(BASE))


def test_an_empty_store_is_at_generation_zero(store: GraphStore) -> None:
    assert (store.marker(), len(store), [*store.graph(G)]) == (0, 0, [])
    assert read(store.checkpoint().path) == set()


def test_a_commit_adds_removes_and_moves_the_marker(store: GraphStore, writer: Writer) -> None:
    store.apply(writer.commit([quad(1), quad(2)]))
    store.apply(writer.commit([quad(3)], [quad(1)]))
    assert store.marker() == 2
    assert set(store.graph(G)) == {quad(2), quad(3)}
    assert read(store.checkpoint().path) == {quad(2), quad(3), marked(2)}
    assert len(store) == 3


def test_graphs_are_kept_apart(store: GraphStore, writer: Writer) -> None:
    other = NamedNode(f"{BASE}graph/partner/two")
    store.apply(writer.commit([quad(1), quad(1, other)]))
    store.apply(writer.commit([], [quad(1)]))
    assert ([*store.graph(G)], [*store.graph(other)]) == ([], [quad(1, other)])


def test_applying_twice_is_applying_once(store: GraphStore, writer: Writer) -> None:
    commits = [writer.commit([quad(1), quad(2)]), writer.commit([quad(3)], [quad(1)])]
    for commit in (*commits, commits[1]):
        store.apply(commit)
    assert set(store.graph(G)) == {quad(2), quad(3)}
    assert store.marker() == 2


def test_a_commit_half_applied_is_completed(store: GraphStore, writer: Writer) -> None:
    store.apply(writer.commit([quad(1), quad(2)]))
    commit = writer.commit([quad(3), quad(4)], [quad(1), quad(2)])
    half = Diff(frozenset([quad(3)]), frozenset([quad(1)]))
    under = store._store  # type: ignore[attr-defined]
    under.extend(half.added)
    for gone in half.removed:
        under.remove(gone)
    assert catch_up(writer.log, store) == commit.generation == 2
    assert set(store.graph(G)) == {quad(3), quad(4)}


def test_a_large_commit_takes_the_bulk_way_and_ends_the_same(
    store: GraphStore, writer: Writer
) -> None:
    many = [quad(n) for n in range(embedded._TRANSACTION_QUADS + 1)]
    commits = [writer.commit(many), writer.commit([quad("x")], many)]
    for commit in (commits[0], commits[0]):
        store.apply(commit)
    assert set(store.graph(G)) == set(many)
    assert store.marker() == 1
    for commit in (commits[1], commits[1]):
        store.apply(commit)
    assert set(store.graph(G)) == {quad("x")}
    assert store.marker() == 2


def test_a_checkpoint_stays_as_it_is_while_the_store_goes_on(
    store: GraphStore, writer: Writer
) -> None:
    store.apply(writer.commit([quad(1)]))
    first = store.checkpoint()
    held_open = Store.read_only(first.path or "")
    store.apply(writer.commit([quad(2)], [quad(1)]))
    second = store.checkpoint()
    assert (first.generation, second.generation) == (1, 2)
    assert set(held_open) == read(first.path) == {quad(1), marked(1)}
    assert read(second.path) == {quad(2), marked(2)}


def test_one_generation_has_one_checkpoint(store: GraphStore, writer: Writer) -> None:
    store.apply(writer.commit([quad(1)]))
    assert store.checkpoint() == store.checkpoint()


def test_prune_keeps_the_newest_and_those_in_use(store: GraphStore, writer: Writer) -> None:
    made = []
    for n in range(6):
        store.apply(writer.commit([quad(n)]))
        made.append(store.checkpoint())
    store.prune({2})
    left = [one.generation for one in made if one.path and Path(one.path).exists()]
    assert left == [2, 5, 6]
    assert store.checkpoint() == made[-1]
    store.prune(())
    assert [one.generation for one in made if one.path and Path(one.path).exists()] == [5, 6]


@pytest.mark.parametrize("kind", [MemoryStore, DiskStore])
def test_an_unfinished_checkpoint_is_removed_on_opening(
    kind: type[MemoryStore] | type[DiskStore], tmp_path: Path
) -> None:
    unfinished = tmp_path / "checkpoints" / f"{7:012d}.tmp"
    unfinished.mkdir(parents=True)
    (unfinished / "CURRENT").write_text("half")
    store = kind(tmp_path, BASE)
    assert not unfinished.exists()
    store.close()


HOSTILE = [
    Literal(text)
    for text in (
        'a "quoted" word', "back\\slash", "new\nline", "re\rturn", "\r\n", "tab\t", "it's", "'''",
        '"""', "} ; DROP ALL ; {", "\\u0041", "\\", "é😀\u2028\u0085", "\x01\x1f\x7f", "\ufffe", "",
        "<http://x/>", "# no comment", "A <s> <p> <o> .\nD <s> <p> <o> .", "_:b0", "a\x00b",
    )
]  # fmt: skip
HOSTILE += [
    Literal("x", language="nl-be"),
    Literal("2026-01-02", datatype=XSD["date"]),
    Literal("12.5", datatype=XSD["decimal"]),
    Literal(
        "POINT(5.4 51.4)", datatype=NamedNode("http://www.opengis.net/ont/geosparql#wktLiteral")
    ),
]
IRIS = ["http://x/a%3E%22", "http://x/é😀", "urn:x:y", "http://x/?q='1'&b=(1)#f", "http://x/(a)$*;"]


@pytest.mark.parametrize("extra", [0, embedded._TRANSACTION_QUADS], ids=["update", "bulk"])
def test_hostile_values_come_back_as_they_went_in(
    store: GraphStore, writer: Writer, extra: int
) -> None:
    values: list[Literal | NamedNode] = [*HOSTILE, *map(NamedNode, IRIS)]
    hostile = {Quad(NamedNode(IRIS[n % 5]), P, value, G) for n, value in enumerate(values)}
    ballast = [quad(n) for n in range(extra)]
    store.apply(writer.commit([*hostile, *ballast]))
    assert hostile <= set(store.graph(G))
    store.apply(writer.commit([], hostile))
    assert set(store.graph(G)) == set(ballast)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(TEXT, max_size=4))
def test_any_text_survives_log_and_store(
    store: GraphStore, writer: Writer, texts: list[str]
) -> None:
    quads = {Quad(P, P, Literal(text), G) for text in texts}
    store.apply(writer.commit(quads, set(store.graph(G)) - quads))
    assert set(store.graph(G)) == quads


@pytest.mark.parametrize("extra", [0, embedded._TRANSACTION_QUADS], ids=["small", "bulk"])
def test_blank_nodes_keep_the_labels_of_the_log(
    store: GraphStore, writer: Writer, extra: int
) -> None:
    """With LIFETEC_SKOLEMIZE=off they come, and an update cannot name them."""
    blank = {Quad(BlankNode("abc"), P, BlankNode("def"), G)}
    commit = writer.commit([*blank, *(quad(n) for n in range(extra))])
    store.apply(commit)
    store.apply(commit)
    assert blank <= set(store.graph(G))
    assert len([*store.graph(G)]) == extra + 1
    store.apply(writer.commit([quad("x")], blank))
    assert not blank & set(store.graph(G))
    assert store.marker() == 2


def test_a_reopened_disk_store_has_all(tmp_path: Path, writer: Writer) -> None:
    store = DiskStore(tmp_path / "store", BASE)
    store.apply(writer.commit([quad(1)]))
    first = store.checkpoint()
    store.close()
    again = DiskStore(tmp_path / "store", BASE)
    assert (again.marker(), [*again.graph(G)]) == (1, [quad(1)])
    assert again.checkpoint() == first
    writer.commit([quad(2)])
    assert catch_up(writer.log, again) == 2
    again.close()


HOLD = """
import sys
from pathlib import Path
from app.store import embedded
store = getattr(embedded, sys.argv[2])(Path(sys.argv[1]), "https://example.org/")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kind", [DiskStore, MemoryStore])
def test_a_store_has_one_holder(kind: type[DiskStore | MemoryStore], tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path), kind.__name__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OSError, match=r"(?i)lock|temporarily unavailable"):
            kind(tmp_path, BASE)
        holder.kill()
    kind(tmp_path, BASE).close()  # the lock died with its holder


def test_the_check_sees_a_checkpoint_that_is_not_what_the_log_says(
    tmp_path: Path, writer: Writer
) -> None:
    store = DiskStore(tmp_path / "store", BASE)
    store.apply(writer.commit([quad(1), quad(2)]))
    store.checkpoint()
    assert all(f.good for f in check_all(writer.log, tmp_path / "store", BASE))
    store._store.remove(quad(1))
    store.apply(writer.commit([quad(3)]))
    store.checkpoint()
    found = {f.what: f.good for f in check_all(writer.log, tmp_path / "store", BASE)}
    assert found == {"log": True, "checkpoint": True, "graph": False}
    store.close()
