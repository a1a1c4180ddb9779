from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.pages.languages import LANGUAGES
from tests.pages.markup import Page

pytestmark = pytest.mark.anyio

PAGES = [
    "/",
    "/organisations",
    "/organisations?q=uni&city=Eindhoven&classification=education",
    "/organisations?q=nothing-of-this-name",
    "/organisations/plain",
    "/organisations/hostile",
    "/projects/one",
    "/technologies",
    "/concepts/kind/education",
    "/datasets/lifetec/example",
    "/resource?iri=https%3A%2F%2Fforeign.example%2Fthing",
    "/queries",
    "/queries/things-of-a-day?what=urn:e:c",
    "/scheme/kind",
    "/organisations/plain/history",
    "/organisations/gone/history",
    "/resource/history?iri=https%3A%2F%2Fforeign.example%2Fthing&before=9",
    "/ontology",
    "/profile",
    "/shapes",
    "/sparql",
    "/docs",
]
BROKEN = {
    "/organisations/none": 404,
    "/organisations/gone": 410,
    "/organisations?offset=x": 400,
    "/organisations/none/history": 404,
    "/organisations/plain/history?before=x": 400,
}
ENTITY = "/organisations/plain"
IRI = "https://w3id.org/lifetec/id/organisation/plain"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def page(client: httpx.AsyncClient) -> Callable[..., Any]:
    async def get(path: str, status: int = 200, **headers: str) -> Page:
        reply = await client.get(path, headers=headers)
        assert reply.status_code == status, (path, reply.text[:300])
        return Page(reply.text)

    return get


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("path", [*PAGES, *BROKEN])
async def test_every_page_is_sound_html_in_every_language(
    client: httpx.AsyncClient, path: str, lang: str
) -> None:
    reply = await client.get(path, headers={"Accept-Language": lang})
    assert reply.status_code == BROKEN.get(path, 200)
    assert Page(reply.text).faults == []
    assert f'<html lang="{lang}">' in reply.text
    assert reply.headers["content-language"] == lang


@pytest.mark.parametrize("path", [*PAGES, *BROKEN])
async def test_every_page_carries_the_headers_that_keep_it_safe(
    client: httpx.AsyncClient, path: str
) -> None:
    headers = (await client.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "Accept-Language" in headers["vary"]
    assert "set-cookie" not in headers


async def test_every_internal_link_leads_somewhere(client: httpx.AsyncClient) -> None:
    seen: set[str] = set()
    for path in PAGES:
        for link in Page((await client.get(path)).text).links:
            address = link.partition("#")[0]
            if not link.startswith("/") or link.startswith("/api/") or address in seen:
                continue
            seen.add(address)
            reply = await client.get(address, follow_redirects=True)
            expected = BROKEN.get(address, 200)
            assert reply.status_code == expected, f"{path} → {link}: {reply.status_code}"
    assert len(seen) > 40


async def test_fragment_links_hit_an_id(client: httpx.AsyncClient) -> None:
    for path in PAGES:
        page = Page((await client.get(path)).text)
        for link in page.links:
            if link.startswith("#"):
                assert link[1:] in page.ids, (path, link)


async def test_home_counts_types_and_names_datasets_with_licence(page: Any) -> None:
    home = await page("/")
    assert "2 Organisations" in home.text
    assert "Example" in home.text
    assert "CC0 1.0" in home.text
    assert "generation 7" in home.text


async def test_list_filters_and_keeps_the_filter_checked(page: Any) -> None:
    found = await page("/organisations?city=Eindhoven")
    assert "Sample University" in found.text
    assert "/organisations/hostile" not in found.links
    chosen = [a for tag, a in found.elements if tag == "input" and "checked" in a]
    assert [(a["name"], a["value"]) for a in chosen] == [("city", "Eindhoven")]
    assert "/organisations" in found.links  # the way to remove the filter


async def test_list_search_with_no_match_says_so(page: Any) -> None:
    assert "Nothing matches" in (await page("/organisations?q=zzzz")).text


async def test_list_ignores_parameters_that_are_no_field(page: Any) -> None:
    assert "2 found" in (await page("/organisations?utm_source=x")).text


async def test_list_is_offered_as_files_with_its_filters(page: Any) -> None:
    found = await page("/organisations?q=university&city=Eindhoven&lang=de")
    assert "/api/v1/organisations.csv?q=university&city=Eindhoven&lang=de" in found.links
    assert "/api/v1/organisations.xlsx?q=university&city=Eindhoven&lang=de" in found.links
    assert "Die besten zuerst" in found.text
    assert "Nach Namen sortiert" in (await page("/organisations?lang=de")).text


async def test_list_leads_programs_to_the_api(client: httpx.AsyncClient) -> None:
    asked = "/organisations?q=a&utm_source=x&city=Eindhoven&lang=de"
    reply = await client.get(asked, headers={"Accept": "application/json"})
    assert reply.status_code == 303
    assert reply.headers["location"] == "/api/v1/organisations?q=a&city=Eindhoven&lang=de"


async def test_example_data_is_marked_in_lists_and_on_its_page(page: Any) -> None:
    assert (await page("/organisations")).text.count("example data") == 1
    assert "example data" in (await page("/organisations/hostile")).text
    assert "example data" not in (await page(ENTITY)).text


async def test_entity_shows_fields_by_group_with_labels_of_the_language(page: Any) -> None:
    english, german = await page(ENTITY), await page(f"{ENTITY}?lang=de")
    assert english.text.index("Names") < english.text.index("Other names")
    assert "Weitere Namen" in german.text
    assert "Universität Musterstadt" in german.title
    assert "Sample University" in english.title
    assert "Project One" in english.text
    assert "/projects/one" in english.links


async def test_entity_folds_long_lists(page: Any) -> None:
    tags = [tag for tag, _ in (await page(ENTITY)).elements]
    assert "details" in tags
    assert "Show 4 more" in (await page(ENTITY)).text


async def test_entity_marks_text_in_other_languages(client: httpx.AsyncClient) -> None:
    assert '<span lang="de">Eine Universität.</span>' in (await client.get(ENTITY)).text


async def test_entity_shows_statements_outside_the_profile(page: Any) -> None:
    shown = await page(ENTITY)
    assert "https://example.org/ns#motto" in shown.text
    assert "Sapere <aude>" in shown.text


@pytest.mark.parametrize(
    ("lang", "amount", "date"),
    [
        ("en", "€\u00a01,234,567.50", "14\u00a0March 2020"),
        ("nl", "€\u00a01.234.567,50", "14\u00a0maart 2020"),
        ("de", "1.234.567,50\u00a0€", "14.\u00a0März 2020"),
        ("fr", "1\u202f234\u202f567,50\u00a0€", "14\u00a0mars 2020"),
    ],
)
async def test_amounts_and_dates_are_written_as_the_language_does(
    page: Any, lang: str, amount: str, date: str
) -> None:
    text = (await page(f"/projects/one?lang={lang}")).text
    assert amount in text
    assert date in text


async def test_links_keep_the_asked_language(client: httpx.AsyncClient) -> None:
    page = Page((await client.get(f"{ENTITY}?lang=fr")).text)
    local = [link for link in page.links if link.startswith("/") and "lang=" not in link]
    assert set(local) <= {
        *(f"{ENTITY}.{suffix}" for suffix in ("ttl", "jsonld", "nt", "rdf", "json")),
    }
    assert all("lang=" not in link for link in Page((await client.get("/")).text).links[:5])


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en;q=0.2, nl;q=0.7, fr;q=0.5", "nl"),
        ("pl, it;q=0.5", "en"),
        ("fr;q=0, nl;q=0.1", "nl"),
        ("fr;q=nonsense", "en"),
        ("", "en"),
    ],
)
async def test_language_follows_accept_language(
    client: httpx.AsyncClient, header: str, lang: str
) -> None:
    reply = await client.get("/", headers={"Accept-Language": header})
    assert reply.headers["content-language"] == lang
    asked = await client.get("/?lang=nl", headers={"Accept-Language": header})
    assert asked.headers["content-language"] == "nl"


async def test_schema_org_describes_the_entity(page: Any) -> None:
    data = _json_ld(await page(ENTITY))
    assert data["@type"] == "Organization"
    assert data["@id"] == IRI
    assert data["name"] == "Sample University"
    assert data["url"] == "https://example.org/"
    assert data["identifier"] == [
        {"@type": "PropertyValue", "value": "https://ror.org/000000000", "propertyID": "ROR"}
    ]
    assert _json_ld(await page("/projects/one"))["@type"] == "ResearchProject"
    assert _json_ld(await page("/datasets/lifetec/example"))["@type"] == "Dataset"


def _json_ld(page: Page) -> dict[str, Any]:
    texts = [text for given, text in page.scripts if given.get("type") == "application/ld+json"]
    assert len(texts) == 1
    found: dict[str, Any] = json.loads(texts[0])
    return found


async def test_hostile_labels_and_addresses_stay_text(client: httpx.AsyncClient) -> None:
    reply = await client.get("/organisations/hostile")
    page = Page(reply.text)
    assert page.faults == []
    for raw in ("<script>alert", "<img", "<b>8", 'onmouseover="'):
        assert raw not in reply.text
    for shown in ("javascript:alert(4)", "data:text/html,alert(5)", "vbscript:alert(6)"):
        assert shown in page.text
        assert shown not in page.links
    assert "mailto:info@example.org" in page.links
    assert _json_ld(page)["name"].startswith("</script><script>alert(1)</script>\u2028")
    inside = reply.text.partition('<script type="application/ld+json">')[2].partition("</script>")
    assert not set("<>&\u2028\u2029") & set(inside[0])
    assert all(given.get("type") for given, _ in page.scripts)


@pytest.mark.parametrize("path", ["/", "/organisations", "/sparql", "/organisations/none"])
async def test_hostile_parameters_stay_text(client: httpx.AsyncClient, path: str) -> None:
    evil = "\"><script>alert(1)</script>'"
    query = {"q": evil, "city": evil, "example": evil, "lang": evil, evil: evil}
    reply = await client.get(path, params=query)
    assert "<script>alert" not in reply.text
    assert Page(reply.text).faults == []


async def test_tombstone_page_tells_when_and_what_replaced_it(page: Any) -> None:
    gone = await page("/organisations/gone", 410)
    assert "1\u00a0March 2026" in gone.text
    assert "/organisations/plain" in gone.links


async def test_unknown_page_offers_a_search(page: Any) -> None:
    unknown = await page("/organisations/none", 404)
    forms = [a for tag, a in unknown.elements if tag == "form"]
    assert [form["action"] for form in forms] == ["/organisations"]


@pytest.mark.parametrize(
    "path",
    ["/organisations/%3Cscript%3E", "/organisations/a%20b", "/scheme/none", "/static/no.css"],
)
async def test_addresses_that_name_nothing_are_404(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_problems_are_json_for_programs(client: httpx.AsyncClient) -> None:
    reply = await client.get("/organisations/none", headers={"Accept": "application/json"})
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"


async def test_code_list_shows_one_level_and_the_way_down(page: Any) -> None:
    top = await page("/scheme/kind")
    assert "Kinds of organisation" in top.text
    assert "Education" in top.text
    assert "School" not in top.text
    down = next(link for link in top.links if "under=" in link)
    below = await page(down)
    assert "School" in below.text
    assert "/concepts/kind/school" in below.links


async def test_ontology_has_an_anchor_for_every_term_and_a_table_for_every_type(page: Any) -> None:
    shown = await page("/ontology")
    assert {"trl", "Technology", "type-organisation", "part-Address"} <= set(shown.ids)
    assert "A <b>method</b>." in shown.text
    assert "lt:trl" in shown.text
    assert "founding_date" in shown.text
    assert "Technologie" in (await page("/ontology?lang=de")).text


async def test_shapes_page_lists_constraints_with_severity_and_message(page: Any) -> None:
    shown = await page("/shapes")
    assert {"Organisation", "Address"} <= set(shown.ids)
    for text in ("sh:minCount 1", "Warning", "Say since when.", "schema:foundingDate"):
        assert text in shown.text


async def test_query_form_works_without_script_and_offers_examples(page: Any) -> None:
    shown = await page("/sparql?example=datasets")
    form = next(a for tag, a in shown.elements if tag == "form")
    assert (form["action"], form["method"]) == ("/sparql", "get")
    fields = {a.get("name") for tag, a in shown.elements if tag in {"textarea", "select"}}
    assert fields == {"query", "format"}
    assert "dcat:Dataset" in shown.text
    assert "Who coordinates most projects" in shown.text


async def test_static_files_are_kept_forever_by_their_digest(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    style = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    reply = await client.get(style)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/css")
    assert "immutable" in reply.headers["cache-control"]
    assert "immutable" not in (await client.get(style.partition("?")[0])).headers["cache-control"]
    assert (await client.get("/static/../router.py")).status_code == 404
    assert (await client.get("/static/%2e%2e/router.py")).status_code == 404


async def test_a_record_and_a_tombstone_lead_to_their_history(page: Callable[..., Any]) -> None:
    for path, status in (("/organisations/plain", 200), ("/organisations/gone", 410)):
        found = await page(f"{path}?lang=nl", status)
        links = [a for tag, a in found.elements if tag == "a" and "/history" in a.get("href", "")]
        assert [(a["href"], a["rel"]) for a in links] == [(f"{path}/history?lang=nl", "nofollow")]


async def test_a_history_shows_what_changed_and_leads_to_older_changes(
    client: httpx.AsyncClient, page: Callable[..., Any]
) -> None:
    text = (await client.get(f"{ENTITY}/history?lang=de")).text
    assert "<del>&lt;script&gt;alert(1)&lt;/script&gt;</del>" in text
    assert "<ins>javascript:alert(1)</ins>" in text
    assert "1.\u00a0März 2026" in text
    assert "CC BY 4.0" in text
    assert "noch 8" in text or "8 weitere" in text
    found = await page(f"{ENTITY}/history?lang=de")
    older = [a["href"] for tag, a in found.elements if tag == "a" and "next" in a.get("rel", "")]
    assert older == [f"{ENTITY}/history?before=1234&lang=de"]
    last = await page(older[0])
    assert not [a for tag, a in last.elements if tag == "a" and "next" in a.get("rel", "")]


async def test_programs_are_led_from_a_history_to_the_api(client: httpx.AsyncClient) -> None:
    headers = {"Accept": "application/json"}
    reply = await client.get(f"{ENTITY}/history?before=7", headers=headers)
    assert reply.status_code == 303
    assert reply.headers["location"] == f"/api/v1{ENTITY}/history?before=7"
    reply = await client.get("/resource/history?iri=urn:x&lang=nl", headers=headers)
    assert reply.headers["location"] == "/api/v1/resource/history?iri=urn%3Ax&lang=nl"


async def test_a_form_of_a_query_has_an_input_for_each_default(page: Any) -> None:
    """Whatever prefixes the query writes them with."""
    found = await page("/queries/things-of-a-day")
    inputs = [(a["name"], a["value"]) for tag, a in found.elements if tag == "input"]
    assert inputs == [("day", "2018-07-01"), ("what", "urn:e:a"), ("what", "urn:e:b")]
    assert "What <b> was there?" in found.text
