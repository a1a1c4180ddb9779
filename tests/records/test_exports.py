"""Exports: what each format makes of records, for spreadsheets, statistics and maps."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import openpyxl  # type: ignore[import-untyped]  # it has no types
import pyoxigraph as ox
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import PayloadTooLarge
from app.profile import Profile, load_profile
from app.profile.context import json_ld_context
from app.records.exports import spreadsheet
from app.records.exports.columns import Table
from app.records.exports.comma_separated import SEPARATOR, cell, safe
from app.records.exports.csvw import describe_csv, variable
from app.records.exports.formats import FORMATS, Export, export
from app.records.exports.geometry import meets, places, read_geojson, read_wkt
from app.records.exports.writer import FOLDER_PREFIX
from app.records.projection import json_bytes
from tests.profile.samples import BASE, REPOSITORY, sample_profile, sample_store
from tests.records.lossless import build, merged

PROFILE = load_profile(REPOSITORY / "ontology", REPOSITORY / "shapes", BASE)
ORGANISATION = PROFILE.type("organisation")
CONTEXT = "http://127.0.0.1:8000/context.jsonld"


def organisation(slug: str, **fields: Any) -> dict[str, Any]:
    return {
        "@context": CONTEXT,
        "id": f"{BASE}id/organisation/{slug}",
        "type": ["Organization"],
        "name": slug.title(),
        "url": f"/organisations/{slug}",
        **fields,
    }


LEUVEN = organisation(
    "leuven",
    label={"en": "Leuven", "nl": "Leuven", "pl": "Lowanium", "@none": "LVN"},
    alternative_label={"en": ["a | b", "c\\d"]},
    classification=[
        {"id": f"{BASE}scheme/organisation-type/company", "name": "company", "url": "/x"},
        {"id": f"{BASE}scheme/organisation-type/investor", "name": "investor", "url": "/y"},
    ],
    registration_date="2001-02-03",
    founding_date={"@value": "1999", "@type": "http://www.w3.org/2001/XMLSchema#gYear"},
    primary_site={
        "id": f"{BASE}id/organisation/leuven#site",
        "address": {"id": "x", "city": {"@none": ["Leuven"]}, "post_code": "3000"},
        "geometry": {"id": "y", "wkt": "POINT(4.7 50.88)"},
    },
    asserted_by=[{"id": f"{BASE}graph/lifetec/ror", "name": "ROR", "url": "/datasets/ror"}],
    example=True,
    also={"registration_date": ["2002-02-03"]},
    **{"http://example.org/x": [{"@value": "1"}]},
)
HOSTILE = "=cmd|' /C calc'!A0"


async def _batches(
    records: Sequence[Mapping[str, Any]], size: int = 2
) -> AsyncGenerator[Sequence[bytes], None]:
    texts = [json_bytes(one) for one in records]
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def written(
    suffix: str,
    records: Sequence[Mapping[str, Any]],
    kind: str = "organisation",
    profile: Profile = PROFILE,
    **options: Any,
) -> bytes:
    async def whole() -> bytes:
        asked = Export(profile.type(kind), profile, context=CONTEXT, **options)
        writer = FORMATS[suffix].writer(asked)
        return b"".join([piece async for piece in export(writer, _batches(records))])

    return asyncio.run(whole())


def rows_of(data: bytes) -> list[dict[str, str]]:
    text = io.StringIO(data.decode("utf-8-sig"), newline="")
    return [{name: value for name, value in row.items() if value} for row in csv.DictReader(text)]


def left_behind() -> set[Path]:
    folder = Path(tempfile.gettempdir())
    return {*folder.glob(f"{FOLDER_PREFIX}*"), *folder.glob("openpyxl.*")}


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    before = left_behind()
    yield
    assert left_behind() <= before


# columns and CSV


def test_each_kind_of_field_has_its_columns() -> None:
    (row,) = rows_of(written("csv", [LEUVEN]))
    more = json.loads(row.pop("more"))
    assert row == {
        "id": f"{BASE}id/organisation/leuven",
        "type": "Organization",
        "name": "Leuven",
        "label@en": "Leuven",
        "label@nl": "Leuven",
        "label": "Lowanium@pl | LVN",
        "alternative_label@en": "a \\| b | c\\\\d",
        "classification": "company | investor",
        "classification_id": f"{BASE}scheme/organisation-type/company | "
        f"{BASE}scheme/organisation-type/investor",
        "registration_date": "2001-02-03",
        "founding_date": "1999",
        "primary_site.address.city": "Leuven",
        "primary_site.address.post_code": "3000",
        "primary_site.geometry.wkt": "POINT(4.7 50.88)",
        "asserted_by": "ROR",
        "asserted_by_id": f"{BASE}graph/lifetec/ror",
        "example": "true",
    }
    assert more == {
        "also": {"registration_date": ["2002-02-03"]},
        "http://example.org/x": [{"@value": "1"}],
    }


@pytest.mark.parametrize("kind", PROFILE.types, ids=lambda kind: kind.name)
def test_every_field_of_every_type_has_columns_of_different_names(kind: Any) -> None:
    table = Table(kind, PROFILE)
    names = [column.name for column in table.columns]
    assert len(names) == len(set(names))
    for field in kind.fields:
        assert any(
            name == field.name or name.startswith((f"{field.name}.", f"{field.name}@"))
            for name in names
        ), field.name
    for column in table.columns:
        assert {*PROFILE.languages} <= {*column.titles}, column.name


def test_fields_that_were_asked_for_are_all_columns_there_are() -> None:
    table = Table(ORGANISATION, PROFILE, ["homepage", "primary_site.address.city"])
    names = [column.name for column in table.columns if "@" not in column.name]
    assert names == [
        *("id", "type", "name", "primary_site.address.city", "homepage", "homepage_id"),
        *("asserted_by", "asserted_by_id", "example", "more"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((begin + "1+1", "'" + begin + "1+1") for begin in "=@\t\r\n\uff1d\uff20"),
        ("+31 40 247 9111", "'+31 40 247 9111"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        (HOSTILE, "'" + HOSTILE),
        *((number, number) for number in ("-5", "+5", "-5.25", "-1,5", "-1.5e-3", "1", "-.5")),
        ("-0044-03-15", "-0044-03-15"),
        ("-5\n=1", "'-5\n=1"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_no_cell_begins_a_formula_and_numbers_stay(text: str, expected: str) -> None:
    assert safe(text) == expected


def test_hostile_texts_stay_in_their_cells() -> None:
    nasty = organisation(HOSTILE, label={"en": 'x","=1+1\r\n=2+2;\0'})
    data = written("csv", [nasty, LEUVEN])
    first, second = rows_of(data)
    assert first["name"] == "'" + HOSTILE.title()
    assert first["label@en"] == 'x","=1+1\r\n=2+2;\ufffd'
    assert second["name"] == "Leuven"
    assert not data.startswith(b"\xef\xbb\xbf")
    assert written("csv", [LEUVEN], bom=True).startswith(b"\xef\xbb\xbfid,type,name,")


@given(st.lists(st.text(), min_size=1))
def test_the_values_of_a_cell_can_be_told_apart(values: list[str]) -> None:
    joined = cell(values, many=True)
    parts = [""]
    at = 0
    while at < len(joined):
        if joined.startswith(SEPARATOR, at):
            parts.append("")
            at += len(SEPARATOR)
            continue
        at += joined[at] == "\\"
        parts[-1] += joined[at]
        at += 1
    assert parts == [value.replace("\0", "\ufffd") for value in values]


def test_the_metadata_describes_the_columns_of_the_csv() -> None:
    table = Table(ORGANISATION, PROFILE)
    metadata = describe_csv(table, "organisations.csv?country=BE")
    header = next(csv.reader(io.StringIO(written("csv", []).decode())))
    columns = metadata["tableSchema"]["columns"]
    assert metadata["url"] == "organisations.csv?country=BE"
    assert [column["titles"]["und"] for column in columns] == header
    assert all({"en", "nl", "de", "fr"} <= {*column["titles"]} for column in columns)
    by_name = dict(zip(header, columns, strict=True))
    skos = "http://www.w3.org/2004/02/skos/core#"
    assert by_name["label@nl"]["propertyUrl"] == f"{skos}prefLabel"
    assert by_name["label@nl"]["lang"] == "nl"
    assert by_name["label@nl"]["name"] == "label%40nl"
    assert "separator" not in by_name["label@nl"]
    assert by_name["classification_id"]["separator"] == " | "
    assert by_name["classification_id"]["datatype"] == "anyURI"
    assert by_name["classification_id"].get("suppressOutput") is None
    assert by_name["classification"]["suppressOutput"] is True
    assert by_name["registration_date"]["datatype"] == "date"
    assert by_name["primary_site.address.city"]["suppressOutput"] is True
    names = [column["name"] for column in columns]
    assert len(names) == len(set(names))


def test_a_column_is_named_as_a_uri_template_allows() -> None:
    assert variable("a.b_c@en-GB~") == "a.b_c%40en%2DGB%7E"


# JSON


def test_json_documents_hold_the_records_as_they_are() -> None:
    records = [organisation(str(n)) for n in range(5)]
    whole = json.loads(written("json", records))
    assert (whole["total"], whole["items"]) == (5, records)
    assert json.loads(written("json", []))["items"] == []
    lines = written("ndjson", records).splitlines()
    assert [json.loads(line) for line in lines] == records


@pytest.mark.parametrize("kind", sample_profile().types, ids=lambda kind: kind.name)
def test_json_ld_says_just_what_the_graph_says(kind: Any) -> None:
    profile, store = sample_profile(), sample_store()
    type_ = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
    iris = {
        str(quad.subject.value)
        for cls in kind.classes
        for quad in store.quads_for_pattern(None, type_, cls)
        if isinstance(quad.subject, ox.NamedNode)
    }
    records = [{"@context": CONTEXT, **build(store, profile, iri)} for iri in sorted(iris)]
    document = json.loads(written("jsonld", records, kind.name, profile))
    assert document["@context"] == CONTEXT
    assert not any("@context" in one for one in document["@graph"])
    document["@context"] = json_ld_context(profile)
    quads = list(ox.parse(json.dumps(document).encode(), ox.RdfFormat.JSON_LD))
    read = {ox.Triple(q.subject, q.predicate, q.object) for q in quads}
    subjects = {q.subject for q in quads if isinstance(q.subject, ox.NamedNode)}
    assert iris <= {subject.value for subject in subjects}
    assert read == merged(store, subjects)


# GeoJSON


def test_features_have_a_place_or_null() -> None:
    collection = json.loads(written("geojson", [LEUVEN, organisation("nowhere")]))
    assert collection["type"] == "FeatureCollection"
    here, nowhere = collection["features"]
    assert here["id"] == LEUVEN["id"]
    assert here["geometry"] == {"type": "Point", "coordinates": [4.7, 50.88]}
    assert here["properties"]["primary_site"] == LEUVEN["primary_site"]
    assert nowhere["geometry"] is None


@pytest.mark.parametrize(
    ("wkt", "expected"),
    [
        ("POINT(4.7 50.88)", ("Point", [4.7, 50.88])),
        ("point z (4.7 50.88 12)", ("Point", [4.7, 50.88])),
        (
            "<http://www.opengis.net/def/crs/OGC/1.3/CRS84> POINT (4.7 50.88)",
            ("Point", [4.7, 50.88]),
        ),
        (
            "<http://www.opengis.net/def/crs/EPSG/0/4326> POINT(50.88 4.7)",
            ("Point", [4.7, 50.88]),
        ),
        ("<http://www.opengis.net/def/crs/EPSG/0/28992> POINT(1 2)", None),
        ("LINESTRING(0 0, 1 1)", ("LineString", [[0, 0], [1, 1]])),
        ("MULTIPOINT(0 0, (1 1))", ("MultiPoint", [[0, 0], [1, 1]])),
        (
            "POLYGON((0 0, 1 0, 1 1, 0 0), (.2 .1, .3 .1, .3 .2, .2 .1))",
            (
                "Polygon",
                [
                    [[0, 0], [1, 0], [1, 1], [0, 0]],
                    [[0.2, 0.1], [0.3, 0.1], [0.3, 0.2], [0.2, 0.1]],
                ],
            ),
        ),
        (
            "MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))",
            ("MultiPolygon", [[[[0, 0], [1, 0], [1, 1], [0, 0]]]]),
        ),
        ("POINT(4.7)", None),
        ("POINT(4.7 91)", None),
        ("POINT(1e999 1)", None),
        ("POINT EMPTY", None),
        ("POINT(4.7 50.88", None),
        ("POINT(4.7 50.88))", None),
        ("CIRCLE(0 0, 1)", None),
        ("POLYGON(" + "(" * 100_000, None),
        ("POINT(" + "1" * 1_000_000, None),
        ("", None),
    ],
)
def test_well_known_text_is_read_or_passed_over(wkt: str, expected: Any) -> None:
    shown = expected and {"type": expected[0], "coordinates": expected[1]}
    assert read_wkt(wkt) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "{}", "{" * 100_000, "[" * 100_000),
        '{"type":"Point"}',
        '{"type":"Point","coordinates":["a","b"]}',
        '{"type":"Point","coordinates":[true,1]}',
        '{"type":[],"coordinates":[1,2]}',
    ],
)
def test_what_is_no_geojson_geometry_is_passed_over(text: str) -> None:
    assert read_geojson(text) is None


def test_the_profile_says_where_entities_are() -> None:
    assert places(ORGANISATION).paths[0] == ("primary_site", "geometry", "wkt")
    assert places(PROFILE.type("region")).paths[0] == ("geometry", "wkt")
    assert places(PROFILE.type("project")).paths == ()


def test_a_box_may_cross_the_antimeridian() -> None:
    fiji = {"type": "Point", "coordinates": [179.0, -17.0]}
    assert meets(fiji, (170, -20, -170, -10))
    assert not meets(fiji, (-170, -20, 170, -10))


# XLSX


def sheet_of(data: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(data))


def test_a_sheet_has_values_of_their_types_and_no_formula() -> None:
    nasty = organisation(
        HOSTILE, label={"en": "a\x0bb\ud800"}, legal_name={"en": "=1+1"}, homepage=[]
    )
    book = sheet_of(written("xlsx", [LEUVEN, nasty]))
    assert book.sheetnames == ["organisation", "Columns"]
    header, first, second = book["organisation"].iter_rows()
    names = [cell.value for cell in header]
    found = dict(zip(names, first, strict=True))
    assert found["registration_date"].is_date
    assert found["registration_date"].value.isoformat() == "2001-02-03T00:00:00"
    assert found["example"].value is True
    assert found["classification"].value == "company | investor"
    hostile = dict(zip(names, second, strict=True))
    assert (hostile["name"].value, hostile["name"].data_type) == (HOSTILE.title(), "s")
    assert hostile["legal_name@en"].data_type == "s"
    assert hostile["label@en"].value == "a\ufffdb\ufffd"
    every = [one for sheet in book for row in sheet.iter_rows() for one in row]
    assert {one.data_type for one in every} == {"s", "inlineStr", "n", "b", "d"}


def test_the_second_sheet_describes_the_columns_and_counts_cut_texts() -> None:
    long = organisation("long", description={"en": "\U0001f600" * 20_000, "nl": "x" * 32_767})
    book = sheet_of(written("xlsx", [long]))
    header, row = book["organisation"].iter_rows(values_only=True)
    found = dict(zip(header, row, strict=True))
    assert len(found["description@en"].encode("utf-16-le")) <= 2 * 32_767
    assert found["description@en"].endswith("\U0001f600 […]")
    assert found["description@nl"] == "x" * 32_767
    columns = {row[0]: row for row in book["Columns"].iter_rows(values_only=True)}
    assert columns["description@en"][1:5] == (
        "description (en)", "beschrijving (en)", "Beschreibung (en)", "description (en)"
    )  # fmt: skip
    assert (columns["description@en"][-1], columns["description@nl"][-1]) == (1, 0)


def test_more_records_than_a_sheet_has_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spreadsheet.MAX_ROWS == 2**20 - 1
    monkeypatch.setattr(spreadsheet, "MAX_ROWS", 3)
    with pytest.raises(PayloadTooLarge, match="CSV or Parquet"):
        written("xlsx", [organisation(str(n)) for n in range(4)])


# Parquet


def test_parquet_has_real_types(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    wrong = organisation("wrong", registration_date="31 May", label={"en": "\0 'x'"})
    file.write_bytes(written("parquet", [LEUVEN, wrong]))
    with duckdb.connect() as database:
        table = database.read_parquet(str(file))
        types = dict(zip(table.columns, map(str, table.types), strict=True))
        assert types["classification_id"] == "VARCHAR[]"
        assert types["registration_date"] == "DATE"
        assert types["example"] == "BOOLEAN"
        assert types["label@en"] == "VARCHAR"
        asked = table.select('name, registration_date::VARCHAR, classification, "label@en"')
        assert asked.fetchall() == [
            ("Leuven", "2001-02-03", ["company", "investor"], "Leuven"),
            ("Wrong", None, None, "\ufffd 'x'"),
        ]


def test_numbers_are_numbers_in_parquet_and_xlsx(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    records = [{**organisation("t"), "trl": 7}, {**organisation("u"), "trl": 10**30}]
    file.write_bytes(written("parquet", records, "technology"))
    with duckdb.connect() as database:
        found = database.read_parquet(str(file)).select("trl").fetchall()
    assert found == [(7,), (None,)]
    header, first, second = sheet_of(written("xlsx", records, "technology")).worksheets[0].values
    place = header.index("trl")
    assert (first[place], second[place]) == (7, str(10**30))


# making


def test_a_file_that_grows_too_large_is_refused() -> None:
    records = [organisation(str(n), label={"en": "x" * 1_000}) for n in range(2_000)]
    for suffix in ("xlsx", "parquet"):
        with pytest.raises(PayloadTooLarge, match="more than 1 MB"):
            written(suffix, records, max_bytes=1 << 20)


@pytest.mark.parametrize("suffix", FORMATS)
def test_who_stops_listening_stops_the_work(suffix: str) -> None:
    async def listen() -> None:
        asked, closed = 0, False
        enough = asyncio.Event()

        async def endless() -> AsyncGenerator[Sequence[bytes], None]:
            nonlocal asked, closed
            try:
                while True:
                    asked += 1
                    if asked == 5:
                        enough.set()
                    yield [json_bytes(LEUVEN)] * 10
            finally:
                closed = True

        writer = FORMATS[suffix].writer(Export(ORGANISATION, PROFILE, context=CONTEXT))

        async def read() -> None:
            async with contextlib.aclosing(export(writer, endless())) as pieces:
                async for _ in pieces:
                    pass

        task = asyncio.create_task(read())
        await enough.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed

    asyncio.run(listen())


@pytest.mark.parametrize("suffix", [name for name in FORMATS if name not in {"xlsx", "parquet"}])
def test_the_beginning_comes_before_the_end_is_known(suffix: str) -> None:
    async def first() -> bytes:
        reached = asyncio.Event()

        async def waiting() -> AsyncGenerator[Sequence[bytes], None]:
            yield [json_bytes(LEUVEN)]
            await reached.wait()
            yield []

        writer = FORMATS[suffix].writer(Export(ORGANISATION, PROFILE, context=CONTEXT))
        pieces = export(writer, waiting())
        found = b""
        while b"leuven" not in found:
            found += await anext(pieces)
        reached.set()
        return found + b"".join([piece async for piece in pieces])

    assert asyncio.run(first()) == written(suffix, [LEUVEN])
