"""What a submission would change, in each mode, and on what grounds it is refused."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pyoxigraph import NamedNode, Quad, RdfFormat, Store, parse

from app.errors import InvalidRequest, NotYours, PayloadTooLarge, StillReferenced, SyntaxRejected
from app.rdf import media
from app.rdf.diff import Diff
from app.sandbox.worker import Cage
from app.submissions.preparing import Preparation
from app.submissions.statistics import Statistics
from tests.submissions.preparing import (
    BASE,
    DEFAULT,
    ONE,
    OTHER,
    PREFIXES,
    RESERVED,
    THIRD,
    TIME,
    TWO,
    Bench,
    Prepared,
    bench,
)

A = "<id/thing/demo-a> a e:Thing ; e:name 'A' ."
B = "<id/thing/demo-b> a e:Thing ; e:name 'B' ."
X = "<id/thing/other-x> a e:Thing ; e:name 'X' ."
PARTS = """<id/thing/demo-a> a e:Thing ; e:name 'A' ; e:part [ e:size 1 ; e:of [ e:note 'deep' ] ] ;
  e:part <id/thing/demo-a#p> . <id/thing/demo-a#p> e:size 2 ."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("bench")) as one:
        yield one


@pytest.fixture
def empty(shared: Bench) -> Bench:
    shared.lay()
    return shared


# what changes


def test_replacing_changes_what_differs(empty: Bench) -> None:
    empty.lay({ONE: A + B, OTHER: X})
    done = empty.send(A, "<id/thing/demo-c> a e:Thing ; e:name 'C' .")
    assert done.said(ONE) == (
        {"id/thing/demo-c type Thing", 'id/thing/demo-c name "C"'},
        {"id/thing/demo-b type Thing", 'id/thing/demo-b name "B"'},
    )
    assert done.header["statements"] == 4
    assert done.header["datasets"] == [ONE]
    assert (done.header["withdrawn"], done.conforms) == (1, True)
    assert done.changed == (f"{BASE}id/thing/demo-b", f"{BASE}id/thing/demo-c")
    assert done.patch.splitlines() == [
        *sorted(f"{quad} .".encode() for quad in done.added),
        *sorted(f"{quad} .".encode() for quad in done.removed),
    ]


def test_replacing_with_nothing_empties_the_dataset(empty: Bench) -> None:
    empty.lay({ONE: PARTS, TWO: B})
    done = empty.send()
    assert (done.conforms, done.header["statements"]) == (True, 0)
    assert done.removed == empty.graph(ONE)
    assert done.header["datasets"] == [ONE]


def test_merging_adds_and_removing_takes_away(empty: Bench) -> None:
    empty.lay({ONE: A})
    merged = empty.send(A + B, mode="merge")
    assert merged.said(ONE) == ({"id/thing/demo-b type Thing", 'id/thing/demo-b name "B"'}, set())
    empty.apply(merged)
    removed = empty.send(B + X, mode="remove")
    assert removed.said(ONE) == (set(), merged.said(ONE)[0])
    assert removed.header["withdrawn"] == 1
    empty.apply(removed)
    assert empty.tombstones() == {f"{BASE}id/thing/demo-b"}
    assert not empty.send(B, mode="remove").patch


@pytest.mark.parametrize("syntax", [media.TURTLE, media.TRIG])
def test_blank_nodes_that_were_merged_can_be_removed(empty: Bench, syntax: str) -> None:
    empty.lay({ONE: A})
    more = "<id/thing/demo-a> e:part [ e:size 1 ; e:of [ e:note 'deep' ] ] ."
    merged = empty.send(more, mode="merge")
    assert (merged.conforms, len(merged.added)) == (True, 4)
    empty.apply(merged)
    sent = f"{PREFIXES} <{ONE}> {{ {more} }}" if syntax == media.TRIG else PREFIXES + more
    removed = empty.send(sent.encode(), mode="remove", media_type=syntax)
    assert removed.removed == merged.added
    assert not empty.send(sent.encode(), mode="merge", media_type=syntax).patch


def test_several_files_are_one_graph(empty: Bench) -> None:
    blank = "_:x e:note '{}' . <id/thing/demo-a> e:of _:x ."
    done = empty.send(A + blank.format("1"), gzip.compress((PREFIXES + blank.format("2")).encode()))
    assert done.header["statements"] == 6
    assert len({quad.subject for quad in done.added}) == 3
    with pytest.raises(SyntaxRejected) as error:
        empty.send(A, "nonsense")
    assert error.value.facts["file"] == "1.ttl"
    with pytest.raises(PayloadTooLarge):
        empty.send(A, gzip.compress(b"#" * (8 << 20)))


def test_only_the_dataset_may_be_named(empty: Bench) -> None:
    for name in (TWO, RESERVED, DEFAULT):
        with pytest.raises(InvalidRequest, match=r"only .* is written"):
            empty.send(f"{PREFIXES} <{name}> {{ {A} }}".encode(), media_type=media.TRIG)


def test_the_default_graph_goes_by_a_name(empty: Bench) -> None:
    empty.lay({DEFAULT: A, ONE: A})
    done = empty.send(B, dataset=DEFAULT, everywhere=True)
    assert done.header["datasets"] == [DEFAULT]
    assert {str(quad.graph_name) for quad in done.added} == {"DEFAULT"}
    assert done.removed == empty.graph(DEFAULT)
    empty.apply(done)
    assert (len(empty.graph(DEFAULT)), len(empty.graph(ONE))) == (2, 2)


# what is judged


def test_a_merge_is_judged_by_what_it_makes_of_the_thing(empty: Bench) -> None:
    empty.lay({ONE: "<id/thing/demo-a> a e:Thing ; e:name 'A'@en . <id/thing/demo-z> a e:Thing ."})
    done = empty.send("<id/thing/demo-a> e:name 'Ah'@en .", mode="merge")
    assert not done.conforms
    assert done.header["report"]["counts"]["violation"] == 1  # the other thing is not touched
    (group,) = done.header["report"]["groups"]
    assert group["constraint"] == "UniqueLang"
    assert group["results"][0]["line"] == PREFIXES.count("\n") + 1
    assert len(done.added) == 1  # a dry run shows both


def test_a_removal_is_judged_by_what_it_leaves(empty: Bench) -> None:
    empty.lay({ONE: A + B})
    assert not empty.send("<id/thing/demo-a> e:name 'A' .", mode="remove").conforms
    assert empty.send("<id/thing/demo-a> e:name 'A' ; a e:Thing .", mode="remove").conforms


def test_what_is_touched_in_a_part_is_judged_as_a_whole(empty: Bench) -> None:
    empty.apply(empty.send(PARTS))
    assert empty.send("<id/thing/demo-a#p> e:note 'x' .", mode="merge").conforms
    second = empty.send("<id/thing/demo-a#p> e:size 3 .", mode="merge")
    assert not second.conforms
    assert second.changed == (f"{BASE}id/thing/demo-a",)
    part = next(q.subject for q in empty.graph(ONE) if str(q.object).startswith('"1"'))
    inside = empty.send(f"{part} e:size 3 .", mode="merge")
    assert {str(quad.subject) for quad in inside.added} == {str(part)}
    (group,) = inside.header["report"]["groups"]
    assert group["results"][0]["focus"] == f"{BASE}id/thing/demo-a"
    assert inside.changed == (f"{BASE}id/thing/demo-a",)


def test_a_reference_to_what_the_same_change_removes_is_wrong(empty: Bench) -> None:
    empty.lay({ONE: A + B})
    done = empty.send(A + "<id/thing/demo-a> e:near <id/thing/demo-b> .")
    assert not done.conforms
    empty.lay({ONE: A, OTHER: X})
    assert empty.send(A + "<id/thing/demo-a> e:near <id/thing/other-x> .").conforms


# what an update does

SPARQL = f"BASE <{BASE}> PREFIX e: <http://example.org/> "


def update(bench: Bench, text: str, *graphs: str, **more: Any) -> Prepared:
    named = list(graphs) or None
    body = (SPARQL + text).encode()
    return bench.send(body, mode="update", dataset=None, files=[], graphs=named, **more)


def test_an_update_is_its_net_change(empty: Bench) -> None:
    empty.lay({ONE: A + B, TWO: A, OTHER: X})
    text = """WITH <graph/demo/one> DELETE { ?t e:name ?n } INSERT { ?t e:name "New" ; e:of [] }
      WHERE { ?t e:name ?n FILTER (?n = "A") } ;
      INSERT DATA { GRAPH <graph/demo/two> { <id/thing/demo-a> e:note "n" } }"""
    done = update(empty, text, ONE, TWO)
    assert (done.conforms, done.header["datasets"], done.header["statements"]) == (
        True,
        [ONE, TWO],
        4,
    )
    assert done.said(TWO) == ({'id/thing/demo-a note "n"'}, set())
    assert done.said(ONE)[1] == {'id/thing/demo-a name "A"'}
    merged = empty.send("<id/thing/demo-a> e:of [] .", mode="merge")
    assert merged.added < done.added  # a blank node gets the same name by either door
    assert done.changed == (f"{BASE}id/thing/demo-a",)
    assert not update(empty, "INSERT DATA {}", ONE).header["datasets"]


def test_an_update_is_judged_graph_by_graph(empty: Bench) -> None:
    empty.lay({ONE: A, TWO: A})
    apart = """INSERT DATA { GRAPH <graph/demo/one> { <id/thing/demo-a> e:name "x"@en }
                             GRAPH <graph/demo/two> { <id/thing/demo-a> e:name "y"@en } }"""
    assert update(empty, apart, ONE, TWO).conforms
    assert not update(empty, apart.replace("demo/two", "demo/one"), ONE).conforms
    assert not update(
        empty, "DELETE WHERE { GRAPH <graph/demo/one> { ?t e:name ?n } }", ONE
    ).conforms


def test_an_update_can_change_inside_a_blank_node(empty: Bench) -> None:
    empty.apply(empty.send(PARTS))
    text = """WITH <graph/demo/one> DELETE { ?p e:size 1 } INSERT { ?p e:size 5 }
      WHERE { ?p e:size 1 }"""
    done = update(empty, text, ONE)
    assert (done.conforms, len(done.added), len(done.removed)) == (True, 1, 1)
    assert done.changed == (f"{BASE}id/thing/demo-a",)


def test_an_update_follows_the_same_rules(empty: Bench) -> None:
    empty.lay({ONE: A, OTHER: X + "<id/thing/other-x> e:near <id/thing/demo-a> ."})
    with pytest.raises(NotYours):
        update(empty, "INSERT DATA { GRAPH <graph/demo/one> { <id/thing/other-n> e:n 1 } }", ONE)
    with pytest.raises(StillReferenced):
        update(empty, "DROP GRAPH <graph/demo/one>", ONE)
    with pytest.raises(SyntaxRejected):
        update(empty, "INSERT nonsense", ONE)
    speak = "INSERT DATA { GRAPH <graph/demo/one> { <id/thing/other-x> e:note 'n' } }"
    assert claims(update(empty, speak, ONE).added) == {("demo/one", "other-x")}


def test_an_administrator_may_change_every_graph_but_the_reserved_one(empty: Bench) -> None:
    empty.lay({ONE: A, DEFAULT: A, RESERVED: f"<{ONE}> dcterms:title 'T' ."})
    done = update(empty, "DROP ALL", everywhere=True)
    assert done.header["datasets"] == [DEFAULT, ONE]
    assert done.removed == empty.graph(ONE) | empty.graph(DEFAULT)


# whose it is

GENID = f"{BASE}.well-known/genid/0123456789abcdef0123456789abcdef-0"
REFUSED = {
    "unknown, by another's prefix": "<id/thing/other-new> a e:Thing ; e:name 'N' .",
    "unknown, by nobody's prefix": "<id/thing/new> a e:Thing ; e:name 'N' .",
    "a new fragment of another's": "<id/thing/other-x#mine> e:note 'N' .",
    "a removed one": "<id/thing/other-gone> e:note 'N' .",
    "the ontology": "<ontology#Thing> e:note 'N' .",
    "the shapes": "<shapes#Thing> e:note 'N' .",
    "a concept": "<scheme/a/b> e:note 'N' .",
    "a commit": "<commit/1> e:note 'N' .",
    "a submission": "<submission/1> e:note 'N' .",
    "the catalogue": "<catalog> dcat:version '99' .",
    "the reserved graph": "<graph/service> e:note 'N' .",
    "another's dataset": "<graph/other/all> e:note 'N' .",
    "another partner": "<id/partner/third> e:note 'N' .",
    "a blank node's IRI": f"<{GENID}> e:note 'N' .",
    "capitals": "<HTTPS://EXAMPLE.org/id/thing/demo-1> e:note 'N' .",
    "percent": "<https://example.org/%69d/thing/other-x> e:note 'N' .",
    "dots": "<https://example.org/id/thing/demo-1/%2e%2e/other-x> e:note 'N' .",
}


@pytest.mark.parametrize("turtle", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("mode", ["replace", "merge"])
def test_nobody_mints_names_of_others(empty: Bench, turtle: str, mode: str) -> None:
    gone = "<id/thing/other-gone> a as:Tombstone ; as:deleted '2026-01-01' ."
    empty.lay({OTHER: X, RESERVED: f"{gone} <{OTHER}> a dcat:Dataset ."})
    with pytest.raises(NotYours) as error:
        empty.send(f"{A}\n{turtle}", mode=mode)
    assert error.value.facts["total"] == 1
    (refused,) = error.value.facts["iris"]
    assert refused == {
        "iri": refused["iri"],
        "line": PREFIXES.count("\n") + 2,
        "file": "0.ttl",
    }
    assert empty.send(turtle, mode="remove").header["statements"] in {1, 2}


def test_the_first_of_many_names_of_others_are_told(empty: Bench) -> None:
    lines = "\n".join(f"<id/thing/other-{n:02}> e:note 'N' ." for n in range(30))
    with pytest.raises(NotYours, match=r"other-00> and 29 more .*demo-") as error:
        empty.send(lines)
    assert error.value.facts["total"] == 30
    assert len(error.value.facts["iris"]) == 20


@pytest.mark.parametrize(
    "turtle",
    [
        X + "<id/thing/other-x> e:note 'as they say' .",
        "<id/thing/other-x#p> e:note 'x' .",
        "<https://ror.org/02jz4aj89> a e:Thing ; e:name 'N' .",
        f"<{ONE}> e:note 'N' . <{ONE}#d> e:note 'N' . <id/partner/demo> e:note 'N' .",
    ],
    ids=["an entity", "a fragment", "foreign", "own"],
)
def test_what_exists_may_be_spoken_of(empty: Bench, turtle: str) -> None:
    empty.lay({OTHER: X + "<id/thing/other-x#p> a e:Part ; e:size 1 ."})
    assert empty.send(turtle).conforms


def test_a_dataset_that_was_read_here_can_be_sent_back(empty: Bench) -> None:
    empty.apply(empty.send(PARTS))
    lines = "".join(f"{q.subject} {q.predicate} {q.object} .\n" for q in empty.graph(ONE))
    assert ".well-known/genid/" in lines
    for mode in ("replace", "merge"):
        assert not empty.send(lines.encode(), mode=mode).patch
    with pytest.raises(NotYours):  # in another dataset it would stand for nothing
        empty.send(lines.encode(), dataset=TWO)


def test_curators_mint_for_partners_and_the_operator_is_not_asked(empty: Bench) -> None:
    sent = "<id/thing/other-new> a e:Thing ; e:name 'N' ."
    assert empty.send(sent, everywhere=True).conforms
    with pytest.raises(NotYours):
        empty.send("<scheme/a/b> e:note 'N' .", everywhere=True)
    assert empty.send("<scheme/a/b> e:note 'N' .", partner=None).conforms


# what would refer to nothing


def test_what_others_refer_to_is_not_removed(empty: Bench) -> None:
    near = "<id/thing/other-{0}> a e:Thing ; e:name '{0}' ; e:near <id/thing/demo-a> ."
    empty.lay({ONE: A + B, OTHER: "".join(near.format(n) for n in range(30))})
    for mode, sent in (("replace", B), ("remove", A)):
        with pytest.raises(StillReferenced, match="and 29 more") as error:
            empty.send(sent, mode=mode)
        assert error.value.facts["total"] == 30
        assert len(error.value.facts["references"]) == 20
        first = error.value.facts["references"][0]
        assert first["subject"].startswith(f"{BASE}id/thing/other-")
        assert (first["predicate"], first["dataset"]) == ("http://example.org/near", OTHER)
        assert first["object"] == f"{BASE}id/thing/demo-a"
    forced = empty.send(B, force=True)
    assert (forced.conforms, forced.header["withdrawn"]) == (True, 1)
    assert forced.said(RESERVED)[0] >= {"id/thing/demo-a type Tombstone"}


def test_own_parts_and_what_goes_too_are_no_references(empty: Bench) -> None:
    circle = (
        "<id/thing/demo-b> e:near <id/thing/demo-a> . <id/thing/demo-a> e:near <id/thing/demo-b> ."
    )
    own = "<id/thing/demo-a#p> e:of <id/thing/demo-a> ."
    empty.lay(
        {ONE: A + B + circle + own, RESERVED: "<commit/1> prov:influenced <id/thing/demo-a> ."}
    )
    done = empty.send("<id/thing/demo-c> a e:Thing ; e:name 'C' .")
    assert done.header["withdrawn"] == 2
    only = empty.send(A + B + circle, mode="remove")  # the part stays, as an orphan
    assert only.header["withdrawn"] == 2


def test_what_another_dataset_describes_is_not_gone(empty: Bench) -> None:
    empty.lay({ONE: A, TWO: A, OTHER: X + "<id/thing/other-x> e:near <id/thing/demo-a> ."})
    done = empty.send()
    assert (done.header["withdrawn"], done.said(RESERVED)) == (0, (set(), set()))


def test_a_revert_brings_back_what_a_tombstone_stands_for(empty: Bench) -> None:
    empty.apply(empty.send(PARTS + B))
    before, counted = empty.graph(ONE), empty.graph(RESERVED)
    removal = empty.send(B)
    empty.apply(removal)
    assert empty.tombstones() == {f"{BASE}id/thing/demo-a"}
    back = empty.revert(removal)
    assert back.conforms
    empty.apply(back)
    assert empty.graph(ONE) == before
    assert (empty.tombstones(), empty.graph(RESERVED)) == (set(), counted)


def test_a_revert_leaves_what_came_later(empty: Bench) -> None:
    first = empty.send(A)
    empty.apply(first)
    empty.apply(empty.send(B, mode="merge"))
    back = empty.revert(first)
    assert back.said(ONE) == (set(), {"id/thing/demo-a type Thing", 'id/thing/demo-a name "A"'})
    empty.apply(back)
    assert not empty.revert(first).patch
    again = empty.revert(back)
    assert again.added == first.added


def test_a_revert_touches_no_other_dataset(empty: Bench) -> None:
    patch = f'<{BASE}id/thing/demo-a> <http://example.org/name> "A" <{{}}> .\n'
    body = "".join(patch.format(name) for name in (ONE, TWO, RESERVED)).encode()
    done = empty.send(
        body, mode="patch", files=[], added_bytes=len(body), datasets=[ONE], dataset=ONE
    )
    assert {quad.graph_name for quad in done.added} == {NamedNode(ONE)}


# claims


def claims(quads: frozenset[Quad]) -> set[tuple[str, str]]:
    return {
        (q.subject.value.rpartition("graph/")[2], q.object.value.rpartition("/")[2])  # type: ignore[union-attr]
        for q in quads
        if q.predicate.value.endswith("#claimsAbout")
    }


def test_speaking_of_what_another_partner_curates_is_a_claim(empty: Bench) -> None:
    foreign = "<http://foreign.org/f> a e:Thing ; e:name 'F' ."
    empty.lay({OTHER: X + foreign, TWO: B})
    sent = (
        A
        + "<id/thing/other-x#p> e:size 1 ."
        + foreign
        + "<id/thing/other-x> e:note 'n' ; e:of [] ."
    )
    with pytest.raises(NotYours):
        empty.send(sent)
    sent = sent.replace("<id/thing/other-x#p> e:size 1 .", B)
    done = empty.send(sent)
    assert claims(done.added) == {("demo/one", "other-x"), ("demo/one", "f")}
    empty.apply(done)
    less = empty.send("<id/thing/other-x> e:note 'n' .", mode="remove")
    assert (claims(less.added), claims(less.removed)) == (set(), set())  # it still says e:of
    less = empty.send(A + foreign)
    assert (claims(less.added), claims(less.removed)) == (set(), {("demo/one", "other-x")})
    empty.apply(less)
    assert claims(empty.revert(less).added) == {("demo/one", "other-x")}
    assert claims(empty.send().removed) == {("demo/one", "f")}


def test_a_claim_of_others_curates_nothing(empty: Bench) -> None:
    claim = f"<{OTHER}> lt:claimsAbout <http://foreign.org/f> ."
    foreign = "<http://foreign.org/f> a e:Thing ; e:name 'F' ."
    empty.lay({OTHER: foreign, RESERVED: claim})
    assert claims(empty.send(foreign).added) == set()
    empty.lay({OTHER: foreign, THIRD: foreign, RESERVED: claim})
    assert claims(empty.send(foreign).added) == {("demo/one", "f")}
    empty.lay({OTHER: foreign, ONE: claim})  # what a dataset says of another's claims is nothing
    assert claims(empty.send(claim + foreign, mode="merge", partner=None).added) == {
        ("demo/one", "f")
    }


def test_own_names_and_other_graphs_make_no_claims(empty: Bench) -> None:
    empty.lay({OTHER: A + X, f"{BASE}graph/x": X})
    assert claims(empty.send(A).added) == set()
    for graph in (f"{BASE}graph/x", "http://foreign.org/g", DEFAULT):
        sent = X + "<id/thing/other-x> e:note 'n' ."
        assert claims(empty.send(sent, dataset=graph, partner=None).added) == set()
    empty.lay({f"{BASE}graph/x": X})
    assert claims(empty.send(X).added) == set()


# what the service says of dataset and partner

TEXT = f'<{ONE}> <http://purl.org/dc/terms/title> "{{}}"@en .\n'


def test_the_description_is_that_of_the_accounts(empty: Bench) -> None:
    old = f"""<{ONE}> dcterms:title 'Old'@en ; dcat:distribution <{ONE}#d> ; lt:claimsAbout <x> .
      <{ONE}#d> dcterms:title 'd' . <{TWO}> dcterms:title 'Two'@en .
      <commit/1> prov:generated <{ONE}> ."""
    empty.lay({RESERVED: old})
    more: dict[str, Any] = {"description": TEXT.format("New"), "described": [ONE]}
    done = empty.send(A + f"<{ONE}> dcterms:title 'By the file'@en .", **more)
    added, removed = done.said(RESERVED)
    assert added == {'graph/demo/one title "New"@en'}
    assert len(removed) == 3
    assert 'graph/demo/one#d title "d"' in removed
    assert 'graph/demo/one title "By the file"@en' in done.said(ONE)[0]
    assert f"{BASE}graph/demo/one" in done.changed
    empty.apply(done)
    assert not empty.send(A, mode="merge", **more).patch


@pytest.mark.parametrize("mode", ["replace", "merge", "remove"])
def test_an_operators_file_describes_its_dataset_itself(empty: Bench, mode: str) -> None:
    about = f"<{ONE}> dcterms:title 'T' ; dcat:distribution <{ONE}#d> . <{ONE}#d> e:note 'd' ."
    if mode == "remove":
        empty.apply(empty.send(A + about, partner=None))
    done = empty.send(A + about, mode=mode, partner=None)
    added, removed = done.said(RESERVED)
    spoken = removed if mode == "remove" else added
    assert {one for one in spoken if one.startswith("graph/demo/one")} == {
        'graph/demo/one title "T"',
        "graph/demo/one http://www.w3.org/ns/dcat#distribution graph/demo/one#d",
        'graph/demo/one#d note "d"',
    }
    assert done.changed == (f"{BASE}id/thing/demo-a",)
    if mode != "remove":
        empty.apply(done)
        undone = empty.revert(done, partner=None)
        assert undone.removed == done.added


# what it costs


class Watched:
    """A store that refuses to be read from end to end, but for one graph."""

    def __init__(self, store: Store, graph: str) -> None:
        self._store = store
        self._graph = NamedNode(graph)

    def __contains__(self, quad: Quad) -> bool:
        return quad in self._store

    def quads_for_pattern(self, *pattern: Any) -> Iterator[Quad]:
        subject, _, value, graph = pattern
        assert subject or value or graph == self._graph, "a scan"
        return self._store.quads_for_pattern(*pattern)


class Heard:
    header: Mapping[str, Any]

    def progress(self, **facts: Any) -> None: ...

    def start(self, header: Mapping[str, Any]) -> None:
        self.header = header

    def write(self, data: bytes) -> None: ...


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("mode", ["replace", "merge", "remove", "patch"])
def test_other_graphs_are_only_asked_about_what_was_sent(mode: str, described: bool) -> None:
    cage = Cage()
    for graph, turtle in ((ONE, PARTS), (OTHER, X), (RESERVED, f"<{ONE}> dcterms:title 'T' .")):
        text = (PREFIXES + turtle).encode()
        for quad in parse(input=text, format=RdfFormat.TURTLE):
            placed = Quad(quad.subject, quad.predicate, quad.object, NamedNode(graph))
            cage.store.add(placed)
    counted = Statistics(cage.store, NamedNode(RESERVED), BASE, None)
    everything = frozenset(cage.store.quads_for_pattern(None, None, None, NamedNode(ONE)))
    cage.store.extend(counted.after(Diff(everything, frozenset())).added)
    about = f"<id/thing/other-x> e:note 'n' ; e:of [] . <{ONE}> dcterms:title 'U' ."
    sent = PREFIXES + B + "<id/thing/demo-a> e:name 'A' ." + about
    line = f'<{BASE}id/thing/demo-a> <http://example.org/name> "A" <{ONE}> .\n'
    body = (line if mode == "patch" else sent).encode()
    args = {
        **{"mode": mode, "dataset": ONE, "time": TIME, "force": False, "shapes": []},
        **{"base_iri": BASE, "reserved": RESERVED, "skolemize": True, "max_bytes": 1 << 20},
        "files": [{"name": None, "media_type": media.TURTLE, "size": len(body)}],
        **{"added_bytes": 0, "datasets": [ONE], "described": [ONE]},
        "description": TEXT.format("New") if described else None,
        "names": {"partner": "demo", "everywhere": False, "scope": None},
    }
    heard, stored = Heard(), cage.store
    allowed = ONE if mode == "replace" else "http://none.org/"
    cage.store = Watched(stored, allowed)  # type: ignore[assignment]
    Preparation(cage, args, body).run(heard)  # type: ignore[arg-type]
    assert heard.header["added_bytes"] + heard.header["removed_bytes"] > 0
