from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pyoxigraph as ox
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.api.history import history_router
from app.api.history_openapi import describe_history
from app.api.readings import preferred_language
from app.api.records import describe_records, records_router
from app.database import Database
from app.errors import AppError
from app.profile.context import json_ld_context
from app.records.history import History
from app.records.index import SearchIndex
from app.records.service import Records
from app.settings import Settings
from tests.profile.samples import BASE, sample_profile, sample_store
from tests.records.direct import DirectRunner
from tests.records.indexed import indexed
from tests.records.past import Past

PROFILE = sample_profile()
PUBLIC = "http://127.0.0.1:8000"


class Client:
    """Requests to an application in this process, one at a time."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        return asyncio.run(self._send("GET", url, params, headers))

    def head(self, url: str) -> httpx.Response:
        return asyncio.run(self._send("HEAD", url, None, None))

    async def _send(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as client:
            return await client.request(
                method, url, params=params, headers={"Accept": "*/*", **(headers or {})}
            )


@pytest.fixture
def past(tmp_path: Path) -> Past:
    past = Past(Database(f"sqlite:///{tmp_path / 'lifetec.db'}"), tmp_path, sample_store())
    for name in ("Newcomer", "Late", "Newest"):
        past.replace("lifetec/new", f':organisation\\/new skos:prefLabel "{name}"@en .')
    return past


@pytest.fixture
def runner(past: Past) -> DirectRunner:
    return DirectRunner(past.store)


@pytest.fixture(params=["index", "cage"])
def index(
    request: pytest.FixtureRequest, runner: DirectRunner, tmp_path: Path
) -> Iterator[SearchIndex | None]:
    """The API promises the same from the index and from the cage."""
    if request.param == "cage":
        yield None
        return
    context, generation = f"{PUBLIC}/context.jsonld", runner.generation
    index = indexed(tmp_path / "index", runner.cage.store, PROFILE, context, generation)
    yield index
    index.close()


@pytest.fixture
def client(runner: DirectRunner, past: Past, index: SearchIndex | None) -> Client:
    app = FastAPI()
    settings = Settings.model_validate({"public_url": PUBLIC})
    records = Records(runner, PROFILE, f"{PUBLIC}/context.jsonld", index)
    history = History(runner, past.log, PROFILE, f"{PUBLIC}/context.jsonld")
    app.include_router(history_router(history, PROFILE, settings))
    app.include_router(records_router(records, history, PROFILE, settings))

    async def as_json(_: Request, error: Exception) -> Response:
        assert isinstance(error, AppError)
        return JSONResponse(error.as_dict(), status_code=400)

    app.add_exception_handler(AppError, as_json)
    return Client(app)


def test_a_list_has_total_items_and_the_next_page(client: Client) -> None:
    answer = client.get("/api/v1/organisations", params={"limit": 2, "lang": "en"})
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert body["total"] == 4
    assert [item["name"] for item in body["items"]] == ["Acme", "Éindhoven TU"]
    assert body["next"].startswith(f"{PUBLIC}/api/v1/organisations?limit=2&lang=en&")
    assert answer.headers["link"] == f'<{body["next"]}>; rel="next"'
    last = client.get(body["next"].removeprefix(PUBLIC))
    assert [item["name"] for item in last.json()["items"]] == ["Fable", "KU Leuven"]
    assert last.json()["next"] is None
    second = client.get("/api/v1/organisations", params={"limit": 2, "lang": "en", "offset": 2})
    assert second.json() == last.json()
    assert second.headers["link"].endswith('offset=0>; rel="prev"')


def test_all_pages_together_are_the_whole_list(client: Client) -> None:
    url, seen = "/api/v1/regions?limit=1&q=a", []
    while url:
        body = client.get(url.removeprefix(PUBLIC)).json()
        seen += [item["id"] for item in body["items"]]
        url = body["next"]
    assert len(seen) == len(set(seen)) == body["total"]


def test_filters_repeat_as_alternatives(client: Client) -> None:
    assert client.get("/api/v1/organisations?country=BE&country=NL").json()["total"] == 2
    assert client.get("/api/v1/organisations?country=BE&city=Eindhoven").json()["total"] == 0


def test_facets_come_on_request(client: Client) -> None:
    assert "facets" not in client.get("/api/v1/organisations").json()
    facets = client.get("/api/v1/organisations?facets=true&limit=0").json()["facets"]
    assert set(facets) == {"classification", "region", "country"}


@pytest.mark.parametrize(
    ("query", "field", "nearest"),
    [
        ("contry=BE", "contry", "country"),
        ("limt=3", "limt", "limit"),
        ("zzz=1", "zzz", None),
        ("limit=1001", "limit", None),
        ("limit=-1", "limit", None),
        ("limit=٣", "limit", None),
        ("offset=x", "offset", None),
        ("limit=1&limit=2", "limit", None),
        ("facets=maybe", "facets", None),
        ("lang=xx", "lang", None),
    ],
)
def test_what_does_not_fit_is_refused_with_the_nearest_name(
    client: Client, query: str, field: str, nearest: str | None
) -> None:
    refused = client.get(f"/api/v1/organisations?{query}").json()
    assert refused["slug"] == "invalid-request"
    assert refused["facts"]["field"] == field
    assert refused["facts"].get("nearest") == nearest


def test_a_record_has_its_own_address(client: Client) -> None:
    record = client.get("/api/v1/organisations/kul").json()
    assert record["id"] == f"{BASE}id/organisation/kul"
    assert record["@context"] == f"{PUBLIC}/context.jsonld"
    assert client.get("/api/v1/datasets/lifetec/one").json()["name"] == "One"
    assert client.get("/api/v1/organisations/none").json()["slug"] == "not-found"
    assert client.get("/api/v1/organisations/gone").json()["slug"] == "gone"


def test_any_thing_is_found_by_its_iri(client: Client) -> None:
    iri = "http://data.europa.eu/nuts/code/BE24"
    assert client.get("/api/v1/resource", params={"iri": iri}).json()["id"] == iri
    assert client.get("/api/v1/resource").json()["facts"]["field"] == "iri"
    assert client.get("/api/v1/resource?ir=x").json()["facts"]["nearest"] == "iri"


def test_a_known_answer_is_not_sent_again(client: Client, runner: DirectRunner) -> None:
    first = client.get("/api/v1/organisations/kul")
    tag = {"If-None-Match": f'"other", {first.headers["etag"]}'}
    again = client.get("/api/v1/organisations/kul", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert client.get("/api/v1/organisations/tue", headers=tag).status_code == 200
    assert (
        client.get("/api/v1/organisations/kul", headers={**tag, "Accept-Language": "nl"})
        .status_code == 200
    )  # fmt: skip
    runner.cage.generation += 1
    assert client.get("/api/v1/organisations/kul", headers=tag).status_code == 200


def test_the_language_is_negotiated_unless_asked_for(client: Client) -> None:
    german = {"Accept-Language": "fi, de-AT;q=0.8, en;q=0.5"}
    answer = client.get("/api/v1/organisations/kul", headers=german)
    assert answer.json()["name"] == "KU Löwen"
    assert answer.headers["content-language"] == "de"
    assert "Accept-Language" in answer.headers["vary"]
    asked = client.get("/api/v1/organisations/kul?lang=en", headers=german)
    assert asked.json()["name"] == "KU Leuven"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("nl", "nl"),
        ("NL-BE", "nl"),
        ("fr;q=0.3,de;q=0.4", "de"),
        ("fr;q=0", "en"),
        ("fr;q=nonsense", "en"),
        ("*", "en"),
    ],
)
def test_accept_language(header: str | None, language: str) -> None:
    assert preferred_language(header, ("en", "nl", "de", "fr")) == language


def test_json_ld_is_the_same_under_its_own_name(client: Client) -> None:
    answer = client.get("/api/v1/organisations/kul", headers={"Accept": "application/ld+json"})
    assert answer.headers["content-type"] == "application/ld+json"
    refused = client.get("/api/v1/organisations/kul", headers={"Accept": "text/csv"})
    assert refused.json()["slug"] == "not-acceptable"


def test_a_whole_page_reads_as_the_statements_of_its_records(client: Client) -> None:
    body = client.get("/api/v1/organisations").json()
    context = client.get("/context.jsonld").json()["@context"]
    assert context == json_ld_context(PROFILE)
    subjects = set()
    for page in (body, *body["items"]):
        document = _inlined(page, context)
        quads = list(ox.parse(document, ox.RdfFormat.JSON_LD))
        if page is body:
            whole = {str(q) for q in quads}
        else:
            subjects |= {str(q) for q in quads}
    assert whole == subjects


def _inlined(page: dict[str, Any], context: dict[str, Any]) -> bytes:
    items = [{k: v for k, v in i.items() if k != "@context"} for i in page.get("items", [])]
    whole = {**page, "@context": context}
    if "items" in page:
        whole["items"] = items
    return json.dumps(whole).encode()


def test_the_context_is_cached_by_its_fingerprint(client: Client) -> None:
    first = client.get("/context.jsonld")
    assert first.headers["content-type"] == "application/ld+json"
    again = client.get("/context.jsonld", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


def test_types_tell_what_there_is(client: Client) -> None:
    types = {one["name"]: one for one in client.get("/api/v1/types?lang=nl").json()["types"]}
    assert list(types) == [kind.name for kind in PROFILE.types]
    assert types["organisation"]["label"] == "Organisatie"
    assert types["organisation"]["count"] == 4
    label = types["organisation"]["fields"][0]
    assert (label["name"], label["label"], label["required"]) == ("label", "Naam", True)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/organisations",
        "/api/v1/organisations/kul",
        "/api/v1/types",
        "/context.jsonld",
        f"/api/v1/resource?iri={BASE}id/organisation/kul",
    ],
)
def test_head_is_get_without_a_body(client: Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert head.status_code == get.status_code == 200
    assert head.headers["etag"] == get.headers["etag"]


def test_a_history_pages_through_commits(client: Client) -> None:
    url, seen = "/api/v1/organisations/new/history?limit=2&lang=en", []
    while url:
        answer = client.get(url)
        body = answer.json()
        assert body["total"] == 3
        assert ("link" in answer.headers) == (body["next"] is not None)
        seen += [(one["generation"], one["fields"][0]["added"]) for one in body["items"]]
        url = (body["next"] or "").removeprefix(PUBLIC)
    assert seen == [(3, ["Newest (en)"]), (2, ["Late (en)"]), (1, ["Newcomer (en)"])]


def test_any_thing_has_a_history_by_its_iri(client: Client) -> None:
    by_iri = client.get("/api/v1/resource/history", {"iri": f"{BASE}id/organisation/new"})
    assert by_iri.json()["items"] == client.get("/api/v1/organisations/new/history").json()["items"]


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("/api/v1/resource/history", "invalid-request"),
        ("/api/v1/resource/history?iri=nonsense", "invalid-request"),
        ("/api/v1/organisations/nobody/history", "not-found"),
        ("/api/v1/organisations/new/history?limit=51", "invalid-request"),
        ("/api/v1/organisations/new/history?before=x", "invalid-request"),
        ("/api/v1/organisations/new/history?lang=xx", "invalid-request"),
        ("/api/v1/organisations/new/history?offset=1", "invalid-request"),
        ("/api/v1/organisations/new?provenance=perhaps", "invalid-request"),
    ],
)
def test_what_a_history_cannot_be_asked(client: Client, url: str, slug: str) -> None:
    answer = client.get(url)
    assert (answer.status_code, answer.json()["slug"]) == (400, slug)


@pytest.mark.parametrize(
    "url", ["/api/v1/organisations/new/history", "/api/v1/organisations/new?provenance=true"]
)
def test_the_past_has_an_etag_too(client: Client, url: str) -> None:
    first = client.get(url)
    again = client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)


def test_provenance_is_told_on_request(client: Client) -> None:
    without = client.get("/api/v1/organisations/new").json()
    whole = client.get("/api/v1/organisations/new?provenance=true").json()
    (name,) = whole["provenance"]["fields"][0]["values"]
    assert name["asserted_by"][0]["since"]["generation"] == 3
    assert {key: value for key, value in whole.items() if key != "provenance"} == without
    by_iri = client.get(f"/api/v1/resource?iri={BASE}id/organisation/new&provenance=true").json()
    assert by_iri == whole


def test_openapi_describes_the_past() -> None:
    openapi = describe_records({"openapi": "3.1.0", "paths": {}}, PROFILE)
    openapi = describe_history(openapi, PROFILE)
    record = openapi["paths"]["/api/v1/organisations/{slug}"]["get"]
    assert "provenance" in {one.get("name") for one in record["parameters"]}
    history = openapi["paths"]["/api/v1/organisations/{slug}/history"]["get"]
    names = [one.get("name") or one["$ref"].rpartition("/")[2] for one in history["parameters"]]
    assert names == ["slug", "lang", "limit", "before"]
    assert "410" not in history["responses"]
    identifiers = [one["get"]["operationId"] for one in openapi["paths"].values()]
    assert len(identifiers) == len(set(identifiers))
    used = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(openapi)))
    assert used <= openapi["components"]["schemas"].keys()


def test_openapi_describes_every_type() -> None:
    openapi: dict[str, Any] = describe_records({"openapi": "3.1.0", "paths": {}}, PROFILE)
    operation = openapi["paths"]["/api/v1/organisations"]["get"]
    assert operation["operationId"] == "list_organisations"
    names = {p.get("name") or p["$ref"].split("/")[-1] for p in operation["parameters"]}
    assert {"limit", "offset", "q", "lang", "facets", "country", "site.address.city"} <= names
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    assert example["items"][0]["employees"] == 12
    identifiers = [one["get"]["operationId"] for one in openapi["paths"].values()]
    assert len(identifiers) == len(set(identifiers))
