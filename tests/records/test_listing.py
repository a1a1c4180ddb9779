from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest

from app.errors import Gone, InvalidRequest, NotAcceptable, NotFound
from app.rdf.terms import EURIO, ORG, RDF, SKOS
from app.records.index import SearchIndex
from app.records.service import Records
from tests.profile.samples import BASE, sample_profile, sample_store
from tests.records.direct import DirectRunner
from tests.records.indexed import indexed, reindex

PROFILE = sample_profile()


@pytest.fixture
def runner() -> DirectRunner:
    return DirectRunner(sample_store())


URL = "http://localhost/context.jsonld"


@pytest.fixture(params=["index", "cage"])
def index(
    request: pytest.FixtureRequest, runner: DirectRunner, tmp_path: Path
) -> Iterator[SearchIndex | None]:
    """Lists promise the same from the index and from the cage."""
    index = None
    if request.param == "index":
        index = indexed(tmp_path, runner.cage.store, PROFILE, URL)
    yield index
    if index:
        index.close()


@pytest.fixture
def records(runner: DirectRunner, index: SearchIndex | None) -> Records:
    return Records(runner, PROFILE, URL, index)


@pytest.fixture
def publish(runner: DirectRunner, index: SearchIndex | None) -> Callable[[], None]:
    """Show what has been added to the store."""

    def show() -> None:
        runner.cage.generation += 1
        if index:
            reindex(index, runner.cage.store, PROFILE, runner.cage.generation)

    return show


def page(records: Records, type_name: str = "organisation", **asked: Any) -> dict[str, Any]:
    return asyncio.run(records.page(type_name, **asked))


def names(records: Records, **asked: Any) -> list[str]:
    return [item["name"] for item in page(records, **asked)["items"]]


def test_lists_are_sorted_without_regard_to_case_and_accents(records: Records) -> None:
    assert names(records) == ["Acme", "Éindhoven TU", "Fable", "KU Leuven"]


def test_pages_follow_each_other_without_gap_or_overlap(records: Records) -> None:
    seen = [names(records, limit=1, offset=n)[0] for n in range(4)]
    assert seen == names(records)
    assert page(records, limit=1, offset=4)["items"] == []
    assert page(records, limit=0)["total"] == 4


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"country": ["BE"]}, ["KU Leuven"]),
        ({"country": ["be"]}, ["KU Leuven"]),
        ({"country": ["België"]}, ["KU Leuven"]),
        ({"country": ["http://publications.europa.eu/resource/authority/country/NLD"]},
         ["Éindhoven TU"]),
        ({"country": ["BE", "NL"]}, ["Éindhoven TU", "KU Leuven"]),
        ({"country": ["BE"], "city": ["Eindhoven"]}, []),
        ({"city": ["leuven"]}, ["KU Leuven"]),
        ({"region": ["BE242"]}, ["KU Leuven"]),
        ({"region": ["BE24"]}, ["KU Leuven"]),
        ({"region": ["elat"]}, ["KU Leuven"]),
        ({"region": ["BE"]}, ["KU Leuven"]),
        ({"classification": ["organisation-type/education"]}, ["Éindhoven TU", "KU Leuven"]),
        ({"classification": ["organisation-type/public"]}, ["Éindhoven TU", "KU Leuven"]),
        ({"identifiers.value": ["05f950310"]}, ["KU Leuven"]),
        ({"site.address.city": ["Leuven"]}, ["KU Leuven"]),
        ({"projects": ["p1"]}, ["KU Leuven"]),
        ({"founding_date": ["1425"]}, ["KU Leuven"]),
        ({"label": ["ku lowen"]}, ["KU Leuven"]),
        ({"homepage": ["https://www.kuleuven.be/"]}, ["KU Leuven"]),
        ({"country": ["nowhere"]}, []),
        ({"country": [""]}, []),
        ({"country": ["http://["]}, []),
        ({"country": ['"} UNION {?s ?p ?o']}, []),
    ],
)  # fmt: skip
def test_filters(records: Records, filters: dict[str, list[str]], expected: list[str]) -> None:
    assert names(records, filters=filters) == expected


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("lowen", ["KU Leuven"]),
        ("leuven UNIV", ["KU Leuven"]),
        ("kul", ["KU Leuven"]),
        ("leuven acme", []),
        ("  ", ["Acme", "Éindhoven TU", "Fable", "KU Leuven"]),
    ],
)
def test_words_are_found_in_labels_of_any_language(
    records: Records, q: str, expected: list[str]
) -> None:
    assert names(records, q=q) == expected


def test_a_facet_counts_without_its_own_filter(records: Records) -> None:
    facets = page(records, filters={"country": ["BE"]}, facets=True)["facets"]
    assert facets["country"] == [
        {"value": "BE", "name": "Belgium", "count": 1},
        {"value": "NL", "name": "Netherlands", "count": 1},
    ]
    assert facets["region"] == [{"value": "BE242", "name": "Arr. Leuven", "count": 1}]


def test_a_facet_value_is_a_filter_that_finds_as_many(records: Records) -> None:
    facets = page(records, facets=True)["facets"]
    for field, values in facets.items():
        for value in values:
            total = page(records, filters={field: [value["value"]]})["total"]
            assert total == value["count"], (field, value)


def test_names_follow_the_language_asked_for(records: Records) -> None:
    record = asyncio.run(records.get(f"{BASE}id/organisation/kul", lang="de"))
    assert record["name"] == "KU Löwen"
    assert record["country"]["name"] == "Belgium"
    record = asyncio.run(records.get(f"{BASE}id/organisation/kul", lang="nl"))
    assert record["country"]["name"] == "België"


def test_a_thing_without_label_is_named_after_what_its_naming_fields_lead_to(
    records: Records,
) -> None:
    record = asyncio.run(records.get(f"{BASE}id/participation/p1-kul"))
    assert record["name"] == "KU Leuven · Heart"


def test_a_link_outside_keeps_its_address_and_scripts_do_not(
    runner: DirectRunner, records: Records, publish: Callable[[], None]
) -> None:
    kul = ox.NamedNode(f"{BASE}id/organisation/acme")
    for iri in ("javascript:alert(1)", "https://acme.example/"):
        homepage = ox.NamedNode("http://xmlns.com/foaf/0.1/homepage")
        runner.cage.store.add(ox.Quad(kul, homepage, ox.NamedNode(iri), ox.DefaultGraph()))
    publish()
    record = asyncio.run(records.get(kul.value))
    assert record["homepage"]["url"] == "https://acme.example/"
    assert record["also"]["homepage"][0]["url"] == "/resource?iri=javascript%3Aalert%281%29"


def test_fiction_is_marked(records: Records) -> None:
    found = {item["name"]: item.get("example") for item in page(records)["items"]}
    assert found == {"Acme": None, "Éindhoven TU": None, "Fable": True, "KU Leuven": None}


def test_a_removed_entity_is_gone_and_an_unknown_one_not_found(records: Records) -> None:
    with pytest.raises(Gone) as gone:
        asyncio.run(records.get(f"{BASE}id/organisation/gone"))
    assert gone.value.facts == {
        "iri": f"{BASE}id/organisation/gone",
        "deleted_at": "2026-01-01T00:00:00Z",
        "replaced_by": f"{BASE}id/organisation/kul",
    }
    with pytest.raises(NotFound):
        asyncio.run(records.get(f"{BASE}id/organisation/never"))
    with pytest.raises(InvalidRequest):
        asyncio.run(records.get("not an iri"))


def test_what_another_dataset_still_says_is_not_gone(
    runner: DirectRunner, records: Records, publish: Callable[[], None]
) -> None:
    node = ox.NamedNode(f"{BASE}id/organisation/gone")
    graph = ox.NamedNode(f"{BASE}graph/lifetec/two")
    runner.cage.store.add(ox.Quad(node, RDF["type"], ORG["Organization"], graph))
    publish()
    assert asyncio.run(records.get(node.value))["type"][0] == "Organization"


def test_unknown_names_are_refused_with_the_nearest_valid_one(records: Records) -> None:
    with pytest.raises(InvalidRequest) as refused:
        page(records, filters={"countri": ["BE"]})
    assert refused.value.facts == {"field": "countri", "nearest": "country"}
    with pytest.raises(InvalidRequest) as refused:
        page(records, "organization")
    assert refused.value.facts["nearest"] == "organisation"
    with pytest.raises(InvalidRequest):
        page(records, limit=1001)


def test_counts_are_those_of_the_lists(records: Records) -> None:
    counts = asyncio.run(records.counts())
    assert counts == {kind.name: page(records, kind.name)["total"] for kind in PROFILE.types}


def test_a_new_generation_is_read_anew(
    runner: DirectRunner, records: Records, publish: Callable[[], None]
) -> None:
    assert page(records)["total"] == 4
    node = ox.NamedNode(f"{BASE}id/organisation/new")
    runner.cage.store.add(ox.Quad(node, RDF["type"], ORG["Organization"], ox.DefaultGraph()))
    publish()
    assert page(records)["total"] == 5


def test_what_refers_to_a_thing_is_the_same_whether_few_or_many_do(
    runner: DirectRunner, records: Records, publish: Callable[[], None]
) -> None:
    iri = f"{BASE}id/organisation/kul"
    few = asyncio.run(records.get(iri))
    for number in range(600):
        subject = ox.NamedNode(f"http://example.org/{number}")
        mentions = ox.NamedNode("http://example.org/mentions")
        runner.cage.store.add(ox.Quad(subject, mentions, ox.NamedNode(iri), ox.DefaultGraph()))
    publish()
    assert asyncio.run(records.get(iri)) == few
    assert [project["name"] for project in few["projects"]] == ["Heart"]


def test_names_are_the_same_in_short_and_long_lists(
    runner: DirectRunner, records: Records, publish: Callable[[], None]
) -> None:
    graph = ox.NamedNode(f"{BASE}graph/lifetec/two")
    for number in range(120):
        node = ox.NamedNode(f"{BASE}id/participation/many-{number}")
        runner.cage.store.add(ox.Quad(node, RDF["type"], EURIO["OrganisationRole"], graph))
    iri = f"{BASE}id/participation/p1-kul"
    alone = asyncio.run(records.get(iri))
    publish()
    listed = page(records, "participation", limit=1000)["items"]
    assert len(listed) == 121
    assert next(item for item in listed if item["id"] == iri) == alone
    assert listed[-1]["name"] == "many-99"


def test_a_hub_shows_a_thousand_and_says_that_there_are_more(
    runner: DirectRunner, records: Records, publish: Callable[[], None]
) -> None:
    project = ox.NamedNode(f"{BASE}id/project/p1")
    for number in range(1_100):
        node = ox.NamedNode(f"{BASE}id/participation/many-{number}")
        runner.cage.store.add(
            ox.Quad(node, EURIO["isInvolvedIn"], project, ox.NamedNode(f"{BASE}graph/lifetec/two"))
        )
    publish()
    record = asyncio.run(records.get(project.value))
    assert len(record["participations"]) == 1_000
    assert record["truncated"] == ["participations"]


@pytest.mark.parametrize(
    "media_type",
    ["text/turtle", "application/ld+json", "application/n-triples", "application/rdf+xml"],
)
def test_a_document_holds_the_entity_its_parts_and_labels(
    records: Records, media_type: str
) -> None:
    iri = f"{BASE}id/organisation/kul"
    data = asyncio.run(records.document(iri, media_type))
    formats = {f.media_type: f for f in (ox.RdfFormat.TURTLE, ox.RdfFormat.JSON_LD,
                                         ox.RdfFormat.N_TRIPLES, ox.RdfFormat.RDF_XML)}  # fmt: skip
    triples = {(q.subject, q.predicate, q.object) for q in ox.parse(data, formats[media_type])}
    about = {t for t in triples if str(t[0]).startswith(f"<{iri}")}
    store = sample_store()
    assert about == {
        (q.subject, q.predicate, q.object)
        for q in store
        if isinstance(q.subject, ox.NamedNode) and q.subject.value.split("#")[0] == iri
    }
    country = ox.NamedNode("http://publications.europa.eu/resource/authority/country/BEL")
    assert (country, SKOS["prefLabel"], ox.Literal("België", language="nl")) in triples
    assert data == asyncio.run(records.document(iri, media_type)) or "xml" in media_type


@pytest.mark.parametrize(
    ("predicate", "text"), [("http://example.org/123", "x"), ("http://example.org/a", "\x01")]
)
def test_what_rdf_xml_cannot_say_is_offered_in_other_formats(
    runner: DirectRunner, records: Records, predicate: str, text: str
) -> None:
    acme = ox.NamedNode(f"{BASE}id/organisation/acme")
    value = ox.Literal(text)
    runner.cage.store.add(ox.Quad(acme, ox.NamedNode(predicate), value, ox.DefaultGraph()))
    with pytest.raises(NotAcceptable):
        asyncio.run(records.document(acme.value, "application/rdf+xml"))
    assert predicate.encode() in asyncio.run(records.document(acme.value, "text/turtle"))
