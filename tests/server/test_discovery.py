"""What the service says of itself, found by those who look: programs, harvesters, SIB's tools."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyshacl
import pytest
from pyoxigraph import parse
from rdflib import Graph, URIRef
from rdflib.query import ResultRow

from app.rdf.media import RDF_FORMATS
from tests.server.publishing import BASE, Publishing, organisation
from tests.server.running import ROOT, RunningServer

PREFIXES = """PREFIX void: <http://rdfs.org/ns/void#>
PREFIX void-ext: <http://ldf.fi/void-ext#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX sd: <http://www.w3.org/ns/sparql-service-description#>
PREFIX sh: <http://www.w3.org/ns/shacl#>
PREFIX org: <http://www.w3.org/ns/org#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
"""
SERVICE = f"<{BASE}graph/service>"
ORG = "http://www.w3.org/ns/org#Organization"
FORMATS = ("text/turtle", "application/ld+json", "application/n-triples", "application/rdf+xml")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishing]:
    """A server whose seed is the partners and the example queries, with few code lists."""
    root = tmp_path_factory.mktemp("discovery")
    seed = root / "seed"
    seed.mkdir()
    for name in ("partners.ttl", "queries.ttl"):
        shutil.copy(ROOT / "data" / name, seed / name)
    ontology = root / "ontology"
    ontology.mkdir()
    for name in ("lifetec.ttl", "profile.ttl", "schemes.ttl"):
        shutil.copy(ROOT / "ontology" / name, ontology / name)
    settings: dict[str, Any] = {"seed_dir": seed, "ontology_dir": ontology}
    with RunningServer(root / "var", **settings) as server:
        yield Publishing(server, settings)


def counted(house: Publishing) -> None:
    """Assert that the statistics of every dataset are what SPARQL counts in it."""
    pairs = (
        (
            """SELECT ?g ?t ?s ?o ?p { GRAPH $service { ?g a void:Dataset ; void:triples ?t ;
                 void:distinctSubjects ?s ; void:distinctObjects ?o ; void:properties ?p } }""",
            """SELECT ?g (COUNT(*) AS ?t) (COUNT(DISTINCT ?a) AS ?s) (COUNT(DISTINCT ?c) AS ?o)
                 (COUNT(DISTINCT ?b) AS ?p)
               { GRAPH ?g { ?a ?b ?c } FILTER(!STRENDS(STR(?g), "graph/service")) } GROUP BY ?g""",
        ),
        (
            """SELECT ?g ?c ?p ?n { ?g void:classPartition [ void:class ?c ;
                 void:propertyPartition [ void:property ?p ; void:triples ?n ] ] }""",
            """SELECT ?g ?c ?p (COUNT(*) AS ?n) { GRAPH ?g { ?s a ?c ; ?p ?o }
                 FILTER(!STRENDS(STR(?g), "graph/service")) } GROUP BY ?g ?c ?p""",
        ),
        (
            """SELECT ?g ?c ?p ?d ?n { ?g void:classPartition [ void:class ?c ;
                 void:propertyPartition [ void:property ?p ; void-ext:datatypePartition [
                   void-ext:datatype ?d ; void:triples ?n ] ] ] }""",
            """SELECT ?g ?c ?p ?d (COUNT(*) AS ?n) { GRAPH ?g { ?s a ?c ; ?p ?o }
                 FILTER(!STRENDS(STR(?g), "graph/service")) BIND(DATATYPE(?o) AS ?d)
                 FILTER(BOUND(?d)) } GROUP BY ?g ?c ?p ?d""",
        ),
    )
    for said, there in pairs:
        found, expected = (
            sorted(tuple(sorted(row.items())) for row in house.server.select(PREFIXES + text))
            for text in (said.replace("$service", SERVICE), there)
        )
        assert found == expected
        assert found


def totals(house: Publishing, dataset: str) -> dict[str, str]:
    names = ("triples", "entities", "classes", "properties")
    asked = " ".join(f"OPTIONAL {{ ?g void:{name} ?{name} }}" for name in names)
    where = f"GRAPH {SERVICE} {{ VALUES ?g {{ <{BASE}graph/{dataset}> }} {asked} }}"
    (row,) = house.server.select(f"{PREFIXES}SELECT * {{ {where} }}")
    return {name: row[name] for name in names if name in row}


def rows(graph: Graph, query: str) -> list[ResultRow]:
    return [row for row in graph.query(query) if isinstance(row, ResultRow)]


# statistics


def test_statistics_follow_every_kind_of_writing(house: Publishing) -> None:
    dataset = house.dataset()
    graph = f"{BASE}graph/{dataset}"
    first = organisation("demo-v1", "One") + organisation("demo-v2", "Two")
    sent = house.publish(dataset, first)
    assert (sent["added"], sent["removed"]) != (0, 0)
    assert totals(house, dataset) == {
        **{"triples": "4", "entities": "2", "classes": "1", "properties": "2"}
    }
    counted(house)
    merged = house.publish(dataset, organisation("demo-v3", "Three"), mode="merge")
    assert (merged["added"], merged["removed"]) == (2, 0)  # the partner's own, and no statistics
    assert totals(house, dataset)["triples"] == "6"
    update = f"""{PREFIXES}DELETE {{ GRAPH <{graph}> {{ ?s skos:prefLabel ?l }} }}
      INSERT {{ GRAPH <{graph}> {{ ?s skos:prefLabel "New"@nl, "New"@en }} }}
      WHERE {{ GRAPH <{graph}> {{ ?s skos:prefLabel ?l }} FILTER(STRENDS(STR(?s), "demo-v1")) }}"""
    done = house.ask("POST", "/sparql/update", "curator", data={"update": update})
    assert done.status_code < 300, done.text
    counted(house)
    assert totals(house, dataset)["triples"] == "7"
    house.publish(dataset, organisation("demo-v3", "Three"))
    counted(house)
    assert totals(house, dataset)["entities"] == "1"
    gone = house.ask("DELETE", "/graphs", "curator", params={"graph": graph, "force": "true"})
    assert gone.status_code < 300, gone.text
    assert totals(house, dataset) == {}
    last = house.ask("GET", "/api/v1/submissions", "curator", params={"dataset": dataset}).json()
    back = house.ask("POST", f"/api/v1/submissions/{last['items'][0]['id']}/revert", "curator")
    assert back.status_code < 300, back.text
    assert totals(house, dataset)["triples"] == "2"
    counted(house)


def test_nobody_sees_statistics_in_what_others_change(house: Publishing) -> None:
    dataset = house.dataset()
    shown = house.send(dataset, organisation("demo-w1", "One"), "curator", dry_run="true")
    assert "void" not in shown.text
    one = house.publish(dataset, organisation("demo-w1", "One"))
    diff = house.ask("GET", f"/api/v1/submissions/{one['id']}/diff", "curator").text
    assert "rdfs.org/ns/void" not in diff
    assert ".well-known/void" not in diff
    record = house.ask("GET", f"/api/v1/datasets/{dataset}").text
    assert "void" not in record
    history = house.ask("GET", f"/api/v1/datasets/{dataset}/history").text
    assert "void" not in history
    assert "void" not in house.ask("GET", f"/datasets/{dataset}.ttl").text


def test_what_others_state_of_counts_is_not_what_the_service_says(house: Publishing) -> None:
    dataset = house.dataset()
    iri = f"{BASE}graph/{dataset}"
    own = f"<{iri}> <http://rdfs.org/ns/void#triples> 5000 .\n"
    house.publish(dataset, organisation("demo-x1", "One") + own)
    assert totals(house, dataset)["triples"] == "3"
    counted(house)
    described = Graph().parse(data=house.ask("GET", "/.well-known/void").text, format="turtle")
    (count,) = described.objects(URIRef(iri), URIRef("http://rdfs.org/ns/void#triples"))
    assert int(str(count)) == 3


# what SIB's tools ask


def test_the_editors_of_sib_learn_classes_and_what_they_lead_to(house: Publishing) -> None:
    dataset = house.dataset()
    more = "; org:classification <scheme/organisation-type/company>"
    house.publish(dataset, organisation("demo-y1", "One", more))
    found_rows = house.server.select(
        f"""{PREFIXES}SELECT DISTINCT ?subject ?property ?objects ?datatype {{
          {{ ?partition void:class ?subject ; void:propertyPartition ?of .
             ?of void:property ?property .
             OPTIONAL {{ {{ ?of void:classPartition [ void:class ?objects ] }} UNION
                         {{ ?of void-ext:datatypePartition [ void-ext:datatype ?datatype ] }} }} }}
          UNION {{ ?links void:subjectsTarget [ void:class ?subject ] ;
             void:linkPredicate ?property ; void:objectsTarget [ void:class ?objects ] }} }}"""
    )
    found = {
        (row["property"].rpartition("#")[2], row.get("objects"), row.get("datatype"))
        for row in found_rows
        if row["subject"] == ORG
    }
    concept = "http://www.w3.org/2004/02/skos/core#Concept"
    text = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"
    assert {("classification", concept, None), ("prefLabel", None, text)} <= found
    graphs = house.server.select(
        f"{PREFIXES}SELECT ?g {{ ?s sd:graph ?g . ?g void:classPartition/void:class <{ORG}> }}"
    )
    assert f"{BASE}graph/{dataset}" in {row["g"] for row in graphs}


def test_they_find_all_prefixes_and_examples(house: Publishing) -> None:
    prefixes = house.server.select(
        f"{PREFIXES}SELECT DISTINCT ?prefix ?space {{ [] sh:namespace ?space ; sh:prefix ?prefix }}"
    )
    found = {row["prefix"]: row["space"] for row in prefixes}
    assert found["org"] == "http://www.w3.org/ns/org#"
    assert len(found) == len(prefixes) >= 15
    found_rows = house.server.select(
        f"""{PREFIXES}SELECT DISTINCT ?example ?comment ?query {{
          ?example a sh:SPARQLExecutable ; rdfs:comment ?comment ;
            sh:select|sh:ask|sh:construct|sh:describe ?query }}"""
    )
    assert len({row["example"] for row in found_rows}) == len(
        list((ROOT / "data/queries").glob("*.rq"))
    )


# documents


@pytest.mark.parametrize("media_type", FORMATS)
@pytest.mark.parametrize("path", ["/catalog", "/.well-known/void"])
def test_the_documents_come_in_every_format(house: Publishing, path: str, media_type: str) -> None:
    reply = house.ask("GET", path, headers={"accept": media_type})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].split(";")[0] == media_type
    assert len(list(parse(reply.content, format=RDF_FORMATS[media_type]))) > 50
    held = {"accept": media_type, "if-none-match": reply.headers["etag"]}
    assert house.ask("GET", path, headers=held).status_code == 304
    head = house.ask("HEAD", path, headers={"accept": media_type})
    assert (head.status_code, head.content) == (200, b"")


def test_void_tells_the_whole_and_its_parts(house: Publishing) -> None:
    dataset = house.dataset()
    house.publish(dataset, organisation("demo-z1", "One"))
    graph = Graph().parse(data=house.ask("GET", "/.well-known/void").text, format="turtle")
    (row,) = rows(
        graph,
        f"""{PREFIXES}SELECT ?triples ?sum ?endpoint ?example {{
          [] a void:DatasetDescription ; <http://xmlns.com/foaf/0.1/primaryTopic> ?all .
          ?all void:triples ?triples ; void:sparqlEndpoint ?endpoint ; void:subset ?one ;
            void:exampleResource ?example ; void:vocabulary <http://www.w3.org/ns/org#> .
          ?one a void:Dataset ; void:dataDump ?dump . FILTER(?one = <{BASE}graph/{dataset}>)
          {{ SELECT (SUM(?n) AS ?sum) {{ ?g void:dataDump ?d ; void:triples ?n }} }} }}""",
    )
    assert int(row.triples) == int(row.sum)
    assert str(row.endpoint) == f"{house.server.url}/sparql"
    assert str(row.example).startswith(f"{BASE}id/organisation/")


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:rdflib")
def test_the_catalogue_is_dcat_ap(house: Publishing) -> None:
    dataset = house.dataset()
    house.publish(dataset, organisation("demo-c1", "One"))
    reply = house.ask("GET", "/catalog.ttl")
    graph = Graph().parse(data=reply.text, format="turtle")
    shapes = Path(__file__).parent / "dcat_ap.ttl"
    conforms, _, report = pyshacl.validate(graph, shacl_graph=str(shapes), advanced=False)
    assert conforms, report
    found = rows(
        graph,
        f"""PREFIX dcat: <http://www.w3.org/ns/dcat#> PREFIX dcterms: <http://purl.org/dc/terms/>
            SELECT ?url ?media ?modified {{ ?c a dcat:Catalog ; dcat:dataset ?d ; dcat:record ?r .
              ?d dcterms:modified ?modified ;
                dcat:distribution [ dcat:downloadURL ?url ; dcat:mediaType ?media ] .
              ?r <http://xmlns.com/foaf/0.1/primaryTopic> ?d
              FILTER(?d = <{BASE}graph/{dataset}>) }}""",
    )
    assert len(found) == 4
    for row in found:
        got = httpx.get(str(row.url))
        assert got.status_code == 200
        media_type = str(row.media).partition("media-types/")[2]
        assert got.headers["content-type"].split(";")[0] == media_type
    services = rows(
        graph, "SELECT ?url { ?s <http://www.w3.org/ns/dcat#endpointDescription> ?url }"
    )
    assert {httpx.get(str(row.url)).status_code for row in services} == {200}


def test_people_see_the_catalogue_as_a_page(house: Publishing) -> None:
    dataset = house.dataset(title="<b>Bold</b> & more")
    house.publish(dataset, organisation("demo-d1", "One"))
    page = house.ask("GET", "/catalog", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;b&gt;Bold&lt;/b&gt; &amp; more" in page.text
    assert "CC BY 4.0" in page.text
    assert house.ask("GET", "/catalog.pdf").status_code == 404


def test_the_interfaces_are_found_from_the_start_page(house: Publishing) -> None:
    links = house.ask("GET", "/").headers["link"]
    assert f'<{house.server.url}/.well-known/api-catalog>; rel="api-catalog"' in links
    assert 'rel="service-desc"' in links
    for method in ("GET", "HEAD"):
        reply = house.ask(method, "/.well-known/api-catalog")
        assert reply.headers["content-type"].startswith("application/linkset+json")
        assert 'rel="api-catalog"' in reply.headers["link"]
    sets = house.ask("GET", "/.well-known/api-catalog").json()["linkset"]
    items = {item["href"] for item in sets[0]["item"]}
    assert items == {one["anchor"] for one in sets[1:]}
    assert {f"{house.server.url}{path}" for path in ("/sparql", "/graphs", "/api/v1")} <= items
    targets = {
        target["href"]
        for one in sets[1:]
        for relation, found in one.items()
        if relation != "anchor"
        for target in found
    }
    assert {httpx.get(target).status_code for target in targets} == {200}


def test_a_format_that_is_not_there_is_refused(house: Publishing) -> None:
    for path in ("/catalog", "/.well-known/void"):
        assert house.ask("GET", path, headers={"accept": "image/png"}).status_code == 406


# named queries


def test_examples_are_addresses_with_parameters(house: Publishing) -> None:
    found = house.ask("GET", "/api/v1/queries").json()
    names = {one["name"]: one for one in found["items"]}
    assert set(names) >= {path.stem for path in (ROOT / "data/queries").glob("*.rq")}
    (day,) = names["projects-running-on-a-day"]["parameters"]
    assert (day["name"], day["type"]) == ("day", "date")
    assert day["default"].startswith('"2018-07-01"^^')
    document = house.ask("GET", "/openapi.json").json()
    described = document["paths"]["/api/v1/queries/projects-running-on-a-day"]["get"]
    assert described["parameters"][0]["schema"]["items"] == {"type": "string", "format": "date"}
    for name, one in names.items():
        reply = house.ask("GET", f"/api/v1/queries/{name}")
        assert reply.status_code == 200, (name, reply.text)
        assert one["url"].endswith(f"/api/v1/queries/{name}")


def test_values_change_the_answer_in_every_format(house: Publishing) -> None:
    dataset = house.dataset()
    house.publish(dataset, organisation("demo-n1", "Named"))
    path, iri = "/api/v1/queries/who-says-what", f"{BASE}id/organisation/demo-n1"
    rows = house.ask("GET", path, params={"organisation": iri}).json()["results"]["bindings"]
    assert {row["graph"]["value"] for row in rows} == {f"{BASE}graph/{dataset}"}
    assert len(rows) == 2
    table = house.ask("GET", path, params={"organisation": iri, "format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.text.splitlines()) == 3
    both = [("organisation", iri), ("organisation", f"{BASE}id/organisation/demo-none")]
    xml = house.ask("GET", path, params=both, headers={"accept": "application/sparql-results+xml"})
    assert xml.text.count("<result>") == 2
    for wrong, status in (
        ({"organization": iri}, 400),
        ({"organisation": "x> } DROP ALL #"}, 400),
        ({"format": "pdf"}, 400),
    ):
        refused = house.ask("GET", path, params=wrong)
        assert refused.status_code == status, refused.text
        assert refused.headers["content-type"] == "application/problem+json"
    assert "organisation" in house.ask("GET", path, params={"organization": iri}).text
    assert house.ask("GET", "/api/v1/queries/who-says-wat").status_code == 404
    assert house.ask("POST", path).status_code == 405


def test_curators_add_queries_and_partners_do_not(house: Publishing) -> None:
    text = "SELECT ?n { VALUES ?n { 1 } }"
    declared = (
        "<id/query/PARTNER-count> a <http://www.w3.org/ns/shacl#SPARQLExecutable> ; "
        '<http://www.w3.org/2000/01/rdf-schema#comment> "Counts"@en ; '
        f'<http://www.w3.org/ns/shacl#select> "{text}" ; '
        "<http://www.w3.org/ns/shacl#parameter> <id/query/PARTNER-count#n> . "
        '<id/query/PARTNER-count#n> <http://www.w3.org/ns/shacl#name> "n" ; '
        "<http://www.w3.org/ns/shacl#datatype> xsd:integer .\n"
    )
    facts: dict[str, Any] = {"slug": "lifetec", "names": {"en": "House"}}
    facts["contact"] = "data@lifetec.example.org"
    assert house.ask("POST", "/api/v1/admin/partners", "admin", json=facts).status_code == 201
    own = house.dataset("lifetec", "More queries")
    house.publish(own, declared.replace("PARTNER", "lifetec"))
    rows = house.ask("GET", "/api/v1/queries/count", params={"n": "7"}).json()["results"]
    assert [row["n"]["value"] for row in rows["bindings"]] == ["7"]
    assert "/api/v1/queries/count" in house.ask("GET", "/openapi.json").json()["paths"]
    house.publish(house.dataset(), declared.replace("PARTNER", "demo"))
    names = {one["name"] for one in house.ask("GET", "/api/v1/queries").json()["items"]}
    assert "demo-count" not in names
