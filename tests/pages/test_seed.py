"""The pages over the ontology, shapes and data that the project ships."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pyoxigraph as ox
import pytest

from app.profile import Profile, load_profile
from app.rdf.terms import DCAT, type_
from app.settings import Settings
from tests.pages.conftest import BASE, make_app, make_store
from tests.pages.markup import Page

pytestmark = pytest.mark.anyio
_NO_CHANGES: dict[str, Any] = {}
SETTINGS = Settings(**_NO_CHANGES)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def seed_store() -> ox.Store:
    """Every dataset in its graph and its description in the reserved one, as the loader does."""
    store = ox.Store()
    service = ox.NamedNode(f"{BASE}graph/service")
    folders = (SETTINGS.ontology_dir, SETTINGS.seed_dir)
    for file in (file for folder in folders for file in sorted(folder.glob("*.ttl"))):
        quads = list(ox.parse(path=str(file), format=ox.RdfFormat.TURTLE))
        found = [q.subject for q in quads if q.predicate == type_ and q.object == DCAT["Dataset"]]
        for dataset in found[:1]:
            assert isinstance(dataset, ox.NamedNode)
            store.extend(
                ox.Quad(
                    q.subject,
                    q.predicate,
                    q.object,
                    service if _about(q.subject) == dataset.value else dataset,
                )
                for q in quads
            )
    return store


def _about(subject: object) -> str:
    return subject.value.partition("#")[0] if isinstance(subject, ox.NamedNode) else ""


@pytest.fixture(scope="module")
async def seed() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=make_app(seed_store(), SETTINGS))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:8000", headers={"Accept": "text/html"}
    ) as client:
        yield client


async def test_home_lists_and_one_entity_of_each_type_are_sound_and_link_to_pages(
    seed: httpx.AsyncClient,
) -> None:
    profile = load_profile(SETTINGS.ontology_dir, SETTINGS.shapes_dir, SETTINGS.base_iri)
    store = seed_store()
    paths = ["/", "/sparql", "/ontology", "/shapes"]
    for kind in profile.types:
        paths.append(f"/{kind.collection}")
        items = Page((await seed.get(paths[-1])).text)
        named = [a["href"] for tag, a in items.elements if tag == "a" and a.get("class") == "name"]
        paths += named[:1]
    checked: set[str] = set()
    for path in paths:
        reply = await seed.get(path, follow_redirects=True)
        page = Page(reply.text)
        assert (reply.status_code, page.faults) == (200, []), path
        for link in page.links[:60]:
            address = link.partition("#")[0]
            if address.startswith("/") and not address.startswith("/api/"):
                if address not in checked:
                    target = await seed.get(address, follow_redirects=True)
                    known = target.status_code != 404 or _described(store, profile, address)
                    assert not known or target.status_code == 200, f"{path} → {link}"
                checked.add(address)
    assert len(checked) > 100


def _described(store: ox.Store, profile: Profile, address: str) -> bool:
    """Whether any dataset says something about the thing; a link to others may come to nothing."""
    collection, _, slug = address.partition("?")[0].lstrip("/").partition("/")
    iri = profile.locate(collection, unquote(slug))
    return iri is None or any(store.quads_for_pattern(ox.NamedNode(iri), None, None, None))


@pytest.mark.parametrize("lang", ["en", "nl", "de", "fr"])
async def test_first_steps_are_queries_that_find_something(
    seed: httpx.AsyncClient, lang: str
) -> None:
    store = seed_store()
    page = Page((await seed.get(f"/sparql?lang={lang}")).text)
    queries = [a["data-query"] for tag, a in page.elements if "data-query" in a]
    assert len(queries) >= 5
    for query in queries[:5]:
        found = store.query(query, use_default_graph_as_union=True)
        assert isinstance(found, ox.QuerySolutions)
        assert next(found, None) is not None, query


async def test_a_field_added_to_a_shape_appears_on_page_list_and_reference(tmp_path: Path) -> None:
    here = Path(__file__).parent / "graph"
    shutil.copytree(here, tmp_path / "graph")
    (tmp_path / "graph" / "shapes" / "more.ttl").write_text(
        """
        @prefix pf: <https://w3id.org/lifetec/profile#> .
        @prefix sh: <http://www.w3.org/ns/shacl#> .
        @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
        <https://w3id.org/lifetec/shapes#Organisation> sh:property [
          sh:path <https://example.org/ns#beds> ; pf:name "beds" ; pf:facet true ;
          sh:name "beds"@en , "Betten"@de ; sh:datatype xsd:integer ; sh:maxCount 1 ; sh:order 20 ]
        .
        """
    )
    folders: dict[str, Any] = {
        "ontology_dir": tmp_path / "graph" / "ontology",
        "shapes_dir": tmp_path / "graph" / "shapes",
    }
    store = make_store()
    plain = ox.NamedNode(f"{BASE}id/organisation/plain")
    beds = ox.Literal("12345", datatype=ox.NamedNode("http://www.w3.org/2001/XMLSchema#integer"))
    graph = ox.NamedNode(f"{BASE}graph/lifetec/real")
    store.add(ox.Quad(plain, ox.NamedNode("https://example.org/ns#beds"), beds, graph))
    transport = httpx.ASGITransport(app=make_app(store, Settings(**folders)))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:8000", headers={"Accept": "text/html"}
    ) as client:
        entity = Page((await client.get("/organisations/plain?lang=de")).text).text
        assert "Betten" in entity
        assert "12.345" in entity
        listed = Page((await client.get("/organisations")).text)
        assert any(a.get("name") == "beds" for tag, a in listed.elements if tag == "input")
        assert "beds" in (await client.get("/ontology")).text
        assert "https://example.org/ns#beds" in (await client.get("/shapes")).text
