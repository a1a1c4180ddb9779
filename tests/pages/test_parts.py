from __future__ import annotations

from pathlib import Path

import pytest

from app.pages.examples import read_examples
from app.pages.formats import format_amount, format_date, format_number, read_point
from app.pages.languages import LANGUAGES, Texts
from app.pages.links import licence_name, local_href, safe_href, with_parameters
from app.pages.minimap import draw_minimap
from app.pages.site import STATIC

TEMPLATES = STATIC.parent / "templates"


def test_every_language_has_every_text_with_the_same_placeholders() -> None:
    texts = Texts()
    for lang in LANGUAGES:
        assert texts.keys(lang) == texts.keys("en")
        assert len(texts.months(lang)) == 12
        for key in texts.keys("en"):
            text, english = texts.get(lang, key), texts.get("en", key)
            assert text.strip(), (lang, key)
            assert _placeholders(text) == _placeholders(english), (lang, key)


def _placeholders(text: str) -> set[str]:
    return {part.partition("}")[0] for part in text.split("{")[1:]}


def test_every_text_is_used() -> None:
    folder = STATIC.parent
    sources = "".join(
        file.read_text("utf-8") for file in [*folder.glob("*.py"), *TEMPLATES.glob("*.html")]
    )
    by_rule = (
        "history.added",
        "history.changed",
        "history.removed",
        "plural.",
        "problem.",
        "queries.kind.",
        "try.",
        "months",
    )
    unused = [
        key for key in Texts().keys("en") if key not in sources and not key.startswith(by_rule)
    ]
    assert unused == []


def test_no_template_trusts_text_or_carries_inline_code() -> None:
    for file in TEMPLATES.glob("*.html"):
        text = file.read_text("utf-8")
        for trap in ("|safe", "| safe", "autoescape false", "style=", "onclick", "<style"):
            assert trap not in text, (file.name, trap)


def test_static_files_call_no_other_host() -> None:
    for file in STATIC.glob("*.*"):
        text = file.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "http" not in text.replace("https://example", ""), file.name
        assert "innerHTML" not in text


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://example.org/a?b=c#d", True),
        ("http://example.org", True),
        ("mailto:info@example.org", True),
        ("tel:+3112345", True),
        ("HTTPS://example.org/", True),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,x", False),
        ("vbscript:x", False),
        ("file:///etc/passwd", False),
        ("//example.org", False),
        ("/local", False),
        ("https:example.org", False),
        ("https://example.org/<b>", False),
        ('https://example.org/"x', False),
        ("https://[broken", False),
        ("urn:uuid:1", False),
        ("", False),
    ],
)
def test_only_web_mail_and_telephone_addresses_become_links(address: str, safe: bool) -> None:
    assert (safe_href(address) == address) is safe


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "", None, "/a b"])
def test_local_links_stay_on_this_site(path: str | None) -> None:
    assert local_href(path) is None


def test_parameters_go_before_the_fragment() -> None:
    assert with_parameters("/a#b", [("lang", "de")]) == "/a?lang=de#b"
    assert with_parameters("/a?x=1", [("lang", "de")]) == "/a?x=1&lang=de"
    assert with_parameters("/a", []) == "/a"


@pytest.mark.parametrize(
    ("iri", "name"),
    [
        ("http://publications.europa.eu/resource/authority/licence/CC_BY_4_0", "CC BY 4.0"),
        ("http://publications.europa.eu/resource/authority/licence/CC0", "CC0"),
        ("https://creativecommons.org/licenses/by-sa/4.0/", "CC BY-SA 4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0 1.0"),
        ("https://example.org/licence", None),
    ],
)
def test_licences_have_their_usual_names(iri: str, name: str | None) -> None:
    assert licence_name(iri) == name


@pytest.mark.parametrize(
    ("value", "lang", "text"),
    [
        ("1234567.5", "en", "1,234,567.5"),
        (1234, "de", "1.234"),
        ("-1000", "nl", "-1.000"),
        ("0.25", "fr", "0,25"),
        ("many", "en", "many"),
        ("NaN", "en", "NaN"),
    ],
)
def test_numbers(value: object, lang: str, text: str) -> None:
    assert format_number(value, lang) == text


@pytest.mark.parametrize(
    ("value", "currency", "lang", "text"),
    [
        ("528340.1", "EUR", "en", "€\u00a0528,340.10"),
        ("2000000", "EUR", "de", "2.000.000\u00a0€"),
        ("10", "SEK", "nl", "SEK\u00a010"),
        ("?", "EUR", "en", "? EUR"),
        ("Infinity", "EUR", "en", "€\u00a0Infinity"),
    ],
)
def test_amounts(value: str, currency: str, lang: str, text: str) -> None:
    assert format_amount(value, currency, lang) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2020-03-01", "1\u00a0March 2020"),
        ("2020-03-01T10:20:30Z", "1\u00a0March 2020, 10:20 UTC"),
        ("2020-03-01T10:20:30.5+01:00", "1\u00a0March 2020, 10:20 +01:00"),
        ("2020", "2020"),
        ("2020-13-01", "2020-13-01"),
        ("soon", "soon"),
    ],
)
def test_dates(value: str, text: str) -> None:
    assert format_date(value, "en", Texts().months("en")) == text


def test_points_and_the_map_they_are_drawn_on() -> None:
    assert read_point("POINT(5.4778 51.4408)") == (5.4778, 51.4408)
    assert read_point("<http://x/crs> Point (4.7 50.9)") == (4.7, 50.9)
    for wkt in ("POLYGON((0 0,1 1,1 0,0 0))", "POINT(1.2.3 4)", "POINT(200 4)", ""):
        assert read_point(wkt) is None
    drawn = draw_minimap((5.4778, 51.4408), "x")
    assert drawn is not None
    assert (drawn.here.x, drawn.here.y) == (drawn.corners[0].x, drawn.corners[0].y)
    assert all(0 < dot.x < drawn.width and 0 < dot.y < drawn.height for dot in drawn.corners)
    assert draw_minimap((13.4, 52.5), "Berlin") is None


def test_example_queries_are_read_with_their_prefixes(tmp_path: Path) -> None:
    file = tmp_path / "queries.ttl"
    file.write_text(
        """@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix ex: <https://example.org/q/> .
        @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
        ex:p sh:declare [ sh:prefix "org" ; sh:namespace "http://www.w3.org/ns/org#" ] .
        ex:two a sh:SPARQLExecutable ; rdfs:comment "Second"@en , "Zweite"@de ;
          sh:ask "ASK { ?s a org:Organization }" ; sh:prefixes ex:p .
        ex:one a sh:SPARQLExecutable ; rdfs:comment "First" ; sh:select "SELECT * {}" .
        ex:none a sh:SPARQLExecutable ; rdfs:comment "Without a query" .
        """
    )
    one, two = read_examples([file])
    assert (one.key, two.key) == ("one", "two")
    assert two.titles == {"en": "Second", "de": "Zweite"}
    assert two.query.startswith("PREFIX org: <http://www.w3.org/ns/org#>\nASK")
