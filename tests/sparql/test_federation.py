"""Which SERVICE blocks are sent to whom, and which texts are refused."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from pyoxigraph import QuerySolutions, Store

from app.egress import is_public
from app.errors import FederationRefused
from app.sparql.federation import MAX_CALLS, Call, inlined, read_calls

ONE, TWO = "https://one.example/sparql", "https://two.example/sparql"
BASE = "https://base.example/"


def read(text: str, *endpoints: str) -> list[Call]:
    return read_calls(text, base_iri=BASE, endpoints=frozenset(endpoints or (ONE, TWO)))


@pytest.mark.parametrize(
    ("text", "endpoint", "silent", "pattern"),
    [
        (f"SELECT * {{ SERVICE <{ONE}> {{ ?a ?b ?c }} }}", ONE, False, " ?a ?b ?c "),
        (f"SELECT*{{service<{ONE}>{{?a ?b ?c}}}}", ONE, False, "?a ?b ?c"),
        (f"ASK {{ SERVICE SILENT <{TWO}> {{ }} }}", TWO, True, " "),
        ("PREFIX x: <https://one.example/> ASK { SERVICE x:sparql { ?a ?b ?c } }", ONE, False,
         " ?a ?b ?c "),
        (f"PREFIX : <{ONE}> ASK {{ SERVICE : {{ ?a ?b ?c }} }}", ONE, False, " ?a ?b ?c "),
        (f"ASK {{ SERVICE # why\n <{ONE}> # here\n {{ ?a ?b '}}' # }}\n }} }}", ONE, False,
         " ?a ?b '}' # }\n "),
        (f"ASK {{ SERVICE <{ONE}> {{ {{ SELECT ?a {{ ?a ?b ?c }} }} OPTIONAL {{ ?a ?d ?e }} }} }}",
         ONE, False, " { SELECT ?a { ?a ?b ?c } } OPTIONAL { ?a ?d ?e } "),
        (f"ASK {{ SERVICE <{ONE}> {{ ?a ?b 'SERVICE <x> {{' }} }}", ONE, False,
         " ?a ?b 'SERVICE <x> {' "),
    ],
)  # fmt: skip
def test_a_block_is_found(text: str, endpoint: str, silent: bool, pattern: str) -> None:
    (call,) = read(text)
    assert (call.endpoint, call.silent) == (endpoint, silent)
    assert call.query.endswith(f"SELECT * WHERE {{{pattern}\n}}")
    assert text[call.start :].upper().startswith("SERVICE")
    assert text[call.end - 1] == "}"


def test_the_declarations_go_with_it() -> None:
    text = (
        "# a\nBASE <https://b.example/> PREFIX a: <x> # b\nVERSION '1.2' PREFIX : <y#>\n"
        f"SELECT * {{ ?s a:p ?o . SERVICE <{ONE}> {{ ?s :q <z> }} }}"
    )
    (call,) = read(text)
    assert call.query == (
        f"BASE <{BASE}>\nBASE <https://b.example/>\nPREFIX a: <x>\nPREFIX : <y#>\n"
        "SELECT * WHERE { ?s :q <z> \n}"
    )


def test_several_blocks_are_replaced_where_they_stand() -> None:
    text = f"SELECT * {{ SERVICE <{ONE}> {{ ?a ?b ?c }} OPTIONAL{{SERVICE<{TWO}>{{?c ?d ?e}}}} }}"
    calls = read(text)
    assert [call.endpoint for call in calls] == [ONE, TWO]
    made = inlined(text, calls, ["{ VALUES (?a) { (1) (2) } }", "{ VALUES (?d) { } }"])
    rows = Store().query(made)
    assert isinstance(rows, QuerySolutions)
    assert [row["a"].value for row in rows] == ["1", "2"]


@pytest.mark.parametrize(
    ("block", "rows"),
    [("VALUES () { () () }", 2), ("VALUES () { }", 0), ("VALUES (?x) { (UNDEF) }", 1), ("", 1)],
)
def test_the_engine_reads_every_block(block: str, rows: int) -> None:
    found = Store().query(f"SELECT * {{ {{ {block} }} }}")
    assert isinstance(found, QuerySolutions)
    assert len(list(found)) == rows


@pytest.mark.parametrize(
    "text",
    [
        "ASK { SERVICE <http://127.0.0.1/> { ?a ?b ?c } }",
        f"ASK {{ SERVICE <{ONE}/> {{ ?a ?b ?c }} }}",
        f"ASK {{ SERVICE <{ONE}> {{ ?a ?b ?c }} SERVICE <http://x/> {{ ?a ?b ?c }} }}",
        f"ASK {{ BIND(<{ONE}> AS ?s) SERVICE ?s {{ ?a ?b ?c }} }}",
        f"ASK {{ SERVICE <{ONE}> {{ SERVICE <{TWO}> {{ ?a ?b ?c }} }} }}",
        f"ASK {{ SERVICE <{ONE}> {{ ?a ?b ?c",
        f"ASK {{ SERVICE <{ONE}> ?a ?b ?c }}",
        f"ASK {{ SERVICE SILENT SILENT <{ONE}> {{ ?a ?b ?c }} }}",
        "ASK { SERVICE x:sparql { ?a ?b ?c } }",
        "ASK { SERVICE",
        "ASK { SERVICE SILENT",
        f"ASK {{ SERVICE <{ONE}>",
        f"ASK {{ SERVICESILENT<{ONE}>{{ ?a ?b ?c }} }}",
        f"ASK {{ 1SERVICE<{ONE}>{{ ?a ?b ?c }} }}",
        "PREFIX : <https://one.example/sparql> ASK { SERVICE:{ ?a ?b ?c } }",
        f"ASK {{ \\u0053ERVICE <{ONE}> {{ ?a ?b ?c }} }}",
        f"ASK {{ SERVICE <{ONE}> {{ ?a ?b '\\u0022' }} }}",
        f"ASK {{ SERVICE <{ONE}> {{ ?a ?b ?c }} ?d ?e 'open }}",
        f"ASK {{ ?a ?b 'open\n SERVICE <{ONE}> {{ ?a ?b ?c }} }}",
        f"ASK {{ FILTER(?a<'>'||?b='c') SERVICE <{ONE}> {{ ?a ?b ?c }} }}",
        f"LOAD <{ONE}>",
        f"ASK {{ SERVICE <{ONE}> {{ LOAD <http://x/> }} }}",
        "ASK {" + f" SERVICE <{ONE}> {{ ?a ?b ?c }}" * (MAX_CALLS + 1) + "}",
    ],
)
def test_what_is_not_listed_or_not_certain_is_refused(text: str) -> None:
    with pytest.raises(FederationRefused, match="list"):
        read(text)


def test_without_a_list_all_is_refused() -> None:
    with pytest.raises(FederationRefused, match="calls no others"):
        read_calls(f"ASK {{ SERVICE <{ONE}> {{}} }}", base_iri=BASE, endpoints=frozenset())


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("192.0.78.9", True), ("8.8.8.8", True), ("2606:4700::1111", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("239.255.255.250", False), ("255.255.255.255", False),
        ("240.0.0.1", False), ("192.0.2.1", False), ("198.18.0.1", False),
        ("::1", False), ("::", False), ("fe80::1", False), ("fc00::1", False), ("ff02::1", False),
        ("ff0e::1", False), ("2001:db8::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False), ("2002:7f00:1::", False), ("2002:a00:1::1", False),
    ],
)  # fmt: skip
def test_only_addresses_of_the_open_internet_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public
