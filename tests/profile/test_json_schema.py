from __future__ import annotations

import json
from typing import Any

import pyoxigraph as ox
import pytest

from app.profile.json_schema import json_schemas, json_value
from app.rdf.terms import XSD
from tests.profile.samples import sample_profile


def schemas() -> dict[str, dict[str, Any]]:
    return json_schemas(sample_profile())


def test_every_reference_resolves() -> None:
    found = schemas()
    text = json.dumps(found)
    names = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert names
    assert names <= found.keys()


def test_a_type_speaks_in_the_words_of_its_shape() -> None:
    organisation = schemas()["Organisation"]
    assert organisation["title"] == "Organisation"
    assert organisation["description"] == "A company, hospital, university or another body."
    employees = organisation["properties"]["employees"]
    assert employees == {"title": "Employees", "examples": [12], "type": "integer"}


def test_arrays_follow_the_cardinality() -> None:
    properties = schemas()["Organisation"]["properties"]
    assert properties["classification"]["type"] == "array"
    assert properties["homepage"]["$ref"].endswith("/Reference")
    assert properties["label"]["$ref"].endswith("/LanguageMap")
    assert properties["alt_label"]["$ref"].endswith("/LanguageMapOfLists")


def test_enumerations_dates_and_derived_fields_are_marked() -> None:
    found = schemas()
    assert found["AmountPart"]["properties"]["currency"]["enum"] == ["EUR", "USD"]
    assert found["Project"]["properties"]["start_date"]["format"] == "date"
    assert found["Organisation"]["properties"]["projects"]["readOnly"] is True


@pytest.mark.parametrize(
    ("text", "datatype", "shown"),
    [
        ("12", "integer", 12),
        ("9007199254740993", "integer", "9007199254740993"),
        ("abc", "integer", "abc"),
        ("-0", "integer", "-0"),
        ("٣", "integer", "٣"),
        ("true", "boolean", True),
        ("maybe", "boolean", "maybe"),
        ("528340.1", "decimal", "528340.1"),
        ("1.5E3", "double", "1.5E3"),
    ],
)
def test_only_what_json_keeps_exactly_is_no_text(text: str, datatype: str, shown: object) -> None:
    value = json_value(ox.Literal(text, datatype=XSD[datatype]))
    assert value == shown
    assert type(value) is type(shown)
