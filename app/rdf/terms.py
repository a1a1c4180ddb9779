"""Namespaces and the prefixes that every serialisation of this project uses."""

from __future__ import annotations

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, Triple

type_ = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")

Subject = NamedNode | BlankNode | Triple
Term = NamedNode | BlankNode | Literal | Triple
GraphName = NamedNode | BlankNode | DefaultGraph

__all__ = [
    "PREFIXES",
    "GraphName",
    "Namespace",
    "Subject",
    "Term",
    "integer",
    "n_quad",
    "string",
    "type_",
]


class Namespace(str):
    """A namespace IRI; `SKOS["prefLabel"]` is the term in it."""

    __slots__ = ()

    def __getitem__(self, name: object) -> NamedNode:  # type: ignore[override]
        return NamedNode(f"{self!s}{name}")


RDF = Namespace("http://www.w3.org/1999/02/22-rdf-syntax-ns#")
RDFS = Namespace("http://www.w3.org/2000/01/rdf-schema#")
OWL = Namespace("http://www.w3.org/2002/07/owl#")
XSD = Namespace("http://www.w3.org/2001/XMLSchema#")
SH = Namespace("http://www.w3.org/ns/shacl#")
DASH = Namespace("http://datashapes.org/dash#")
SKOS = Namespace("http://www.w3.org/2004/02/skos/core#")
DCTERMS = Namespace("http://purl.org/dc/terms/")
DCAT = Namespace("http://www.w3.org/ns/dcat#")
PROV = Namespace("http://www.w3.org/ns/prov#")
FOAF = Namespace("http://xmlns.com/foaf/0.1/")
ORG = Namespace("http://www.w3.org/ns/org#")
LEGAL = Namespace("http://www.w3.org/ns/legal#")
M8G = Namespace("http://data.europa.eu/m8g/")
ADMS = Namespace("http://www.w3.org/ns/adms#")
LOCN = Namespace("http://www.w3.org/ns/locn#")
GEO = Namespace("http://www.opengis.net/ont/geosparql#")
EURIO = Namespace("http://data.europa.eu/s66#")
FRAPO = Namespace("http://purl.org/cerif/frapo/")
SCHEMA = Namespace("https://schema.org/")
AS = Namespace("https://www.w3.org/ns/activitystreams#")
VOID = Namespace("http://rdfs.org/ns/void#")
VOID_EXT = Namespace("http://ldf.fi/void-ext#")
SD = Namespace("http://www.w3.org/ns/sparql-service-description#")
FORMATS = Namespace("http://www.w3.org/ns/formats/")
SPEX = Namespace("https://purl.expasy.org/sparql-examples/ontology#")
SPDX = Namespace("http://spdx.org/rdf/terms#")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
LT = Namespace("https://w3id.org/lifetec/ontology#")
PF = Namespace("https://w3id.org/lifetec/profile#")

PREFIXES: dict[str, str] = {
    "a4g": "http://data.europa.eu/a4g/ontology#",
    "adms": ADMS,
    "as": AS,
    "dash": DASH,
    "dcat": DCAT,
    "dcterms": DCTERMS,
    "eurio": EURIO,
    "foaf": FOAF,
    "frapo": FRAPO,
    "geo": GEO,
    "gr": "http://purl.org/goodrelations/v1#",
    "legal": LEGAL,
    "locn": LOCN,
    "lt": LT,
    "m8g": M8G,
    "org": ORG,
    "owl": OWL,
    "pf": PF,
    "prov": PROV,
    "rdf": RDF,
    "rdfs": RDFS,
    "schema": SCHEMA,
    "sd": SD,
    "sh": SH,
    "skos": SKOS,
    "spdx": SPDX,
    "spex": SPEX,
    "vcard": VCARD,
    "void": VOID,
    "xsd": XSD,
}


def string(value: str, lang: str | None = None) -> Literal:
    """A plain or language-tagged literal."""
    return Literal(value, language=lang) if lang else Literal(value)


def integer(value: int) -> Literal:
    """An xsd:integer."""
    return Literal(str(value), datatype=XSD["integer"])


def n_quad(quad: Quad) -> str:
    """The quad as one N-Quads line without its newline; lines sort in a stable order."""
    return f"{quad} ."
