"""Query parameters as values."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest

from app.errors import InvalidRequest
from app.records.search import (
    Box,
    Condition,
    Near,
    Search,
    Sort,
    read_search,
    vocabulary,
    write_cursor,
)
from tests.profile.samples import sample_profile

PROFILE = sample_profile()
ORGANISATIONS = vocabulary(PROFILE, PROFILE.type("organisation"))
ALL = vocabulary(PROFILE)


def read(query: str, *, everything: bool = False) -> Search:
    pairs = parse_qsl(query, keep_blank_values=True)
    return read_search(pairs, ALL if everything else ORGANISATIONS, PROFILE.languages)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"sort": Sort("name"), "limit": 25, "offset": 0, "q": None, "facets": None}),
        ("q=heart", {"q": "heart", "sort": Sort("relevance")}),
        ("q=++", {"q": None, "sort": Sort("name")}),
        ("country=BE&country=NL", {"conditions": (Condition("country", "=", ("BE", "NL")),)}),
        ("country!=BE", {"conditions": (Condition("country", "!=", ("BE",)),)}),
        ("employees>=6", {"conditions": (Condition("employees", ">=", ("6",)),)}),
        ("employees>6", {"conditions": (Condition("employees", ">", ("6",)),)}),
        ("employees<6", {"conditions": (Condition("employees", "<", ("6",)),)}),
        ("employees%3C%3D6.5", {"conditions": (Condition("employees", "<=", ("6.5",)),)}),
        ("employees%3E=6", {"conditions": (Condition("employees", ">=", ("6",)),)}),
        (
            "employees>1&employees<9&country=BE",
            {
                "conditions": (
                    Condition("employees", ">", ("1",)),
                    Condition("employees", "<", ("9",)),
                    Condition("country", "=", ("BE",)),
                )
            },
        ),
        (
            "founding_date>=2020-05",
            {"conditions": (Condition("founding_date", ">=", ("2020-05",)),)},
        ),
        ("label=a%3Cb", {"conditions": (Condition("label", "=", ("a<b",)),)}),
        ("bbox=4,50,7,52.5", {"box": Box(4, 50, 7, 52.5)}),
        ("bbox=170,-10,-170,10", {"box": Box(170, -10, -170, 10)}),
        ("near=50.9,4.7,25", {"near": Near(50.9, 4.7, 25), "sort": Sort("distance")}),
        ("sort=-employees", {"sort": Sort("employees", down=True)}),
        ("sort=-name", {"sort": Sort("name", down=True)}),
        ("q=a&sort=name", {"sort": Sort("name")}),
        ("facets=true", {"facets": ORGANISATIONS.facets}),
        ("facets=false", {"facets": None}),
        ("facets=country,region", {"facets": ("country", "region")}),
        ("fields=label,site.address.city", {"fields": ("label", "site.address.city")}),
        ("fields=name,country", {"fields": ("name", "country")}),
        ("fields=label&fields=country", {"fields": ("label", "country")}),
        ("include=projects", {"include": ("projects",)}),
        ("lang=nl&limit=0&offset=7", {"lang": "nl", "limit": 0, "offset": 7}),
    ],
)
def test_parameters_become_values(query: str, expected: dict[str, Any]) -> None:
    asked = read(query)
    assert {name: getattr(asked, name) for name in expected} == expected
    assert asked.types == ("organisation",)


def test_a_search_across_types_knows_the_fields_of_all() -> None:
    asked = read("type=project&type=organisation&country=BE&facets=type", everything=True)
    assert asked.types == ("project", "organisation")
    assert asked.facets == ("type",)
    assert read("", everything=True).types == tuple(kind.name for kind in PROFILE.types)


@pytest.mark.parametrize(
    ("query", "field", "nearest"),
    [
        ("contry=BE", "contry", "country"),
        ("contry!=BE", "contry", "country"),
        ("employes>=6", "employes", "employees"),
        ("lmit=3", "lmit", "limit"),
        ("country>=BE", "country", None),
        ("employees>=many", "employees", None),
        ("employees>", "employees", None),
        ("employees>=nan", "employees", None),
        ("founding_date>2020-13", "founding_date", None),
        ("limit=1001", "limit", None),
        ("limit=٣", "limit", None),
        ("limit=1&limit=2", "limit", None),
        ("offset=10001", "offset", None),
        (f"offset=1&after={write_cursor(Sort('name'), ['61'])}", "offset", None),
        ("sort=employes", "sort", "employees"),
        ("sort=label", "sort", None),
        ("sort=distance", "sort", None),
        ("sort=relevance", "sort", None),
        ("q=a&sort=-relevance", "sort", None),
        ("facets=contry", "facets", "country"),
        ("facets=maybe", "facets", None),
        ("fields=labels", "labels", "label"),
        ("include=label", "label", None),
        ("include=project", "project", "projects"),
        ("bbox=1,2,3", "bbox", None),
        ("bbox=1,2,3,nan", "bbox", None),
        ("bbox=1,50,3,40", "bbox", None),
        ("bbox=181,1,3,4", "bbox", None),
        ("near=91,0,1", "near", None),
        ("near=0,0,0", "near", None),
        ("near=0,0,1e9", "near", None),
        ("near=0,0,inf", "near", None),
        ("lang=xx", "lang", None),
        ("q=" + "a" * 1001, "q", None),
        ("q=" + "a+" * 65, "q", None),
        ("&".join("country=" + "x" for _ in range(201)), None, None),
        ("type=organisation", "type", None),
    ],
)
def test_what_does_not_fit_is_refused_with_the_nearest_name(
    query: str, field: str | None, nearest: str | None
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(query)
    assert refused.value.facts.get("field") == field
    if nearest:
        assert refused.value.facts["nearest"] == nearest


def test_a_type_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read("type=organization", everything=True)
    assert refused.value.facts["nearest"] == "organisation"


@pytest.mark.parametrize(
    ("sort", "place"),
    [
        (Sort("name"), ["616263"]),
        (Sort("employees", down=True), [12.5, "616263"]),
        (Sort("employees"), [None, "616263"]),
        (Sort("relevance"), [7, 25, 13.25, "https://example.org/é"]),
    ],
)
def test_a_cursor_keeps_its_place_and_fits_its_order_only(sort: Sort, place: list[Any]) -> None:
    cursor = write_cursor(sort, place)
    by = ("-" if sort.down else "") + sort.by
    assert read(f"q=a&sort={by}&after={cursor}").after == tuple(place)
    with pytest.raises(InvalidRequest):
        read(f"q=a&sort=-name&after={cursor}")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "%00",
        "AAAA",
        "é",
        "W10",  # []
        write_cursor(Sort("name"), []),
        write_cursor(Sort("name"), [7]),
        write_cursor(Sort("name"), ["a", "b"]),
        write_cursor(Sort("name"), [["a"]]),
        "x" * 9_000,
    ],
)
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(f"after={cursor}")
    assert refused.value.facts["field"] == "after"


def test_a_cursor_with_numbers_out_of_range_is_refused() -> None:
    for value in (10**400, float("inf"), float("nan"), True, "1"):
        cursor = write_cursor(Sort("employees"), [value, "61"])
        with pytest.raises(InvalidRequest):
            read(f"sort=employees&after={cursor}")
