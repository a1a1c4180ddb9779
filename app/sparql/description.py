"""SPARQL 1.1 Service Description: what the endpoints can do, and which graphs there are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from app.rdf import media
from app.rdf.serialising import serialise
from app.rdf.terms import FORMATS, RDFS, SD, VOID, XSD, Namespace, integer, type_
from app.sparql.operation import Query

GEOF: Final = Namespace("http://www.opengis.net/def/function/geosparql/")
_SIMPLE: Final = NamedNode("http://www.w3.org/ns/entailment/Simple")

_RESULT_FORMATS: Final = (
    "SPARQL_Results_JSON", "SPARQL_Results_XML", "SPARQL_Results_CSV", "SPARQL_Results_TSV",
)  # fmt: skip
_RDF_FORMATS: Final = ("Turtle", "JSON-LD", "N-Triples", "RDF_XML", "TriG", "N-Quads")

EXTENSION_FUNCTIONS: Final = (
    *(
        GEOF[name]
        for name in [
            "asGeoJSON",
            "centroid",
            "convexHull",
            "coordinateDimension",
            "difference",
            "dimension",
            "distance",
            "ehContains",
            "ehCoveredBy",
            "ehCovers",
            "ehDisjoint",
            "ehEquals",
            "ehInside",
            "ehMeet",
            "ehOverlap",
            "envelope",
            "getSRID",
            "intersection",
            "isEmpty",
            "isSimple",
            "length",
            "rcc8dc",
            "rcc8ec",
            "rcc8eq",
            "rcc8ntpp",
            "rcc8ntppi",
            "rcc8po",
            "rcc8tpp",
            "rcc8tppi",
            "relate",
            "sfContains",
            "sfCrosses",
            "sfDisjoint",
            "sfEquals",
            "sfIntersects",
            "sfOverlaps",
            "sfTouches",
            "sfWithin",
            "symDifference",
            "union",
        ]
    ),
    *(
        XSD[name]
        for name in [
            "date",
            "time",
            "gYear",
            "gMonth",
            "gDay",
            "gYearMonth",
            "gMonthDay",
            "duration",
            "dayTimeDuration",
            "yearMonthDuration",
        ]
    ),
)
"""Functions beyond SPARQL 1.1 that the engine has: of GeoSPARQL 1.1, and casts."""

LATER_FUNCTIONS: Final = [
    "TRIPLE",
    "SUBJECT",
    "PREDICATE",
    "OBJECT",
    "isTRIPLE",
    "LANGDIR",
    "STRLANGDIR",
    "hasLANG",
    "hasLANGDIR",
    "ADJUST",
]
"""Those of SPARQL 1.2 that the engine has; they are keywords, so no IRI names them."""

_MOST_GRAPHS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Described:
    """A named graph, and how many triples it has if that is known."""

    name: str
    triples: int | None = None


def graphs_query(reserved_graph: str) -> Query:
    """Asks for all named graphs; what is known of their size stands in the reserved one."""
    return Query(
        f"SELECT ?graph (MAX(?n) AS ?triples) {{ GRAPH ?graph {{}} OPTIONAL {{ "
        f"GRAPH <{reserved_graph}> {{ ?graph <{VOID['triples'].value}> ?n }} }} }} "
        f"GROUP BY ?graph ORDER BY ?graph LIMIT {_MOST_GRAPHS}"
    )


def read_graphs(answer: bytes) -> list[Described]:
    """What `graphs_query` is answered with, in JSON."""
    rows = json.loads(answer)["results"]["bindings"]
    return [
        Described(
            row["graph"]["value"],
            int(row["triples"]["value"]) if "triples" in row else None,
        )
        for row in rows
    ]


def service_description(
    endpoint: str,
    media_type: str,
    *,
    union: bool,
    graphs: Sequence[Described] = (),
    update: str | None = None,
    federated: bool = False,
) -> bytes:
    """The description of `endpoint`, serialised; `update` is the address for updates."""
    triples = [*_service(endpoint, union=union, federated=federated), *_dataset(graphs)]
    if update:
        triples += _update_service(update)
    name = media.rdf_media_type(media_type) or media.TURTLE
    return serialise(sorted(triples, key=str), name)


_SERVICE: Final = BlankNode("service")
_DATASET: Final = BlankNode("dataset")


def _service(endpoint: str, *, union: bool, federated: bool) -> Iterator[Triple]:
    yield Triple(_SERVICE, type_, SD["Service"])
    yield Triple(_SERVICE, SD["endpoint"], NamedNode(endpoint))
    yield Triple(_SERVICE, SD["supportedLanguage"], SD["SPARQL11Query"])
    for name in (*_RESULT_FORMATS, *_RDF_FORMATS):
        yield Triple(_SERVICE, SD["resultFormat"], FORMATS[name])
    if union:
        yield Triple(_SERVICE, SD["feature"], SD["UnionDefaultGraph"])
    if federated:
        yield Triple(_SERVICE, SD["feature"], SD["BasicFederatedQuery"])
    yield Triple(_SERVICE, SD["defaultEntailmentRegime"], _SIMPLE)
    for function in EXTENSION_FUNCTIONS:
        yield Triple(_SERVICE, SD["extensionFunction"], function)
        yield Triple(function, type_, SD["Function"])
    later = f"Functions of SPARQL 1.2 that are there: {', '.join(LATER_FUNCTIONS)}."
    yield Triple(_SERVICE, RDFS["comment"], Literal(later, language="en"))
    yield Triple(_SERVICE, SD["defaultDataset"], _DATASET)


def _dataset(graphs: Sequence[Described]) -> Iterator[Triple]:
    default = BlankNode("default")
    yield Triple(_DATASET, type_, SD["Dataset"])
    yield Triple(_DATASET, SD["defaultGraph"], default)
    yield Triple(default, type_, SD["Graph"])
    for number, one in enumerate(graphs):
        named, graph = BlankNode(f"named{number}"), BlankNode(f"graph{number}")
        yield Triple(_DATASET, SD["namedGraph"], named)
        yield Triple(named, type_, SD["NamedGraph"])
        yield Triple(named, SD["name"], NamedNode(one.name))
        yield Triple(named, SD["graph"], graph)
        yield Triple(graph, type_, SD["Graph"])
        if one.triples is not None:
            yield Triple(graph, VOID["triples"], integer(one.triples))


def _update_service(address: str) -> Iterator[Triple]:
    # An IRI, since clients take the endpoint of any service without a name for that of queries.
    service = NamedNode(address)
    yield Triple(service, type_, SD["Service"])
    yield Triple(service, SD["endpoint"], NamedNode(address))
    yield Triple(service, SD["supportedLanguage"], SD["SPARQL11Update"])
    yield Triple(service, SD["defaultEntailmentRegime"], _SIMPLE)
    for name in _RDF_FORMATS:
        yield Triple(service, SD["inputFormat"], FORMATS[name])
    yield Triple(service, SD["defaultDataset"], _DATASET)
