"""Searching on a server with the whole seed, as clients do it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.records.quality import DEPTH, answer_all, mean_reciprocal_rank
from tests.server.running import RunningServer


def get(server: RunningServer, path: str, **asked: Any) -> dict[str, Any]:
    answer = server.get(f"/api/v1/{path}?{urlencode(asked, doseq=True)}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def pages(server: RunningServer, path: str, **asked: Any) -> Iterator[dict[str, Any]]:
    """A list from page to page by its `next`."""
    body = get(server, path, **asked)
    yield body
    while body["next"]:
        body = server.get(body["next"].removeprefix(server.url)).json()
        yield body


def test_people_find_what_they_look_for(seeded: RunningServer) -> None:
    def ask(q: str) -> list[str]:
        return [item["id"] for item in get(seeded, "search", q=q, limit=DEPTH)["items"]]

    answered = answer_all(ask)
    assert len(answered) >= 60
    missed = [(one.q, one.rank) for one in answered if one.rank != 1]
    assert mean_reciprocal_rank(answered) >= 0.9, missed


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 400},
        {"limit": 400, "sort": "-name", "lang": "fr"},
        {"limit": 400, "sort": "-modified"},
        {"limit": 150, "country": "BE", "near": "50.88,4.7,90"},
        {"limit": 100, "q": "university"},
        {"limit": 400, "bbox": "4,50,7,52"},
    ],
)
def test_pages_follow_each_other_without_gap_or_overlap(
    seeded: RunningServer, asked: dict[str, Any]
) -> None:
    seen, total = [], None
    for body in pages(seeded, "organisations", **asked):
        assert total in {None, body["total"]}
        total = body["total"]
        seen += [item["id"] for item in body["items"]]
    assert len(seen) == len(set(seen)) == total
    assert total > asked["limit"]


def test_a_page_deep_in_a_list_is_the_same_by_cursor_and_by_number(seeded: RunningServer) -> None:
    third = next(itertools.islice(pages(seeded, "organisations", limit=300), 3, None))
    numbered = get(seeded, "organisations", limit=300, offset=900)
    assert third["items"] == numbered["items"]


def test_distances_are_exact_and_rise(seeded: RunningServer) -> None:
    body = get(seeded, "organisations", near="50.8776,4.7043,15", limit=200)
    far = [item["distance"] for item in body["items"]]
    assert far == sorted(far)
    assert 0 <= far[0] < far[-1] <= 15
    wider = get(seeded, "organisations", near="50.8776,4.7043,30", limit=0)
    assert wider["total"] > body["total"] == len(far)


def test_a_region_finds_what_lies_below_it(seeded: RunningServer) -> None:
    below = {get(seeded, "organisations", regions=name, limit=0)["total"] for name in ("BE2", "BE")}
    assert len(below) == 2
    country = get(seeded, "organisations", country="BE", limit=0)["total"]
    assert 0 < min(below) < max(below) <= country


def test_facets_count_what_a_filter_finds(seeded: RunningServer) -> None:
    asked = {"q": "university", "limit": 0}
    facets = get(seeded, "organisations", facets="country,city", **asked)["facets"]
    assert set(facets) == {"country", "city"}
    for field, values in facets.items():
        for value in values[:5]:
            found = get(seeded, "organisations", **asked, **{field: value["value"]})
            assert found["total"] == value["count"], (field, value)
    types = get(seeded, "search", facets="type", **asked)["facets"]["type"]
    for value in types:
        found = get(seeded, "search", type=value["value"], **asked)["total"]
        assert found == value["count"], value


def test_dates_are_compared(seeded: RunningServer) -> None:
    def total(condition: str) -> int:
        answer = seeded.get(f"/api/v1/projects?{condition}&limit=0")
        found: int = answer.json()["total"]
        return found

    whole = total("start_date>=1900")
    assert total("start_date<2015") + total("start_date>=2015") == whole
    assert total("start_date<=2015") + total("start_date>2015") == whole
    assert 0 < total("start_date>=2015-03&start_date<=2015-06") < whole
    body = get(seeded, "projects", sort="-start_date", limit=50, fields="start_date")
    starts = [item["start_date"] for item in body["items"]]
    assert starts == sorted(starts, reverse=True)
    kept = {"@context", "id", "type", "name", "url", "start_date"}
    assert {frozenset(item) - {"example"} for item in body["items"]} == {frozenset(kept)}


def test_what_is_referred_to_comes_along(seeded: RunningServer) -> None:
    body = get(seeded, "projects", include="participants", limit=2)
    wanted = {one["id"] for item in body["items"] for one in item.get("participants", ())}
    assert wanted
    assert {one["id"] for one in body["included"]} == wanted
    whole = server_record(seeded, body["included"][0])
    assert whole == body["included"][0]


def server_record(server: RunningServer, record: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = server.get(f"/api/v1{record['url']}").json()
    return found


def test_suggestions_follow_what_is_typed(seeded: RunningServer) -> None:
    items = get(seeded, "suggest", q="maastr", limit=5)["items"]
    assert 0 < len(items) <= 5
    assert items[0]["name"].startswith("Maastricht")
    only = get(seeded, "suggest", q="leuv", type="region")["items"]
    assert only
    assert all(item["type"] == ["Location"] for item in only)
    assert seeded.get("/api/v1/suggest?q=").status_code == 400


def test_an_answer_says_its_generation_and_its_next_page(seeded: RunningServer) -> None:
    first = seeded.get("/api/v1/search?q=leuven&limit=3")
    assert re.search(r'<[^>]+after=[^>]+>; rel="next"', first.headers["link"])
    assert first.json()["next"] in first.headers["link"]
    again = seeded.get(
        "/api/v1/search?q=leuven&limit=3", **{"If-None-Match": first.headers["etag"]}
    )
    assert again.status_code == 304
    assert "Accept-Language" in first.headers["vary"]


@pytest.mark.parametrize(
    ("query", "nearest"),
    [
        ("countri=BE", "country"),
        ("trl2>=3", None),
        ("sort=nam", "name"),
        ("facets=contry", "country"),
        ("fields=labl", "label"),
        ("include=project", "projects"),
        ("near=1,2", None),
        ("bbox=5,50,4,x", None),
        ("after=AAAA", None),
        ("founding_date>=soon", None),
        ("limit=9999", None),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    seeded: RunningServer, query: str, nearest: str | None
) -> None:
    refused = seeded.get(f"/api/v1/organisations?{query}")
    assert refused.status_code == 400
    problem = refused.json()
    assert problem["field"] == re.split("[<>=]", query)[0] or problem["field"] in query
    assert problem.get("nearest") == nearest


HOSTILE = [
    "q=" + "a" * 1000,
    "q=" + "+".join(["university"] * 64),
    "q=" + "%22%28%29%2A%3F%5B%5D%7E%5E%3A%7B%7D%5C+OR+AND+NOT+-",
    "q=type:organisation+OR+id:*",
    "q=%F0%9F%A7%A0%EF%BF%BF",
    "q=%ED%A0%80",
    "q=*&sort=relevance&limit=1000",
    "offset=10000",
    "near=90,180,20038&facets=true",
    "near=-90,-180,0.000001",
    "near=50,179.99,500",
    "bbox=170,-90,-170,90",
    "&".join(f"city={number}" for number in range(200)),
    "facets=true&country!=BE&country!=NL&limit=1000",
    "label=" + "x" * 3000,
    "include=projects,participations,units&limit=50",
]


@pytest.mark.parametrize("query", HOSTILE)
def test_whatever_is_asked_is_answered_or_refused(seeded: RunningServer, query: str) -> None:
    answer = seeded.get(f"/api/v1/organisations?{query}")
    assert answer.status_code in {200, 400}, answer.text
