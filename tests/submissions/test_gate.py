"""The gate with a real pool, log and store."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyoxigraph import NamedNode, Quad, RdfFormat, Store, parse, serialize
from sqlalchemy.orm import Session

from app.database import Database, utc_now
from app.errors import (
    AppError,
    Conflict,
    Invalid,
    InvalidRequest,
    PayloadTooLarge,
    StillReferenced,
    SyntaxRejected,
)
from app.log import Commit, Draft, Log
from app.rdf import media
from app.rdf.diff import from_n_quads
from app.rdf.terms import AS, PROV, type_
from app.rdf.void import is_statistic
from app.sandbox.pool import Limits, Pool
from app.store.check import check_all
from app.store.embedded import MemoryStore, reserved_graph
from app.store.node import StoreNode
from app.submissions.checking import Checker
from app.submissions.gate import Change, File, Gate, Outcome, Prepared, Rules
from app.submissions.seed import Seed
from app.submissions.states import Mode

BASE = "https://example.org/"
ONE, TWO = f"{BASE}graph/partner/one", f"{BASE}graph/partner/two"
AUTHOR, LICENCE = f"{BASE}id/partner/p", "https://creativecommons.org/licenses/by/4.0/"
RESERVED = reserved_graph(BASE)
A = NamedNode(f"{BASE}id/thing/a")
PREFIXES = f"""@base <{BASE}> .
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix e: <http://example.org/> . @prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dcterms: <http://purl.org/dc/terms/> . @prefix prov: <http://www.w3.org/ns/prov#> .
"""
SHAPES = f"""{PREFIXES}
e:ThingShape a sh:NodeShape ; sh:targetClass e:Thing ;
  sh:property [ sh:path e:name ; sh:minCount 1 ] ;
  sh:property [ sh:path e:near ; sh:class e:Thing ] .
"""
THING = "<id/thing/a> a e:Thing ; e:name 'A' ."


@dataclass
class House:
    """All that a publication passes through."""

    folder: Path
    log: Log
    store: MemoryStore
    node: StoreNode
    gate: Gate
    pool: Pool

    async def publish(
        self,
        turtle: str | bytes,
        dataset: str = ONE,
        media_type: str = media.TURTLE,
        licence: str | None = LICENCE,
    ) -> Outcome:
        raw = isinstance(turtle, bytes)
        data = turtle if isinstance(turtle, bytes) else (PREFIXES + turtle).encode()
        assert raw or media_type in {media.TURTLE, media.TRIG}
        return await self.gate.publish(
            Change.of_file(dataset, AUTHOR, licence, File(None, media_type, data))
        )

    def quads(self, dataset: str = ONE) -> set[Quad]:
        return set(self.store.graph(NamedNode(dataset)))

    def said(self, subject: NamedNode | str) -> dict[str, set[str]]:
        """What the service says of `subject` but for counts: names of predicates to values."""
        node = NamedNode(subject) if isinstance(subject, str) else subject
        found: dict[str, set[str]] = {}
        for quad in self.store.graph(RESERVED):
            if quad.subject == node and not is_statistic(quad, BASE):
                name = quad.predicate.value.replace("#", "/").rpartition("/")[2]
                found.setdefault(name, set()).add(quad.object.value)  # type: ignore[union-attr]
        return found

    def tombstones(self) -> set[str]:
        return {
            q.subject.value  # type: ignore[union-attr]
            for q in self.store.graph(RESERVED)
            if q.predicate == type_ and q.object == AS["Tombstone"]
        }

    def agree(self) -> None:
        findings = list(check_all(self.log, self.folder, BASE))
        assert all(finding.good for finding in findings), findings


@contextlib.asynccontextmanager
async def house(tmp_path: Path, **more: Any) -> AsyncIterator[House]:
    shapes = tmp_path / "shapes.ttl"
    shapes.write_text(SHAPES)
    database = Database(f"sqlite:///{tmp_path / 'log.db'}")
    log = Log(database, database.blobs("diffs", tmp_path / "diffs"))
    folder = tmp_path / "store"
    store = MemoryStore(folder, BASE)
    made: list[StoreNode] = []
    pool = Pool(
        light=1, heavy=1, batch=1, queue=8,
        checkpoint=lambda: made[0].checkpoint(),  # noqa: PLW0108 -- not made yet
        preload=("app.submissions.jobs",),
    )  # fmt: skip
    made.append(StoreNode(log, store, pool.generations_in_use))
    facts: dict[str, Any] = {
        "base_iri": BASE,
        "reserved_graph": RESERVED.value,
        "shapes": (shapes,),
        "skolemize": True,
        "max_bytes": 1 << 20,
        "limits": Limits(seconds=30, memory_mb=1024, lane="batch"),
    }
    gate = Gate(pool, log, made[0], Rules(**{**facts, **more}))
    try:
        yield House(folder, log, store, made[0], gate, pool)
    finally:
        await pool.stop()
        store.close()
        database.close()


def run(tmp_path: Path, test: Callable[[House], Coroutine[Any, Any, None]], **more: Any) -> None:
    async def inside() -> None:
        async with asyncio.timeout(60), house(tmp_path, **more) as one:
            await test(one)
            one.agree()

    asyncio.run(inside())


def test_a_publication_is_a_commit_that_the_store_shows(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        outcome = await house.publish(THING)
        assert outcome.commit is not None
        assert (outcome.commit.generation, outcome.statements) == (1, 2)
        assert house.log.head() == house.node.checkpoint().generation == 1
        assert len(house.quads()) == 2
        (kept,) = house.log.since(0)
        assert (kept.datasets, kept.author, kept.licence) == ((ONE,), AUTHOR, LICENCE)
        said = house.said(f"{BASE}commit/1")
        assert said["type"] == {PROV["Activity"].value}
        assert said["generated"] == {ONE}
        assert said["wasAssociatedWith"] == {AUTHOR}
        assert said["license"] == {LICENCE}
        assert said["description"] == {"2 statements added, 0 removed"}
        assert len(said["endedAtTime"]) == 1
        assert set(Store.read_only(house.node.checkpoint().path or "")) >= house.quads()

    run(tmp_path, test)


def test_each_stage_tells_how_long_it_took(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        file = File(None, media.TURTLE, (PREFIXES + THING).encode())
        change = Change.of_file(ONE, AUTHOR, LICENCE, file)
        begun = time.perf_counter()
        seconds = (await house.gate.publish(change)).seconds
        took = time.perf_counter() - begun
        assert list(seconds) == ["read", "validate", "compare", "count", "append", "follow"]
        assert min(seconds.values()) >= 0
        assert 0 < sum(seconds.values()) < took

    run(tmp_path, test)


LITERALS = """<id/thing/a> a e:Thing ; e:name 'A', 'é'@NL ; e:amount 2.50 ;
  e:open "1"^^xsd:boolean ;
  e:count "7"^^xsd:positiveInteger ; e:part [ e:name 'p' ; e:of ( 1 2.0 ) ] .
<id/thing/b> a e:Thing ; e:name 'B' ; e:near <id/thing/a> ."""


def test_the_same_data_in_any_syntax_and_order_is_no_change(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        first = await house.publish(LITERALS)
        assert first.commit is not None
        quads = list(parse((PREFIXES + LITERALS).encode(), format=RdfFormat.TURTLE))
        for name, rdf_format in media.RDF_FORMATS.items():
            quads.reverse()
            triples = name not in media.DATASET_FORMATS
            data = serialize([q.triple for q in quads] if triples else quads, format=rdf_format)
            assert data is not None
            for sent in (data, gzip.compress(data)):
                assert (await house.publish(sent, media_type=name)).commit is None, name
        assert house.log.head() == 1

    run(tmp_path, test)


def test_only_the_difference_is_committed(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await house.publish(THING + "<id/thing/b> a e:Thing ; e:name 'B' .")
        outcome = await house.publish(THING + "<id/thing/b> a e:Thing ; e:name 'Bee' .")
        assert isinstance(outcome.commit, Commit)
        assert outcome.commit.removed.count(b"\n") == 1
        assert b'"B"' in outcome.commit.removed
        assert house.said(f"{BASE}commit/2")["description"] == {"1 statements added, 1 removed"}

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("data", "media_type", "kind", "words"),
    [
        ("<id/thing/a> a e:Thing .", media.TURTLE, Invalid, "1 violation"),
        (THING + "<id/thing/a> e:near <id/thing/unknown> .", media.TURTLE, Invalid, "1 violation"),
        (THING + "nonsense", media.TURTLE, SyntaxRejected, ""),
        (THING + "#" * (1 << 20), media.TURTLE, PayloadTooLarge, "1 MB"),
        (f"<{TWO}> {{ {THING} }}", media.TRIG, InvalidRequest, "only .* is written"),
        (f"<{RESERVED.value}> {{ {THING} }}", media.TRIG, InvalidRequest, "only .* is written"),
    ],
    ids=["shape", "reference", "syntax", "size", "foreign-graph", "reserved-graph"],
)
def test_what_is_refused_changes_nothing(
    tmp_path: Path, data: str, media_type: str, kind: type[AppError], words: str
) -> None:
    async def test(house: House) -> None:
        await house.publish(THING)
        with pytest.raises(kind, match=words or ".") as error:
            await house.publish(data, media_type=media_type)
        assert type(error.value) is kind
        if kind is Invalid:
            assert error.value.facts["report"]["counts"]["violation"] == 1
        assert house.log.head() == 1
        assert len(house.quads()) == 2

    run(tmp_path, test)


@pytest.mark.parametrize(
    "dataset",
    [
        RESERVED.value,
        f"{RESERVED.value}#x",
        f"{BASE}catalog",
        f"{BASE}commit/1",
        f"{BASE}id/thing/a",
        f"{BASE}graph/Partner/one",
        f"{BASE}graph/partner/../service",
        f"{BASE}graph/%73ervice",
        f"{BASE.upper()}graph/service",
        "not an IRI",
        "relative",
    ],
)
def test_a_dataset_cannot_take_a_name_of_the_service(tmp_path: Path, dataset: str) -> None:
    async def test(house: House) -> None:
        await house.publish(THING)
        forged = '<http://example.org/a> <http://www.w3.org/ns/dcat#version> "99" .'
        with pytest.raises(InvalidRequest, match="cannot be a dataset"):
            await house.publish(forged, dataset)
        assert house.store.marker() == house.log.head() == 1

    run(tmp_path, test)


def test_a_named_graph_that_is_the_dataset_is_welcome(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await house.publish(f"<{ONE}> {{ {THING} }}", media_type=media.TRIG)
        assert len(house.quads()) == 2
        assert (await house.publish(THING)).commit is None

    run(tmp_path, test)


def test_a_reference_to_another_dataset_is_seen_by_the_shapes(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        near = "<id/thing/b> a e:Thing ; e:name 'B' ; e:near <id/thing/a> ."
        with pytest.raises(Invalid):
            await house.publish(near, TWO)
        await house.publish(THING, ONE)
        assert (await house.publish(near, TWO)).commit is not None

    run(tmp_path, test)


def test_what_the_data_refers_to_is_seen_but_not_judged(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await house.publish(THING, ONE)
        # the context holds type and label of the first thing, not the name that its shape asks for
        near = "<id/thing/b> a e:Thing ; e:name 'B' ; e:near <id/thing/a> ."
        checker = Checker(house.pool, house.gate._rules)
        checked = await checker.check([File(None, media.TURTLE, (PREFIXES + near).encode())])
        assert json.loads(checked.body)["groups"] == []

    run(tmp_path, test)


def test_what_a_file_says_of_its_dataset_goes_to_the_reserved_graph(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        about = (
            f"<{ONE}> dcterms:title '{{}}'@en ; dcat:distribution <{ONE}#distribution> . "
            f"<{ONE}#distribution> dcterms:title 'd' ."
        )
        await house.publish(THING + about.format("First"))
        assert len(house.quads()) == 2
        assert house.said(ONE) == {"title": {"First"}, "distribution": {f"{ONE}#distribution"}}
        assert house.said(f"{ONE}#distribution") == {"title": {"d"}}
        assert (await house.publish(about.format("First") + THING)).commit is None
        await house.publish(THING + about.format("Second"))
        assert house.said(ONE)["title"] == {"Second"}
        assert house.said(f"{ONE}#distribution") == {"title": {"d"}}
        await house.publish(f"<{ONE}x> dcterms:title 'no part of it' .", TWO)
        assert house.said(f"{ONE}x") == {}

    run(tmp_path, test)


def test_an_entity_that_disappears_leaves_a_tombstone_until_it_is_back(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        both = THING + "<id/thing/b> a e:Thing ; e:name 'B' . <id/thing/b#part> a e:Part ."
        await house.publish(both)
        assert house.tombstones() == set()
        await house.publish(THING)
        assert house.tombstones() == {f"{BASE}id/thing/b"}
        assert len(house.said(f"{BASE}id/thing/b")["deleted"]) == 1
        await house.publish(both)
        assert house.tombstones() == set()
        assert house.said(f"{BASE}id/thing/b") == {}

    run(tmp_path, test)


def test_an_entity_that_another_dataset_still_describes_is_not_gone(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await house.publish(THING, ONE)
        await house.publish(THING, TWO)
        await house.publish("", ONE)
        assert house.tombstones() == set()
        await house.publish("", TWO)
        assert house.tombstones() == {A.value}
        await house.publish(THING, TWO)
        assert house.tombstones() == set()

    run(tmp_path, test)


class Moving(Log):
    """A log in which somebody else publishes between diff and append, some times."""

    others = 0

    def append(
        self, draft: Draft, *, after: int, also: Callable[[Session], None] | None = None
    ) -> Commit:
        if self.others:
            self.others -= 1
            line = b'<http://x> <http://p> "%d" <http://g> .\n' % self.others
            super().append(
                Draft(("http://g",), "http://o", None, None, {}, utc_now(), line, b""), after=after
            )
        return super().append(draft, after=after, also=also)


def test_a_publication_that_was_overtaken_is_compared_again(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        database = Database(f"sqlite:///{tmp_path / 'log.db'}")
        house.gate._log = moving = Moving(database, database.blobs("diffs", tmp_path / "diffs"))
        moving.others = 2
        outcome = await house.publish(THING)
        assert outcome.commit is not None
        assert (outcome.commit.generation, house.store.marker()) == (3, 3)
        assert house.said(f"{BASE}commit/3")["generated"] == {ONE}
        assert house.said(f"{BASE}commit/1") == {}
        moving.others = 1_000
        with pytest.raises(Conflict, match="try again"):
            await house.publish("")
        assert len(house.quads()) == 2
        await house.node.reach(moving.head())
        database.close()

    run(tmp_path, test)


def test_what_is_taken_away_may_be_referred_to_by_what_came_meanwhile(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await house.publish(THING, ONE)
        loop = asyncio.get_running_loop()
        refers = house.publish("<id/thing/b> a e:Thing ; e:name 'B' ; e:near <id/thing/a> .", TWO)

        def overtaken(_: Prepared) -> None:
            asyncio.run_coroutine_threadsafe(refers, loop).result(30)

        nothing = Change.of_file(ONE, AUTHOR, LICENCE, File(None, media.TURTLE, b""))
        with pytest.raises(StillReferenced):
            await house.gate.publish(nothing, on_prepared=overtaken)
        assert (len(house.quads(ONE)), len(house.quads(TWO))) == (2, 3)

    run(tmp_path, test)


def test_changes_of_one_dataset_are_compared_one_after_the_other(tmp_path: Path) -> None:
    """Side by side all but one would be compared for nothing, some of them again and again."""
    compared: list[int] = []

    async def test(house: House) -> None:
        def merge(number: int) -> Change:
            thing = f"{PREFIXES}<id/thing/{number}> a e:Thing ; e:name '{number}' ."
            file = File(None, media.TURTLE, thing.encode())
            return Change.of_file(ONE, AUTHOR, LICENCE, file, mode=Mode.MERGE)

        def note(prepared: Prepared) -> None:
            compared.append(prepared.generation)

        await asyncio.gather(
            *(house.gate.publish(merge(number), on_prepared=note) for number in range(6))
        )
        assert len(house.quads()) == 12

    run(tmp_path, test)
    assert compared == [0, 1, 2, 3, 4, 5]


def test_two_publications_at_once_both_arrive(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        outcomes = await asyncio.gather(
            house.publish(THING, ONE), house.publish("<id/thing/b> a e:Thing ; e:name 'B' .", TWO)
        )
        assert {o.commit.generation for o in outcomes if o.commit} == {1, 2}
        assert (len(house.quads(ONE)), len(house.quads(TWO))) == (2, 2)

    run(tmp_path, test)


def test_blank_nodes_are_kept_when_asked_and_can_be_replaced(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await house.publish(THING + "<id/thing/a> e:part [ e:name 'x' ] .")
        assert any("BlankNode" in repr(quad) for quad in house.quads())
        await house.publish(THING)
        assert len(house.quads()) == 2

    run(tmp_path, test, skolemize=False)


def dataset_file(name: str, body: str = "", requires: str = "", kind: str = "") -> str:
    iri = f"{BASE}graph/{name}"
    return f"""{PREFIXES}
<{iri}> a dcat:Dataset ; dcterms:title "{name}"@en ; dcterms:publisher <id/partner/p> ;
  dcterms:license <{LICENCE}> .
{f"<{iri}> dcterms:requires <graph/{requires}> ." if requires else ""}
{f"<{iri}> dcterms:type <scheme/dataset-type/{kind}> ." if kind else ""}
{body}"""


def seed(house: House, folder: Path, *, example: bool = False) -> Seed:
    return Seed(house.gate, house.log, base_iri=BASE, folders=[folder], example=example)


def quiet(_name: str, _facts: dict[str, Any]) -> None:
    """Nobody looks."""


def seed_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "seed"
    folder.mkdir()
    near = "<id/thing/b> a e:Thing ; e:name 'B' ; e:near <id/thing/a> ."
    (folder / "a.ttl").write_text(dataset_file("seed/near", near, requires="seed/base"))
    (folder / "b.ttl").write_text(dataset_file("seed/base", THING))
    (folder / "c.ttl").write_text(dataset_file("seed/partners", "<id/partner/p> a prov:Agent ."))
    show = "<id/thing/x> a e:Thing ; e:name 'X' ; e:near <id/thing/a> ."
    (folder / "d.ttl").write_text(
        dataset_file("seed/show", show, requires="seed/base", kind="example")
    )
    return folder


def test_seed_files_come_after_what_they_need_and_only_once(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        folder = seed_folder(tmp_path)
        await seed(house, folder).load(quiet)
        order = [commit.datasets[0].rpartition("/")[2] for commit in house.log.since(0)]
        assert sorted(order) == ["base", "near", "partners"]
        assert order.index("partners") < order.index("base") < order.index("near")
        assert {commit.author for commit in house.log.since(0)} == {f"{BASE}id/partner/p"}
        assert await seed(house, folder).load(quiet) == []
        assert house.log.head() == 3
        changed = dataset_file("seed/base", THING + "<id/thing/a> e:note 'new' .")
        (folder / "b.ttl").write_text(changed)
        (outcome,) = await seed(house, folder).load(quiet)
        assert outcome.commit is not None
        assert outcome.commit.datasets == (f"{BASE}graph/seed/base",)
        assert all(is_statistic(quad, BASE) for quad in from_n_quads(outcome.commit.removed))

    run(tmp_path, test)


def test_a_seed_file_that_only_looks_different_is_read_once(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        folder = seed_folder(tmp_path)
        await seed(house, folder).load(quiet)
        before = house.quads(f"{BASE}graph/seed/base")
        with (folder / "b.ttl").open("a") as file:
            file.write("# a remark\n")
        (outcome,) = await seed(house, folder).load(quiet)
        assert outcome.commit is not None
        assert (outcome.commit.added_count, outcome.commit.removed_count) == (0, 0)
        assert house.quads(f"{BASE}graph/seed/base") == before
        assert await seed(house, folder).load(quiet) == []

    run(tmp_path, test)


def test_the_example_comes_and_goes_with_its_switch(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        folder, show = seed_folder(tmp_path), f"{BASE}graph/seed/show"
        sizes = []
        for example in (True, True, False, False, True):
            before = house.log.head()
            await seed(house, folder, example=example).load(quiet)
            sizes.append((house.log.head() - before, len(house.quads(show))))
        assert sizes == [(4, 3), (0, 3), (1, 0), (0, 0), (1, 3)]
        assert house.said(show)["type"] == {
            "http://www.w3.org/ns/dcat#Dataset",
            f"{BASE}scheme/dataset-type/example",
        }
        assert house.tombstones() == set()

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["seed/a:seed/b", "seed/b:seed/a"], "requires itself"),
        (["seed/a:", "seed/a:"], "same dataset"),
    ],
)
def test_seed_files_that_contradict_each_other_are_refused(
    tmp_path: Path, files: list[str], words: str
) -> None:
    async def test(house: House) -> None:
        folder = tmp_path / "seed"
        folder.mkdir()
        for number, file in enumerate(files):
            name, _, requires = file.partition(":")
            text = dataset_file(name, f"# {number}", requires=requires)
            (folder / f"{number}.ttl").write_text(text)
        with pytest.raises(InvalidRequest, match=words):
            await seed(house, folder).load(quiet)
        assert house.log.head() == 0
        await house.publish(THING)

    run(tmp_path, test)


def test_a_seed_file_describes_exactly_one_dataset(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        for text in (THING, dataset_file("seed/a") + dataset_file("seed/b")):
            with pytest.raises(InvalidRequest, match="exactly one"):
                await house.gate.describe((PREFIXES + text).encode(), media.TURTLE)
        facts = await house.gate.describe(dataset_file("seed/a", kind="x").encode(), media.TURTLE)
        assert facts["dataset"] == f"{BASE}graph/seed/a"
        assert (facts["licence"], facts["publisher"]) == (LICENCE, f"{BASE}id/partner/p")
        assert facts["types"] == [f"{BASE}scheme/dataset-type/x"]
        await house.publish(THING)

    run(tmp_path, test)
