"""Every implementation of `app.store.port.GraphStore` keeps the same promises."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store

from app.database import Database
from app.errors import StoreUnfit
from app.log import Commit, Draft, Log, catch_up
from app.rdf.diff import Diff, to_n_quads
from app.rdf.terms import DCAT, XSD
from app.sandbox.pool import Checkpoint
from app.store import embedded, node
from app.store.check import check_all, rebuilt
from app.store.embedded import DiskStore, MemoryStore, reserved_graph
from app.store.node import StoreNode
from app.store.port import EmbeddedStore, GraphStore
from app.store.remote import Refused, RemoteStore
from tests.server.peers import Peer

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


EMBEDDED: dict[str, type[MemoryStore | DiskStore]] = {"memory": MemoryStore, "disk": DiskStore}
PART = 400


@pytest.fixture(params=["memory", "disk", "oxigraph", "virtuoso"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which store it is."""
    name: str = request.param
    return name


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GraphStore]:
    one: GraphStore
    if kind in EMBEDDED:
        one = EMBEDDED[kind](tmp_path / "store", BASE)
    else:
        peer: Peer = request.getfixturevalue(kind)
        peer.clear()
        one = RemoteStore(peer.address, BASE, part=PART)
    yield one
    one.close()


@pytest.fixture(params=EMBEDDED)
def embedded_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedStore]:
    one = EMBEDDED[request.param](tmp_path / "store", BASE)
    yield one
    one.close()


def large(store: GraphStore) -> int:
    """More statements than go at one time."""
    return 3 * PART if isinstance(store, RemoteStore) else embedded._TRANSACTION_QUADS + 1


def refresh(store: GraphStore, added: Iterable[Quad], removed: Iterable[Quad]) -> None:
    """Change a store without its marker, as a commit does that is half applied."""
    if isinstance(store, RemoteStore):
        changes = [*(("DELETE", one) for one in removed), *(("INSERT", one) for one in added)]
        store._update(changes, store.marker())
        return
    under = store._store  # type: ignore[attr-defined]
    under.extend(added)
    for gone in removed:
        under.remove(gone)


def quad(n: int | str, graph: NamedNode = G) -> Quad:
    return Quad(NamedNode(f"http://example.org/{n}"), P, Literal(str(n)), graph)


def read(path: str | None) -> set[Quad]:
    assert path is not None
    return set(Store.read_only(path))


def marked(generation: int) -> Quad:
    version = Literal(str(generation))
    return Quad(NamedNode(f"{BASE}catalog"), DCAT["version"], version, reserved_graph(BASE))


def test_an_empty_store_is_at_generation_zero(store: GraphStore) -> None:
    assert (store.marker(), [*store.graph(G)]) == (0, [])


def test_what_a_store_counts_is_what_was_brought(
    kind: str, store: GraphStore, writer: Writer
) -> None:
    own = len(store)
    # Virtuoso keeps statements about itself in graphs that everybody sees.
    assert (own > 0) == (kind == "virtuoso")
    store.apply(writer.commit([quad(1), quad(2)]))
    assert len(store) == own + 3


def test_a_checkpoint_holds_what_the_store_does(
    embedded_store: EmbeddedStore, writer: Writer
) -> None:
    assert read(embedded_store.checkpoint().path) == set()
    embedded_store.apply(writer.commit([quad(1), quad(2)]))
    embedded_store.apply(writer.commit([quad(3)], [quad(1)]))
    assert read(embedded_store.checkpoint().path) == {quad(2), quad(3), marked(2)}


def test_a_commit_adds_removes_and_moves_the_marker(store: GraphStore, writer: Writer) -> None:
    store.apply(writer.commit([quad(1), quad(2)]))
    store.apply(writer.commit([quad(3)], [quad(1)]))
    assert store.marker() == 2
    assert set(store.graph(G)) == {quad(2), quad(3)}
    assert set(store.graph(reserved_graph(BASE))) == {marked(2)}


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
    refresh(store, half.added, half.removed)
    assert catch_up(writer.log, store) == commit.generation == 2
    assert set(store.graph(G)) == {quad(3), quad(4)}


def test_a_large_commit_takes_the_bulk_way_and_ends_the_same(
    store: GraphStore, writer: Writer
) -> None:
    many = [quad(n) for n in range(large(store))]
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
    embedded_store: EmbeddedStore, writer: Writer
) -> None:
    embedded_store.apply(writer.commit([quad(1)]))
    first = embedded_store.checkpoint()
    held_open = Store.read_only(first.path or "")
    embedded_store.apply(writer.commit([quad(2)], [quad(1)]))
    second = embedded_store.checkpoint()
    assert (first.generation, second.generation) == (1, 2)
    assert set(held_open) == read(first.path) == {quad(1), marked(1)}
    assert read(second.path) == {quad(2), marked(2)}


def test_one_generation_has_one_checkpoint(embedded_store: EmbeddedStore, writer: Writer) -> None:
    embedded_store.apply(writer.commit([quad(1)]))
    assert embedded_store.checkpoint() == embedded_store.checkpoint()


def test_prune_keeps_the_newest_and_those_in_use(
    embedded_store: EmbeddedStore, writer: Writer
) -> None:
    made = []
    for n in range(6):
        embedded_store.apply(writer.commit([quad(n)]))
        made.append(embedded_store.checkpoint())
    embedded_store.prune({2})
    left = [one.generation for one in made if one.path and Path(one.path).exists()]
    assert left == [2, 5, 6]
    assert embedded_store.checkpoint() == made[-1]
    embedded_store.prune(())
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
]
POINT = Literal(
    "POINT(5.4 51.4)", datatype=NamedNode("http://www.opengis.net/ont/geosparql#wktLiteral")
)
IRIS = ["http://x/a%3E%22", "http://x/é😀", "urn:x:y", "http://x/?q='1'&b=(1)#f", "http://x/(a)$*;"]


@pytest.mark.parametrize("bulk", [False, True], ids=["update", "bulk"])
def test_hostile_values_come_back_as_they_went_in(
    store: GraphStore, writer: Writer, bulk: bool
) -> None:
    extra = large(store) if bulk else 0
    values: list[Literal | NamedNode] = [*HOSTILE, *map(NamedNode, IRIS)]
    if not isinstance(store, RemoteStore):
        values.append(POINT)  # see `test_virtuoso_rounds_points`
    hostile = {Quad(NamedNode(IRIS[n % 5]), P, value, G) for n, value in enumerate(values)}
    ballast = [quad(n) for n in range(extra)]
    store.apply(writer.commit([*hostile, *ballast]))
    assert hostile <= set(store.graph(G))
    store.apply(writer.commit([], hostile))
    assert set(store.graph(G)) == set(ballast)


@pytest.fixture
def on_virtuoso(virtuoso: Peer) -> Iterator[RemoteStore]:
    virtuoso.clear()
    one = RemoteStore(virtuoso.address, BASE, part=PART)
    yield one
    one.close()


def typed(text: str, datatype: str) -> Literal:
    return Literal(text, datatype=XSD[datatype])


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (typed("5.0", "decimal"), "5"),
        (typed("1.5E0", "double"), "1.5"),
        (typed("1.0E10", "double"), "1e+10"),
        (typed("P1Y", "duration"), "12"),
        (typed("-0044-03-15", "date"), "-044-03-15"),
        (typed("9223372036854775808", "integer"), "-9223372036854775808"),
    ],
    ids=str,
)
def test_what_virtuoso_writes_otherwise(
    said: Literal, kept: str, on_virtuoso: RemoteStore, writer: Writer
) -> None:
    """docs/scaling.md names them; what was brought can be taken away in its own words."""
    on_virtuoso.apply(writer.commit([Quad(P, P, said, G)]))
    assert [one.object.value for one in on_virtuoso.graph(G)] == [kept]  # type: ignore[union-attr]
    on_virtuoso.apply(writer.commit([], [Quad(P, P, said, G)]))
    assert [*on_virtuoso.graph(G)] == []


@pytest.mark.parametrize(
    "said",
    [
        typed("12:00:00", "time"),
        typed("PT5S", "dayTimeDuration"),
        typed("18446744073709551616", "integer"),
        typed("x", "integer"),
    ],
    ids=str,
)
def test_what_virtuoso_refuses_is_left_out_and_told(
    said: Literal,
    on_virtuoso: RemoteStore,
    writer: Writer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One value must not keep all later commits from a store."""
    others = {quad(n) for n in range(20)}
    on_virtuoso.apply(writer.commit([*others, Quad(P, P, said, G)]))
    assert (set(on_virtuoso.graph(G)), on_virtuoso.marker()) == (others, 1)
    assert "the store does not take INSERT" in caplog.text
    on_virtuoso.apply(writer.commit([quad("more")], [Quad(P, P, said, G), quad(1)]))
    assert set(on_virtuoso.graph(G)) == (others | {quad("more")}) - {quad(1)}
    assert on_virtuoso.marker() == 2


def test_virtuoso_rounds_points_and_does_not_find_them_again(
    on_virtuoso: RemoteStore, writer: Writer
) -> None:
    """So a point that is corrected stays beside the new one until the store is rebuilt."""
    on_virtuoso.apply(writer.commit([Quad(P, P, POINT, G)]))
    on_virtuoso.apply(writer.commit([], [Quad(P, P, POINT, G)]))
    (left,) = on_virtuoso.graph(G)
    assert left.object.value == "POINT(5.4000000953674 51.400001525879)"  # type: ignore[union-attr]


def test_virtuoso_has_no_default_graph_of_its_own(
    on_virtuoso: RemoteStore, virtuoso: Peer, writer: Writer
) -> None:
    on_virtuoso.apply(writer.commit([quad(1)]))
    shown = virtuoso.rows(f"SELECT ?s {{ ?s {P} ?o }}")
    assert [row["s"] for row in shown] == [quad(1).subject.value]  # type: ignore[union-attr]
    with pytest.raises(Refused, match="No plain default graph"):
        on_virtuoso._update([("INSERT", Quad(P, P, P))], 1)


@pytest.fixture(params=["oxigraph", "virtuoso"])
def elsewhere(request: pytest.FixtureRequest) -> Peer:
    """A server of somebody else, empty."""
    peer: Peer = request.getfixturevalue(request.param)
    peer.clear()
    return peer


def test_a_late_update_changes_nothing(elsewhere: Peer, writer: Writer) -> None:
    """Its sender may be dead, or slower than another node."""
    store = RemoteStore(elsewhere.address, BASE, part=2)
    store.apply(writer.commit([quad(1), quad(2), quad(3)]))
    store.apply(writer.commit([], [quad(1)]))
    late = [("INSERT", quad(1)), ("INSERT", quad(2)), ("INSERT", quad("late"))]
    for part in store._parts(late):
        store._change(part, after=0, mark=1)
    assert (set(store.graph(G)), store.marker()) == ({quad(2), quad(3)}, 2)
    store.close()


def test_nodes_that_bring_the_same_at_one_time_lose_nothing(
    elsewhere: Peer, writer: Writer
) -> None:
    for n in range(8):
        writer.commit([quad(f"{n}-{i}") for i in range(30)], [quad(f"{n - 1}-0")] if n else [])

    def bring(_: int) -> int:
        store = RemoteStore(elsewhere.address, BASE, part=7)
        try:
            return catch_up(writer.log, store)
        finally:
            store.close()

    with ThreadPoolExecutor(3) as threads:
        assert [*threads.map(bring, range(3))] == [8, 8, 8]
    store = RemoteStore(elsewhere.address, BASE, part=PART)
    expected = rebuilt(writer.log, BASE, upto=8)
    found = {*store.graph(G), *store.graph(reserved_graph(BASE))}
    assert found == expected
    store.close()


def test_a_store_of_another_service_is_refused(
    elsewhere: Peer, writer: Writer, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    stranger = Writer(other)
    store = RemoteStore(elsewhere.address, BASE, part=PART)
    store.agree(writer.log)
    stranger.commit([Quad(P, P, NamedNode("urn:stranger"), G)])
    stranger.commit([quad(2)])
    assert catch_up(stranger.log, store) == 2
    with pytest.raises(StoreUnfit, match="generation 2, the log ends at 0"):
        store.agree(writer.log)
    for _ in range(3):
        writer.commit([Quad(P, P, NamedNode("urn:ours"), G)], [])
    with pytest.raises(StoreUnfit, match="does not hold what that commit added"):
        store.agree(writer.log)
    store.agree(stranger.log)
    store.close()
    stranger.database.close()


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
    embedded_store: EmbeddedStore, writer: Writer, extra: int
) -> None:
    """With LIFETEC_SKOLEMIZE=off they come, and an update cannot name them."""
    store = embedded_store
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
from app.store import embedded, node
store = getattr(embedded, sys.argv[2])(Path(sys.argv[1]), "https://example.org/")
print("held", flush=True)
sys.stdin.read()
"""


def test_what_came_in_many_commits_is_merged_for_readers(tmp_path: Path, writer: Writer) -> None:
    """A query looks through every file, and loads leave several for each index."""
    store = DiskStore(tmp_path / "store", BASE)
    each = embedded._TRANSACTION_QUADS + 1
    for part in range(10):
        store.apply(writer.commit(quad(n) for n in range(part * each, (part + 1) * each)))
    before = len(list((tmp_path / "store" / "live").glob("*.sst")))
    checkpoint = Path(store.checkpoint().path or "")
    assert len(list(checkpoint.glob("*.sst"))) < before / 2
    assert len(Store.read_only(str(checkpoint))) == 10 * each + 1
    store.close()


def files(checkpoint: Checkpoint) -> int:
    return len(list(Path(checkpoint.path or "").glob("*.sst")))


def test_what_small_commits_leave_is_merged_when_there_is_time(
    tmp_path: Path, writer: Writer
) -> None:
    folder = tmp_path / "store"
    store = DiskStore(folder, BASE)
    assert not store.merge()  # nothing was published
    for number in range(3):
        store.apply(writer.commit([quad(number)]))
        before = store.checkpoint()
    assert store.merge()
    assert not store.merge()
    merged = store.checkpoint()
    assert merged.generation == before.generation == 3
    assert files(merged) < files(before)
    expected = {*map(quad, range(3)), marked(3)}
    assert read(merged.path) == read(before.path) == expected
    store.close()

    again = DiskStore(folder, BASE)
    assert not again.merge()
    assert again.checkpoint() == merged
    again.apply(writer.commit([quad("x")]))
    after = again.checkpoint()
    assert read(after.path) == {*map(quad, range(3)), quad("x"), marked(4)}
    again.apply(writer.commit([quad("y")]))
    newest = again.checkpoint()
    again.prune({3})
    assert Path(before.path or "").exists()
    assert Path(merged.path or "").exists()
    again.prune(())
    left = {str(path) for path in (folder / "checkpoints").iterdir()}
    assert left == {after.path, newest.path}
    again.close()


def test_a_commit_that_comes_while_files_are_merged_is_not_held_up(
    tmp_path: Path, writer: Writer
) -> None:
    store = DiskStore(tmp_path / "store", BASE)
    store.apply(writer.commit(quad(number) for number in range(40_000)))
    more = [writer.commit([quad(f"more-{number}")]) for number in range(20)]
    with ThreadPoolExecutor(1) as beside:
        merging = beside.submit(store.merge)
        for commit in more:
            store.apply(commit)
        assert merging.result()
    checkpoint = store.checkpoint()
    assert checkpoint.generation == 21
    assert len(read(checkpoint.path)) == 40_021
    assert len(read(store.checkpoint().path)) == len(store) == 40_021
    store.close()


def test_readers_turn_to_what_was_merged_when_nothing_was_published_for_a_moment(
    tmp_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "_QUIET_SECONDS", 0.1)
    store = DiskStore(tmp_path / "store", BASE)
    for number in range(3):
        writer.commit([quad(number)])
    reader = StoreNode(writer.log, store, in_use=lambda: ())
    first = reader.checkpoint()

    async def test() -> None:
        following = asyncio.create_task(reader.follow())
        async with asyncio.timeout(30):
            while reader.checkpoint() == first:  # noqa: ASYNC110 -- a thread makes it
                await asyncio.sleep(0.01)
        merged = reader.checkpoint()
        assert (merged.generation, files(merged) < files(first)) == (3, True)
        assert read(merged.path) == read(first.path)
        writer.commit([quad("x")])
        await reader.reach(4)
        assert read(reader.checkpoint().path) == {*map(quad, range(3)), quad("x"), marked(4)}
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(test())
    store.close()


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
