"""The Reconciliation Service API of a real server, as OpenRefine and others speak it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest

from tests.server import reconciliation_schemas as schemas
from tests.server.conftest import bare_in
from tests.server.publishing import BASE, Publishing, organisation, problem, publishing
from tests.server.running import RunningServer

LEUVEN = f"{BASE}id/organisation/ror-05f950310"
DRAFT = "/reconcile/1.0"
FORM = "application/x-www-form-urlencoded"


def checked(reply: httpx.Response, schema: schemas.Schema) -> Any:
    """The answer, which must be as the specification says."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    jsonschema.Draft202012Validator(schema).validate(body)
    return body


def by_form(server: RunningServer, **form: Any) -> httpx.Response:
    """A POST as OpenRefine sends it."""
    fields = {name: json.dumps(value) for name, value in form.items()}
    return httpx.post(f"{server.url}/reconcile", data=fields, timeout=60)


def matched(server: RunningServer, **query: Any) -> list[dict[str, Any]]:
    """The candidates of one query of version 0.2."""
    body = checked(by_form(server, queries={"q0": query}), schemas.RESULTS)
    found: list[dict[str, Any]] = body["q0"]["result"]
    return found


def drafted(server: RunningServer, path: str, body: Any) -> httpx.Response:
    return httpx.post(f"{server.url}{DRAFT}{path}", json=body, timeout=60)


def draft_matched(server: RunningServer, *conditions: Any, **query: Any) -> list[dict[str, Any]]:
    """The candidates of one query of the draft."""
    asked = {"queries": [{"conditions": list(conditions), **query}]}
    body = checked(drafted(server, "/match", asked), schemas.DRAFT_RESULTS)
    found: list[dict[str, Any]] = body["results"][0]["candidates"]
    return found


def named(value: Any, **more: Any) -> dict[str, Any]:
    return {"matchType": "name", "propertyValue": value, **more}


def having(name: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"matchType": "property", "propertyId": name, "propertyValue": value, **more}


# Manifests


def test_the_manifest_says_what_is_offered(seeded: RunningServer) -> None:
    manifest = checked(seeded.get("/reconcile"), schemas.MANIFEST)
    assert manifest["versions"] == ["0.2"]
    assert manifest["identifierSpace"] == BASE
    assert {"organisation", "project", "concept"} <= {one["id"] for one in manifest["defaultTypes"]}
    view = manifest["view"]["url"].replace("{{id}}", LEUVEN)
    assert httpx.get(view, follow_redirects=True).status_code == 200


def test_every_address_of_the_manifest_answers(seeded: RunningServer) -> None:
    manifest = seeded.get("/reconcile").json()
    ids = {"entity": LEUVEN, "property": "country", "type": "organisation"}
    for what, service in manifest["suggest"].items():
        address = service["service_url"] + service["service_path"]
        assert httpx.get(address, params={"prefix": ""}).json()["result"]
        flyout = service["flyout_service_url"] + service["flyout_service_path"]
        shown = checked(httpx.get(flyout.replace("${id}", ids[what])), schemas.FLYOUT)
        assert shown["id"] == ids[what]
    proposing = manifest["extend"]["propose_properties"]
    proposed = httpx.get(
        proposing["service_url"] + proposing["service_path"], params={"type": "organisation"}
    )
    assert checked(proposed, schemas.PROPOSAL)["properties"]
    preview = httpx.get(manifest["preview"]["url"].replace("{{id}}", LEUVEN))
    assert preview.headers["content-type"].startswith("text/html")


def test_the_manifest_of_the_draft(seeded: RunningServer) -> None:
    manifest = checked(seeded.get(DRAFT), schemas.DRAFT_MANIFEST)
    assert manifest["standardizedScore"] is True
    dutch = checked(seeded.get(DRAFT, accept_language="nl"), schemas.DRAFT_MANIFEST)
    assert dutch["defaultTypes"][0]["name"] == "organisatie"


def test_every_answer_may_be_read_by_any_origin(seeded: RunningServer) -> None:
    for path in ("/reconcile", DRAFT, "/reconcile/suggest/type?prefix=o", "/reconcile?queries=no"):
        reply = seeded.get(path, origin="https://elsewhere.example")
        assert reply.headers["access-control-allow-origin"] == "*", path


# Matching


@pytest.mark.parametrize(
    "name",
    [
        "katolieke universiteit leuven",
        "KU LEUVEN",
        "Leuven, Katholieke Universiteit",
        "Katholieke Universiteit Leuven VZW",
        "Katholieke Universiteit Leuven (KU Leuven)",
        LEUVEN,
        "https://ror.org/05f950310",
        "05f950310",
        "999991334",
        "BE 0419.052.173",
    ],
)
def test_an_organisation_is_found(seeded: RunningServer, name: str) -> None:
    first, *others = matched(seeded, query=name, type="organisation")
    assert first["id"] == LEUVEN
    assert all(one["score"] < first["score"] for one in others)
    if name[-1].isdigit():
        assert (first["score"], first["match"]) == (100, True)


def test_a_match_is_called_so_when_one_is_clearly_ahead(seeded: RunningServer) -> None:
    [first, *_] = matched(seeded, query="Forschungszentrum Juelich GmbH", type="organisation")
    assert first["match"]
    assert {one["id"]: one["value"] for one in first["features"]}["name"] == 100
    philips = matched(seeded, query="Philips", type="organisation")
    assert philips[0]["score"] == philips[1]["score"]
    assert not any(one["match"] for one in philips)


def test_city_and_country_tell_namesakes_apart(seeded: RunningServer) -> None:
    for country in ("Netherlands", "Nederland", "Pays-Bas", "NLD"):
        where = [{"pid": "city", "v": "Eindhoven"}, {"pid": "country", "v": country}]
        first, second, *_ = matched(seeded, query="Philips", type="organisation", properties=where)
        assert first["match"], country
        assert "Eindhoven" in first["description"]
        assert first["score"] > second["score"]
        features = {one["id"]: one["value"] for one in first["features"]}
        assert (features["property:city"], features["property:country"]) == (100, 100)


def test_an_identifier_among_the_properties_settles_it(seeded: RunningServer) -> None:
    first, *_ = matched(
        seeded,
        query="Some name that nothing has",
        properties=[{"pid": "identifiers.notation", "v": "999991334"}],
    )
    assert (first["id"], first["score"], first["match"]) == (LEUVEN, 100, True)
    by_entity = {"id": "https://ror.org/05f950310", "name": "KU Leuven"}
    first, *_ = matched(seeded, properties=[{"pid": "same_as", "v": [by_entity, "other"]}])
    assert (first["id"], first["match"]) == (LEUVEN, True)


def test_types_are_kept_to(seeded: RunningServer) -> None:
    for kind in ("concept", "concepts", "http://www.w3.org/2004/02/skos/core#Concept"):
        found = matched(seeded, query="cancer", type=kind)
        assert {one["type"][0]["id"] for one in found} == {"concept"}, kind
    both = matched(seeded, query="Leuven", type=["region", "organisation"], limit=20)
    assert {one["type"][0]["id"] for one in both} == {"region", "organisation"}
    wanted = {"query": "Leuven", "type": ["region", "organisation"], "type_strict": "all"}
    assert matched(seeded, **wanted) == []
    first = matched(seeded, query="KU Leuven", type="region", type_strict="should")[0]
    assert first["id"] == LEUVEN
    assert {"id": "type", "value": False} in first["features"]


def test_a_batch_is_answered_by_get_and_by_form_alike(seeded: RunningServer) -> None:
    queries = {
        "first": {"query": "RWTH", "limit": 1},
        "": {"query": "nothing is called so at all, xyzzy"},
        "ключ": {"query": "UZ Leuven", "type": "organisation", "limit": 3},
    }
    sent = checked(by_form(seeded, queries=queries), schemas.RESULTS)
    got = httpx.get(f"{seeded.url}/reconcile", params={"queries": json.dumps(queries)})
    assert checked(got, schemas.RESULTS) == sent
    assert list(sent) == list(queries)
    assert [len(sent[key]["result"]) for key in ("first", "ключ")] == [1, 3]


def test_names_come_in_the_language_asked_for(seeded: RunningServer) -> None:
    asked = {"queries": json.dumps({"a": {"query": "BEL", "type": "concept"}})}
    for lang in ("fr", "de"):
        reply = httpx.get(
            f"{seeded.url}/reconcile", params=asked, headers={"accept-language": lang}
        )
        assert reply.headers["content-language"] == lang
    types = seeded.get("/reconcile/suggest/type?prefix=Organ&lang=nl").json()["result"]
    assert types[0]["name"] == "organisatie"


# Matching in the draft


def test_the_draft_matches_by_the_same_scores(seeded: RunningServer) -> None:
    old = matched(seeded, query="universiteit maastricht", type="organisation")
    new = draft_matched(seeded, named("universiteit maastricht"), type="organisation")
    assert [(one["id"], one["score"], one["match"]) for one in old] == [
        (one["id"], one["score"], one["match"]) for one in new
    ]
    earlier = {"matchType": "name", "v": "universiteit maastricht"}  # the members' earlier names
    body = {"queries": [{"conditions": [earlier], "type": "organisation"}]}
    assert drafted(seeded, "/reconcile", body).json()["results"][0]["candidates"] == new


def test_conditions_of_the_draft(seeded: RunningServer) -> None:
    here = having("city", "Eindhoven", required=True)
    found = draft_matched(seeded, named("Philips"), here, type="organisation")
    assert found
    assert all("Eindhoven" in one["description"] for one in found)
    elsewhere = having("city", "Eindhoven", required=True, matchQuantifier="none")
    found = draft_matched(seeded, named("Philips"), elsewhere, type="organisation", limit=50)
    assert found
    assert not any("Eindhoven" in one.get("description", "") for one in found)
    two = named(["Philips", "KU Leuven"])
    assert LEUVEN in {one["id"] for one in draft_matched(seeded, two, type="organisation")}


def test_properties_alone_find_who_has_them(seeded: RunningServer) -> None:
    found = draft_matched(
        seeded,
        having("country", "Belgium", required=True),
        having("city", ["Mol", "Geel"], required=True),
        type="organisation",
    )
    assert found
    assert {one["description"].partition(",")[0] for one in found} <= {"Mol", "Geel"}
    assert all(one["score"] == 100 for one in found)


# Suggestions


def test_entities_are_suggested_by_what_is_typed(seeded: RunningServer) -> None:
    def suggested(path: str = "/reconcile", **given: str) -> list[dict[str, Any]]:
        reply = httpx.get(f"{seeded.url}{path}/suggest/entity", params=given, timeout=60)
        found: list[dict[str, Any]] = checked(reply, schemas.SUGGESTED_ENTITIES)["result"]
        return found

    assert suggested(prefix="KU Leuv", type="organisation")[0]["id"] == LEUVEN
    assert suggested(prefix="999991334")[0]["id"] == LEUVEN
    assert suggested(prefix=LEUVEN)[0]["id"] == LEUVEN
    ten = suggested(prefix="univ", type="organisation")
    assert len(ten) == 10
    rest = suggested(prefix="univ", type="organisation", cursor="10")
    assert not {one["id"] for one in ten} & {one["id"] for one in rest}
    drafts = suggested(DRAFT, prefix="univ", type="organisation", offset="10", limit="5")
    assert drafts == rest[:5]
    assert suggested(prefix="")
    # what the suggest boxes of clients send beside
    assert suggested(prefix="KU Leuv", exact="false", html_escape="false", spell="always")


def test_properties_and_types_are_suggested(seeded: RunningServer) -> None:
    for root in ("/reconcile", DRAFT):
        found = checked(seeded.get(f"{root}/suggest/property?prefix=coun"), schemas.SUGGESTED)
        assert "country" in {one["id"] for one in found["result"]}
        of_type = seeded.get(f"{root}/suggest/property?prefix=&type=region").json()["result"]
        assert "country" not in {one["id"] for one in of_type}
        found = checked(seeded.get(f"{root}/suggest/type?prefix=proj"), schemas.SUGGESTED)
        assert [one["id"] for one in found["result"]] == ["project"]


# Data extension and previews


def test_values_are_fetched(seeded: RunningServer) -> None:
    wanted = ["country", "founding_date", "label", "identifiers.notation"]
    wanted += ["sub_organisation_of", "projects"]
    asked: dict[str, Any] = {
        "ids": [LEUVEN, f"{BASE}id/organisation/nobody"],
        "properties": [{"id": one} for one in wanted[:-1]]
        + [{"id": "projects", "settings": {"limit": "2"}}],
    }
    body = checked(by_form(seeded, extend=asked), schemas.EXTENSION)
    assert [one["id"] for one in body["meta"]] == wanted
    assert {"id": "organisation", "name": "organisation"} in [
        one.get("type") for one in body["meta"]
    ]
    row = body["rows"][LEUVEN]
    assert row["country"][0]["name"] == "Belgium"
    assert {"str": "999991334"} in row["identifiers.notation"]
    assert len(row["projects"]) == 2
    assert body["rows"][asked["ids"][1]] == {one: [] for one in wanted}
    got = httpx.get(f"{seeded.url}/reconcile", params={"extend": json.dumps(asked)})
    assert checked(got, schemas.EXTENSION) == body
    new = checked(drafted(seeded, "/extend", asked), schemas.DRAFT_EXTENSION)
    again = {one["id"]: {p["id"]: p["values"] for p in one["properties"]} for one in new["rows"]}
    assert again[LEUVEN]["country"] == row["country"]


def test_numbers_and_dates_are_fetched_as_such(seeded: RunningServer) -> None:
    [project, *_] = [
        one["id"]
        for one in seeded.get("/reconcile/suggest/entity?type=project&prefix=&limit=1").json()[
            "result"
        ]
    ]
    proposed = seeded.get("/reconcile/extend/propose?type=project").json()["properties"]
    asked = {"ids": [project], "properties": [{"id": one["id"]} for one in proposed[:20]]}
    row = checked(by_form(seeded, extend=asked), schemas.EXTENSION)["rows"][project]
    kinds = {kind for values in row.values() for value in values for kind in value}
    assert {"date", "str", "id"} <= kinds


def test_properties_are_proposed_for_a_type(seeded: RunningServer) -> None:
    for root in ("/reconcile", DRAFT):
        reply = seeded.get(f"{root}/extend/propose?type=region&limit=3")
        body = checked(reply, schemas.PROPOSAL)
        assert (body["type"], body["limit"], len(body["properties"])) == ("region", 3, 3)


def test_the_preview_can_be_framed_and_runs_nothing(seeded: RunningServer) -> None:
    for root in ("/reconcile", DRAFT):
        reply = httpx.get(f"{seeded.url}{root}/preview", params={"id": LEUVEN})
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors *" in policy
        assert "<title>KU Leuven</title>" in reply.text
        assert re.search(r'href="http[^"]+/organisations/ror-05f950310"', reply.text)
    missing = httpx.get(f"{seeded.url}/reconcile/preview", params={"id": f"{BASE}id/x/nobody"})
    assert missing.status_code == 404


# What does not fit


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("queries", "status", "field"),
    [
        ("no json", 400, "queries"),
        (deep(100_000), 400, "queries"),
        ("[]", 400, "queries"),
        ("null", 400, "queries"),
        ('{"a": 3}', 400, "queries.a"),
        ('{"a": {}}', 400, "query"),
        ('{"a": {"query": 3}}', 400, "query"),
        ('{"a": {"query": "x", "quer": "y"}}', 400, "quer"),
        ('{"a": {"query": "x", "limit": 0}}', 400, "limit"),
        ('{"a": {"query": "x", "limit": "9"}}', 400, "limit"),
        ('{"a": {"query": "x", "limit": NaN}}', 400, "queries"),
        ('{"a": {"query": "x", "type": {"id": "organisation"}}}', 400, "type"),
        ('{"a": {"query": "x", "type": "organization"}}', 400, "type"),
        ('{"a": {"query": "x", "type_strict": "some"}}', 400, "type_strict"),
        ('{"a": {"query": "x", "properties": {}}}', 400, None),
        ('{"a": {"query": "x", "properties": [{"pid": "citty", "v": "x"}]}}', 400, "properties"),
        ('{"a": {"query": "x", "properties": [{"pid": "city"}]}}', 400, "v"),
        ('{"a": {"query": "x", "properties": [{"pid": "city", "v": {"name": "y"}}]}}', 400, "v.id"),
        (json.dumps({f"q{n}": {"query": "x"} for n in range(10_000)}), 413, None),
        (json.dumps({"q": {"query": "x" * (1 << 20)}}), 413, None),
    ],
)
def test_what_does_not_fit_is_refused(
    seeded: RunningServer, queries: str, status: int, field: str | None
) -> None:
    reply = httpx.post(f"{seeded.url}/reconcile", data={"queries": queries}, timeout=60)
    if queries == '{"a": {"query": "x", "properties": {}}}':
        assert reply.status_code == 200  # nothing is asked of it
        return
    slug = {400: "invalid-request", 413: "too-large"}[status]
    assert problem(reply) == (status, slug)
    assert field is None or reply.json()["field"] == field


def test_what_is_unknown_is_answered_with_the_nearest(seeded: RunningServer) -> None:
    for query, nearest in (
        ({"query": "x", "type": "organization"}, "organisation"),
        ({"query": "x", "properties": [{"pid": "citty", "v": "x"}]}, "city"),
        ({"query": "x", "quer": "y"}, "query"),
    ):
        reply = by_form(seeded, queries={"a": query})
        assert reply.json()["nearest"] == nearest


def test_strange_names_are_only_names(seeded: RunningServer) -> None:
    names = ["", " ", "()", "[(", "^.*$", "\x00", "\ud800", "\u202e\u0301" * 200, "a" * 100_000]
    names += ["(" * 5_000, "ü" * 5_000, '"; DROP', "{{id}}", "٣" * 400, "a b " * 10_000]
    queries = {f"q{n}": {"query": name} for n, name in enumerate(names)}
    body = checked(by_form(seeded, queries=queries), schemas.RESULTS)
    assert list(body) == list(queries)
    for prefix in ("[", "(.*", "\\", "a" * 3_000):
        reply = httpx.get(f"{seeded.url}/reconcile/suggest/entity", params={"prefix": prefix})
        checked(reply, schemas.SUGGESTED_ENTITIES)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/match", {"queries": {}}, 400),
        ("/match", {"queries": [{}]}, 400),
        ("/match", {"queries": [{"conditions": []}]}, 400),
        ("/match", {"queries": [{"conditions": [{"matchType": "label", "v": "x"}]}]}, 400),
        ("/match", {"queries": [{"conditions": [{"matchType": "property", "v": "x"}]}]}, 400),
        ("/match", {"queries": [{"conditions": [{"matchType": "name"}]}]}, 400),
        ("/match", {"queries": [{"conditions": [named("x", required="yes")]}]}, 400),
        ("/match", {"queries": [{"conditions": [named("x", matchQuantifier="most")]}]}, 400),
        ("/match", {"queries": [{"conditions": [named("x", matchQualifier="exact")]}]}, 400),
        ("/match", {"queries": [{"conditions": [named("x")], "type": ["a", "b"]}]}, 400),
        ("/match", {"queries": [{"conditions": [named("x")]}] * 51}, 413),
        ("/match", {"queries": [{"conditions": [named("x")] * 21}]}, 413),
        ("/extend", [], 400),
        ("/extend", {"ids": [LEUVEN]}, 400),
        ("/extend", {"ids": [3], "properties": []}, 400),
        ("/extend", {"ids": [], "properties": [{"id": "lable"}]}, 400),
        ("/extend", {"ids": ["x"] * 201, "properties": []}, 413),
        ("/extend", {"ids": [], "properties": [{"id": "label"}] * 21}, 413),
    ],
)
def test_the_draft_refuses_what_does_not_fit(
    seeded: RunningServer, path: str, body: Any, status: int
) -> None:
    reply = drafted(seeded, path, body)
    assert problem(reply)[0] == status, reply.text


def test_ways_that_are_not_offered(seeded: RunningServer) -> None:
    assert problem(seeded.get("/reconcile?queries={}&callback=run"))[0] == 400
    assert problem(seeded.get("/reconcile?query=Philips"))[0] == 400
    assert problem(seeded.get("/reconcile?queries={}&queries={}"))[0] == 400
    assert problem(httpx.post(f"{seeded.url}/reconcile", json={"queries": {}}))[0] == 415
    assert problem(httpx.post(f"{seeded.url}{DRAFT}/match", data={"queries": "[]"}))[0] == 415
    assert problem(seeded.get(f"{DRAFT}/match"))[0] == 405
    assert problem(seeded.get("/reconcile/flyout/entity"))[0] == 400
    assert problem(seeded.get("/reconcile/flyout/nothing?id=x"))[0] == 404
    bad = httpx.post(
        f"{seeded.url}/reconcile", content=b"queries=%ff", headers={"content-type": FORM}
    )
    assert problem(bad)[0] == 400


# What is published meanwhile, and what is hostile in it


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishing]:
    with publishing(tmp_path_factory.mktemp("reconcile")) as one:
        yield one


def eventually(house: Publishing, name: str, expected: list[str]) -> None:
    """Within its promise, a moment, the service knows what was published."""
    deadline = time.monotonic() + 20
    while True:
        found = [one["id"] for one in matched(house.server, query=name) if one["score"] > 90]
        if found == expected:
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_what_is_published_is_found_and_what_is_removed_is_not(house: Publishing) -> None:
    eventually(house, "Quuxmetrics", [])
    dataset = house.dataset()
    house.publish(dataset, organisation("demo-q1", "Quuxmetrics BV"))
    eventually(house, "Quuxmetrics", [f"{BASE}id/organisation/demo-q1"])
    house.publish(dataset, organisation("demo-q1", "Renamed thing"))
    eventually(house, "Quuxmetrics", [])
    eventually(house, "renamed thing", [f"{BASE}id/organisation/demo-q1"])
    house.publish(dataset, organisation("demo-q2", "Another"))
    eventually(house, "renamed thing", [])


def test_what_is_hostile_in_data_is_only_shown(house: Publishing) -> None:
    name = "<img src=x onerror=alert(1)></title><script>alert(2)</script>"
    house.publish(house.dataset(), organisation("demo-x", name))
    iri = f"{BASE}id/organisation/demo-x"
    eventually(house, name, [iri])
    page = httpx.get(f"{house.server.url}/reconcile/preview", params={"id": iri})
    flyout = httpx.get(f"{house.server.url}/reconcile/flyout/entity", params={"id": iri})
    for html in (page.text, flyout.json()["html"]):
        assert "&lt;script&gt;" in html
        assert "<script" not in html
        assert "<img" not in html


def test_a_client_has_its_rate(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("rate")
    settings = {**bare_in(root), "rate_limits": "on", "query_rate": "3/minute"}
    with RunningServer(root / "var", **settings) as server:
        replies = [by_form(server, queries={"a": {"query": "x"}}) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
        assert replies[0].headers["ratelimit"].startswith('"queries";r=2')
        assert int(replies[3].headers["retry-after"]) > 0
        assert server.get("/reconcile").status_code == 200  # the manifest costs nothing
