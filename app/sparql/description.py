"""SPARQL 1.1 Service Description, the part that does not depend on the data."""

from __future__ import annotations

from pyoxigraph import BlankNode, NamedNode, Triple

from app.rdf import media
from app.rdf.serialising import serialise
from app.rdf.terms import FORMATS, SD, type_

_FORMATS = (
    "SPARQL_Results_JSON", "SPARQL_Results_XML", "SPARQL_Results_CSV", "SPARQL_Results_TSV",
    "Turtle", "N-Triples", "JSON-LD", "RDF_XML",
)  # fmt: skip


def service_description(endpoint: str, media_type: str, *, union: bool) -> bytes:
    """The description of `endpoint`, serialised."""
    service, dataset, default = BlankNode("service"), BlankNode("dataset"), BlankNode("default")
    triples = [
        Triple(service, type_, SD["Service"]),
        Triple(service, SD["endpoint"], NamedNode(endpoint)),
        Triple(service, SD["supportedLanguage"], SD["SPARQL11Query"]),
        *(Triple(service, SD["resultFormat"], FORMATS[name]) for name in _FORMATS),
        Triple(service, SD["defaultDataset"], dataset),
        Triple(dataset, type_, SD["Dataset"]),
        Triple(dataset, SD["defaultGraph"], default),
        Triple(default, type_, SD["Graph"]),
    ]
    if union:
        triples.append(Triple(service, SD["feature"], SD["UnionDefaultGraph"]))
    name = media.rdf_media_type(media_type) or media.TURTLE
    return serialise(sorted(triples, key=str), name)
