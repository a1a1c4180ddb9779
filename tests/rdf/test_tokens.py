from __future__ import annotations

import time
from itertools import product

import pytest
from pyoxigraph import NamedNode, Quad, RdfFormat, Store, parse

from app.errors import FederationRefused
from app.rdf.tokens import refuse_federation, select_star, used_keywords


def check(text: str, *expected: str) -> None:
    assert used_keywords(text, "SERVICE", "LOAD", "FROM") == set(expected)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * { ?s ?p ?o }",
        'SELECT * { ?s ?p "SERVICE <http://x/> {}" }',
        "SELECT * { ?s ?p 'LOAD <x>' }",
        'SELECT * { ?s ?p """a "quoted" SERVICE\nLOAD""" }',
        "SELECT * { ?s ?p '''it's a SERVICE\n''' }",
        'SELECT * { ?s ?p "an escaped \\" SERVICE" }',
        'SELECT * { ?s ?p "ends with a backslash \\\\" . ?s ?p "SERVICE" }',
        "SELECT * { ?s ?p ?o } # SERVICE <http://x/>",
        "# LOAD\nSELECT * { ?s ?p ?o }",
        "SELECT * { <http://x/SERVICE> ?p <http://x/LOAD#FROM> }",
        "SELECT * { <http://x/a\\u0041-SERVICE> ?p ?o }",
        "SELECT ?service $LOAD { ?service ?from $LOAD }",
        "PREFIX service: <http://x/> SELECT * { ?s service:load ?o . ?s service: ?o }",
        "PREFIX ex: <http://x/> SELECT * { ?s ex:SERVICE ?o . ?s ex:a.LOAD ex:b-FROM }",
        "PREFIX load: <http://x/> SELECT * { ?s load:x/service:y* ?o }",
        'SELECT * { ?s ?p "x"@SERVICE }',
        'SELECT * { ?s ?p "x"@en-LOAD }',
        "SELECT * { ?s <#p> 'LOAD' FILTER(?s != <#a> && ?o IN (<#b>, <http://x/#c>)) 'FROM' }",
        "SELECT * { VALUES (?a ?b) { (<http://x/#a> <http://x/#b>) } ?s ?p 'SERVICE' }",
        "SELECT * { _:SERVICE ?p _:b.LOAD }",
        "SELECT * { ?s ?p ?o FILTER(?a<?b && ?c>?d) }",
        "",
    ],
)
def test_a_word_that_is_no_keyword_is_passed_over(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * { SERVICE <http://x/> { ?s ?p ?o } }", "SERVICE"),
        ("select * { service silent ?x { ?s ?p ?o } }", "SERVICE"),
        ("SELECT * { SeRvIcE<http://x/>{ ?s ?p ?o } }", "SERVICE"),
        ("SELECT * { SERVICESILENT<http://x/>{ ?s ?p ?o } }", "SERVICE"),
        ("SELECT * { ?s ?p trueSERVICE<http://x/>{} }", "SERVICE"),
        ("SELECT * { ?s ?p 1SERVICE<http://x/>{} }", "SERVICE"),
        ("PREFIX : <http://x/> SELECT * { SERVICE:x{ ?s ?p ?o } }", "SERVICE"),
        ("PREFIX : <http://x/> SELECT * { SERVICE:x # why\n { ?s ?p ?o } }", "SERVICE"),
        ("PREFIX ex: <http://x/> SELECT * { ?s ?p ex:.SERVICE<http://x/>{} }", "SERVICE"),
        ("PREFIX ex: <http://x/> SELECT * { ?s ?p ex:a. SERVICE<http://x/>{} }", "SERVICE"),
        ("SELECT * { FILTER(?a<?b)SERVICE?x{} }", "SERVICE"),
        ("SELECT * { FILTER(?a<?b#>)\n)SERVICE ?x {} }", "SERVICE"),
        ('SELECT * { BIND("a" AS ?x)SERVICE ?y {} }', "SERVICE"),
        # a codepoint escape ends the string, or does not: both readings count
        ('SELECT * { BIND("a\\u0022" AS ?x) SERVICE ?y {} BIND(" " AS ?z) }', "SERVICE"),
        ('SELECT * { BIND("a\\u0022 AS ?x) SERVICE ?y {} }', "SERVICE"),
        ("SELECT * { \\u0053ERVICE <http://x/> {} }", "SERVICE"),
        ("SELECT * { \\U00000053\\u0045RVICE <http://x/> {} }", "SERVICE"),
        ("SELECT * { ?s ?p ?o \\u000A SERVICE <http://x/> {} }", "SERVICE"),
        # after a string that never ends, everything counts
        ('SELECT * { ?s ?p "open\n SERVICE <http://x/> {} }', "SERVICE"),
        ('SELECT * { ?s ?p """open SERVICE <http://x/> {} }', "SERVICE"),
        # what looks like an IRI is a comparison to the engine, and hides or opens a string
        ("SELECT * { FILTER(?a<'>'||?b='c') SERVICE ?x {} FILTER('d'='d') }", "SERVICE"),
        ("SELECT * { FILTER(?a<?b#>'\n) SERVICE ?x {} FILTER(1=1#'\n) }", "SERVICE"),
        ("SELECT * { FILTER(1<(2)&&(3>2)&&?a<'>'||'') SERVICE ?x {} FILTER(''='') }", "SERVICE"),
        ("SELECT * { FILTER(?a<'>'||'#'='') SERVICE ?x {} }", "SERVICE"),
        ("SELECT * { BIND(<<(?s?p'>')>> AS ?t) SERVICE ?x {} BIND('' AS ?u) }", "SERVICE"),
        ("LOAD <http://x/> INTO GRAPH <http://y/>", "LOAD"),
        ("CLEAR ALL;LOADSILENT<http://x/>", "LOAD"),
        ("PREFIX : <http://x/> LOAD:x", "LOAD"),
        ("INSERT DATA { <http://a> <http://b> 1 } ; load <http://x/>", "LOAD"),
        ("SELECT * FROM <http://g/> { ?s ?p ?o }", "FROM"),
        ("SELECT *FROM<http://g/>{ ?s ?p ?o }", "FROM"),
        ("SELECT * from named <http://g/> { ?s ?p ?o }", "FROM"),
        ("PREFIX : <http://g/> SELECT * FROM:a { ?s ?p ?o }", "FROM"),
    ],
)
def test_a_keyword_is_seen(text: str, expected: str) -> None:
    check(text, expected)


@pytest.mark.parametrize(
    ("before", "between", "after", "names"),
    [
        ("SELECT ", " {", " ?s ?p ?o }", "s p o"),
        ("# *\nPREFIX s: <x#*> BASE <y>\nVERSION '*' select reduced", "FROM<g>where{", "$b ?a ?b}",
         "b a"),
        ("SELECT ", " { SELECT ?a (1 AS ?b) {", " ?c ?b '?d' # ?e\n } }", "a b c"),
        ("SELECT ", " { .{", "} ?s ?p ?o }", "s p o"),
    ],
)  # fmt: skip
def test_the_star_of_a_query_is_found(before: str, between: str, after: str, names: str) -> None:
    found = select_star(f"{before}*{between}{after}")
    expected = len(before), len(before) + 1 + len(between), names.split()
    assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }",
        "SELECT ?n { SELECT * { ?s ?p ?n } }",
        "CONSTRUCT { ?s ?p ?o } { SELECT * { ?s ?p ?o } }",
        "ASK { ?s <p>* ?o }",
        "DESCRIBE * { ?s ?p ?o }",
        "SELECT *",
        "SELECT DISTINCT",
        "PREFIX a:",
        "",
    ],
)
def test_a_query_without_a_star_has_none(text: str) -> None:
    assert select_star(text) is None


def test_the_refusal_says_what_to_do_instead() -> None:
    with pytest.raises(FederationRefused, match=r"SERVICE would make .* submission"):
        refuse_federation("SELECT * { SERVICE <http://x/> {} }")
    refuse_federation("SELECT * { ?service ?p 'LOAD' }")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500_000 + ")" * 500_000,
        "(?a<b" * 200_000,
        "'" + "\\'" * 500_000,
        '"""' + '\\"""' * 250_000,
        "'''" + "\\'''" * 250_000,
        "<" * 1_000_000,
        "<a" * 500_000,
        "<http://x/" + "a" * 1_000_000,
        "a." * 500_000,
        "a-" * 500_000,
        "a" * 1_000_000 + "!",
        "a:a" + "." * 1_000_000 + "!",
        "a:" + "a..." * 250_000 + " ",
        "@a-" * 330_000,
        '"' * 1_000_001,
        "\"'" * 500_000,
        "\\" * 1_000_000,
        "\\u" * 500_000,
        "_:." * 330_000,
        ":" * 1_000_000,
    ],
    ids=lambda text: text[:8],
)
def test_a_megabyte_of_hostile_text_is_read_in_linear_time(text: str) -> None:
    begun = time.perf_counter()
    used_keywords(f"service {text}", "SERVICE", "LOAD")
    assert time.perf_counter() - begun < 15  # some 1 s; a quadratic reading takes an hour


STORE = Store()
STORE.extend(
    Quad(NamedNode("http://e/s"), NamedNode("http://e/p"), quad.object)
    for quad in parse(
        b'@prefix : <http://e/> . :s :p 1, 1.5, true, "a", "a"@en, "\\"", "a\\"", '
        b'<http://e/>, :a, :a.b, "SERVICE", "x".',
        format=RdfFormat.TURTLE,
    )
)
LEADS = (
    "", "?s ?p ?o.", "?s ?p ?o", "?s ?p true", "?s ?p 1", "?s ?p 1.", "?s ?p 1.5", "?s ?p 1e0",
    '?s ?p "a"', '?s ?p "a"@en', '?s ?p "a"@en.', "?s ?p :", "?s ?p :.", "?s ?p :a", "?s ?p :a.",
    "?s ?p :a.b", "?s ?p e:", "?s ?p e:.", "?s ?p ?o FILTER(1<2)", "FILTER(1<2 #>\n)",
    'BIND("a\\u0022" AS ?q)', 'BIND("a" AS ?q)', "BIND(1 AS ?q)", "{}", "OPTIONAL{}", "{}UNION{}",
    "?s <http://e/p>?true", "?s <http://e/p>?o.", "?s <http://e/p> _:b", "?s <http://e/p> _:b.",
    "?s ?p ?a FILTER(?a<'>'||'b'='b')", "FILTER(1<(2)&&(3>2)&&'a'<'>'||'')", "?s ?p <#'>.",
    "FILTER('a'<?true#>'\n)", "VALUES ?q{UNDEF}", "VALUES ?q{true}",
    "GRAPH ?g{}", '?s ?p """x"y"""', "#'\n", '#"\r',
)  # fmt: skip
KEYWORDS = ("SERVICE", "service", " SERVICE", "\tSeRvIcE", "#x\nSERVICE")
TARGETS = ("<http://127.0.0.1:1/>", " <http://127.0.0.1:1/>", ":", ":x", " :x", "#\n:", "e:x")
GROUPS = ("{}", " { ?x ?y ?z }", "#{\n{}")
TAILS = ("", "FILTER('c'='c')", 'BIND(" " AS ?r)', "?s ?p ?o2", "#")


def calls_out(query: str) -> bool:
    """The engine is the judge: it fails with an OSError where it tries to connect."""
    try:
        all(STORE.query(query))  # type: ignore[arg-type]
    except OSError:
        return True
    except (SyntaxError, RuntimeError, ValueError):
        return False
    return False


def test_what_the_engine_calls_out_for_is_always_refused() -> None:
    prologue = "PREFIX : <http://127.0.0.1:1/> PREFIX e: <http://127.0.0.1:1/> SELECT * {"
    called, missed = set(), []
    for lead, keyword, target, group, tail in product(LEADS, KEYWORDS, TARGETS, GROUPS, TAILS):
        query = f"{prologue}{lead}{keyword}{target}{group}{tail}\n}}"
        if calls_out(query):
            called.add(lead)
            if not used_keywords(query, "SERVICE"):
                missed.append(query)
    assert missed == []
    assert len(called) > len(LEADS) / 2, "the engine called out too rarely to prove anything"
