from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rdf import media

TTL, JLD, NT, XML = media.GRAPH_FORMATS
HTML = media.HTML
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def check(accept: str | None, offered: tuple[str, ...], expected: str | None) -> None:
    assert media.negotiate(accept, offered) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, TTL),
        ("", TTL),
        ("   ", TTL),
        ("*/*", TTL),
        ("text/turtle", TTL),
        ("TEXT/TURTLE", TTL),
        ("text/*", TTL),
        ("application/*", JLD),
        ("application/n-triples", NT),
        ("application/rdf+xml, application/ld+json", JLD),  # a tie goes to the earlier offer
        ("application/rdf+xml;q=0.9, application/ld+json;q=0.8", XML),
        ("application/ld+json;q=0.5, */*;q=0.1", JLD),
        ("application/ld+json; q = 0.5 , */* ;q=0.1", JLD),
        ('application/ld+json;profile="http://www.w3.org/ns/json-ld#compacted"', JLD),
        # the most specific range decides, whatever its place and weight
        ("*/*;q=1, text/turtle;q=0.1", JLD),
        ("text/turtle;q=0.1, text/*;q=0.9, */*;q=0.2", JLD),
        ("text/turtle;q=0, */*", JLD),
        ("*/*, text/turtle;q=0, application/*;q=0, application/n-triples", NT),
        ("text/turtle;q=0", None),
        ("*/*;q=0", None),
        ("image/png", None),
        # malformed elements are passed over, malformed weights refuse
        ("nonsense, application/n-triples", NT),
        ("/turtle, text/, */turtle, application/n-triples;q=0.1", NT),
        ("text/turtle;q=high, application/n-triples;q=0.1", NT),
        ("text/turtle;q=2, application/n-triples;q=0.1", NT),
        ("text/turtle;q=-1, application/n-triples;q=0.1", NT),
        ("text/turtle;q=nan, application/n-triples;q=0.1", NT),
        ("text/turtle;q=", None),
        (",,,", TTL),
        ("nonsense", TTL),
    ],
)
def test_graph_formats_are_negotiated(accept: str | None, expected: str | None) -> None:
    check(accept, media.GRAPH_FORMATS, expected)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (BROWSER, HTML),
        ("*/*", TTL),
        ("text/html;q=0.5, text/turtle;q=0.4", HTML),
        ("text/html;q=0.5, text/turtle;q=0.6", TTL),
        ("text/html, text/turtle", TTL),
        ("text/*;q=0.3, text/html", HTML),
    ],
)
def test_a_page_is_for_those_who_prefer_it(accept: str, expected: str) -> None:
    check(accept, (*media.GRAPH_FORMATS, HTML), expected)


@given(st.text(max_size=60), st.lists(st.sampled_from([*media.RDF_FORMATS, HTML]), min_size=1))
def test_any_header_gives_one_of_the_offers_or_none(accept: str, offered: list[str]) -> None:
    assert media.negotiate(accept, offered) in {*offered, None}


@given(st.permutations(["text/turtle;q=0.3", "text/*;q=0.7", "application/ld+json", "*/*;q=0.1"]))
def test_the_order_of_ranges_does_not_matter(ranges: list[str]) -> None:
    assert media.negotiate(",".join(ranges), media.GRAPH_FORMATS) == JLD


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text/turtle", TTL),
        ("application/x-turtle", TTL),
        ("text/n3", TTL),
        ("text/plain", NT),
        ("application/json", JLD),
        ("text/xml", XML),
        ("application/x-trig", media.TRIG),
        ("text/x-nquads", media.N_QUADS),
        ("text/html", None),
        ("", None),
    ],
)
def test_aliases_lead_to_the_format_they_mean(name: str, expected: str | None) -> None:
    assert media.rdf_media_type(name) == expected


@pytest.mark.parametrize("name", [*media.RDF_FORMATS, *media.RDF_ALIASES])
def test_whatever_a_graph_may_be_asked_for_in_has_a_suffix(name: str) -> None:
    assert media.SUFFIXES[media.suffix(name)] == media.rdf_media_type(name)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, ""),
        ("", ""),
        ("Text/Turtle", "text/turtle"),
        (" text/turtle ; charset=utf-8", "text/turtle"),
    ],
)
def test_a_content_type_is_stripped_of_parameters(content_type: str | None, expected: str) -> None:
    assert media.bare(content_type) == expected
