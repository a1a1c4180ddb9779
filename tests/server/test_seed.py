"""What a newcomer finds: the same numbers in SPARQL, JSON, HTML and the dump."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from pyoxigraph import NamedNode, RdfFormat, parse

from app.profile import load_profile
from app.rdf.terms import AS, type_
from tests.server.running import ROOT, RunningServer, lifetec

PROFILE = load_profile(ROOT / "ontology", ROOT / "shapes", "https://w3id.org/lifetec/")


@pytest.fixture(scope="module")
def dumped(seeded: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """Entities per type, counted in a dump made beside the running server."""
    file = tmp_path_factory.mktemp("dump") / "all.nq"
    done = lifetec(seeded.data_dir, "dump", file)
    assert done.returncode == 0, done.stderr
    entities: dict[str, set[str]] = defaultdict(set)
    with file.open("rb") as data:
        for quad in parse(input=data, format=RdfFormat.N_QUADS):
            if quad.predicate == type_ and quad.object != AS["Tombstone"]:
                assert isinstance(quad.object, NamedNode)
                kind = PROFILE.of_classes([quad.object])
                if kind:
                    entities[kind.name].add(str(quad.subject))
    return Counter({name: len(found) for name, found in entities.items()})


@pytest.mark.parametrize("kind", PROFILE.types, ids=lambda kind: kind.name)
def test_one_count_everywhere(kind, seeded: RunningServer, dumped: Counter[str]) -> None:  # type: ignore[no-untyped-def]
    classes = " ".join(map(str, kind.classes))
    rows = seeded.select(
        f"SELECT (COUNT(DISTINCT ?e) AS ?n) {{ VALUES ?c {{ {classes} }} ?e a ?c }}"
    )
    by_sparql = int(rows[0]["n"])
    by_json = seeded.get(f"/api/v1/{kind.collection}?limit=1").json()["total"]
    page = seeded.get(f"/{kind.collection}?lang=en", accept="text/html").text
    shown = re.search(r'class="found"><strong>([^<]*)<', page)
    assert shown, page[:2000]
    by_page = int("".join(filter(str.isdigit, shown.group(1))))
    assert by_sparql > 0
    assert by_sparql == by_json == by_page == dumped[kind.name]


def test_organisations_of_ror(seeded: RunningServer) -> None:
    rows = seeded.select(
        """PREFIX org: <http://www.w3.org/ns/org#>
        SELECT (COUNT(DISTINCT ?o) AS ?n) {
          GRAPH <https://w3id.org/lifetec/graph/lifetec/ror> { ?o a org:Organization } }"""
    )
    assert int(rows[0]["n"]) >= 780


def test_health_projects_with_consortia(seeded: RunningServer) -> None:
    rows = seeded.select(
        """PREFIX eurio: <http://data.europa.eu/s66#>
        SELECT ?p (COUNT(DISTINCT ?role) AS ?roles) (SAMPLE(?acronym) AS ?a)
               (SAMPLE(?cost) AS ?c) {
          GRAPH <https://w3id.org/lifetec/graph/lifetec/cordis-h2020-health> {
            ?p a eurio:Project .
            ?role a eurio:OrganisationRole ; eurio:isInvolvedIn ?p ; eurio:isRoleOf ?o .
            OPTIONAL { ?p eurio:hasAcronym/eurio:shortForm ?acronym }
            OPTIONAL { ?p eurio:hasTotalCost/eurio:value ?cost } } }
        GROUP BY ?p"""
    )
    assert len(rows) == 195
    assert sum("a" in row and "c" in row for row in rows) >= 93


def test_second_start_serves_at_once(seeded: RunningServer, tmp_path: Path) -> None:
    """The seed is known by its hashes: nothing is parsed or validated again."""
    generation = seeded.get("/health/ready").json()["generation"]
    seeded.stop()
    began = time.monotonic()
    seeded.start()
    took = time.monotonic() - began
    assert seeded.get("/health/ready").json()["generation"] == generation
    assert took < 30, "a second start must not load the seed again"  # bench/start.py measures


def test_check_agrees(seeded: RunningServer) -> None:
    done = lifetec(seeded.data_dir, "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok") == 3


def test_example_data_is_marked_and_only_that(seeded: RunningServer) -> None:
    found = seeded.get("/api/v1/organisations?q=peelvenne").json()["items"]
    assert found
    assert all(item["example"] is True for item in found)
    real = seeded.get("/api/v1/organisations/ror-05f950310").json()
    assert real["name"] == "KU Leuven"
    assert "example" not in real


def test_a_record_names_the_datasets_that_speak_of_it(seeded: RunningServer) -> None:
    record = seeded.get("/api/v1/organisations/ror-05f950310").json()
    datasets = {dataset["id"].rpartition("/")[2] for dataset in record["asserted_by"]}
    assert datasets == {"ror", "cordis-h2020-health"}
    page = seeded.get("/organisations/ror-05f950310", accept="text/html").text
    for dataset in record["asserted_by"]:
        assert dataset["name"] in page


def test_a_problem_type_leads_to_its_meaning(seeded: RunningServer) -> None:
    problem = seeded.get("/api/v1/organisations?contry=BE").json()
    assert problem["nearest"] == "country"
    path = problem["type"].removeprefix("https://w3id.org/lifetec")
    page = seeded.get(path, accept="text/html")
    assert page.status_code == 200
    assert problem["title"] in page.text
    assert seeded.get("/problem/none").status_code == 404
