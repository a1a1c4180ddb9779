"""What an update may change is read from its text; the engine is the judge."""

from __future__ import annotations

import contextlib
import time
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, Store

from app.errors import InvalidRequest, SyntaxRejected
from app.rdf.updates import Targets, read_update, update_targets

BASE = "http://base/a/b"
G, H, N = "http://e/g", "http://e/h", "http://e/n"
DATA = "{ <http://e/s> <http://e/p> 2 }"
ALL = Targets(frozenset(), default=True, every=True)


def to(*graphs: str, **more: bool) -> Targets:
    return Targets(frozenset(graphs), **more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", to()),
        ("PREFIX e: <http://e/>", to()),
        # data and templates
        (f"INSERT DATA {DATA}", to(default=True)),
        (f"INSERT DATA {{ GRAPH <{G}> {DATA} }}", to(G)),
        (f"DELETE DATA {{ <a> <b> 1 GRAPH <{G}> {DATA} . GRAPH <{H}> {DATA} }}",
         to(G, H, default=True)),
        ("INSERT DATA {}", to()),
        ("DELETE WHERE { ?s ?p ?o }", to(default=True)),
        (f"DELETE WHERE {{ GRAPH <{G}> {{ ?s ?p ?o }} }}", to(G)),
        ("DELETE WHERE { GRAPH ?g { ?s ?p ?o } }", to(variable=True)),
        (f"INSERT {{ GRAPH <{G}> {{ ?s ?p 3 }} }} WHERE {{ GRAPH <{H}> {{ ?s ?p ?o }} }}", to(G)),
        ("INSERT { GRAPH $g { ?s ?p 3 } } WHERE { GRAPH $g { ?s ?p ?o } }", to(variable=True)),
        (f"WITH <{G}> DELETE {{ ?s ?p ?o }} WHERE {{ ?s ?p ?o }}", to(G)),
        (f"WITH <{G}> DELETE {{}} INSERT {{ GRAPH <{H}> {DATA} }} WHERE {{}}", to(H)),
        (f"WITH <{G}> INSERT {{ ?s ?p 4 . GRAPH <{H}> {DATA} }} WHERE {{ ?s ?p ?o }}", to(G, H)),
        (f"DELETE {{ ?s ?p ?o }} USING <{G}> USING NAMED <{H}> WHERE {{ ?s ?p ?o }}",
         to(default=True)),
        # management
        (f"CLEAR GRAPH <{G}>", to(G)),
        (f"clear silent graph <{G}>", to(G)),
        ("DROP DEFAULT", to(default=True)),
        ("CLEAR NAMED", to(every=True)),
        ("DROP SILENT ALL", ALL),
        (f"CREATE GRAPH <{N}>", to(N)),
        (f"COPY <{G}> TO <{N}>", to(N)),
        (f"COPY SILENT GRAPH <{G}> TO DEFAULT", to(default=True)),
        (f"MOVE <{G}> TO GRAPH <{N}>", to(G, N)),
        (f"MOVE DEFAULT TO <{N}>", to(N, default=True)),
        (f"ADD DEFAULT TO <{N}>", to(N)),
        (f"CLEAR DEFAULT; CLEAR GRAPH <{G}> ; ", to(G, default=True)),
        # names: prefixes, bases, escapes, comments, case
        ("PREFIX e: <http://e/> CLEAR GRAPH e:g", to(G)),
        ("PREFIX : <http://e/> CLEAR GRAPH :g", to(G)),
        ("prefix e:<http://e/>clear graph e:g", to(G)),
        ("PREFIX e: <http://x/> PREFIX e: <http://e/> CLEAR GRAPH e:g", to(G)),
        ("PREFIX E: <http://x/> PREFIX e: <http://e/> CLEAR GRAPH e:g", to(G)),
        ("PREFIX GRAPH: <http://e/> INSERT DATA { GRAPH GRAPH:g {GRAPH:s GRAPH:p 2} }", to(G)),
        ("PREFIX e: <http://e/> CREATE GRAPH e:a\\-b%41.c", to("http://e/a-b%41.c")),
        ("BASE <http://e/x/> INSERT DATA { GRAPH <../g> { <s> <p> 2 } }", to(G)),
        ("BASE <http://e/x/> BASE <y/> PREFIX r: <../> CREATE GRAPH r:z", to("http://e/x/z")),
        ("CREATE GRAPH <c/./../d?q#f>", to("http://base/a/d?q#f")),
        ("CREATE GRAPH <>", to(BASE)),
        ("CREATE GRAPH <HTTP://E/%7E>", to("HTTP://E/%7E")),
        (f"INSERT DATA {{ GRAPH <\\u0068ttp://e/\\U00000067> {DATA} }}", to(G)),
        (f"INSERT DATA {{ GRAPH # <{H}> {{\n <{G}> # }}\n {DATA} }}", to(G)),
        (f"VERSION '1.2' CLEAR GRAPH <{G}>", to(G)),
        # a prologue after each semicolon, which the engine does not know
        ("PREFIX e: <http://e/> CREATE GRAPH e:1; PREFIX e: <http://f/> CREATE GRAPH e:2",
         to("http://e/1", "http://f/2")),
        ("BASE <http://e/> CREATE GRAPH <1>; BASE <http://f/> CREATE GRAPH <2>; CREATE GRAPH <3>",
         to("http://e/1", "http://f/2", "http://f/3")),
        # what is passed over changes nothing
        (f"LOAD SILENT <http://127.0.0.1:9/> INTO GRAPH <{G}>; CLEAR GRAPH <{H}>;LOAD SILENT <x>",
         to(H)),
        # what is no graph's name
        (f"INSERT DATA {{ <a> <b> 'GRAPH <{G}> {{', \"\"\"}} ; CLEAR ALL\"\"\" }}",
         to(default=True)),
        (f"INSERT DATA {{ GRAPH <{G}> {{ <a> <b> 'x\\u0027 }} ; CLEAR ALL' }} }}", to(G)),
        (f"INSERT {{ GRAPH <{G}> {DATA} }} WHERE {{ BIND('}} ; CLEAR ALL #' AS ?x) }}", to(G)),
        ("INSERT {} WHERE { {} UNION { SELECT * { FILTER EXISTS { ?s ?p ?o } } } }", to()),
        ("INSERT DATA { <a> <b> <<( <a> <b> 'x' )>> }", to(default=True)),
        (f"INSERT {{ GRAPH <{G}> {{ <#a> <#b> (<#c> 'x') }} }} WHERE {{ ?s <#b> <#c> }}", to(G)),
    ],
)  # fmt: skip
def test_the_graphs_that_an_update_may_change_are_found(text: str, expected: Targets) -> None:
    assert update_targets(text, BASE) == expected
    assert changed(text) <= expected


@pytest.mark.parametrize(
    ("text", "words", "line", "column"),
    [
        # the engine takes these, the grammar does not
        ("INSERTDATA{ <a> <b> <c> }", "Expected INSERT or DELETE", 1, 1),
        ("CLEARALL", "Expected INSERT", 1, 1),
        ("CLEAR SILENTGRAPH<http://e/g>", "Expected GRAPH or DEFAULT", 1, 7),
        ("DELETEWHERE{ ?s ?p ?o }", "Expected INSERT", 1, 1),
        ("COPY DEFAULTTO <http://e/g>", "an IRI", 1, 6),
        ("PREFIX e:<http://e/>\nCLEAR GRAPHe:g", "GRAPH or DEFAULT", 2, 7),
        ("PREFIX e:<http://e/> INSERT DATA{GRAPHe:z{e:s e:p 1}}", "before a brace", 1, 42),
        ("PREFIX e:<http://e/> PREFIX GRAPHe:<http://f/> INSERT DATA{GRAPHe:z{e:s e:p 1}}",
         "before a brace", 1, 68),
        ("PREFIX e:<http://e/> INSERT DATA{e:s e:p 1GRAPH e:z {e:s e:p 1}}", "a brace", 1, 53),
        ("PREFIX e:<http://e/> INSERT DATA{e:s e:p trueGRAPH e:z{e:s e:p 1}}", "a brace", 1, 55),
        ("INSERT DATA { <a> <b> <c> {| <d> <e> |} }", "before a brace", 1, 27),
        ("PREFIX GRAPH:<http://e/> PREFIX :<http://f/> MOVE GRAPH:g TO :g", "another", 1, 51),
        ("PREFIX silent:<http://e/> PREFIX :<http://f/> MOVE silent:g TO :g", "another", 1, 52),
        # a comparison, or an IRI that hides the rest
        ("INSERT {} WHERE { BIND(1 AS ?a)\n FILTER(?a<'>'||''='') } ; CLEAR ALL", "as an IRI and",
         2, 11),
        ("INSERT {} WHERE { FILTER(1<2#>\n) } ; CLEAR ALL #", "as an IRI and", 1, 27),
        ("INSERT { <a> <b> <<(?s?p'>')>> } WHERE {} ; CLEAR ALL #'", "as an IRI and", 1, 19),
        # neither takes these
        ("CLEAR", "ends too early", 1, None),
        ("INSERT DATA {\n", "ends too early", 2, None),
        ("CLEAR <http://e/g>", "GRAPH or DEFAULT", 1, 7),
        ("CLEAR GRAPH DEFAULT", "an IRI", 1, 13),
        ("CLEAR GRAPH ?g", "an IRI", 1, 13),
        ("CLEAR GRAPH 'x'", "an IRI", 1, 13),
        ("CLEAR DEFAULT CLEAR ALL", "Expected ;", 1, 15),
        ("CLEAR DEFAULT;; CLEAR ALL", "Expected INSERT", 1, 15),
        ("; CLEAR ALL", "Expected INSERT", 1, 1),
        ("\ufeffCLEAR ALL", "Expected INSERT", 1, 1),
        ("\\u0043LEAR ALL", "Expected INSERT", 1, 1),
        ("CLEAR GRAPH e:g", "prefix e: is used without", 1, 13),
        ("PREFIX e <http://e/> CLEAR ALL", "a prefix with its colon", 1, 8),
        ("PREFIX e:x <http://e/> CLEAR ALL", "a prefix with its colon", 1, 8),
        ("CLEAR GRAPH <http://e/ g>", "an IRI", 1, 13),
        ("CLEAR GRAPH <http://e/\\u003e>", "is no IRI", 1, 13),
        ("CLEAR GRAPH <http://e/%zz>", "is no IRI", 1, 13),
        ("CLEAR GRAPH <http://e/\ue000>", "is no IRI", 1, 13),
        ("INSERT DATA { GRAPH _:b {<a> <b> 1} }", "an IRI", 1, 21),
        ("INSERT DATA { GRAPH <x> { GRAPH <y> {<a> <b> 1} } }", "inside a graph", 1, 37),
        ("INSERT DATA { { <a> <b> 1 } }", "before a brace", 1, 15),
        ("WITH <x> DELETE WHERE { ?s ?p ?o }", "Expected {", 1, 17),
        ("LOAD", "ends too early", 1, None),
        ("LOAD SILENT", "ends too early", 1, None),
        ("LOADSILENT <http://x/>", "Expected INSERT", 1, 1),
        ("LOAD <http://x/> INTO <http://y/>", "Expected GRAPH", 1, 23),
        ("LOAD SILENT <http://x/> LOAD SILENT <http://x/>", "Expected ;", 1, 25),
        ("SELECT * { ?s ?p ?o }", "Expected INSERT", 1, 1),
        ("INSERT {} WHERE " + "{" * 10_000 + "}" * 10_000, "at most 200 braces", 1, 217),
    ],
)  # fmt: skip
def test_what_is_not_surely_understood_is_refused_with_its_place(
    text: str, words: str, line: int, column: int | None
) -> None:
    with pytest.raises(SyntaxRejected, match=words) as error:
        update_targets(text, BASE)
    assert (error.value.facts["line"], error.value.facts.get("column")) == (line, column)


def store() -> Store:
    made = Store()
    for graph in (NamedNode(G), NamedNode(H), DefaultGraph()):
        for value in (1, 2):
            made.add(Quad(NamedNode("http://e/s"), NamedNode("http://e/p"), Literal(value), graph))
    return made


class Changed(frozenset[str]):
    """Graphs that differ; comparable with targets."""

    def __le__(self, other: object) -> bool:
        if not isinstance(other, Targets):
            return super().__le__(other)  # type: ignore[operator]
        named = {name for name in self if name != "DEFAULT"}
        covered = other.every or other.variable or named <= other.graphs
        return covered and (other.default or "DEFAULT" not in self)


def changed(text: str) -> Changed:
    """The graphs that the engine changes, running the parts one by one."""
    after, before = store(), set(store())
    for part in read_update(text, BASE).parts():
        after.update(part.text, base_iri=part.base_iri, prefixes=part.prefixes)
    return Changed(_name(quad) for quad in before ^ set(after))


def changed_in_one(text: str) -> Changed:
    """The same by the whole text, as the engine reads it."""
    after, before = store(), set(store())
    after.update(text, base_iri=BASE)
    return Changed(_name(quad) for quad in before ^ set(after))


def _name(quad: Quad) -> str:
    graph = quad.graph_name
    return graph.value if isinstance(graph, NamedNode) else "DEFAULT"


PROLOGUES = (
    "", "PREFIX e: <http://e/>", "PREFIX e:<http://e/>PREFIX :<http://e/>",
    "PREFIX GRAPH: <http://f/> PREFIX e: <http://e/> PREFIX : <x/>", "BASE <http://e/>",
    "BASE <http://e/x/> PREFIX e: <../>", "PREFIX GRAPHe: <http://f/> PREFIX e: <http://e/>",
    "PREFIX TO: <http://e/> PREFIX SILENT: <http://x/> PREFIX : <http://e/> PREFIX e: <http://e/>",
    "#'\n",
)  # fmt: skip
NAMES = (
    "<http://e/g>", "<http://e/\\u0067>", "e:g", ":g", "<g>", "<../g>", "?g", "$g", "e:", "e:g.h",
    "e:g\\#h", "TO:g", "GRAPH:g", "<http://e/n#'>", "<#'>", "<?g#>", "e:g#x\n",
)  # fmt: skip
GAPS = ("", " ", "\n", "#{\n", "/**/")
OPENINGS = (
    "INSERT DATA", "DELETE DATA", "DELETE WHERE", "INSERT", "DELETE", "INSERTDATA", "DELETEWHERE",
    "insert data", "INSERT#\nDATA",
)  # fmt: skip
INSIDE = (
    "GRAPH {g}{{ e:s e:p 7 }}", "GRAPH{g}{{?s ?p ?o}}", "e:s e:p 8 GRAPH{g}{{e:s e:p 7}}",
    "?s ?p ?o", "e:s e:p trueGRAPH {g} {{e:s e:p 7}}", "e:s e:p 1.GRAPH {g} {{e:s e:p 7}}",
    "e:s e:p '{g}', '}}' . GRAPH {g} {{ e:s e:p \"}}\" }}", "GRAPH {g} {{}}",
    "GRAPHe:n {{e:s e:p 7}}",
    "<s> <p> <{{>", "e:s e:p e:GRAPH . GRAPH {g} {{ e:s e:p 7 }} e:s e:p 9", "<#'> <#'> '{g}'",
    "e:s e:p <<( e:s e:p '>' )>> GRAPH {g} {{e:s e:p 7}}", "e:s e:p ('a' <#'>) , 9",
    "GRAPH {g} {{ e:s e:p 7 {{| e:p 8 |}} }}", "GRAPH {g} {{ << e:s e:p 7 >> e:p <#'> }}",
    "e:s e:p <<(e:s<http://e/p>'>')>> GRAPH {g} {{e:s e:p '>'}}",
)  # fmt: skip
PATTERNS = (
    "", "WHERE {{}}", "WHERE{{ GRAPH ?g {{ ?s ?p ?o }} }}", "USING {g} WHERE {{ ?s ?p ?o }}",
    "WHERE {{ ?s ?p ?o FILTER(?o<'>'||''='') }}", "WHERE {{ ?s ?p ?o FILTER(?o<?s#>\n) }}",
    "WHERE {{ ?s ?p ?o FILTER(1<(2)&&(3>2)) }}", "WHERE {{ ?s ?p ?o BIND('}}' AS ?x) }}",
    "WHERE {{ ?s ?p ?o . ?s <p#'> ?x }}", "WHERE {{ VALUES ?g {{ {g} }} ?s ?p ?o }}",
    "WHERE {{ ?s ?p ?o FILTER(EXISTS{{?s ?p ?o}}<'>'||'x'='x') }}",
    "WHERE {{ ?s ?p ?o FILTER(?o<9&&'a'<'>') FILTER('a'<'>') }}",
)  # fmt: skip
MANAGEMENT = (
    "CLEAR GRAPH {g}", "CLEARGRAPH{g}", "DROP SILENT GRAPH {g}", "CLEAR ALL", "DROPALL",
    "CLEAR NAMED",
    "CLEAR DEFAULT", "COPY {g} TO {h}", "MOVE SILENT:g TO {h}", "COPY{g}TO{h}",
    "COPY DEFAULT TO {g}", "COPYDEFAULTTO{g}",
    "MOVE {g} TO {h}", "MOVE {g} TO DEFAULT", "MOVE GRAPH {g} TO GRAPH {h}", "ADD {g} TO {h}",
    "ADD SILENT DEFAULT TO {h}", "CREATE GRAPH {g}", "MOVE DEFAULT TO {g}", "CLEAR SILENT NAMED",
)  # fmt: skip

management = st.builds(
    lambda form, g, h: form.format(g=g, h=h),
    st.sampled_from(MANAGEMENT), st.sampled_from(NAMES), st.sampled_from(NAMES),
)  # fmt: skip
modification = st.builds(
    lambda w, one, gap, inside, two, rest, g, h: (
        w.format(g=h) + one + gap + "{" + inside.format(g=g) + "}" + two + rest.format(g=h)
    ),
    st.sampled_from(("", "", "WITH {g} ", "WITH{g}")), st.sampled_from(OPENINGS),
    st.sampled_from(GAPS), st.sampled_from(INSIDE),
    st.sampled_from(("", " ", " INSERT { e:s e:p 6 } ", "INSERT{GRAPH<http://e/k>{e:s e:p 6}}")),
    st.sampled_from(PATTERNS), st.sampled_from(NAMES), st.sampled_from(NAMES),
)  # fmt: skip
operations = st.lists(st.one_of(management, modification), min_size=1, max_size=3)
updates = st.builds(
    lambda prologue, several, end: prologue + " " + " ; ".join(several) + end,
    st.sampled_from(PROLOGUES), operations,
    st.sampled_from(("", ";", " #", "#\n;", " ; CLEAR ALL")),
)  # fmt: skip


@settings(max_examples=1_500, deadline=None)
@given(updates)
def test_no_graph_changes_that_is_not_among_the_targets(text: str) -> None:
    judge(text)


def judge(text: str) -> bool | None:
    """Whether the engine runs it and it was understood; fails where a target was missed."""
    try:
        really = changed_in_one(text)
    except (SyntaxError, RuntimeError, ValueError):
        return None
    try:
        targets = update_targets(text, BASE)
    except InvalidRequest:
        return False
    assert really <= targets, text
    assert changed(text) == really
    return True


def test_the_engine_runs_enough_of_such_texts_to_prove_anything() -> None:
    seen = [
        judge(f"{prologue} {opening}{{{inside.format(g=name)}}}{pattern.format(g='<http://e/h>')}")
        for prologue, opening, inside, pattern, name in product(
            PROLOGUES[1:5], OPENINGS, INSIDE, PATTERNS, NAMES[:4]
        )
    ]
    assert seen.count(True) > 1_000
    assert seen.count(False) > 300  # squeezed, or readable in two ways


def test_a_part_tells_places_in_the_whole_text() -> None:
    text = "CLEAR DEFAULT;\n  PREFIX e: <http://e/>\n  INSERT DATA { e:s 'no' e:o }"
    first, second = read_update(text, BASE).parts()
    assert first.text == "CLEAR DEFAULT"
    with pytest.raises(SyntaxError, match="3:22"):
        Store().update(second.text, base_iri=second.base_iri, prefixes=second.prefixes)


def test_a_dataset_is_put_into_every_pattern_that_states_none() -> None:
    text = f"""DELETE WHERE {{ GRAPH <{G}> {{ ?s ?p ?o }} }} ;
        WITH <{H}> DELETE {{ ?s ?p ?o }} WHERE {{ ?s ?p ?o }} ;
        INSERT {{ GRAPH <{N}> {{ ?s ?p ?o }} }} USING <{G}> WHERE {{ ?s ?p ?o }} ;
        INSERT {{ GRAPH <{N}> {{ ?s ?p ?o }} }} WHERE {{ ?s ?p ?o }} ; CLEAR DEFAULT"""
    script = read_update(text, BASE)
    assert script.states_dataset
    assert script.using([G], [H]) == (
        f"DELETE {{ GRAPH <{G}> {{ ?s ?p ?o }} }} USING <{G}> USING NAMED <{H}> "
        f"""WHERE {{ GRAPH <{G}> {{ ?s ?p ?o }} }} ;
        WITH <{H}> DELETE {{ ?s ?p ?o }} WHERE {{ ?s ?p ?o }} ;
        INSERT {{ GRAPH <{N}> {{ ?s ?p ?o }} }} USING <{G}> WHERE {{ ?s ?p ?o }} ;
        INSERT {{ GRAPH <{N}> {{ ?s ?p ?o }} }}  USING <{G}> USING NAMED <{H}> """
        "WHERE { ?s ?p ?o } ; CLEAR DEFAULT"
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("DELETE WHERE { GRAPH <http://e/g> { ?s ?p ?o } }", {G, H}),  # g is not in the dataset
        ("DELETE WHERE { GRAPH <http://e/h> { ?s ?p ?o } }", {G}),
        ("DELETE { GRAPH <http://e/h> { ?s ?p 1,2 } } WHERE { ?s ?p ?o }", {G}),
    ],
)
def test_the_engine_matches_the_dataset_that_was_put_in(text: str, left: set[str]) -> None:
    made = store()
    made.update(read_update(text, BASE).using([G], [H]), base_iri=BASE)
    assert {_name(quad) for quad in made} - {"DEFAULT"} == left


@pytest.mark.parametrize(
    "text",
    [
        "INSERT DATA { " + "<http://e/s> <http://e/p> 'x' .\n" * 30_000 + "}",
        "INSERT DATA { GRAPH <http://e/g> {" + "} . GRAPH <http://e/g> {" * 40_000 + "} }",
        "PREFIX e: <http://e/> CLEAR GRAPH e:g;" * 25_000,
        "BASE <a/> " * 3_000,
        "INSERT {} WHERE {" + "{}" * 500_000,
        "INSERT {} WHERE {} ;" * 50_000,
        "CLEAR GRAPH <" + "../" * 300_000 + ">",
        "INSERT DATA {" + "'" * 1_000_000,
        "INSERT {} WHERE {" + "(?a<b" * 200_000,
    ],
    ids=lambda text: text[:20],
)
def test_a_megabyte_of_hostile_text_is_read_in_linear_time(text: str) -> None:
    begun = time.perf_counter()
    with contextlib.suppress(SyntaxRejected):
        update_targets(text, BASE)
    assert time.perf_counter() - begun < 15  # some 1 s; a quadratic reading takes an hour
