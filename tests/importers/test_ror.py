from __future__ import annotations

from app.importers import ror
from app.importers.report import Report
from app.importers.rows import Row

from .conftest import Lines

_COLUMNS = (
    "ror_id name aliases labels acronyms types status established city country lat lng nuts2 nuts3 "
    "website wikidata grid isni fundref parent_ids child_ids related_ids"
)
_EMPTY = dict.fromkeys(_COLUMNS.split(), "")
_ROWS: list[Row] = [
    {
        **_EMPTY,
        "ror_id": "https://ror.org/0aaaaaaa1",
        "name": "Voorbeeld Universiteit",
        "aliases": "VU|Oud",
        "labels": "Example University",
        "acronyms": "VU",
        "types": "education|funder",
        "status": "active",
        "established": "1976",
        "city": "Eindhoven",
        "country": "NL",
        "lat": "51.44",
        "lng": "5.48",
        "nuts2": "NL41",
        "nuts3": "NL412",
        "website": "https://www.example.org",
        "wikidata": "Q1",
        "grid": "grid.1.2",
        "isni": "0000 0001 0668 7884",
        "fundref": "501100004040",
    },
    {
        **_EMPTY,
        "ror_id": "https://ror.org/0aaaaaaa2",
        "name": "Lab",
        "types": "facility",
        "status": "active",
        "city": "Brussels",
        "country": "BE",
        "nuts2": "BE24",
        "nuts3": "BE241",
        "parent_ids": "https://ror.org/0aaaaaaa1",
        "related_ids": "https://ror.org/0zzzzzzz9",
    },
    {**_EMPTY, "ror_id": "https://ror.org/0aaaaaaa3", "name": "Gone", "status": "inactive"},
]


def test_only_active_organisations_stay() -> None:
    report = Report()
    assert len(ror.active(_ROWS, report)) == 2
    assert report.counts["organisations dropped: inactive"] == 1
    assert report.counts["organisations read"] == 3


def test_a_record_becomes_names_identifiers_place_and_year(lines: Lines) -> None:
    found = lines(ror.triples(ror.active(_ROWS, Report()), Report()))
    own = "id:organisation/ror-0aaaaaaa1"
    assert {
        f"{own} a org:Organization",
        f'{own} skos:prefLabel "Voorbeeld Universiteit"',
        f'{own} skos:altLabel "Example University"',
        f'{own} skos:altLabel "VU"',
        f"{own} org:classification scheme:organisation-type/education",
        f"{own} org:classification scheme:organisation-type/funder",
        f"{own} adms:identifier {own}#ror",
        f'{own}#ror skos:notation "https://ror.org/0aaaaaaa1"^^lt:RorId',
        f'{own}#fundref skos:notation "501100004040"^^lt:FunderId',
        f"{own} owl:sameAs http://www.wikidata.org/entity/Q1",
        f"{own}#site org:siteAddress {own}#address",
        f'{own}#address locn:postName "Eindhoven"',
        f"{own}#address locn:adminUnitL1 country:NLD",
        f'{own}#geometry geo:asWKT "POINT(5.48 51.44)"^^geo:wktLiteral',
        f"{own} foaf:homepage https://www.example.org",
        f'{own} schema:foundingDate "1976"^^xsd:gYear',
    } <= found


def test_districts_that_coarse_outlines_get_wrong_are_corrected(lines: Lines) -> None:
    found = lines(ror.triples(ror.active(_ROWS, Report()), Report()))
    assert "id:organisation/ror-0aaaaaaa1 dcterms:spatial nuts:NL414" in found
    assert "id:organisation/ror-0aaaaaaa2 dcterms:spatial nuts:BE100" in found


def test_relations_stay_inside_the_dataset(lines: Lines) -> None:
    report = Report()
    found = lines(ror.triples(ror.active(_ROWS, Report()), report))
    part, whole = "id:organisation/ror-0aaaaaaa2", "id:organisation/ror-0aaaaaaa1"
    assert f"{part} org:subOrganizationOf {whole}" in found
    assert not any("0zzzzzzz9" in line for line in found)
    assert report.counts["relations left out: to organisations outside the dataset"] == 1
