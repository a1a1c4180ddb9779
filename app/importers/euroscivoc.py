"""The European Science Vocabulary: fields of science as one SKOS concept scheme."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyoxigraph import NamedNode, Triple

from app.importers.rows import Row, text
from app.rdf.terms import SKOS, string, type_

VOCABULARY = "http://data.europa.eu/8mn/euroscivoc/"
SCHEME_IRI = NamedNode(f"{VOCABULARY}40c0f173-baa3-48a3-9fe6-d6e8fb366a00")


def triples(rows: Iterable[Row]) -> Iterator[Triple]:
    """Concepts with the source's IRI, notation, English label and broader concept.

    A concept without a place in the tree (the source has some) is in the scheme, but neither top
    concept nor below one.
    """
    yield Triple(SCHEME_IRI, type_, SKOS["ConceptScheme"])
    yield Triple(SCHEME_IRI, SKOS["prefLabel"], string("European Science Vocabulary", "en"))
    yield Triple(SCHEME_IRI, SKOS["altLabel"], string("EuroSciVoc"))
    for row in rows:
        concept = NamedNode(row["uri"])
        yield Triple(concept, type_, SKOS["Concept"])
        yield Triple(concept, SKOS["inScheme"], SCHEME_IRI)
        yield Triple(concept, SKOS["notation"], string(text(row["notation"])))
        yield Triple(concept, SKOS["prefLabel"], string(text(row["prefLabel_en"]), "en"))
        if row["broader_uri"]:
            yield Triple(concept, SKOS["broader"], NamedNode(row["broader_uri"]))
        elif row["code"].count("/") == 1:
            yield Triple(concept, SKOS["topConceptOf"], SCHEME_IRI)
            yield Triple(SCHEME_IRI, SKOS["hasTopConcept"], concept)
