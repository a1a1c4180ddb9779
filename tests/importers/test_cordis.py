from __future__ import annotations

from collections.abc import Mapping

import pytest

from app.importers import cordis, ror
from app.importers.regions import NUTS
from app.importers.report import Report
from app.importers.rows import Row

from .conftest import Lines

_PROJECT = {
    "framework": "H2020",
    "rcn": "194086",
    "id": "643638",
    "acronym": "BOOSTER",
    "startDate": "2016-01-01",
    "endDate": "2020-12-31",
    "totalCost": "5968850,50",
    "ecMaxContribution": "528340.90",
    "programme": "H2020-EU.3.1.",
    "programme_parts": "SC1",
    "health": "1",
    "topic": "PHC-26-2014",
    "topic_title": "Self management of health",
    "call": "H2020-PHC-2014-single-stage",
    "fundingScheme": "RIA",
    "cordis_url": "https://cordis.europa.eu/project/rcn/194086",
}
_PARTICIPATION = {
    "fp": "H2020",
    "rcn": "194086",
    "org_key": "pic:999991334",
    "role": "coordinator",
    "ecContribution": "57399,10",
    "activityType": "HES",
    "name": "VOORBEELD UNIVERSITEIT",
    "country": "NL",
}
_ORGANISATION = {
    "org_key": "pic:999991334",
    "pic": "999991334",
    "name": "VOORBEELD UNIVERSITEIT",
    "shortName": "VU",
    "vatNumber": "NL 001956218 B01",
    "street": "VOORBEELDLAAN 3",
    "postCode": "5600 ZZ",
    "city": "EINDHOVEN",
    "country": "NL",
    "lat": "51.4468773",
    "lng": "5.49042495",
    "nuts2": "NL41",
    "nuts3": "NL414",
    "nuts_cordis": "",
    "url": "www.example.org/en",
    "ror_id": "",
    "source": "cordis-h2020 json",
}


def project(**cells: str) -> Row:
    return {**_PROJECT, **cells}


def participation(**cells: str) -> Row:
    return {**_PARTICIPATION, **cells}


def organisation(**cells: str) -> Row:
    return {**_ORGANISATION, **cells}


def run(
    lines: Lines,
    projects: list[Row],
    participations: list[Row],
    organisations: list[Row],
    places: Mapping[str, ror.Place] | None = None,
) -> tuple[set[str], Report]:
    report = Report()
    source = cordis.Source(projects, participations, organisations, places or {})
    return lines(cordis.triples(source, report)), report


def place(town: str, nuts: str, *, homepage: bool = True) -> dict[str, ror.Place]:
    iri = ror.iri("https://ror.org/0aaaaaaa1")
    names = frozenset({"Voorbeeld Universiteit", "VU"})
    return {"https://ror.org/0aaaaaaa1": ror.Place(iri, names, town, NUTS[nuts], homepage)}


def test_a_project_has_number_dates_money_and_programmes(lines: Lines) -> None:
    found, _ = run(lines, [project()], [participation()], [organisation()])
    own = "id:project/cordis-194086"
    assert {
        f"{own} a eurio:Project",
        f'{own} skos:prefLabel "BOOSTER"',
        f'{own}#acronym eurio:shortForm "BOOSTER"',
        f'{own} eurio:identifier "643638"',
        f'{own} eurio:rcn "194086"^^xsd:integer',
        f'{own} eurio:startDate "2016-01-01"^^xsd:date',
        f"{own} eurio:hasTotalCost {own}#total-cost",
        f'{own}#total-cost eurio:value "5968850.5"^^xsd:decimal',
        f'{own}#grant-amount eurio:value "528340.9"^^xsd:decimal',
        f'{own}#grant-amount eurio:currency "EUR"',
        f"{own} eurio:hasFundingSchemeProgramme id:programme/h2020-programme-eu-3-1",
        f"{own} eurio:hasFundingSchemeCall id:programme/h2020-call-phc-2014-single-stage",
        f"{own} eurio:hasFundingSchemeTopic id:programme/h2020-topic-phc-26-2014",
        f"{own} eurio:hasFundingSchemeType id:programme/h2020-type-ria",
        "id:programme/h2020-topic-phc-26-2014 eurio:isSubSchemeOf "
        "id:programme/h2020-call-phc-2014-single-stage",
        "id:programme/h2020-programme-eu-3-1 eurio:isSubSchemeOf id:programme/h2020-programme-eu-3",
        "id:programme/h2020-programme-eu-3 eurio:isSubSchemeOf id:programme/h2020",
    } <= found


def test_a_participation_connects_project_organisation_role_and_payment(lines: Lines) -> None:
    found, _ = run(lines, [project()], [participation()], [organisation()])
    own = "id:participation/cordis-194086-999991334"
    assert {
        f"{own} eurio:isInvolvedIn id:project/cordis-194086",
        f"{own} eurio:isRoleOf id:organisation/pic-999991334",
        f"id:project/cordis-194086 eurio:hasInvolvedParty {own}",
        f'{own} eurio:roleLabel "coordinator"',
        f"{own} eurio:isRecipientOf {own}#payment",
        f'{own}#payment-amount eurio:value "57399.1"^^xsd:decimal',
    } <= found


def test_an_organisation_of_cordis_alone_is_described(lines: Lines) -> None:
    found, _ = run(lines, [project()], [participation()], [organisation()])
    own = "id:organisation/pic-999991334"
    assert {
        f'{own} skos:prefLabel "VOORBEELD UNIVERSITEIT"',
        f'{own} skos:altLabel "VU"',
        f"{own} org:classification scheme:organisation-type/higher-education",
        f'{own}#pic skos:notation "999991334"^^lt:Pic',
        f'{own}#vat skos:notation "NL001956218B01"^^lt:VatNumber',
        f'{own}#address locn:postName "Eindhoven"',
        f'{own}#geometry geo:asWKT "POINT(5.49042 51.44688)"^^geo:wktLiteral',
        f"{own} dcterms:spatial nuts:NL414",
        f"{own} foaf:homepage http://www.example.org/en",
    } <= found


@pytest.mark.parametrize("role", ["participant", "partner", "thirdParty", "associatedPartner"])
def test_all_roles_of_the_dumps_are_known(lines: Lines, role: str) -> None:
    found, _ = run(lines, [project()], [participation(role=role)], [organisation()])
    label = f'id:participation/cordis-194086-999991334 eurio:roleLabel "{role}"'
    assert label in found


@pytest.mark.parametrize(
    ("code", "iri", "nuts"),
    [("UK", "GBR", "UK"), ("EL", "GRC", "EL"), ("XK", "XKX", None), ("US", "USA", None)],
)
def test_country_codes_of_the_dumps_are_known(
    lines: Lines, code: str, iri: str, nuts: str | None
) -> None:
    row = organisation(country=code, city="LONDON", nuts2="", nuts3="")
    found, _ = run(lines, [project()], [participation()], [row])
    own = "id:organisation/pic-999991334"
    region = f"nuts:{nuts}" if nuts else f"country:{iri}"
    assert f"{own}#address locn:adminUnitL1 country:{iri}" in found
    assert f"{own} dcterms:spatial {region}" in found


@pytest.mark.parametrize(
    ("town", "nuts"), [("Eindhoven", "NL411"), ("Elsewhere", "NL414")], ids=["town", "region"]
)
def test_a_participant_is_the_ror_record_where_id_and_place_agree(
    lines: Lines, town: str, nuts: str
) -> None:
    row = organisation(ror_id="https://ror.org/0aaaaaaa1")
    found, report = run(lines, [project()], [participation()], [row], place(town, nuts))
    own = "id:organisation/ror-0aaaaaaa1"
    assert f"id:participation/cordis-194086-999991334 eurio:isRoleOf {own}" in found
    assert f'{own} skos:altLabel "VOORBEELD UNIVERSITEIT"' in found
    assert f'{own}#pic skos:notation "999991334"^^lt:Pic' in found
    assert report.counts["organisations that are a ROR record: ROR id and place agree"] == 1


def test_cordis_contradicts_no_ror_record(lines: Lines) -> None:
    row = organisation(ror_id="https://ror.org/0aaaaaaa1")
    found, _ = run(lines, [project()], [participation()], [row], place("Cologne", "NL414"))
    own = "id:organisation/ror-0aaaaaaa1 "
    single = ("skos:prefLabel", "foaf:homepage", "dcterms:spatial", 'skos:altLabel "VU"')
    assert not [line for line in found if line.startswith(tuple(own + name for name in single))]
    assert not [line for line in found if "locn:" in line]


def test_a_ror_id_with_another_place_is_reported_and_not_followed(lines: Lines) -> None:
    row = organisation(ror_id="https://ror.org/0aaaaaaa1")
    found, report = run(lines, [project()], [participation()], [row], place("Aachen", "DEA2D"))
    assert "id:organisation/pic-999991334 a org:Organization" in found
    assert report.cases == {
        "ROR id not followed: place differs": ["pic:999991334 https://ror.org/0aaaaaaa1"]
    }


_SECOND = {"org_key": "pic:999991335", "pic": "999991335"}


def test_two_pics_with_one_vat_number_name_and_town_are_one_organisation(lines: Lines) -> None:
    pair = [participation(), participation(org_key="pic:999991335", role="participant")]
    twins = [organisation(), organisation(**_SECOND, name="Voorbeeld-Universiteit")]
    found, _ = run(lines, [project()], pair, twins)
    own = "id:organisation/pic-999991334"
    assert f"id:participation/cordis-194086-999991335 eurio:isRoleOf {own}" in found
    assert f'{own}#pic-2 skos:notation "999991335"^^lt:Pic' in found
    assert f'{own} skos:prefLabel "Voorbeeld-Universiteit"' not in found


def test_two_pics_with_one_vat_number_only_are_reported_and_not_merged(lines: Lines) -> None:
    pair = [participation(), participation(org_key="pic:999991335", role="participant")]
    others = [organisation(), organisation(**_SECOND, name="SOMETHING ELSE BV")]
    found, report = run(lines, [project()], pair, others)
    assert "id:organisation/pic-999991335 a org:Organization" in found
    assert report.cases["VAT number of two PICs, not merged"] == ["pic:999991334 pic:999991335"]


def test_participants_without_a_name_are_counted_and_dropped(lines: Lines) -> None:
    found, report = run(lines, [project()], [participation(name="")], [])
    assert not any("participation" in line for line in found)
    assert report.counts["participations dropped: participant without a name"] == 1


def test_natural_persons_are_counted_and_leave_no_trace(lines: Lines) -> None:
    name = "QWERTZ DANIEL"
    found, report = run(
        lines, [project()], [participation(name=name)], [organisation(name=name, shortName="Q")]
    )
    assert not any("QWERTZ" in line or "999991334" in line for line in found)
    assert report.counts["participations dropped: natural person"] == 1
    assert "QWERTZ" not in str(report.as_json())


def test_damaged_text_is_left_out(lines: Lines) -> None:
    row = organisation(name="Gr√ºne Universiteit", street="Stra√üe 1")
    found, _ = run(lines, [project(topic_title="Marie Sk?odowska")], [participation()], [row])
    assert 'id:organisation/pic-999991334 skos:prefLabel "VU"' in found
    assert 'id:programme/h2020-topic-phc-26-2014 skos:prefLabel "PHC-26-2014"' in found
    assert not any("√" in line or "Sk?" in line for line in found)


def test_an_address_in_care_of_somebody_is_left_out(lines: Lines) -> None:
    row = organisation(street="Voorbeeldlaan 3 c/o Q. Wertz")
    found, _ = run(lines, [project()], [participation()], [row])
    assert not any("thoroughfare" in line or "Wertz" in line for line in found)


def test_rows_that_were_completed_elsewhere_give_bare_facts_only(lines: Lines) -> None:
    found, _ = run(lines, [project()], [participation()], [organisation(source="elsewhere")])
    own = "id:organisation/pic-999991334"
    assert f'{own}#address locn:postName "Eindhoven"' in found
    assert not any("thoroughfare" in line or "foaf:" in line or "asWKT" in line for line in found)


def test_projects_of_other_fields_are_left_out(lines: Lines) -> None:
    found, report = run(lines, [project(health="0")], [participation()], [organisation()])
    assert report.counts["projects kept"] == 0
    assert not any("eurio:Project" in line for line in found)
