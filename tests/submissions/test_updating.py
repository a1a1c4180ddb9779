"""Updates on a private copy: what they change is seen, and nothing else happens."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, Store

from app.errors import (
    AppError,
    FederationRefused,
    Forbidden,
    PayloadTooLarge,
    QueryRejected,
    SyntaxRejected,
)
from app.rdf.terms import GraphName
from app.sandbox import walls
from app.sandbox.worker import Cage
from app.store.embedded import DiskStore
from app.submissions import updating
from app.submissions.updating import updated

BASE = "https://example.org/"
ONE, TWO, NEW = (f"{BASE}graph/p/{name}" for name in ("one", "two", "new"))
RESERVED, DEFAULT = f"{BASE}graph/service", f"{BASE}graph/default"
S, P = NamedNode("http://e/s"), NamedNode("http://e/p")
INTO_ONE = f"INSERT DATA {{ GRAPH <{ONE}> {{ <http://e/s> <http://e/p> 9 }} }}"
BOMB = f"""INSERT {{ GRAPH <{ONE}> {{ ?a <http://e/p> ?x }} }} WHERE {{
  GRAPH <{ONE}> {{ ?a ?b ?c }} GRAPH <{ONE}> {{ ?d ?e ?f }} BIND(STR(RAND()) AS ?x) }}"""
PRODUCT = f"""DELETE {{ GRAPH <{ONE}> {{ ?a ?b "none" }} }} WHERE {{
  GRAPH ?g {{ ?a ?b ?c . ?d ?e ?f . ?h ?i ?j . ?k ?l ?m }} FILTER(?c + ?f + ?j + ?m < 0) }}"""
PROCESSES = multiprocessing.get_context("forkserver")


def quad(value: object, graph: str | None = ONE) -> Quad:
    name: GraphName = NamedNode(graph) if graph else DefaultGraph()
    literal = value if isinstance(value, Literal) else Literal(value)  # type: ignore[arg-type]
    return Quad(S, P, literal, name)


def checkpoint(folder: Path, many: int = 0, graph: str = TWO) -> Cage:
    """Two values in each of four graphs, and `many` more statements in one of them."""
    live = Store(str(folder / "live"))
    graphs: list[str | None] = [ONE, TWO, RESERVED, None]
    live.extend(quad(value, name) for name in graphs for value in (1, 2))
    live.bulk_extend(
        Quad(NamedNode(f"http://e/{n}"), P, Literal(n), NamedNode(graph)) for n in range(many)
    )
    live.flush()
    (folder / "checkpoints").mkdir()
    live.backup(str(folder / "checkpoints" / "000000000007"))
    cage = Cage()
    cage.turn_to(str(folder / "checkpoints" / "000000000007"), 7)
    return cage


@pytest.fixture(scope="module")
def cage(tmp_path_factory: pytest.TempPathFactory) -> Cage:
    return checkpoint(tmp_path_factory.mktemp("store"))


@pytest.fixture(autouse=True)
def untouched(cage: Cage) -> Iterator[None]:
    """Whatever a test does, the checkpoint stays as it was and nothing lies beside it."""
    before = contents(cage)
    yield
    assert contents(cage) == before
    assert len(cage.store) == 8
    assert [entry.name for entry in folder(cage).iterdir()] == ["000000000007"]


def folder(cage: Cage) -> Path:
    assert cage.path
    return Path(cage.path).parent


def contents(cage: Cage) -> dict[str, str]:
    files = sorted((folder(cage) / "000000000007").iterdir())
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize(
    ("text", "graphs", "before", "after"),
    [
        (INTO_ONE, [ONE], {quad(1), quad(2)}, {quad(1), quad(2), quad(9)}),
        (f"WITH <{ONE}> DELETE {{ ?s ?p 1 }} WHERE {{ ?s ?p 1 }}", [ONE],
         {quad(1), quad(2)}, {quad(2)}),
        (f"CLEAR GRAPH <{ONE}>", [ONE, TWO],
         {quad(1), quad(2), quad(1, TWO), quad(2, TWO)}, {quad(1, TWO), quad(2, TWO)}),
        (f"COPY <{TWO}> TO <{NEW}>", [NEW], set(), {quad(1, NEW), quad(2, NEW)}),
        (f"INSERT {{ GRAPH <{NEW}> {{ ?s ?p ?o }} }} WHERE {{ GRAPH <{TWO}> {{ ?s ?p ?o }} "
         "FILTER(?o > 1) }", [NEW], set(), {quad(2, NEW)}),
        ("DELETE WHERE { ?s ?p 1 }", [DEFAULT], {quad(1, None), quad(2, None)}, {quad(2, None)}),
        ("CLEAR DEFAULT", [DEFAULT], {quad(1, None), quad(2, None)}, set()),
        # a prologue after each semicolon; names are declared for all that follows
        (f"PREFIX e: <http://e/> INSERT DATA {{ GRAPH <{ONE}> {{ e:s e:p 5 }} }} ; "
         f"PREFIX f: <http://e/> DELETE DATA {{ GRAPH <{ONE}> {{ e:s f:p 1 . e:s f:p 2 }} }}",
         [ONE], {quad(1), quad(2)}, {quad(5)}),
        # values are those of the store
        (f"PREFIX x: <http://www.w3.org/2001/XMLSchema#> INSERT DATA {{ GRAPH <{NEW}> "
         "{ <http://e/s> <http://e/p> '007'^^x:integer } }", [NEW], set(), {quad(7, NEW)}),
        ("", [ONE], {quad(1), quad(2)}, {quad(1), quad(2)}),
        # all graphs but the reserved one, as far as they changed
        (INTO_ONE, None, {quad(1), quad(2)}, {quad(1), quad(2), quad(9)}),
        (f"INSERT {{ GRAPH ?g {{ <http://e/s> <http://e/p> 3 }} }} WHERE {{ GRAPH ?g {{ ?s ?p 1 }} "
         f"FILTER(?g != <{TWO}>) }}", None, {quad(1), quad(2)}, {quad(1), quad(2), quad(3)}),
        *[
            (f"{verb} {what}", None,
             {quad(v, g) for v in (1, 2) for g in (ONE, TWO, *([None] if what == "ALL" else []))},
             set())
            for verb in ("CLEAR", "DROP") for what in ("ALL", "NAMED")
        ],
        ("", None, set(), set()),
    ],
)  # fmt: skip
def test_what_changes_in_the_graphs_is_seen(
    cage: Cage, text: str, graphs: list[str] | None, before: set[Quad], after: set[Quad]
) -> None:
    assert updated(cage, text, BASE, graphs) == (before, after)


@pytest.mark.parametrize("verb", ["CLEAR", "DROP", "CLEAR SILENT"])
def test_a_graph_that_holds_nothing_can_be_cleared(cage: Cage, verb: str) -> None:
    """§3.1.3: a store that does not record empty graphs cannot tell them from none."""
    assert updated(cage, f"{verb} GRAPH <{NEW}>", BASE, [NEW]) == (set(), set())


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("LOAD <http://127.0.0.1:1/>", FederationRefused, "LOAD"),
        (f"INSERT {{ GRAPH <{ONE}> {{ ?s ?p ?o }} }} WHERE {{ SERVICE <http://127.0.0.1:1/> "
         "{ ?s ?p ?o } }", FederationRefused, "SERVICE"),
        (f"CREATE GRAPH <{ONE}>", QueryRejected, "already exists"),
        ("INSERTDATA { <http://e/s> <http://e/p> 1 }", SyntaxRejected, "Separate keywords"),
        ("\n\n  INSERT DATA { <http://e/s> 'x' 1 }", SyntaxRejected,
         "''x'' at line 3, column 30 does not fit there"),
        ("INSERT DATA { e:s e:p 1 }", SyntaxRejected, "prefix e: is used without"),
    ],
)  # fmt: skip
def test_what_does_not_run_is_refused_with_words(
    cage: Cage, text: str, kind: type[AppError], words: str
) -> None:
    with pytest.raises(kind, match=words) as error:
        updated(cage, text, BASE, [ONE, NEW, DEFAULT])
    assert type(error.value) is kind


@pytest.mark.parametrize("union", [False, True])
def test_an_error_of_syntax_has_its_place_in_the_text_as_sent(cage: Cage, union: bool) -> None:
    text = "DELETE WHERE {\n ?s ?p ?o }; DELETE {} WHERE { ?s ?p ?o }; DELETE WHERE { ?s 'x' ?o }"
    with pytest.raises(SyntaxRejected) as error:
        updated(cage, text, BASE, [DEFAULT], union=union)
    assert (error.value.facts["line"], error.value.facts["column"]) == (2, 62)


@pytest.mark.parametrize(
    ("text", "graphs", "words"),
    [
        (INTO_ONE, [TWO], f"may change <{ONE}>"),
        (INTO_ONE, [], f"may change <{ONE}>"),
        (f"{INTO_ONE} ; CLEAR DEFAULT", [ONE], f"may change <{DEFAULT}>"),
        ("CLEAR NAMED", [ONE], "graphs that it does not name"),
        ("INSERT { GRAPH ?g { ?s ?p 3 } } WHERE { GRAPH ?g { ?s ?p ?o } }", [ONE], "does not name"),
        (f"CLEAR GRAPH <{RESERVED}>", None, "the service writes its own graph"),
        (f"CLEAR GRAPH <{RESERVED}>", [RESERVED], "the service writes its own graph"),
        ("CLEAR GRAPH <graph/service>", None, "the service writes its own graph"),
        (f"CREATE GRAPH <{DEFAULT}>", [DEFAULT], "outside of GRAPH"),
    ],
)
def test_what_would_be_lost_is_refused(
    cage: Cage, text: str, graphs: list[str] | None, words: str
) -> None:
    with pytest.raises(Forbidden, match=words):
        updated(cage, text, BASE, graphs)


def test_patterns_match_all_graphs_together_where_queries_do(cage: Cage) -> None:
    text = f"""INSERT DATA {{ GRAPH <{NEW}> {{ <http://e/s> <http://e/p> 5 }} }} ;
        DELETE {{ GRAPH <{ONE}> {{ ?s ?p 1 }} }} WHERE {{ ?s ?p 5 }} ;
        DELETE {{ GRAPH <{ONE}> {{ ?s ?p 2 }} }} USING <{TWO}> WHERE {{ ?s ?p 5 }}"""
    assert updated(cage, text, BASE, [ONE, NEW])[1] == {quad(1), quad(2), quad(5, NEW)}
    assert updated(cage, text, BASE, [ONE, NEW], union=True)[1] == {quad(2), quad(5, NEW)}


def test_the_empty_graph_can_be_updated() -> None:
    assert updated(Cage(), INTO_ONE, BASE, [ONE]) == (set(), {quad(9)})
    assert updated(Cage(), INTO_ONE, BASE, None) == (set(), {quad(9)})


def test_the_cost_does_not_depend_on_other_graphs(cage: Cage, tmp_path: Path) -> None:
    large = checkpoint(tmp_path, many=100_000)
    text = f"{INTO_ONE} ; WITH <{ONE}> DELETE {{ ?s ?p 1 }} WHERE {{ ?s ?p 1 }}"

    def bytes_moved(one: Cage) -> int:
        before = moved()
        assert updated(one, text, BASE, [ONE])[1] == {quad(2), quad(9)}
        return moved() - before

    small = bytes_moved(cage)
    size = sum(file.stat().st_size for file in Path(large.path or "").iterdir())
    assert size > 8 << 20
    # the engine's own threads read half a megabyte more or less, as they find the time
    assert bytes_moved(large) < small + size // 4


def moved() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("rchar", "wchar")))


def test_writing_without_end_is_stopped(cage: Cage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updating, "_MOST_WRITTEN_MB", 1)
    values = " ".join(f"'{n} {'x' * 900}'" for n in range(1_500))
    text = f"INSERT {{ GRAPH <{ONE}> {{ <a> <b> ?x }} }} WHERE {{ VALUES ?x {{ {values} }} }}"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(PayloadTooLarge, match="more than 1 MB"):
        updated(cage, text, BASE, [ONE])
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before
    assert updated(cage, INTO_ONE, BASE, [ONE])[1] == {quad(1), quad(2), quad(9)}


def work(path: str, text: str, seconds: float, megabytes: int) -> None:
    """What a worker does, with its walls."""
    walls.die_with_parent()
    walls.no_core_dumps()
    walls.refuse_network()
    cage = Cage()
    walls.limit_time(seconds)
    cage.turn_to(path, 7)
    walls.Memory().limit(megabytes, anew=True)
    updated(cage, text, BASE, [ONE])


def start(cage: Cage, text: str, seconds: float = 60, megabytes: int = 4096) -> PROCESSES.Process:  # type: ignore[name-defined]
    process = PROCESSES.Process(target=work, args=(cage.path, text, seconds, megabytes))
    process.start()
    return process


@pytest.mark.parametrize(
    ("text", "seconds", "megabytes", "end"),
    [
        (INTO_ONE, 60, 512, 0),
        (PRODUCT, 1, 512, -signal.SIGALRM),
        (BOMB, 60, 128, -signal.SIGABRT),
        (f"INSERT {{}} WHERE {{ FILTER({'(' * 100_000}1{')' * 100_000}) }}", 60, 512,
         -signal.SIGSEGV),
    ],
    ids=["small", "product", "bomb", "nested"],
)  # fmt: skip
def test_an_update_ends_by_its_limits_and_the_next_removes_what_it_left(
    tmp_path: Path, text: str, seconds: float, megabytes: int, end: int
) -> None:
    house = checkpoint(tmp_path, many=2_000, graph=ONE)
    process = start(house, text, seconds, megabytes)
    process.join(60)
    assert process.exitcode == end
    updated(house, "", BASE, [ONE])
    assert [entry.name for entry in folder(house).iterdir()] == ["000000000007"]


def test_what_a_killed_update_leaves_does_not_matter(tmp_path: Path) -> None:
    house = checkpoint(tmp_path, many=2_000, graph=ONE)
    process = start(house, PRODUCT)
    until(lambda: any(folder(house).glob("update-*.tmp/*.log")))
    left = folder(house) / f"update-{process.pid}.tmp"
    updated(house, INTO_ONE, BASE, [ONE])
    assert left.exists()  # another's, which is alive
    process.kill()
    process.join()
    assert left.exists()
    DiskStore(tmp_path, BASE).close()  # a start
    assert not left.exists()


def test_only_what_dead_updates_left_is_removed(tmp_path: Path) -> None:
    house = checkpoint(tmp_path)
    gone = PROCESSES.Process(target=int)
    gone.start()
    gone.join()
    kept = [f"update-{os.getppid()}.tmp", "000000000012.tmp"]
    for name in [*kept, f"update-{gone.pid}.tmp", f"update-{os.getpid()}.tmp"]:
        (folder(house) / name).mkdir()
        (folder(house) / name / "000001.log").write_bytes(b"x")
    updated(house, INTO_ONE, BASE, [ONE])
    assert {entry.name for entry in folder(house).iterdir()} == {"000000000007", *kept}


def until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
