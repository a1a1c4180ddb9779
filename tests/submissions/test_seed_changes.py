"""Changes of the data that come with the software, under the shapes of the service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyoxigraph import Quad

from app.errors import StillReferenced
from app.rdf.terms import EURIO
from tests.submissions.preparing import Bench, bench

ROOT = Path(__file__).resolve().parents[2]
BASE = "https://w3id.org/lifetec/"
ROR, CORDIS = f"{BASE}graph/lifetec/ror", f"{BASE}graph/lifetec/cordis-h2020-health"
MINE = f"{BASE}graph/demo/technologies"
FILES = {
    f"{BASE}graph/lifetec/schemes": ROOT / "ontology" / "schemes.ttl",
    f"{BASE}graph/lifetec/countries": ROOT / "ontology" / "countries.ttl",
    f"{BASE}graph/lifetec/regions": ROOT / "ontology" / "regions.ttl",
    ROR: ROOT / "data" / "ror.ttl",
    CORDIS: ROOT / "data" / "cordis-h2020-health.ttl",
}
PREFIXES = f"""@base <{BASE}> .
@prefix dcterms: <http://purl.org/dc/terms/> . @prefix lt: <https://w3id.org/lifetec/ontology#> .
@prefix org: <http://www.w3.org/ns/org#> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix e: <http://example.org/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix locn: <http://www.w3.org/ns/locn#> . @prefix schema: <https://schema.org/> .
"""
PATCH = """<id/technology/demo-patch> a lt:Technology ; skos:prefLabel "Invented patch"@en ;
  dcterms:creator <id/organisation/ror-000p86k36> ; lt:trl 4 ;
  dcterms:description "A patch that nobody has made."@en .
"""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """With the seed, as the operator has published it."""
    shapes = [str(path) for path in sorted((ROOT / "shapes").glob("*.ttl"))]
    folders = {"ontology_dir": str(ROOT / "ontology"), "shapes_dir": str(ROOT / "shapes")}
    with bench(tmp_path_factory.mktemp("seed"), base_iri=BASE, shapes=shapes, **folders) as one:
        quads: set[Quad] = set()
        for dataset, path in FILES.items():
            done = one.send(path.read_bytes(), dataset=dataset, partner=None, shapes=[])
            quads |= done.added
        one.lay(quads=quads)
        yield one


def test_a_seed_file_that_is_published_changes_nothing(seeded: Bench) -> None:
    for dataset, path in FILES.items():
        done = seeded.send(path.read_bytes(), dataset=dataset, partner=None, shapes=[])
        assert not done.patch, dataset


def test_a_partner_publishes_beside_the_seed(seeded: Bench) -> None:
    sent = PREFIXES + PATCH + "<id/organisation/ror-000p86k36> skos:altLabel 'Burner lab'@en ."
    done = seeded.send(sent.encode(), dataset=MINE)
    assert done.conforms, done.header["report"]["groups"]
    claim = {str(quad.object) for quad in done.added if "claimsAbout" in str(quad.predicate)}
    assert claim == {f"<{BASE}id/organisation/ror-000p86k36>"}
    assert done.changed == (
        f"{BASE}id/organisation/ror-000p86k36",
        f"{BASE}id/technology/demo-patch",
    )


def test_a_second_label_in_a_language_is_found_by_a_merge(seeded: Bench) -> None:
    quads = seeded.send((PREFIXES + PATCH).encode(), dataset=MINE)
    seeded.apply(quads)
    try:
        more = '<id/technology/demo-patch> skos:prefLabel "Another patch"@en .'
        done = seeded.send((PREFIXES + more).encode(), dataset=MINE, mode="merge")
        (group,) = done.header["report"]["groups"]
        assert (group["constraint"], group["total"]) == ("UniqueLang", 1)
        assert group["results"][0]["type"] == "technology"
        less = '<id/technology/demo-patch> skos:prefLabel "Invented patch"@en .'
        done = seeded.send((PREFIXES + less).encode(), dataset=MINE, mode="remove")
        assert {g["constraint"] for g in done.header["report"]["groups"]} == {"MinCount"}
    finally:
        seeded.apply(seeded.send(dataset=MINE))


def test_an_organisation_in_projects_is_not_removed(seeded: Bench) -> None:
    linked = next(
        quad
        for quad in seeded.graph(CORDIS)
        if quad.predicate == EURIO["isRoleOf"] and "/organisation/ror-" in str(quad.object)
    )
    gone = [quad for quad in seeded.graph(ROR) if quad.subject == linked.object]
    lines = "".join(f"{q.subject} {q.predicate} {q.object} .\n" for q in gone)
    with pytest.raises(StillReferenced) as error:
        seeded.send(lines.encode(), dataset=ROR, mode="remove", everywhere=True)
    first = error.value.facts["references"]
    assert linked.subject.value in {one["subject"] for one in first}  # type: ignore[union-attr]
    assert CORDIS in {one["dataset"] for one in first}


LESS = """<id/organisation/ror-000p86k36#address> locn:postName "Herzogenrath" .
<id/organisation/ror-000p86k36> schema:foundingDate "1998"^^xsd:gYear ;
  org:linkedTo <id/organisation/ror-04xfq0f34> .
"""
MORE = """<id/organisation/ror-000p86k36#address> locn:postName "Aachen"@de .
<id/organisation/ror-000p86k36> schema:foundingDate "1999"^^xsd:gYear ;
  e:unknown <http://example.org/x> ; schema:award [ e:deep [ schema:name "x" ] ] .
"""


@pytest.mark.parametrize(
    ("language", "labels"),
    [
        ("en", ["founded", "main site › address › city", "related organisation"]),
        ("de", ["gegründet", "Hauptstandort › Anschrift › Ort", "verwandte Organisation"]),
    ],
)
def test_a_change_is_told_in_the_words_of_the_profile(
    seeded: Bench, language: str, labels: list[str]
) -> None:
    whole: dict[str, Any] = {"dataset": ROR, "everywhere": True, "shapes": []}
    removed = seeded.send((PREFIXES + LESS).encode(), mode="remove", **whole)
    added = seeded.send((PREFIXES + MORE).encode(), mode="merge", **whole)
    at, end = added.header["added_bytes"], removed.header["added_bytes"]
    patch = added.patch[:at] + removed.patch[end:]
    told = seeded.explain(replace(added, patch=patch), language)
    assert (told["added"], told["removed"], told["entities_total"]) == (6, 3, 1)
    (entity,) = told["entities"]
    assert entity["id"] == f"{BASE}id/organisation/ror-000p86k36"
    assert (entity["label"], entity["type"]) == ("Oel-Waerme-Institut", "organisation")
    assert entity["type_label"] == {"en": "organisation", "de": "Organisation"}[language]
    assert (entity["change"], entity["fields_total"]) == ("changed", 5)
    shown = [(field["field"], field["added"], field["removed"]) for field in entity["fields"]]
    assert shown == [
        ("founding_date", ["1999"], ["1998"]),
        ("primary_site.address.city", ["Aachen (de)"], ["Herzogenrath"]),
        ("linked_to", [], [f"RWTH Aachen University <{BASE}id/organisation/ror-04xfq0f34>"]),
        ("http://example.org/unknown", ["http://example.org/x"], []),
        ("https://schema.org/award.http://example.org/deep.https://schema.org/name", ["x"], []),
    ]
    assert [field["label"] for field in entity["fields"]][:3] == labels


def test_new_and_removed_entities_are_told_as_such(seeded: Bench) -> None:
    new = seeded.send((PREFIXES + PATCH).encode(), dataset=MINE)
    (entity,) = seeded.explain(new, "fr")["entities"]
    assert (entity["label"], entity["type"], entity["change"]) == (
        "Invented patch",
        "technology",
        "added",
    )
    assert entity["fields"][0]["field"] == "type"
    assert entity["fields"][0]["added"] == [f"technologie <{BASE}ontology#Technology>"]
    swapped = new.patch[new.header["added_bytes"] :] + new.patch[: new.header["added_bytes"]]
    gone = replace(new, patch=swapped, header={**new.header, "added_bytes": 0})
    assert {one["change"] for one in seeded.explain(gone)["entities"]} == {"removed"}


def test_a_long_change_is_told_page_by_page_with_true_totals(seeded: Bench) -> None:
    many = "".join(
        f'<id/technology/demo-{n:03}> a lt:Technology ; skos:altLabel "{"x" * 600}"@en .\n'
        for n in range(120)
    )
    values = "".join(f'<id/technology/demo-000> skos:altLabel "{n}" .' for n in range(80))
    keys = "".join(f"<id/technology/demo-000> e:k{n} {n} ." for n in range(300))
    done = seeded.send((PREFIXES + many + values + keys).encode(), dataset=MINE, shapes=[])
    told = seeded.explain(done, offset=0, limit=2)
    assert (told["added"], told["entities_total"]) == (240 + 80 + 300, 120)
    first, second = told["entities"]
    assert (first["fields_total"], len(first["fields"])) == (302, 200)
    names = next(field for field in first["fields"] if field["field"] == "alternative_label")
    assert (len(names["added"]), names["added_total"]) == (50, 81)
    (only,) = (f["added"] for f in second["fields"] if f["field"] == "alternative_label")
    assert (len(only[0]), only[0][-2:]) == (500, "x…")
    last = seeded.explain(done, offset=119, limit=50)["entities"]
    assert [one["id"] for one in last] == [f"{BASE}id/technology/demo-119"]


def test_parts_that_only_lead_to_each_other_are_told_too(seeded: Bench) -> None:
    circle = "_:a e:of _:b ; e:n 1 . _:b e:of _:a ; e:n 2 . _:c e:of _:c . [] e:n 3 ."
    deep = "<id/technology/demo-1> e:of " + "[ e:n 1 ; e:of " * 50 + "1" + "]" * 50 + " ."
    done = seeded.send((PREFIXES + circle + deep).encode(), dataset=MINE, shapes=[])
    told = seeded.explain(done)
    assert told["added"] == len(done.added)
    assert told["entities_total"] == 4
