"""Adding a property means adding one Turtle file: everything else follows from it.

Later derivations (forms, reference) join this test.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]  # it has no types
import pyoxigraph as ox
import pyshacl
import pytest
import rdflib

from app.api.records import describe_records
from app.errors import InvalidRequest
from app.profile import Profile, load_profile
from app.profile.context import json_ld_context
from app.records.exports.csvw import describe_csv
from app.records.exports.formats import FORMATS, Export, table_of
from app.records.projection import json_bytes
from app.records.search import Condition, read_search
from app.records.service import Records
from tests.profile.samples import BASE, PREFIXES, REPOSITORY, SAMPLE
from tests.records.direct import DirectRunner
from tests.records.indexed import indexed
from tests.records.lossless import assert_lossless

ENTITY = f"{BASE}id/organisation/test-one"

PROPERTY = (
    PREFIXES
    + """
<%s> sh:property [
  sh:path ex:clinicalBeds ;
  pf:name "bed_code" ;
  sh:name "Bed code"@en , "Bedcode"@nl , "Bettencode"@de , "Code des lits"@fr ;
  sh:description "How the beds are counted."@en ;
  sh:datatype xsd:string ;
  sh:pattern "^B[0-9]{3}$" ;
  sh:maxCount 1 ;
  sh:order 900 ;
  pf:facet true ;
  pf:example "B042" ;
  sh:message "Write the bed code as B and three digits."@en
] .
"""
)
DATA = """
@prefix ex: <http://example.org/> .
@prefix org: <http://www.w3.org/ns/org#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
<%s> a org:Organization ; skos:prefLabel "Test hospital"@en ; ex:clinicalBeds "%s" .
"""


@dataclass(frozen=True)
class House:
    """Everything that is derived from the shapes of one folder."""

    profile: Profile
    shapes: Path
    records: Records
    store: ox.Store


def house(tmp_path: Path, *, with_property: bool) -> House:
    ontology, shapes = REPOSITORY / "ontology", REPOSITORY / "shapes"
    if not any(shapes.glob("*.ttl")):
        ontology, shapes = SAMPLE / "ontology", SAMPLE / "shapes"
    copy = tmp_path / "shapes"
    shutil.copytree(shapes, copy)
    if with_property:
        shape = load_profile(ontology, copy, BASE).type("organisation").shape
        (copy / "bed-code.ttl").write_text(PROPERTY % shape)
    profile = load_profile(ontology, copy, BASE)
    store = ox.Store()
    data = (DATA % (ENTITY, "B042")).encode()
    store.load(data, ox.RdfFormat.TURTLE, to_graph=ox.NamedNode(f"{BASE}graph/test/one"))
    return House(profile, copy, Records(DirectRunner(store), profile), store)


@pytest.fixture
def added(tmp_path: Path) -> House:
    return house(tmp_path, with_property=True)


def test_without_the_file_the_property_is_unknown(tmp_path: Path) -> None:
    plain = house(tmp_path, with_property=False)
    record = asyncio.run(plain.records.get(ENTITY))
    assert record["http://example.org/clinicalBeds"] == [{"@value": "B042"}]
    assert "bed_code" not in json.dumps(json_ld_context(plain.profile))


def test_the_record_shows_it(added: House) -> None:
    record = asyncio.run(added.records.get(ENTITY))
    assert record["bed_code"] == "B042"
    assert "http://example.org/clinicalBeds" not in record
    assert_lossless(added.store, added.profile, ENTITY)


def test_the_context_defines_it(added: House) -> None:
    assert json_ld_context(added.profile)["bed_code"] == "http://example.org/clinicalBeds"


def test_openapi_describes_it_in_its_own_words(added: House) -> None:
    openapi: dict[str, Any] = describe_records({"openapi": "3.1.0"}, added.profile)
    assert openapi["components"]["schemas"]["Organisation"]["properties"]["bed_code"] == {
        "title": "Bed code",
        "description": "How the beds are counted.",
        "examples": ["B042"],
        "type": "string",
        "pattern": "^B[0-9]{3}$",
    }
    parameters = openapi["paths"]["/api/v1/organisations"]["get"]["parameters"]
    assert "bed_code" in {parameter.get("name") for parameter in parameters}


@pytest.mark.parametrize("source", ["index", "cage"])
def test_lists_filter_and_count_by_it(added: House, tmp_path: Path, source: str) -> None:
    index = indexed(tmp_path / "index", added.store, added.profile) if source == "index" else None
    records = Records(DirectRunner(added.store), added.profile, index=index)
    known = records.vocabularies["organisation"]
    asked = read_search([("bed_code", "B042"), ("facets", "bed_code")], known, ["en"])
    assert asked.conditions == (Condition("bed_code", "=", ("B042",)),)
    page = asyncio.run(records.page("organisation", filters={"bed_code": ["B042"]}, facets=True))
    assert page["total"] == 1
    assert page["facets"]["bed_code"] == [{"value": "B042", "name": "B042", "count": 1}]
    assert asyncio.run(records.page("organisation", filters={"bed_code": ["X"]}))["total"] == 0
    with pytest.raises(InvalidRequest) as refused:
        read_search([("bed_cod", "B042")], known, ["en"])
    assert refused.value.facts["nearest"] == "bed_code"
    if index:
        index.close()


def test_csv_and_xlsx_have_a_column_of_it(added: House) -> None:
    kind = added.profile.type("organisation")
    record = json_bytes(asyncio.run(added.records.get(ENTITY)))

    def written(suffix: str) -> bytes:
        writer = FORMATS[suffix].writer(Export(kind, added.profile))
        parts = [writer.begin(), writer.write([record]), *writer.end()]
        writer.close()
        return b"".join(parts)

    (row,) = csv.DictReader(io.StringIO(written("csv").decode(), newline=""))
    assert row["bed_code"] == "B042"
    book = openpyxl.load_workbook(io.BytesIO(written("xlsx")))
    header, values = book.worksheets[0].iter_rows(values_only=True)
    assert dict(zip(header, values, strict=True))["bed_code"] == "B042"
    meanings = {row[0]: row for row in book["Columns"].iter_rows(values_only=True)}
    assert meanings["bed_code"][1:5] == ("Bed code", "Bedcode", "Bettencode", "Code des lits")
    columns = describe_csv(table_of(Export(kind, added.profile)), "x")["tableSchema"]["columns"]
    (column,) = [one for one in columns if one["name"] == "bed_code"]
    assert column["propertyUrl"] == "http://example.org/clinicalBeds"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_validation_refuses_a_wrong_value_and_says_what_to_do(added: House) -> None:
    message = "Write the bed code as B and three digits."
    assert message not in _report(added.shapes, "B042")
    assert message in _report(added.shapes, "42")


def _report(shapes: Path, value: str) -> str:
    rules = rdflib.Graph()
    for path in shapes.glob("*.ttl"):
        rules.parse(path)
    data = rdflib.Graph().parse(data=DATA % (ENTITY, value), format="turtle")
    conforms, _, text = pyshacl.validate(data, shacl_graph=rules, advanced=False)
    assert isinstance(text, str)
    return "" if conforms else text
