"""The European Medical Device Nomenclature: device categories as one SKOS concept scheme."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyoxigraph import NamedNode, Triple

from app.importers.dataset import SCHEME
from app.importers.rows import Row, text
from app.rdf.terms import SKOS, string, type_

SCHEME_IRI = SCHEME["emdn"]
LEVELS = 4
"""How deep the shipped list goes; deeper codes stand for single variants of a product."""


def concept(code: str) -> NamedNode:
    """The concept of an EMDN code such as `Z1201`."""
    return SCHEME[f"emdn/{code}"]


def triples(rows: Iterable[Row], levels: int = LEVELS) -> Iterator[Triple]:
    """Concepts down to `levels`, with notation, label as the source has it, and broader."""
    yield Triple(SCHEME_IRI, type_, SKOS["ConceptScheme"])
    label = "European Medical Device Nomenclature"
    yield Triple(SCHEME_IRI, SKOS["prefLabel"], string(label, "en"))
    yield Triple(SCHEME_IRI, SKOS["altLabel"], string("EMDN"))
    for row in rows:
        if int(row["level"]) > levels:
            continue
        code = row["code"].strip()
        iri = concept(code)
        yield Triple(iri, type_, SKOS["Concept"])
        yield Triple(iri, SKOS["inScheme"], SCHEME_IRI)
        yield Triple(iri, SKOS["notation"], string(code))
        yield Triple(iri, SKOS["prefLabel"], string(text(row["term"]), "en"))
        if broader := _broader(code):
            yield Triple(iri, SKOS["broader"], concept(broader))
        else:
            yield Triple(iri, SKOS["topConceptOf"], SCHEME_IRI)
            yield Triple(SCHEME_IRI, SKOS["hasTopConcept"], iri)


def _broader(code: str) -> str:
    """A code is one letter and then two digits a level."""
    return code[:-2]
