from __future__ import annotations

from typing import Any

from app.profile.context import json_ld_context
from app.rdf.terms import EURIO, LOCN, ORG, SKOS, XSD
from tests.profile.samples import sample_profile


def context() -> dict[str, Any]:
    return json_ld_context(sample_profile())


def test_conveniences_and_derived_fields_mean_nothing() -> None:
    found = context()
    for name in ("name", "url", "example", "truncated", "projects", "participations"):
        assert found[name] is None, name


def test_text_is_a_language_map_and_numbers_are_typed() -> None:
    found = context()
    assert found["label"] == {"@id": SKOS["prefLabel"].value, "@container": "@language"}
    assert found["employees"]["@type"] == XSD["integer"].value


def test_a_name_with_two_meanings_is_defined_where_it_is_used() -> None:
    found = context()
    assert "value" not in found
    assert found["identifiers"]["@context"]["value"] == SKOS["notation"].value
    amount = found["total_cost"]["@context"]["value"]
    assert amount == {"@id": EURIO["value"].value, "@type": XSD["decimal"].value}


def test_a_derived_name_that_a_part_writes_is_null_in_the_type_only() -> None:
    found = context()
    assert "country" not in found
    assert found["Organization"]["@id"] == ORG["Organization"].value
    assert found["Organization"]["@context"]["country"] is None
    assert found["address"]["@context"]["country"]["@id"] == LOCN["adminUnitL1"].value
