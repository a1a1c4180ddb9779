from __future__ import annotations

import json

import httpx
import pyoxigraph as ox
import pytest

from app.rdf.media import RDF_FORMATS

pytestmark = pytest.mark.anyio

ENTITY = "/organisations/plain"
IRI = "https://w3id.org/lifetec/id/organisation/plain"
SUFFIXES = {
    "ttl": "text/turtle",
    "jsonld": "application/ld+json",
    "nt": "application/n-triples",
    "rdf": "application/rdf+xml",
    "json": "application/json",
    "html": "text/html",
}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ACCEPTED = [
    (BROWSER, "html"),
    ("*/*", "html"),
    ("", "html"),
    ("text/*", "html"),
    ("text/turtle", "ttl"),
    ("application/ld+json", "jsonld"),
    ("application/n-triples", "nt"),
    ("application/rdf+xml", "rdf"),
    ("application/json", "json"),
    ("text/html;q=0.5, text/turtle", "ttl"),
    ("text/html;q=0.5, application/ld+json;q=0.9, text/turtle;q=0.8", "jsonld"),
    ("text/html;q=0, */*;q=0.1", "ttl"),
    ("application/json;q=0.3, application/rdf+xml;q=0.4", "rdf"),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def triples(reply: httpx.Response) -> list[ox.Quad]:
    media = reply.headers["content-type"].partition(";")[0]
    return list(ox.parse(reply.content, format=RDF_FORMATS[media]))


@pytest.mark.parametrize(("accept", "suffix"), ACCEPTED)
async def test_entity_comes_in_the_format_that_is_liked_best(
    client: httpx.AsyncClient, accept: str, suffix: str
) -> None:
    reply = await client.get(ENTITY, headers={"Accept": accept})
    assert reply.status_code == 200
    assert reply.headers["content-type"].partition(";")[0] == SUFFIXES[suffix]
    assert reply.headers["vary"] == "Accept, Accept-Language"


@pytest.mark.parametrize(("suffix", "media"), SUFFIXES.items())
async def test_suffix_wins_over_the_accept_header(
    client: httpx.AsyncClient, suffix: str, media: str
) -> None:
    for accept in (BROWSER, "application/rdf+xml", "image/png"):
        reply = await client.get(f"{ENTITY}.{suffix}", headers={"Accept": accept})
        assert reply.headers["content-type"].partition(";")[0] == media


@pytest.mark.parametrize("suffix", ["ttl", "jsonld", "nt", "rdf"])
@pytest.mark.parametrize("path", [ENTITY, "/ontology", "/shapes", "/scheme/kind"])
async def test_every_rdf_format_says_the_same(
    client: httpx.AsyncClient, path: str, suffix: str
) -> None:
    reply = await client.get(f"{path}.{suffix}")
    plain = await client.get(f"{path}.nt")
    assert reply.status_code == plain.status_code == 200
    found = triples(reply)
    assert len(set(found)) == len(set(triples(plain))) >= 2


async def test_documents_speak_of_what_was_asked(client: httpx.AsyncClient) -> None:
    subjects = {str(q.subject) for q in triples(await client.get(f"{ENTITY}.nt"))}
    assert f"<{IRI}>" in subjects
    assert f"<{IRI}#address>" in subjects
    terms = {str(q.subject) for q in triples(await client.get("/ontology.nt"))}
    assert terms == {
        "<https://w3id.org/lifetec/ontology>",
        "<https://w3id.org/lifetec/ontology#Technology>",
        "<https://w3id.org/lifetec/ontology#trl>",
    }


async def test_json_is_the_record(client: httpx.AsyncClient) -> None:
    record = json.loads((await client.get(f"{ENTITY}.json?lang=de")).content)
    assert record["id"] == IRI
    assert record["name"] == "Universität Musterstadt"
    assert record["@context"] == "http://127.0.0.1:8000/context.jsonld"


async def test_nothing_acceptable_is_406(client: httpx.AsyncClient) -> None:
    reply = await client.get(ENTITY, headers={"Accept": "image/png"})
    assert reply.status_code == 406
    assert "text/turtle" in reply.json()["offered"]


@pytest.mark.parametrize("path", [ENTITY, f"{ENTITY}.ttl", "/", "/ontology", "/shapes.ttl"])
async def test_a_page_that_is_held_is_not_sent_again(client: httpx.AsyncClient, path: str) -> None:
    first = await client.get(path)
    etag = first.headers["etag"]
    again = await client.get(path, headers={"If-None-Match": f'"other", {etag}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == etag
    assert (await client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
    german = await client.get(f"{path}?lang=de", headers={"If-None-Match": etag})
    assert german.status_code == (200 if "." not in path else 304)


async def test_head_is_answered_like_get(client: httpx.AsyncClient) -> None:
    reply = await client.head(ENTITY)
    assert reply.status_code == 200
    assert reply.headers["etag"] == (await client.get(ENTITY)).headers["etag"]


@pytest.mark.parametrize(
    ("path", "accept", "location"),
    [
        ("/id/organisation/plain", BROWSER, "/organisations/plain"),
        ("/id/organisation/plain?lang=nl", BROWSER, "/organisations/plain?lang=nl"),
        ("/id/organisation/plain", "text/turtle", "/organisations/plain.ttl"),
        ("/id/organisation/plain", "application/ld+json", "/organisations/plain.jsonld"),
        ("/id/organisation/plain", "application/json", "/organisations/plain.json"),
        ("/graph/lifetec/real", BROWSER, "/datasets/lifetec/real"),
        ("/graph/lifetec/real", "application/rdf+xml", "/datasets/lifetec/real.rdf"),
        ("/scheme/kind/education", BROWSER, "/concepts/kind/education"),
        ("/scheme/kind/education", "application/n-triples", "/concepts/kind/education.nt"),
        (f"/resource?iri={IRI}", BROWSER, "/organisations/plain"),
        (f"/resource.ttl?iri={IRI}", BROWSER, "/organisations/plain.ttl"),
        ("/resource?iri=https://w3id.org/lifetec/scheme/kind", BROWSER, "/scheme/kind"),
        ("/resource?iri=https://w3id.org/lifetec/ontology%23trl", BROWSER, "/ontology#trl"),
    ],
)
async def test_identifiers_lead_to_documents_by_303(
    client: httpx.AsyncClient, path: str, accept: str, location: str
) -> None:
    reply = await client.get(path, headers={"Accept": accept})
    assert reply.status_code == 303
    assert reply.headers["location"] == location
    assert (await client.get(location)).status_code == 200


async def test_foreign_iris_have_pages_and_documents(client: httpx.AsyncClient) -> None:
    iri = {"iri": "https://foreign.example/thing"}
    page = await client.get("/resource", params=iri)
    assert "Foreign thing" in page.text
    turtle = await client.get("/resource", params=iri, headers={"Accept": "text/turtle"})
    assert any(str(q.subject) == "<https://foreign.example/thing>" for q in triples(turtle))
    assert (await client.get("/resource.nt", params=iri)).status_code == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?iri=", 400),
        ("?iri=no-iri", 400),
        ("?iri=http://a/%3Cb%3E", 400),
        ("?iri=javascript:alert(1)", 404),
        ("?iri=https://foreign.example/unknown", 404),
    ],
)
async def test_resource_refuses_what_is_no_iri_and_does_not_know_what_is_unknown(
    client: httpx.AsyncClient, query: str, status: int
) -> None:
    assert (await client.get(f"/resource{query}")).status_code == status


async def test_entity_page_names_its_other_formats(client: httpx.AsyncClient) -> None:
    html = (await client.get(ENTITY)).text
    for suffix in ("ttl", "jsonld", "nt", "rdf", "json"):
        link = f'<link rel="alternate" type="{SUFFIXES[suffix]}" href="{ENTITY}.{suffix}">'
        assert link in html
    assert f'<link rel="canonical" href="http://127.0.0.1:8000{ENTITY}">' in html
