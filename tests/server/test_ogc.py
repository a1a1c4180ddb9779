"""OGC API - Features - Part 1: Core (17-069r4), requirement by requirement."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from typing import Any

import jsonschema
import pytest

from app.api.ogc import read_box, read_interval, read_limit
from app.errors import InvalidRequest
from tests.server.publishing import problem
from tests.server.running import RunningServer

Json = dict[str, Any]
PLACES = "/ogc/collections/organisations"
ITEMS = f"{PLACES}/items"


def links(document: Json, rel: str) -> list[Json]:
    return [link for link in document["links"] if link["rel"] == rel]


def follow(server: RunningServer, link: Json) -> Any:
    """What is behind a link, which must be what the link says."""
    reply = server.get(link["href"].removeprefix(server.url))
    assert reply.status_code == 200, link
    assert reply.headers["content-type"].partition(";")[0] == link["type"].partition(";")[0]
    return reply.json()


def fetched(server: RunningServer, path: str) -> Json:
    reply = server.get(path)
    assert reply.status_code == 200, reply.text
    found: Json = reply.json()
    return found


def pages(server: RunningServer, path: str) -> Iterator[Json]:
    """A page and all that follow it."""
    page = fetched(server, path)
    yield page
    while following := links(page, "next"):
        page = follow(server, following[0])
        yield page


@cache
def everything(server: RunningServer) -> list[Json]:
    """All features of the collection, from page to page."""
    return [one for page in pages(server, f"{ITEMS}?limit=1000") for one in page["features"]]


# Each check is named for the requirement below /req, with its slashes and hyphens as underscores.


def core_root_success(server: RunningServer) -> None:
    root = fetched(server, "/ogc")
    for rel in ("service-desc", "service-doc", "conformance", "data", "self"):
        assert links(root, rel), rel


def core_api_definition_success(server: RunningServer) -> None:
    (link,) = links(fetched(server, "/ogc"), "service-desc")
    assert link["type"] == "application/vnd.oai.openapi+json;version=3.0"
    assert re.fullmatch(r"3\.0\.\d", follow(server, link)["openapi"])
    (page,) = links(fetched(server, "/ogc"), "service-doc")
    reply = server.get(page["href"].removeprefix(server.url), accept="text/html")
    assert reply.headers["content-type"].startswith("text/html")


def core_conformance_success(server: RunningServer) -> None:
    (link,) = links(fetched(server, "/ogc"), "conformance")
    classes = follow(server, link)["conformsTo"]
    for name in ("core", "geojson", "oas30"):
        assert f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}" in classes


def core_query_param_unknown(server: RunningServer) -> None:
    for path in ("/ogc", "/ogc/conformance", "/ogc/api", "/ogc/collections", PLACES, ITEMS):
        reply = server.get(f"{path}?limt=1")
        assert problem(reply) == (400, "invalid-request"), path
    assert server.get(f"{ITEMS}?limt=1").json()["nearest"] == "limit"
    for name in ("q", "near", "sort", "offset", "fields", "include", "facets", "bbox-crs", "crs"):
        assert server.get(f"{ITEMS}?{name}=x").status_code == 400, name


def core_query_param_invalid(server: RunningServer) -> None:
    for query in ("limit=0", "limit=-1", "limit=x", "bbox=1,2,3", "bbox=1,2,3,4,5", "bbox=a,b,c,d",
                  "bbox=0,0,0,91", "bbox=4,52,6,50", "datetime=yesterday", "limit=1&limit=2",
                  "bbox=1,1,2,2&bbox=1,1,2,2", "after=x", "trl%3E=5"):  # fmt: skip
        assert problem(server.get(f"{ITEMS}?{query}"))[0] == 400, query


def core_crs84(server: RunningServer) -> None:
    for feature in fetched(server, f"{ITEMS}?country=BE&limit=50")["features"]:
        longitude, latitude = feature["geometry"]["coordinates"]
        assert (2 < longitude < 7, 49 < latitude < 52) == (True, True), feature["id"]


def core_fc_md_success(server: RunningServer) -> None:
    (link,) = links(fetched(server, "/ogc"), "data")
    document = follow(server, link)
    ids = [one["id"] for one in document["collections"]]
    assert ids == ["organisations", "facilities", "regions"]


def core_fc_md_links(server: RunningServer) -> None:
    (link,) = links(fetched(server, "/ogc/collections"), "self")
    assert link["type"] == "application/json"


def core_fc_md_items_links(server: RunningServer) -> None:
    for one in fetched(server, "/ogc/collections")["collections"]:
        (link,) = links(one, "items")
        assert link["type"] == "application/geo+json"
        assert follow(server, link)["type"] == "FeatureCollection"


def core_fc_md_extent(server: RunningServer) -> None:
    extent = fetched(server, PLACES)["extent"]["spatial"]
    ((west, south, east, north),) = extent["bbox"]
    for feature in everything(server):
        longitude, latitude = feature["geometry"]["coordinates"]
        assert west <= longitude <= east
        assert south <= latitude <= north


def core_sfc_md_success(server: RunningServer) -> None:
    for one in fetched(server, "/ogc/collections")["collections"]:
        (link,) = links(one, "self")
        assert follow(server, link) == one
    assert problem(server.get("/ogc/collections/projects")) == (404, "not-found")
    assert problem(server.get("/ogc/collections/projects/items")) == (404, "not-found")


def core_fc_limit_response_1(server: RunningServer) -> None:
    assert len(fetched(server, f"{ITEMS}?limit=3")["features"]) == 3
    assert len(fetched(server, ITEMS)["features"]) == 100
    assert len(fetched(server, f"{ITEMS}?limit=1000000")["features"]) == 1_000


def core_fc_bbox_response(server: RunningServer) -> None:
    box = (4.6, 50.8, 4.8, 50.95)
    text = ",".join(map(str, box))
    inside = {
        feature["id"]
        for feature in everything(server)
        if box[0] <= feature["geometry"]["coordinates"][0] <= box[2]
        and box[1] <= feature["geometry"]["coordinates"][1] <= box[3]
    }
    assert len(inside) > 10
    for asked in (text, "4.6,50.8,-10,4.8,50.95,9000"):
        found = fetched(server, f"{ITEMS}?limit=1000&bbox={asked}")["features"]
        assert {feature["id"] for feature in found} == inside


def core_fc_time_response(server: RunningServer) -> None:
    """No feature has a temporal geometry, so the parameter matches all (C)."""
    total = fetched(server, ITEMS)["numberMatched"]
    for text in (
        *("2018-02-12T23:20:50Z", "2018-02-12", "2018-02-12T00:00:00Z/2018-03-18T12:31:12Z"),
        *("../2018-03-18T12:31:12Z", "2018-02-12T00:00:00Z/..", "/2018-03-18T00:00:00Z"),
    ):
        assert fetched(server, f"{ITEMS}?datetime={text}")["numberMatched"] == total, text


def core_fc_links(server: RunningServer) -> None:
    page = fetched(server, f"{ITEMS}?country=BE&limit=7")
    (own,) = links(page, "self")
    assert follow(server, own)["features"] == page["features"]
    assert links(fetched(server, f"{ITEMS}?country=BE&limit=1000"), "next") == []


def core_fc_rel_type(server: RunningServer) -> None:
    for link in fetched(server, f"{ITEMS}?limit=7")["links"]:
        assert link["type"], link


def core_fc_time_stamp(server: RunningServer) -> None:
    stamp = fetched(server, ITEMS)["timeStamp"]
    assert datetime.fromisoformat(stamp).utcoffset() is not None


def core_fc_number_matched(server: RunningServer) -> None:
    seen: list[str] = []
    matched = set()
    for page in pages(server, f"{ITEMS}?country=BE&limit=50"):
        matched.add(page["numberMatched"])
        seen += [feature["id"] for feature in page["features"]]
    assert matched == {len(seen)}
    assert len(set(seen)) == len(seen) > 50


def core_fc_number_returned(server: RunningServer) -> None:
    page = fetched(server, f"{ITEMS}?limit=12")
    assert page["numberReturned"] == len(page["features"]) == 12


def core_f_success(server: RunningServer) -> None:
    for feature in fetched(server, f"{ITEMS}?limit=5")["features"]:
        alone = fetched(server, f"{ITEMS}/{feature['id']}")
        assert {k: v for k, v in alone.items() if k != "links"} == feature
    assert problem(server.get(f"{ITEMS}/nobody")) == (404, "not-found")


def core_f_links(server: RunningServer) -> None:
    feature = fetched(server, f"{ITEMS}?limit=1")["features"][0]
    alone = fetched(server, f"{ITEMS}/{feature['id']}")
    (own,), (collection,) = links(alone, "self"), links(alone, "collection")
    assert follow(server, own) == alone
    assert follow(server, collection)["id"] == "organisations"
    (page,) = links(alone, "alternate")
    reply = server.get(page["href"].removeprefix(server.url), accept="text/html")
    assert reply.headers["content-type"].startswith(page["type"])


def geojson_definition(server: RunningServer) -> None:
    feature = fetched(server, f"{ITEMS}?limit=1")["features"][0]
    for path in (ITEMS, f"{ITEMS}/{feature['id']}"):
        for accept in ("application/geo+json", "application/json", "*/*"):
            reply = server.get(path, accept=accept)
            assert reply.headers["content-type"] == "application/geo+json", accept
        assert problem(server.get(path, accept="application/gml+xml"))[0] == 406


def geojson_content(server: RunningServer) -> None:
    for feature in fetched(server, ITEMS)["features"]:
        assert feature["type"] == "Feature"
        assert isinstance(feature["id"], str)
        assert feature["geometry"]["type"] == "Point"
        assert feature["properties"]["iri"].startswith("http")


def oas30_completeness(server: RunningServer) -> None:
    """What is answered is what the definition says of it."""
    definition = fetched(server, "/ogc/api")
    schemas = definition["components"]["schemas"]
    feature = fetched(server, f"{ITEMS}?limit=1")["features"][0]["id"]
    for path, offered in definition["paths"].items():
        kind = path.split("/")[2] if path.count("/") > 1 else ""
        if "{featureId}" in path and kind != "organisations":
            continue
        asked = path.replace("{featureId}", feature)
        content = offered["get"]["responses"]["200"]["content"]
        ((_, described),) = content.items()
        name = described["schema"]["$ref"].rpartition("/")[2]
        document = fetched(server, f"/ogc{asked}".rstrip("/"))
        jsonschema.validate(document, {**schemas[name]})


REQUIREMENTS: list[Callable[[RunningServer], None]] = [
    core_root_success,
    core_api_definition_success,
    core_conformance_success,
    core_query_param_unknown,
    core_query_param_invalid,
    core_crs84,
    core_fc_md_success,
    core_fc_md_links,
    core_fc_md_items_links,
    core_fc_md_extent,
    core_sfc_md_success,
    core_fc_limit_response_1,
    core_fc_bbox_response,
    core_fc_time_response,
    core_fc_links,
    core_fc_rel_type,
    core_fc_time_stamp,
    core_fc_number_matched,
    core_fc_number_returned,
    core_f_success,
    core_f_links,
    geojson_definition,
    geojson_content,
    oas30_completeness,
]


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda check: check.__name__)
def test_requirement(seeded: RunningServer, requirement: Callable[[RunningServer], None]) -> None:
    requirement(seeded)


PARAMETERS = {
    "limit": {"type": "integer", "minimum": 1, "default": 100},
    "bbox": {
        "type": "array",
        "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
        "items": {"type": "number"},
    },
    "datetime": {"type": "string"},
}
"""/req/core/fc-limit-definition, fc-bbox-definition, fc-time-definition. A limit has no maximum:
a larger one is no error (fc-limit-response-1), and the values of the fragment may be changed."""


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_defined_as_the_standard_has_it(seeded: RunningServer, name: str) -> None:
    get = fetched(seeded, "/ogc/api")["paths"]["/collections/organisations/items"]["get"]
    (parameter,) = [one for one in get["parameters"] if one["name"] == name]
    assert parameter["schema"] == PARAMETERS[name]
    kept = {key: parameter[key] for key in ("in", "required", "style", "explode")}
    assert kept == {"in": "query", "required": False, "style": "form", "explode": False}


def test_properties_filter_features(seeded: RunningServer) -> None:
    """/rec/core/fc-filters."""
    found = fetched(seeded, f"{ITEMS}?city=Leuven&classification=company")
    assert found["numberMatched"] > 3
    for feature in found["features"]:
        assert "Leuven" in feature["properties"]["city"]


def test_an_entity_without_a_place_is_no_feature(seeded: RunningServer) -> None:
    whole = seeded.get("/api/v1/organisations.geojson").json()["features"]
    placed = [one["id"] for one in whole if one["geometry"]]
    assert 0 < len(placed) < len(whole)
    items = [feature["properties"]["iri"] for feature in everything(seeded)]
    assert sorted(items) == sorted(placed)
    homeless = next(one["id"] for one in whole if not one["geometry"])
    assert seeded.get(f"{ITEMS}/{homeless.rpartition('/')[2]}").status_code == 404


def test_what_a_client_has_is_not_sent_again(seeded: RunningServer) -> None:
    for path in ("/ogc/collections", PLACES, f"{ITEMS}?limit=2"):
        first = seeded.get(path)
        again = seeded.get(path, if_none_match=first.headers["etag"])
        assert (again.status_code, again.content) == (304, b""), path


def test_titles_are_in_the_language_of_the_reader(seeded: RunningServer) -> None:
    titles = {
        lang: json.loads(seeded.get(PLACES, accept_language=lang).text)["title"]
        for lang in ("en", "nl", "de", "fr")
    }
    assert titles == {
        "en": "organisation",
        "nl": "organisatie",
        "de": "Organisation",
        "fr": "organisation",
    }


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "..", "../..", "x", "2018", "2018-13-01", "2018-01-01T25:00:00Z"),
        *("2018-01-01/x", "2018-01-01/2018-01-02/2018-01-03", "2019-01-01/2018-01-01"),
        "2018-01-01T00:00:00",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_interval(text)


def test_parameters_become_values() -> None:
    assert read_interval("2018-02-12T23:20:50Z") == ("2018-02-12T23:20:50Z",) * 2
    assert read_interval("../2018-02-12") == (None, "2018-02-12")
    assert read_interval("2018-02-12/") == ("2018-02-12", None)
    assert read_box("1,2,3,4") == "1,2,3,4"
    assert read_box("1,2,-5,3,4,5") == "1,2,3,4"
    assert (read_limit(None), read_limit("5"), read_limit("99999")) == (100, 5, 1_000)
