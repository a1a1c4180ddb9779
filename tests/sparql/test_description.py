"""The service description says what is true."""

from __future__ import annotations

import pytest
from pyoxigraph import NamedNode, QueryResultsFormat, QuerySolutions, Store, parse

from app.rdf import media
from app.rdf.terms import SD, VOID, XSD
from app.sparql.description import (
    EXTENSION_FUNCTIONS,
    GEOF,
    LATER_FUNCTIONS,
    Described,
    graphs_query,
    read_graphs,
    service_description,
)

ENDPOINT = "https://example.org/sparql"
RESERVED = "https://example.org/graph/service"

POLYGON = '"POLYGON((0 0,2 0,2 2,0 2,0 0))"^^<http://www.opengis.net/ont/geosparql#wktLiteral>'
OTHER = '"POLYGON((1 1,3 1,3 3,1 3,1 1))"^^<http://www.opengis.net/ont/geosparql#wktLiteral>'
LINE = '"LINESTRING(0 0,1 1)"^^<http://www.opengis.net/ont/geosparql#wktLiteral>'
POINTS = (
    '"POINT(1 1)"^^<http://www.opengis.net/ont/geosparql#wktLiteral>',
    '"POINT(2 2)"^^<http://www.opengis.net/ont/geosparql#wktLiteral>',
)
METRE = "<http://www.opengis.net/def/uom/OGC/1.0/metre>"
OF_ONE = frozenset(
    GEOF[name]
    for name in [
        "asGeoJSON",
        "centroid",
        "convexHull",
        "coordinateDimension",
        "dimension",
        "envelope",
        "getSRID",
        "isEmpty",
        "isSimple",
    ]
)
ARGUMENTS = {
    GEOF["distance"]: f"{', '.join(POINTS)}, {METRE}",
    GEOF["length"]: f"{LINE}, {METRE}",
    GEOF["relate"]: f"{POLYGON}, {OTHER}, 'T*T***T**'",
    XSD["date"]: "'2026-11-23'",
    XSD["time"]: "'12:00:00'",
    XSD["gYear"]: "'2026'",
    XSD["gMonth"]: "'--11'",
    XSD["gDay"]: "'---23'",
    XSD["gYearMonth"]: "'2026-11'",
    XSD["gMonthDay"]: "'--11-23'",
    XSD["duration"]: "'P1Y2DT3H'",
    XSD["dayTimeDuration"]: "'P2DT3H'",
    XSD["yearMonthDuration"]: "'P1Y2M'",
}
LATER = {
    "TRIPLE": "TRIPLE(<a:a>, <a:b>, 1)",
    "SUBJECT": "SUBJECT(TRIPLE(<a:a>, <a:b>, 1))",
    "PREDICATE": "PREDICATE(TRIPLE(<a:a>, <a:b>, 1))",
    "OBJECT": "OBJECT(TRIPLE(<a:a>, <a:b>, 1))",
    "isTRIPLE": "isTRIPLE(TRIPLE(<a:a>, <a:b>, 1))",
    "LANGDIR": "LANGDIR('a'@ar--rtl)",
    "STRLANGDIR": "STRLANGDIR('a', 'ar', 'rtl')",
    "hasLANG": "hasLANG('a'@en)",
    "hasLANGDIR": "hasLANGDIR('a'@ar--rtl)",
    "ADJUST": f"ADJUST(NOW(), 'PT1H'^^<{XSD['dayTimeDuration'].value}>)",
}


def value_of(expression: str) -> object:
    (row,) = Store().query(f"SELECT ({expression} AS ?value) {{}}")  # type: ignore[misc]
    return row["value"]


@pytest.mark.parametrize("function", EXTENSION_FUNCTIONS, ids=lambda node: node.value)
def test_every_extension_function_gives_a_value(function: NamedNode) -> None:
    arguments = ARGUMENTS.get(function)
    if arguments is None:
        arguments = POLYGON if function in OF_ONE else f"{POLYGON}, {OTHER}"
    assert value_of(f"{function}({arguments})") is not None


@pytest.mark.parametrize("name", LATER_FUNCTIONS)
def test_every_function_of_the_later_version_gives_a_value(name: str) -> None:
    assert value_of(LATER[name]) is not None


@pytest.mark.parametrize("media_type", media.GRAPH_FORMATS)
@pytest.mark.parametrize("union", [True, False])
def test_the_description_says_the_same_in_all_formats(media_type: str, union: bool) -> None:
    graphs = [Described("https://example.org/graph/a", 7), Described("https://example.org/graph/b")]
    data = service_description(
        ENDPOINT, media_type, union=union, graphs=graphs, update=f"{ENDPOINT}/update"
    )
    store = Store()
    store.extend(parse(input=data, format=media.RDF_FORMATS[media_type]))

    def asks(pattern: str) -> bool:
        return bool(store.query(f"PREFIX sd: <{SD}> PREFIX void: <{VOID}> ASK {{ {pattern} }}"))

    assert asks(f"?s a sd:Service ; sd:endpoint <{ENDPOINT}> ; sd:supportedLanguage "
                "sd:SPARQL11Query ; sd:defaultEntailmentRegime [] ; sd:resultFormat "
                "<http://www.w3.org/ns/formats/SPARQL_Results_JSON>")  # fmt: skip
    assert not asks(f"?s sd:endpoint <{ENDPOINT}> ; sd:supportedLanguage sd:SPARQL11Update")
    # Comunica takes the endpoint of every service that is a blank node for that of queries.
    update = f"<{ENDPOINT}/update>"
    assert asks(f"{update} sd:endpoint {update} ; sd:supportedLanguage sd:SPARQL11Update ; "
                "sd:inputFormat <http://www.w3.org/ns/formats/Turtle>")  # fmt: skip
    assert asks("?s sd:feature sd:UnionDefaultGraph") is union
    assert not asks("?s sd:feature sd:DereferencesURIs")
    assert not asks("?s sd:feature sd:BasicFederatedQuery")
    assert asks("[] sd:namedGraph [ a sd:NamedGraph ; sd:name <https://example.org/graph/a> ; "
                "sd:graph [ a sd:Graph ; void:triples 7 ] ]")  # fmt: skip
    assert asks("[] sd:namedGraph [ sd:name <https://example.org/graph/b> ; sd:graph ?g ] "
                "FILTER NOT EXISTS { ?g void:triples ?n }")  # fmt: skip


def test_federation_is_told_of_when_it_is_there() -> None:
    told = service_description(ENDPOINT, media.TURTLE, union=True, federated=True)
    assert b"sd:BasicFederatedQuery" in told


def test_the_graphs_are_those_of_the_store_with_what_is_known_of_their_size() -> None:
    store = Store()
    store.update(
        f"INSERT DATA {{ GRAPH <urn:b> {{ <urn:s> <urn:p> 1 }} GRAPH <urn:a> {{ <urn:s> <urn:p> 1 "
        f"}} GRAPH <{RESERVED}> {{ <urn:b> <{VOID['triples'].value}> 1 }} }}"
    )
    found = store.query(graphs_query(RESERVED).text)
    assert isinstance(found, QuerySolutions)
    answer = found.serialize(format=QueryResultsFormat.JSON)
    assert answer is not None
    assert read_graphs(answer) == [
        Described(RESERVED),
        Described("urn:a"),
        Described("urn:b", 1),
    ]
