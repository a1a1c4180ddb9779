"""The statistics of datasets are what SPARQL counts, whatever was committed before."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, QuerySolutions, Store

from app.rdf.diff import Diff
from app.rdf.terms import GraphName, type_
from app.submissions.counting import space_of
from app.submissions.statistics import Statistics

BASE = "https://example.org/"
RESERVED = NamedNode(f"{BASE}graph/service")
ONE, TWO = NamedNode(f"{BASE}graph/demo/one"), NamedNode(f"{BASE}graph/demo/two")
PREFIXES = """PREFIX void: <http://rdfs.org/ns/void#>
PREFIX ext: <http://ldf.fi/void-ext#>
"""

_THINGS = [NamedNode(f"{BASE}id/thing/demo-{n}") for n in range(3)]
_PARTS = [NamedNode(f"{BASE}id/thing/demo-0#part"), NamedNode(f"{BASE}.well-known/genid/x")]
_CLASSES = [NamedNode(f"http://e.example/{n}") for n in "AB"]
_PREDICATES = [NamedNode("http://e.example/p"), NamedNode("http://e.example/q")]
_VALUES: list[NamedNode | Literal] = [
    *_THINGS,
    *_PARTS,
    *_CLASSES,
    NamedNode("https://ror.org/05f950310"),
    NamedNode("https://somebody.example/"),
    Literal("a"),
    Literal("a", language="en"),
    Literal(1),
]
_SUBJECTS = [*_THINGS, *_PARTS]

_statements = st.one_of(
    st.builds(
        Quad,
        st.sampled_from(_SUBJECTS),
        st.sampled_from(_PREDICATES),
        st.sampled_from(_VALUES),
        st.sampled_from([ONE, TWO]),
    ),
    st.builds(
        Quad,
        st.sampled_from(_SUBJECTS),
        st.just(type_),
        st.sampled_from([*_CLASSES, Literal("odd")]),
        st.sampled_from([ONE, TWO]),
    ),
)
_toggles = st.lists(st.frozensets(_statements, min_size=1, max_size=8), min_size=1, max_size=8)


def commit(store: Store, diff: Diff) -> Diff:
    """Apply a change with what it does to the statistics, which is returned."""
    counted = Statistics(store, RESERVED, BASE, None).after(diff)
    assert not counted.added & counted.removed
    for change in (diff, counted):
        assert all(quad in store for quad in change.removed)
        assert not any(quad in store for quad in change.added)
        for quad in change.removed:
            store.remove(quad)
        store.extend(change.added)
    return counted


def toggled(store: Store, quads: Iterable[Quad]) -> Diff:
    there = frozenset(quad for quad in quads if quad in store)
    return Diff(frozenset(quads) - there, there)


def rows(store: Store, query: str, **names: GraphName) -> list[tuple[str, ...]]:
    for name, value in names.items():
        query = query.replace(f"${name}", str(value))
    found = store.query(PREFIXES + query, default_graph=[RESERVED])
    assert isinstance(found, QuerySolutions)
    return sorted(
        tuple(getattr(cell, "value", "") if cell is not None else "" for cell in row)
        for row in found
    )


_SAID = {  # what the statistics say, and the same counted
    "totals": (
        """SELECT ?t ?s ?o ?p { $g a void:Dataset ; void:triples ?t ; void:distinctSubjects ?s ;
             void:distinctObjects ?o ; void:properties ?p }""",
        """SELECT (COUNT(*) AS ?t) (COUNT(DISTINCT ?a) AS ?s) (COUNT(DISTINCT ?v) AS ?o)
                  (COUNT(DISTINCT ?b) AS ?p) { GRAPH $g { ?a ?b ?v } } HAVING (COUNT(*) > 0)""",
    ),
    "number of classes": (
        "SELECT ?n { $g void:classes ?n }",
        """SELECT (COUNT(DISTINCT ?c) AS ?n) { GRAPH $g { ?s a ?c } FILTER(ISIRI(?c)) }
           HAVING (COUNT(*) > 0)""",
    ),
    "entities": (
        "SELECT ?n { $g void:entities ?n }",
        """SELECT (COUNT(DISTINCT ?s) AS ?n) { GRAPH $g { ?s a ?c } FILTER(ISIRI(?c))
           FILTER(!CONTAINS(STR(?s), '#') && !CONTAINS(STR(?s), '/genid/')) }
           HAVING (COUNT(*) > 0)""",
    ),
    "classes": (
        "SELECT ?c ?n { $g void:classPartition [ void:class ?c ; void:entities ?n ] }",
        """SELECT ?c (COUNT(?s) AS ?n) { GRAPH $g { ?s a ?c } FILTER(ISIRI(?c)) } GROUP BY ?c""",
    ),
    "properties": (
        """SELECT ?p ?n ?s ?o { $g void:propertyPartition [ void:property ?p ; void:triples ?n ;
             void:distinctSubjects ?s ; void:distinctObjects ?o ] }""",
        """SELECT ?p (COUNT(*) AS ?n) (COUNT(DISTINCT ?a) AS ?s) (COUNT(DISTINCT ?b) AS ?o)
           { GRAPH $g { ?a ?p ?b } } GROUP BY ?p""",
    ),
    "properties of classes": (
        """SELECT ?c ?p ?n { $g void:classPartition [ void:class ?c ;
             void:propertyPartition [ void:property ?p ; void:triples ?n ] ] }""",
        """SELECT ?c ?p (COUNT(*) AS ?n)
           { GRAPH $g { ?s a ?c ; ?p ?o } FILTER(ISIRI(?c)) } GROUP BY ?c ?p""",
    ),
    "classes of objects": (
        """SELECT ?c ?p ?d ?n { $g void:classPartition [ void:class ?c ;
             void:propertyPartition [ void:property ?p ;
               void:classPartition [ void:class ?d ; void:triples ?n ] ] ] }""",
        """SELECT ?c ?p ?d (COUNT(*) AS ?n)
           { GRAPH $g { ?s a ?c ; ?p ?o . ?o a ?d } FILTER(ISIRI(?c) && ISIRI(?d)) }
           GROUP BY ?c ?p ?d""",
    ),
    "datatypes": (
        """SELECT ?c ?p ?d ?n { $g void:classPartition [ void:class ?c ;
             void:propertyPartition [ void:property ?p ;
               ext:datatypePartition [ ext:datatype ?d ; void:triples ?n ] ] ] }""",
        """SELECT ?c ?p ?d (COUNT(*) AS ?n)
           { GRAPH $g { ?s a ?c ; ?p ?o } FILTER(ISIRI(?c)) BIND(DATATYPE(?o) AS ?d)
             FILTER(BOUND(?d)) } GROUP BY ?c ?p ?d""",
    ),
    "links": (
        """SELECT ?p ?u ?n { ?l a void:Linkset ; void:subjectsTarget $g ; void:linkPredicate ?p ;
             void:triples ?n ; void:objectsTarget/void:uriSpace ?u }""",
        """SELECT ?p ?u (COUNT(*) AS ?n) { GRAPH $g { ?s ?p ?o }
             FILTER NOT EXISTS { GRAPH $g { ?o a ?c } FILTER(ISIRI(?c)) }
             VALUES ?u { "https://example.org/id/thing/" "https://ror.org/" }
             FILTER(ISIRI(?o) && STRSTARTS(STR(?o), ?u)) } GROUP BY ?p ?u""",
    ),
}


def check(store: Store, graphs: Iterable[GraphName] = (ONE, TWO)) -> None:
    for graph in graphs:
        for what, (said, counted) in _SAID.items():
            expected = [row for row in rows(store, counted, g=graph) if row != ("0",)]
            assert rows(store, said, g=graph) == expected, (what, graph)


@settings(max_examples=300, deadline=None)
@given(_toggles)
def test_after_any_commits_the_statistics_are_what_is_there(
    commits: list[frozenset[Quad]],
) -> None:
    store = Store()
    for quads in commits:
        commit(store, toggled(store, quads))
    check(store)
    history = set(store)
    everything = {quad for quad in store if quad.graph_name != RESERVED}
    again = Store()
    if everything:
        commit(again, Diff(frozenset(everything), frozenset()))
    assert set(again) == history
    if everything:
        commit(store, Diff(frozenset(), frozenset(everything)))
    assert not list(store)


@settings(max_examples=100, deadline=None)
@given(st.frozensets(_statements, min_size=1, max_size=12), _toggles)
def test_a_graph_without_statistics_is_counted_at_its_next_commit(
    older: frozenset[Quad], commits: list[frozenset[Quad]]
) -> None:
    store = Store()
    store.extend(older)
    for quads in commits:
        commit(store, toggled(store, quads))
    check(store, {quad.graph_name for quads in commits for quad in quads})


def test_a_small_change_of_a_large_graph_asks_for_little() -> None:
    """Statistics change by a few numbers, and nobody goes through the graph."""
    store = Store()
    many = [
        Quad(NamedNode(f"{BASE}id/thing/demo-{n}"), predicate, value, ONE)
        for n in range(2_000)
        for predicate, value in ((type_, _CLASSES[0]), (_PREDICATES[0], Literal(str(n))))
    ]
    commit(store, Diff(frozenset(many), frozenset()))
    asked = _Counted(store)
    one = NamedNode(f"{BASE}id/thing/demo-new")
    new = {Quad(one, type_, _CLASSES[0], ONE), Quad(one, _PREDICATES[0], Literal("new"), ONE)}
    change = Statistics(asked, RESERVED, BASE, None).after(Diff(frozenset(new), frozenset()))  # type: ignore[arg-type]
    assert asked.seen < 200
    assert len(change.added) == len(change.removed) < 25


def test_nodes_without_names_are_counted_too() -> None:
    store = Store()
    blank = BlankNode("b")
    quads = {Quad(blank, type_, _CLASSES[0], ONE), Quad(blank, _PREDICATES[0], blank, ONE)}
    commit(store, Diff(frozenset(quads), frozenset()))
    assert rows(store, _SAID["classes"][0], g=ONE) == [(_CLASSES[0].value, "1")]
    assert rows(store, _SAID["entities"][0], g=ONE) == []
    assert not any(isinstance(quad.subject, BlankNode) for quad in store if quad not in quads)


def test_spaces_are_told_by_the_form_of_an_iri() -> None:
    spaces = {
        f"{BASE}id/organisation/ror-1": f"{BASE}id/organisation/",
        f"{BASE}id/organisation/ror-1#address": f"{BASE}id/organisation/",
        f"{BASE}scheme/trl/9": f"{BASE}scheme/trl/",
        f"{BASE}scheme/trl": None,
        f"{BASE}graph/demo/one": f"{BASE}graph/",
        f"{BASE}ontology": None,
        "http://publications.europa.eu/resource/authority/country/BEL": (
            "http://publications.europa.eu/resource/authority/country/"
        ),
        "http://data.europa.eu/nuts/code/BE1": "http://data.europa.eu/nuts/code/",
        "https://company.example/about/": None,
    }
    assert {iri: space_of(iri, BASE) for iri in spaces} == spaces


class _Counted:
    """A store that counts what is read of it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.seen = 0

    def quads_for_pattern(self, *pattern: object) -> Iterable[Quad]:
        for quad in self._store.quads_for_pattern(*pattern):  # type: ignore[arg-type]
            self.seen += 1
            yield quad
