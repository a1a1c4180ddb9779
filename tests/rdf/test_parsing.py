from __future__ import annotations

import gzip
import subprocess
import sys
import time
import zlib

import pytest
from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, parse, serialize

from app.errors import AppError, PayloadTooLarge, SyntaxRejected, UnsupportedMediaType
from app.rdf import media
from app.rdf.parsing import MAX_JSON_DEPTH, in_graph, parse_rdf
from app.rdf.terms import XSD, type_

BASE = "https://example.org/"
P = NamedNode("http://example.org/p")
S = NamedNode("http://example.org/s")
TRIPLES = [Quad(S, P, Literal("a “quoted” word", language="en")), Quad(S, type_, P)]
MB = 1 << 20


def read(data: bytes | str, media_type: str = media.TURTLE, max_bytes: int = MB) -> set[Quad]:
    raw = data.encode() if isinstance(data, str) else data
    return set(parse_rdf(raw, media_type, base_iri=BASE, max_bytes=max_bytes))


def refused(kind: type[AppError], data: bytes | str, media_type: str = media.TURTLE) -> AppError:
    with pytest.raises(kind) as error:
        read(data, media_type)
    return error.value


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("media_type", [*media.RDF_FORMATS, *media.RDF_ALIASES])
def test_every_format_and_alias_is_read(media_type: str, packed: bool) -> None:
    name = media.rdf_media_type(media_type)
    assert name is not None
    rdf_format = media.RDF_FORMATS[name]
    quads = TRIPLES
    data = serialize(
        quads if name in media.DATASET_FORMATS else [q.triple for q in quads], format=rdf_format
    )
    assert data is not None
    assert read(gzip.compress(data) if packed else data, media_type) == set(TRIPLES)


def test_a_format_that_is_not_rdf_is_refused_with_those_that_are() -> None:
    error = refused(UnsupportedMediaType, "a,b", "text/csv")
    assert error.facts["accepted"] == list(media.RDF_FORMATS)


@pytest.mark.parametrize(
    ("turtle", "line", "column"),
    [
        ("<http://s> <http://p> ", 1, None),
        ("<http://s> <http://p> <http://o> .\n<http://s> nope <http://o> .", 2, 12),
        ("\n\n  <http://s a> <http://p> <http://o> .", 3, 3),
    ],
)
def test_a_syntax_error_says_where(turtle: str, line: int, column: int | None) -> None:
    facts = refused(SyntaxRejected, turtle).facts
    assert facts["line"] == line
    assert column is None or facts["column"] == column


def test_relative_iris_are_resolved_against_the_base() -> None:
    assert read("<id/a> a <x> .") == {
        Quad(NamedNode(f"{BASE}id/a"), type_, NamedNode(f"{BASE}x")),
    }


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2.50", Literal("2.5", datatype=XSD["decimal"])),
        ("528340.10", Literal("528340.1", datatype=XSD["decimal"])),
        ('"1"^^xsd:boolean', Literal("true", datatype=XSD["boolean"])),
        ('"7"^^xsd:positiveInteger', Literal("7", datatype=XSD["integer"])),
        ('"+07"^^xsd:integer', Literal("7", datatype=XSD["integer"])),
        ('"2020-01-01"^^xsd:date', Literal("2020-01-01", datatype=XSD["date"])),
        ('"x"@EN', Literal("x", language="en")),
        ('"not a number"^^xsd:integer', Literal("not a number", datatype=XSD["integer"])),
    ],
)
def test_literals_are_in_the_form_that_the_store_keeps(written: str, kept: Literal) -> None:
    quads = read(f"@prefix xsd: <{XSD}> . <{S.value}> <{P.value}> {written} .")
    assert [quad.object for quad in quads] == [kept]
    again = serialize([quad.triple for quad in quads], format=RdfFormat.N_TRIPLES)
    assert again is not None
    assert read(again, media.N_TRIPLES) == quads


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("media_type", media.RDF_FORMATS)
def test_a_byte_order_mark_says_nothing(media_type: str, packed: bool) -> None:
    quads = [quad.triple for quad in TRIPLES]
    data = serialize(quads, format=media.RDF_FORMATS[media_type])
    assert data is not None
    marked = b"\xef\xbb\xbf" + data
    assert read(gzip.compress(marked) if packed else marked, media_type) == set(TRIPLES)


@pytest.mark.parametrize("code", ["0000", "0008", "000B", "001B", "FFFE", "FFFF"])
def test_a_text_that_xml_cannot_hold_is_refused(code: str) -> None:
    error = refused(SyntaxRejected, rf'<http://s> <http://p> "a\u{code}b" .')
    assert f"U+{code}" in error.detail
    assert "<http://s>" in error.detail


def test_texts_may_have_lines_and_any_letters() -> None:
    (quad,) = read(r'<http://s> <http://p> "a\t\r\n\u202E\U0001F52C" .')
    assert quad.object == Literal("a\t\r\n\u202e\U0001f52c")


def test_blank_nodes_of_two_files_are_kept_apart() -> None:
    one, other = read("_:a a <x> ."), read("_:a a <x> .")
    assert not one & other


def n_triples(count: int) -> bytes:
    return b"".join(b"<http://s/%d> <http://p> <http://o> .\n" % i for i in range(count))


def test_gzip_may_have_many_members_and_padding() -> None:
    lines = n_triples(40_000).splitlines(keepends=True)
    packed = b"".join(
        gzip.compress(b"".join(lines[at : at + 9_000])) for at in range(0, 40_000, 9_000)
    )
    assert len(read(packed + bytes(512), media.N_TRIPLES, 8 * MB)) == 40_000


def test_gzip_that_ends_too_early_is_refused_wherever_it_is_cut() -> None:
    packed = gzip.compress(n_triples(2_000))
    whole = packed + packed
    for cut in [
        *range(2, 40),
        len(packed) // 2,
        *range(len(packed) - 12, len(packed)),
        len(whole) - 1,
    ]:
        with pytest.raises(SyntaxRejected, match="gzip"):
            read(whole[:cut], media.N_TRIPLES)


def test_damaged_gzip_is_refused() -> None:
    packed = bytearray(gzip.compress(n_triples(2_000)))
    packed[-6] ^= 0xFF
    assert "damaged" in refused(SyntaxRejected, bytes(packed), media.N_TRIPLES).detail


def test_fifty_thousand_empty_gzip_members_cost_no_more_than_their_length() -> None:
    begun = time.perf_counter()
    assert read(gzip.compress(b"") * 50_000) == set()
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_bytes_are_counted_when_unpacked(packed: bool) -> None:
    text = b"#" + b" " * MB
    error = refused(PayloadTooLarge, gzip.compress(text) if packed else text)
    assert error.facts["limit"] == MB
    assert read(text, max_bytes=MB + 1) == set()


BOMB = """
import resource, sys
from app.errors import AppError
from app.rdf.parsing import parse_rdf
from app.rdf.skolem import skolemise
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data, before = sys.stdin.buffer.read(), peak()
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (600 << 20),) * 2)
try:
    quads = parse_rdf(data, sys.argv[1], base_iri="https://example.org/", max_bytes=64 << 20)
    print(sum(1 for _ in skolemise(quads, base_iri="https://example.org/", scope="s")))
except AppError as error:
    print(error.slug, (peak() - before) >> 10, error.detail)
"""


def bomb(data: bytes, media_type: str) -> tuple[str, int, str]:
    """What a process of little address space says of `data`, and the MB that it took."""
    done = subprocess.run(
        [sys.executable, "-c", BOMB, media_type],
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-500:]
    slug, megabytes, detail = done.stdout.decode().split(" ", 2)
    return slug, int(megabytes), detail


def zeros(total: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    block = bytes(MB)
    return b"".join(packer.compress(block) for _ in range(total // MB)) + packer.flush()


def test_a_gzip_bomb_of_a_gigabyte_is_refused_in_little_memory() -> None:
    slug, megabytes, detail = bomb(zeros(1 << 30), media.N_TRIPLES)
    assert (slug, "64 MB" in detail) == ("too-large", True)
    assert megabytes < 160


def test_a_deeply_nested_turtle_list_is_refused_in_little_memory() -> None:
    deep = 200_000
    turtle = b"<http://s> <http://p> " + b"( " * deep + b")" * deep + b" ."
    slug, megabytes, detail = bomb(turtle, media.TURTLE)
    assert slug == "too-large"
    assert "blank nodes" in detail
    assert megabytes < 500


def test_more_statements_than_the_limit_are_refused() -> None:
    quads = parse_rdf(n_triples(11), media.N_TRIPLES, base_iri=BASE, max_bytes=MB, max_quads=10)
    with pytest.raises(PayloadTooLarge, match="More than 10 statements"):
        list(quads)


ENTITIES = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE rdf:RDF [ <!ENTITY a "ha"> <!ENTITY b "&a;&a;&a;"> ]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">
<rdf:Description rdf:about="http://x/"><e:p>&b;</e:p></rdf:Description></rdf:RDF>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1"])
def test_xml_entities_are_refused_in_every_encoding(encoding: str) -> None:
    data = ENTITIES.format(encoding=encoding).encode(encoding)
    error = refused(SyntaxRejected, data, media.RDF_XML)
    if encoding == "utf-8":
        assert "entity declarations are not read" in error.detail


def test_a_remote_json_ld_context_is_refused_with_advice() -> None:
    for context in ('"https://schema.org/"', '["http://127.0.0.1:9/c"]'):
        document = f'{{"@context": {context}, "@id": "http://x/a", "name": "n"}}'
        detail = refused(SyntaxRejected, document, media.JSON_LD).detail
        assert "context" in detail
        assert "not fetched" in detail


def nested(depth: int) -> str:
    return '{"http://p": ' * (depth - 1) + "{}" + "}" * (depth - 1)


def test_deep_json_is_refused_with_its_line() -> None:
    read(nested(MAX_JSON_DEPTH), media.JSON_LD)
    error = refused(PayloadTooLarge, "\n\n" + nested(MAX_JSON_DEPTH + 1), media.JSON_LD)
    assert error.facts["line"] == 3
    assert "nested" in error.detail


@pytest.mark.parametrize("brackets", ["[" * 500, "{" * 500, '\\"' + "[" * 500, "\\\\"])
def test_brackets_in_json_strings_are_not_nesting(brackets: str) -> None:
    document = f'{{"@id": "http://x/a", "http://p": "{brackets}", "http://q": "x"}}'
    assert len(read(document, media.JSON_LD)) == 2


def test_a_long_json_string_is_scanned_in_little_memory() -> None:
    text = b'{"@id": "http://x/a", "http://p": "' + b"a\\n" * (15 * MB) + b'"}' + b"["
    slug, megabytes, detail = bomb(text, media.JSON_LD)
    assert (slug, "16 MB" in detail) == ("too-large", True)
    assert megabytes < 450


def test_triples_go_to_the_graph_and_quads_stay_where_they_are() -> None:
    ours, theirs = NamedNode("http://g/ours"), NamedNode("http://g/theirs")
    quads = list(
        parse(
            b"<http://s> <http://p> 1 . <http://g/theirs> { <http://s> <http://p> 2 }",
            format=RdfFormat.TRIG,
        )
    )
    assert {q.graph_name for q in in_graph(quads, ours)} == {ours, theirs}


@pytest.mark.parametrize(
    "document",
    [
        '{"@id": "http://example.org/a b", "http://example.org/p": "x"}',
        '{"@id": "http://example.org/a", "http://example.org/p": {"@id": "http://example.org/<"}}',
        '{"@id": "http://example.org/a", "http://bad p": "x"}',
    ],
)
def test_no_statement_of_json_ld_is_dropped_without_a_word(document: str) -> None:
    refused(SyntaxRejected, document, media.JSON_LD)
