"""What a search finds in an index of a small store, and in which order."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pyoxigraph as ox
import pytest

from app.records.circle import kilometres
from app.records.finding import Finder
from app.records.index import SearchIndex
from app.records.search import Near, Search, read_cursor, read_search, vocabulary
from tests.profile.samples import BASE, PREFIXES, sample_profile, sample_store
from tests.records.indexed import indexed, reindex

PROFILE = sample_profile()
ORGANISATIONS = vocabulary(PROFILE, PROFILE.type("organisation"))
MANY = 120
RND = random.Random(5)


def many() -> ox.Store:
    """Organisations with few different names and sizes, so that most are equal to others."""
    store = sample_store()
    lines = [PREFIXES, "@prefix geo: <http://www.opengis.net/ont/geosparql#> ."]
    for number in range(MANY):
        iri = f"<{BASE}id/organisation/many-{number}>"
        lines.append(f'{iri} a org:Organization ; skos:prefLabel "Equal {number % 4} Labs"@en .')
        if number % 3:
            lines.append(f"{iri} schema:numberOfEmployees {number % 5} .")
        lat, lon = 50 + number % 7 / 10, 5 + number % 2 / 10
        lines.append(f"{iri} org:hasPrimarySite <{iri[1:-1]}#site> .")
        lines.append(f"<{iri[1:-1]}#site> a org:Site ; geo:hasDefaultGeometry <{iri[1:-1]}#geo> .")
        lines.append(
            f'<{iri[1:-1]}#geo> a geo:Geometry ; geo:asWKT "POINT({lon} {lat})"^^geo:wktLiteral .'
        )
    data = "\n".join(lines).encode()
    graph = ox.NamedNode(f"{BASE}graph/lifetec/many")
    store.load(data, ox.RdfFormat.TURTLE, to_graph=graph)
    return store


@pytest.fixture(scope="module")
def store() -> ox.Store:
    return many()


@pytest.fixture(scope="module")
def index(store: ox.Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    index = indexed(tmp_path_factory.mktemp("index"), store, PROFILE)
    yield index
    index.close()


@pytest.fixture(scope="module")
def finder(index: SearchIndex) -> Finder:
    return Finder(index, PROFILE)


def asked(query: str) -> Search:
    return read_search(parse_qsl(query, keep_blank_values=True), ORGANISATIONS, PROFILE.languages)


def found(finder: Finder, query: str) -> list[dict[str, Any]]:
    return [json.loads(record) for record in finder.find(asked(query)).records]


def names(finder: Finder, query: str) -> list[str]:
    return [record["name"] for record in found(finder, query)]


def walked(finder: Finder, search: Search) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Page by page: the total, and the records."""
    while True:
        page = finder.find(search)
        yield page.total, [json.loads(record) for record in page.records]
        if page.next is None:
            return
        search = replace(search, after=read_cursor(page.next, search.sort), offset=0)


ORDERS = [
    "",
    "sort=-name",
    "sort=employees",
    "sort=-employees",
    "near=50.2,5,200",
    "q=labs",
    "q=equal&sort=name",
    "employees>=1&employees<=3&sort=-employees",
    "employees!=2&sort=name",
]


@pytest.mark.parametrize("query", ORDERS)
@pytest.mark.parametrize("limit", [1, 7, 40])
def test_pages_of_any_size_are_the_whole_list_in_its_order(
    finder: Finder, query: str, limit: int
) -> None:
    whole = found(finder, f"{query}&limit=1000")
    seen: list[dict[str, Any]] = []
    for total, records in walked(finder, asked(f"{query}&limit={limit}")):
        assert total == len(whole)
        seen += records
    assert [one["id"] for one in seen] == [one["id"] for one in whole]
    assert len({one["id"] for one in seen}) == len(whole) > limit


@pytest.mark.parametrize("query", [query for query in ORDERS if query != "q=labs"])
def test_a_page_by_number_is_the_page_by_cursor(finder: Finder, query: str) -> None:
    whole = [one["id"] for one in found(finder, f"{query}&limit=1000")]
    for offset in (0, 3, 40, len(whole) - 1, len(whole), 9_999):
        part = [one["id"] for one in found(finder, f"{query}&limit=5&offset={offset}")]
        assert part == whole[offset : offset + 5]


def test_numbers_are_in_order_and_those_without_come_last(finder: Finder) -> None:
    for query, sign in (("sort=employees", 1), ("sort=-employees", -1)):
        values = [one.get("employees") for one in found(finder, f"{query}&limit=1000&q=labs")]
        known = [value for value in values if value is not None]
        assert values[: len(known)] == sorted(known, key=lambda v: sign * v)
        assert 0 < len(known) < len(values)


def test_cursors_survive_an_index_that_is_built_anew(
    store: ox.Store, finder: Finder, tmp_path: Path
) -> None:
    """Documents lie in another order then; what was not passed yet still comes, once."""
    whole = {query: [one["id"] for one in found(finder, f"{query}&limit=1000")] for query in ORDERS}
    quads = list(store)
    RND.shuffle(quads)
    other = ox.Store()
    other.extend(quads)
    index = indexed(tmp_path, other, PROFILE, generation=2)
    anew = Finder(index, PROFILE)
    for query, expected in whole.items():
        search = asked(f"{query}&limit=30")
        cursor = finder.find(search).next
        assert cursor
        rest = replace(search, limit=1000, after=read_cursor(cursor, search.sort))
        after = [json.loads(record)["id"] for record in anew.find(rest).records]
        assert after == expected[30:], query
    index.close()


def test_a_cursor_goes_on_when_its_entity_is_gone(tmp_path: Path) -> None:
    store = many()
    index = indexed(tmp_path, store, PROFILE)
    finder = Finder(index, PROFILE)
    for query in ("", "sort=-employees", "near=50.2,5,200"):
        whole = [one["id"] for one in found(finder, f"{query}&limit=1000")]
        search = asked(f"{query}&limit=30")
        cursor = finder.find(search).next
        assert cursor
        lost = ox.NamedNode(whole[29])
        kept = list(store.quads_for_pattern(lost, None, None, None))
        for quad in kept:
            store.remove(quad)
        reindex(index, store, PROFILE, generation=index.generation + 1)
        rest = replace(search, limit=1000, after=read_cursor(cursor, search.sort))
        assert [json.loads(r)["id"] for r in finder.find(rest).records] == whole[30:]
        store.extend(kept)
        reindex(index, store, PROFILE, generation=index.generation + 1)
    index.close()


def test_everything_comes_once_and_by_name(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [one["id"] for one in found(finder, "limit=1000")]
    for size in (2, 9, 5_000):  # smaller than a group of equal beginnings, and larger
        monkeypatch.setattr("app.records.orders._SCANNED", size)
        assert [json.loads(one)["id"] for one in finder.scan(asked(""))] == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("employees>=11000", ["KU Leuven"]),
        ("employees>12000", []),
        ("founding_date<1500", ["KU Leuven"]),
        ("founding_date<=1425", ["KU Leuven"]),
        ("founding_date<1425", []),
        ("founding_date>1425-12-09", []),
        ("founding_date>=1425-12-09", ["KU Leuven"]),
        ("country=BE&country!=NL", ["KU Leuven"]),
        ("country=BE&country!=België", []),
        ("region!=BE&country=BE&country=NL", ["Éindhoven TU"]),
        ("q=lowen", ["KU Leuven"]),
        ("q=louvain", []),
        ("q=leuvn", ["KU Leuven"]),
        ("q=leu", ["KU Leuven"]),
        ("q=eindhoven", ["Éindhoven TU"]),
        ("q=EINDHOVEN", ["Éindhoven TU"]),
        ("q=katholieke+univ", ["KU Leuven"]),
        ("q=the+fable", ["Fable"]),
        ("q=%22fable%22+AND+(", ["Fable"]),
        ("q=name:fable", []),
        ("q=*", []),
    ],
)
def test_conditions_and_words(finder: Finder, query: str, expected: list[str]) -> None:
    assert names(finder, query) == expected


def test_a_box_may_span_the_antimeridian(finder: Finder) -> None:
    total = finder.find(asked("bbox=4,49,6,52&limit=0")).total
    assert total == MANY + 1
    assert finder.find(asked("bbox=6,49,4,52&limit=0")).total == 0
    assert finder.find(asked("bbox=5.05,49,-170,52&limit=0")).total == MANY // 2


def test_the_circle_is_exact_and_its_distances_are_shown(finder: Finder) -> None:
    near = Near(50.2, 5.0, 9)
    everyone = found(finder, "q=labs&limit=1000&sort=name")
    inside = found(finder, "near=50.2,5,9&limit=1000")
    expected = sum(
        kilometres(near, *_place(int(one["id"].rpartition("-")[2]))) <= near.km for one in everyone
    )
    assert 0 < len(inside) == expected < MANY
    far = [one["distance"] for one in inside]
    assert far == sorted(far)
    assert far[-1] <= near.km
    assert len(list(finder.scan(asked("near=50.2,5,9")))) == expected
    by_name = found(finder, "near=50.2,5,9&limit=1000&sort=name")
    assert sorted(one["id"] for one in by_name) == sorted(one["id"] for one in inside)
    counts = finder.find(asked("near=50.2,5,9&facets=true&limit=0"))
    assert counts.total == expected


def _place(number: int) -> tuple[float, float]:
    return 50 + number % 7 / 10, 5 + number % 2 / 10


def test_distances_are_those_of_a_sphere() -> None:
    assert kilometres(Near(0, 0, 1), 0, 180) == pytest.approx(20_015.1, abs=0.1)
    assert kilometres(Near(50.8503, 4.3517, 1), 51.2194, 4.4025) == pytest.approx(41.2, abs=0.1)
    assert kilometres(Near(0, 179.9, 1), 0, -179.9) == pytest.approx(22.24, abs=0.01)


def test_fields_are_chosen_and_others_come_along(finder: Finder) -> None:
    (record,) = found(finder, "country=BE&fields=label,site.address.city")
    assert set(record) == {"id", "type", "name", "url", "label", "site", "also"}
    assert set(record["also"]) == {"label"}
    assert record["site"]["address"]["city"]
    assert set(record["site"]) <= {"id", "type", "address"} | {"url", "name"}
    page = finder.find(asked("country=BE&include=projects,country"))
    assert page.included is not None
    assert [json.loads(one)["name"] for one in page.included] == ["Heart", "Belgium"]


def test_suggestions_begin_with_what_is_typed(finder: Finder) -> None:
    (first, *_) = finder.suggest("leu", ["organisation"], "de", 3)
    assert first == {
        "id": f"{BASE}id/organisation/kul",
        "name": "KU Löwen",
        "type": first["type"],
        "url": "/organisations/kul",
    }
