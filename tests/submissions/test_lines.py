"""Lines are named where they are sure, and not otherwise."""

from __future__ import annotations

import pytest

from app.rdf import media
from app.submissions.lines import MAX_BYTES, Source, first_lines

BASE = "http://b/"
A = "http://b/a"


def line(text: str | bytes, media_type: str = media.TURTLE, iri: str = A) -> int | None:
    data = text if isinstance(text, bytes) else text.encode()
    found = first_lines([Source(None, media_type, data)], {iri}, BASE)
    return found[iri][1] if iri in found else None


TURTLE = {
    "full": ("# one\n<http://b/a> <p> 1 .", 2),
    "relative": ("\n\n<a> <p> 1 .", 3),
    "other-base": ("@base <http://c/> .\n<a> <p> 1 .", None),
    "sparql-base": ("BASE <http://c/>\n<a> <p> 1 .\nbase <http://b/>\n<a> <p> 1 .", 4),
    "prefixed": ("@prefix x: <http://b/> .\nx:a x:p 1 .", 2),
    "sparql-prefix": ("PREFIX x: <http://b/>\nx:a x:p 1 .", 2),
    "empty-prefix": ("@prefix : <http://b/> .\n:a :p 1 .", 2),
    "prefix-declared-later": ("x:a x:p 1 .\n@prefix x: <http://b/> .", None),
    "object-first": ("<x> <p> <y> ,\n <a> .\n<a> <p> 1 .", 3),
    "only-object": ("<x> <p> <y> ,\n <a> .", None),
    "after-number": ("<x> <p> 1.5 .\n<a> <p> 1 .", 2),
    "after-number-without-space": ("<x> <p> 1.\n<a> <p> 1 .", 2),
    "in-comment": ("# <a> <p> 1 .\n<x> <p> 1 .", None),
    "in-string": ('<x> <p> "\\" . <a> <p> 1 ." .\n<a> <p> 1 .', 2),
    "in-long-string": ('<x> <p> """.\n<a> <p> 1 .""" .\n<a> <p> 1 .', 3),
    "in-brackets": ("<x> <p> [ <q> <a> ] .\n[] <p> <a> .", None),
    "dots-in-names": ("@prefix x: <http://b/> .\nx:a.b x:p x:c.d .\nx:a x:p 1 .", 3),
    "cut-off": ('<x> <p> "open\n<a> <p> 1 .', None),
}


@pytest.mark.parametrize("name", TURTLE)
def test_turtle(name: str) -> None:
    text, expected = TURTLE[name]
    assert line(text) == expected


def test_the_name_of_a_graph_is_no_subject() -> None:
    assert line("<a> {\n <x> <p> 1 }\n<g> { <a> <p> 1 }", media.TRIG) == 3
    assert line("GRAPH <a> {\n <x> <p> 1 }", media.TRIG) is None


def test_other_syntaxes() -> None:
    triples = "<http://x> <http://p> <http://b/a> .\n<http://b/a> <http://p> <http://x> .\n"
    assert line(triples, media.N_TRIPLES) == 2
    assert line('{\n "@id": "http://b/a" }', media.JSON_LD) == 2
    assert line('[{"@id": "http://b/a"},\n {"p": {"@id": "http://b/a"}}]', media.JSON_LD) is None
    xml = '<!-- rdf:about="http://b/a" -->\n<x rdf:resource="http://b/a"/>\n<x rdf:about="http://b/a"/>'
    assert line(xml, media.RDF_XML) == 3
    assert line('<x rdf:about="http://b/a?x&amp;y"/>', media.RDF_XML, "http://b/a?x&y") == 1


def test_the_first_file_counts_and_a_very_long_one_does_not() -> None:
    one, two = (Source(name, media.TURTLE, b"\n<a> <p> 1 .") for name in ("1", "2"))
    assert first_lines([one, two], {A}, BASE) == {A: (0, 2)}
    assert line(b"<a> <p> 1 ." + b" " * MAX_BYTES) is None
