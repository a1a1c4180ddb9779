"""`/queries` for people: a list, and a form for each query that works without scripts."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.server.running import RunningServer

HTML = {"accept": "text/html"}
Pairs = Sequence[tuple[str, str]]


def queries(server: RunningServer) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = server.get("/api/v1/queries").json()["items"]
    return listed


def page(server: RunningServer, path: str, status: int = 200) -> str:
    reply = server.get(path, **HTML)
    assert reply.status_code == status, reply.text
    return reply.text


def filled(text: str) -> Pairs:
    """Names and values of a form's inputs."""
    inputs = re.findall(r'<input id="p-[^"]*" name="([^"]*)"[^>]* value="([^"]*)"', text)
    return [(name, html.unescape(value)) for name, value in inputs]


def links(text: str) -> list[str]:
    main = text.partition("<main")[2].partition("</main>")[0]
    return [html.unescape(href) for href in re.findall(r'href="([^"]*)"', main)]


@pytest.mark.parametrize("lang", ["en", "nl", "de", "fr"])
def test_the_list_has_every_query_in_the_language_of_the_reader(
    lang: str, seeded: RunningServer
) -> None:
    text = html.unescape(page(seeded, f"/queries?lang={lang}"))
    found = queries(seeded)
    assert len(found) > 30
    for one in found:
        assert f'href="/queries/{one["name"]}?lang={lang}"' in text
        assert one["titles"].get(lang, one["title"]) in text
        assert ", ".join(one["keywords"]) in text


def test_a_form_holds_the_defaults_and_sending_it_changes_nothing(seeded: RunningServer) -> None:
    asked = [one for one in queries(seeded) if one["parameters"]]
    assert asked
    for one in asked:
        shown = page(seeded, f"/queries/{one['name']}")
        values = filled(shown)
        assert {name for name, _ in values} == {each["name"] for each in one["parameters"]}
        assert all(value for _, value in values), one["name"]
        sent = f"{one['name']}?{urlencode(values)}"
        assert filled(page(seeded, f"/queries/{sent}")) == values
        plain, given = (seeded.get(f"/api/v1/queries/{path}") for path in (one["name"], sent))
        assert (given.status_code, given.content) == (200, plain.content)


def test_what_is_given_is_in_text_editor_and_results(seeded: RunningServer) -> None:
    text = page(seeded, "/queries/projects-running-on-a-day?day=2019-01-01")
    assert filled(text) == [("day", "2019-01-01")]
    assert "2018-07-01" not in html.unescape(text).partition("<pre")[2]
    editor = next(href for href in links(text) if href.startswith("/sparql?"))
    (query,) = parse_qs(urlsplit(editor).query)["query"]
    assert '"2019-01-01"' in query
    assert html.escape(query, quote=False).splitlines()[0] in page(seeded, editor)
    results = [href for href in links(text) if href.startswith("/api/v1/queries/")]
    assert len(results) == 4
    for href in results:
        assert "day=2019-01-01" in href
        assert seeded.get(href).status_code == 200


def test_a_query_for_a_graph_offers_the_formats_of_graphs(seeded: RunningServer) -> None:
    results = [
        href
        for href in links(page(seeded, "/queries/all-about-a-project"))
        if href.startswith("/api/v1/queries/")
    ]
    assert [parse_qs(urlsplit(href).query)["format"] for href in results] == [
        ["ttl"], ["jsonld"], ["nt"], ["rdf"]
    ]  # fmt: skip
    assert all(seeded.get(href).status_code == 200 for href in results)


def test_a_wrong_value_is_told_and_kept(seeded: RunningServer) -> None:
    wrong = '"><script>x'
    text = page(seeded, f"/queries/projects-running-on-a-day?day={quote(wrong)}", 400)
    assert filled(text) == [("day", wrong)]
    assert "day must be a date" in text
    assert "<script>x" not in text
    assert not [href for href in links(text) if href.startswith("/api/v1/queries/")]
    assert seeded.get("/queries/nothing-like-it", **HTML).status_code == 404


def test_it_is_linked_from_the_form_and_from_every_page(seeded: RunningServer) -> None:
    assert "/queries" in links(page(seeded, "/sparql"))
    assert 'href="/queries"' in page(seeded, "/").partition("<footer")[2]
