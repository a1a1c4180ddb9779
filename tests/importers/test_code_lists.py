from __future__ import annotations

import pytest

from app.importers import countries, emdn, euroscivoc, regions

from .conftest import Lines, Rows


def test_countries_have_codes_and_names_in_four_languages(lines: Lines) -> None:
    assert lines(countries.triples(["EL", "??", "GR"])) == {
        "country:GRC a dcterms:Location",
        'country:GRC skos:notation "GR"',
        'country:GRC skos:prefLabel "Greece"@en',
        'country:GRC skos:prefLabel "Griekenland"@nl',
        'country:GRC skos:prefLabel "Griechenland"@de',
        'country:GRC skos:prefLabel "Grèce"@fr',
    }


def test_regions_form_one_tree_below_the_countries(lines: Lines) -> None:
    found = lines(regions.triples(["NL", "BE", "DE"]))
    assert {
        "nuts:NL geo:sfWithin country:NLD",
        "nuts:NL4 geo:sfWithin nuts:NL",
        "nuts:NL414 geo:sfWithin nuts:NL41",
        'nuts:DEA2D skos:prefLabel "Städteregion Aachen"@de',
        "id:region/elat geo:sfContains nuts:DEA1",
    } <= found
    locations = {line.split()[0] for line in found if line.endswith(" a dcterms:Location")}
    parents = {line.split()[2] for line in found if " geo:sfWithin " in line}
    assert {parent for parent in parents if parent.startswith("nuts:")} <= locations


@pytest.mark.parametrize(
    ("country", "town", "codes", "found"),
    [
        ("NL", "Maastricht", ["NL423", "NL42"], "NL423"),
        ("DE", "München", ["DE212", "DE21"], "DE21"),
        ("DE", "Düsseldorf", ["DEA1D"], "DEA11"),
        ("UK", "London", [], "UK"),
        ("GR", "Patra", ["EL632"], "EL"),
    ],
)
def test_the_finest_known_region_is_taken(
    country: str, town: str, codes: list[str], found: str
) -> None:
    assert regions.region_of(country, town, *codes) == regions.NUTS[found]


def test_a_place_outside_nuts_is_in_its_country() -> None:
    assert regions.region_of("US", "Boston") == countries.AUTHORITY["USA"]
    assert regions.region_of("??", "") is None


EUROSCIVOC = """
uri | notation | prefLabel_en | code | broader_uri
http://data.europa.eu/8mn/euroscivoc/1 | 21 | medical and health sciences | /21 |
http://data.europa.eu/8mn/euroscivoc/2 | 39 | clinical medicine | /21/39 | http://data.europa.eu/8mn/euroscivoc/1
http://data.europa.eu/8mn/euroscivoc/3 | 515 | admiralty law | |
"""


def test_fields_of_science_keep_iri_notation_label_and_place(rows: Rows, lines: Lines) -> None:
    found = lines(euroscivoc.triples(rows(EUROSCIVOC)))
    top, below, loose = (f"http://data.europa.eu/8mn/euroscivoc/{n}" for n in (1, 2, 3))
    scheme = euroscivoc.SCHEME_IRI.value
    assert {
        f"{top} skos:topConceptOf {scheme}",
        f"{below} skos:broader {top}",
        f'{below} skos:notation "39"',
        f'{below} skos:prefLabel "clinical medicine"@en',
        f"{loose} skos:inScheme {scheme}",
    } <= found
    assert f"{loose} skos:topConceptOf {scheme}" not in found


EMDN = """
code | term | level
Z | MEDICAL EQUIPMENT | 1
Z12 | INSTRUMENTS | 2
Z1202 | ENDOSCOPIC INSTRUMENTS | 3
Z120201 | CAMERAS | 4
Z12020101 | VARIANT | 5
"""


def test_device_categories_stop_at_the_level_asked_for(rows: Rows, lines: Lines) -> None:
    found = lines(emdn.triples(rows(EMDN), levels=3))
    assert {
        "scheme:emdn/Z skos:topConceptOf scheme:emdn",
        "scheme:emdn/Z12 skos:broader scheme:emdn/Z",
        "scheme:emdn/Z1202 skos:broader scheme:emdn/Z12",
        'scheme:emdn/Z1202 skos:notation "Z1202"',
    } <= found
    assert not any("Z120201" in line for line in found)
