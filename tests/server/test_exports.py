"""Whole lists as files over HTTP, from a real server with real code lists and places."""

from __future__ import annotations

import csv
import io
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import httpx
import openpyxl  # type: ignore[import-untyped]  # it has no types
import pyoxigraph as ox
import pytest
from starlette.requests import Request

from app.api.exports import Places
from app.api.rate_limits import RateLimits
from app.errors import Overloaded, RateLimited
from tests.server.publishing import problem
from tests.server.running import RunningServer

MEDIA = {
    "json": "application/json",
    "jsonld": "application/ld+json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ndjson": "application/x-ndjson",
    "geojson": "application/geo+json",
    "parquet": "application/vnd.apache.parquet",
}


@pytest.fixture(scope="module")
def house(seeded: RunningServer) -> RunningServer:
    """The whole seed, and the example data."""
    return seeded


def listed(house: RunningServer, collection: str) -> list[dict[str, Any]]:
    """The records of a list, page by page."""
    items: list[dict[str, Any]] = []
    path: str | None = f"/api/v1/{collection}?limit=500"
    while path:
        page = house.get(path).json()
        items += page["items"]
        path = page["next"] and page["next"].removeprefix(house.url)
    assert len(items) == page["total"]
    return items


@pytest.mark.parametrize("suffix", MEDIA)
def test_a_list_is_a_file_in_every_format(house: RunningServer, suffix: str) -> None:
    by_suffix = house.get(f"/api/v1/facilities.{suffix}")
    assert by_suffix.status_code == 200, by_suffix.text
    assert by_suffix.headers["content-type"] == MEDIA[suffix]
    assert by_suffix.headers["content-disposition"] == f'attachment; filename="facilities.{suffix}"'
    assert {"Accept", "Accept-Language"} <= {
        name.strip() for name in by_suffix.headers["vary"].split(",")
    }
    by_parameter = house.get(f"/api/v1/facilities?format={suffix}")
    assert by_parameter.headers["content-type"] == MEDIA[suffix]
    if suffix not in {"json", "jsonld"}:  # under these names a list is asked for page by page
        accept = MEDIA[suffix].partition(";")[0]
        by_header = house.get("/api/v1/facilities", accept=f"{accept}, text/html;q=0.1")
        assert by_header.headers["content-type"] == MEDIA[suffix]
    if suffix not in {"xlsx"}:  # which holds the time
        assert by_parameter.content == by_suffix.content


def test_an_export_has_all_records_and_not_a_page(house: RunningServer) -> None:
    concepts = listed(house, "concepts")
    assert len(concepts) > 1_000
    whole = house.get("/api/v1/concepts.json").json()
    assert (whole["total"], whole["items"]) == (len(concepts), concepts)
    lines = house.get("/api/v1/concepts.ndjson").text.splitlines()
    assert [json.loads(line) for line in lines] == concepts
    rows = list(csv.DictReader(io.StringIO(house.get("/api/v1/concepts.csv").text, newline="")))
    assert [row["id"] for row in rows] == [one["id"] for one in concepts]
    features = house.get("/api/v1/concepts.geojson").json()["features"]
    assert [one["id"] for one in features] == [row["id"] for row in rows]


def test_spreadsheets_and_columns_have_the_same_rows(house: RunningServer, tmp_path: Path) -> None:
    expected = [one["id"] for one in listed(house, "organisations")]
    book = openpyxl.load_workbook(
        io.BytesIO(house.get("/api/v1/organisations.xlsx").content), read_only=True
    )
    first, _ = book.worksheets
    assert [row[0] for row in first.iter_rows(min_row=2, values_only=True)] == expected
    file = tmp_path / "organisations.parquet"
    file.write_bytes(house.get("/api/v1/organisations.parquet").content)
    with duckdb.connect() as database:
        rows = database.read_parquet(str(file)).select("id").fetchall()
    assert [iri for (iri,) in rows] == expected


def test_an_export_takes_the_parameters_of_the_list(house: RunningServer) -> None:
    for query in (
        "country=BE",
        "q=hospital",
        "country=BE&country=NL&classification=company",
        "bbox=4,50,6,52",
        "near=50.88,4.70,60",
        "sort=-name&country=BE",
    ):
        page = house.get(f"/api/v1/organisations?limit=1000&{query}").json()
        found = house.get(f"/api/v1/organisations.json?{query}").json()
        assert found["total"] == page["total"] > 0, query
        if "q=" not in query:
            assert [one["id"] for one in found["items"]] == [one["id"] for one in page["items"]]
    some = house.get("/api/v1/organisations.csv?fields=homepage,country").text
    header = next(csv.reader(io.StringIO(some)))
    assert "homepage_id" in header
    assert "classification" not in header
    assert house.get("/api/v1/organisations.json?country=XX").json()["items"] == []


def test_the_metadata_belongs_to_the_csv_that_names_it(house: RunningServer) -> None:
    reply = house.get("/api/v1/organisations.csv?country=BE&lang=nl")
    link = reply.headers["link"]
    assert 'rel="describedby"' in link
    address = httpx.URL(reply.url).join(link.partition(">")[0].removeprefix("<"))
    metadata = house.get(address.raw_path.decode())
    assert metadata.headers["content-type"] == "application/csvm+json"
    document = metadata.json()
    assert address.join(document["url"]) == reply.url
    titles = [one["titles"]["und"] for one in document["tableSchema"]["columns"]]
    assert titles == next(csv.reader(io.StringIO(reply.text)))


def test_json_ld_says_what_the_graph_says(house: RunningServer) -> None:
    document = house.get("/api/v1/facilities.jsonld").json()
    document["@context"] = house.get("/context.jsonld").json()["@context"]
    read = {
        f"{quad.subject} {quad.predicate} {quad.object}"
        for quad in ox.parse(json.dumps(document).encode(), ox.RdfFormat.JSON_LD)
    }
    subjects = " ".join({line.partition(" ")[0] for line in read})
    there = {
        f"{triple.subject} {triple.predicate} {triple.object}"
        for triple in (
            quad.triple
            for quad in ox.parse(
                httpx.post(
                    f"{house.url}/sparql",
                    data={
                        "query": f"CONSTRUCT {{ ?s ?p ?o }} "
                        f"{{ VALUES ?s {{ {subjects} }} ?s ?p ?o }}"
                    },
                    headers={"accept": "application/n-triples"},
                ).content,
                ox.RdfFormat.N_TRIPLES,
            )
        )
    }
    assert len(document["@graph"]) > 3
    assert read == there


def test_features_lie_where_the_entities_are(house: RunningServer) -> None:
    features = house.get("/api/v1/organisations.geojson").json()["features"]
    placed = [one for one in features if one["geometry"]]
    assert placed
    assert len(placed) < len(features)
    longitude, latitude = placed[0]["geometry"]["coordinates"]
    site = placed[0]["properties"]["primary_site"]["geometry"]["wkt"]
    assert site == f"POINT({longitude} {latitude})"


@pytest.mark.parametrize(
    ("path", "status", "nearest"),
    [
        ("/api/v1/organisations.csv?cuntry=BE", 400, "country"),
        ("/api/v1/organisations.csv?limit=5", 400, None),
        ("/api/v1/organisations.csv?after=x", 400, None),
        ("/api/v1/organisations.csv?facets=true", 400, None),
        ("/api/v1/organisations.csv?bom=perhaps", 400, None),
        ("/api/v1/organisations.xlsx?bom=true", 400, None),
        ("/api/v1/organisations.csv?lang=xx", 400, None),
        ("/api/v1/organisations.csv?sort=relevance&q=a", 400, None),
        ("/api/v1/organisations.csv?near=50,4,10&sort=name", 400, None),
        ("/api/v1/organisations.csv?bbox=4,50", 400, None),
        ("/api/v1/organisations.csv?q=" + "x" * 2_000, 400, None),
        ("/api/v1/organisations?format=xls", 400, "xlsx"),
        ("/api/v1/organisations?format=csv&format=xlsx", 400, None),
        ("/api/v1/organisations.xml", 404, None),
        ("/api/v1/organisations.csv.exe", 404, None),
        ("/api/v1/unknown.csv", 404, None),
    ],
)
def test_what_does_not_fit_is_told(
    house: RunningServer, path: str, status: int, nearest: str | None
) -> None:
    reply = house.get(path)
    assert problem(reply)[0] == status
    if nearest:
        assert reply.json()["nearest"] == nearest


def test_who_has_it_already_is_told_so(house: RunningServer) -> None:
    first = house.get("/api/v1/facilities.csv")
    again = house.get("/api/v1/facilities.csv", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    for other in ("/api/v1/facilities.csv?lang=nl", "/api/v1/facilities?format=csv"):
        assert house.get(other).headers["etag"] != first.headers["etag"]
    by_header = house.get("/api/v1/facilities", accept="text/csv")
    as_lines = house.get("/api/v1/facilities", accept="application/x-ndjson")
    assert by_header.headers["etag"] != as_lines.headers["etag"]


def test_head_tells_the_headers_and_does_no_work(house: RunningServer) -> None:
    for suffix, media in MEDIA.items():
        reply = httpx.head(f"{house.url}/api/v1/concepts.{suffix}")
        assert (reply.status_code, reply.content) == (200, b"")
        assert reply.headers["content-type"] == media
        assert "content-length" not in reply.headers


def test_a_byte_order_mark_comes_on_request(house: RunningServer) -> None:
    plain = house.get("/api/v1/facilities.csv").content
    assert house.get("/api/v1/facilities.csv?bom=true").content == b"\xef\xbb\xbf" + plain


def _slow_reader(house: RunningServer) -> socket.socket:
    """A connection that asks for a large export and reads only its first bytes."""
    reader = socket.create_connection(("127.0.0.1", house.port))
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    reader.sendall(b"GET /api/v1/participations.json HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200 OK" in reader.recv(1_024)
    return reader


def test_places_are_few_and_come_back_when_clients_go(house: RunningServer) -> None:
    with ExitStack() as readers:
        for _ in range(4):
            readers.enter_context(_slow_reader(house))
        refused = house.get("/api/v1/facilities.csv")
        assert problem(refused) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) > 0
        assert house.get("/api/v1/facilities").status_code == 200
    deadline = time.monotonic() + 20
    while True:
        again = house.get("/api/v1/facilities.csv")
        if again.status_code == 200 or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert again.status_code == 200


def test_one_client_holds_no_more_than_half_of_the_places() -> None:
    places = Places(4, RateLimits(on=True))

    def of(address: str) -> Request:
        return Request({"type": "http", "client": (address, 1), "headers": []})

    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(places.held(of("192.0.2.1")))
        with pytest.raises(RateLimited):
            held.enter_context(places.held(of("192.0.2.1")))
        for last in (2, 3):
            held.enter_context(places.held(of(f"192.0.2.{last}")))
        with pytest.raises(Overloaded):
            held.enter_context(places.held(of("192.0.2.4")))
    with places.held(of("192.0.2.1")):
        pass


def test_the_server_answers_others_while_it_exports(house: RunningServer) -> None:
    with ThreadPoolExecutor(1) as beside:
        export = beside.submit(house.get, "/api/v1/concepts.xlsx")
        answered = 0
        while not export.done():
            assert house.get("/health/live").status_code == 200
            answered += 1
    assert export.result().status_code == 200
    assert answered > 20
