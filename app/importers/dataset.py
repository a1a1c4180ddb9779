"""The description that every dataset file carries about itself (DCAT-AP 3.0)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from pyoxigraph import Literal, NamedNode, Triple

from app.rdf.terms import DCAT, DCTERMS, XSD, Namespace, string, type_

BASE = Namespace("https://w3id.org/lifetec/")
ID = Namespace(f"{BASE}id/")
SCHEME = Namespace(f"{BASE}scheme/")

CC0 = "http://publications.europa.eu/resource/authority/licence/CC0"
CC_BY_4 = "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0"
COMMISSION_REUSE = "http://publications.europa.eu/resource/authority/licence/COM_REUSE"

EXAMPLE_TYPE = SCHEME["dataset-type/example"]
REGISTER = SCHEME["dataset-type/register"]
VOCABULARY = SCHEME["dataset-type/vocabulary"]


def graph(name: str, partner: str = "lifetec") -> NamedNode:
    """The IRI of a dataset, which is also the name of its graph."""
    return BASE[f"graph/{partner}/{name}"]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a dataset says about itself; `iri` is its graph."""

    iri: NamedNode
    titles: Mapping[str, str]
    text: str
    licence: str
    sources: tuple[str, ...] = ()
    issued: date
    modified: date
    keywords: tuple[str, ...] = ()
    requires: tuple[NamedNode, ...] = ()
    kind: NamedNode | None = None
    periodicity: str | None = None
    publisher: NamedNode = field(default_factory=lambda: ID["partner/lifetec"])

    def triples(self) -> Iterator[Triple]:
        """Statements about the dataset and its distribution, and nothing else."""
        yield Triple(self.iri, type_, DCAT["Dataset"])
        for lang, title in self.titles.items():
            yield Triple(self.iri, DCTERMS["title"], string(title, lang))
        yield Triple(self.iri, DCTERMS["description"], string(self.text, "en"))
        yield Triple(self.iri, DCTERMS["publisher"], self.publisher)
        yield Triple(self.iri, DCTERMS["license"], NamedNode(self.licence))
        for source in self.sources:
            yield Triple(self.iri, DCTERMS["source"], NamedNode(source))
        yield Triple(self.iri, DCTERMS["issued"], _date(self.issued))
        yield Triple(self.iri, DCTERMS["modified"], _date(self.modified))
        for keyword in self.keywords:
            yield Triple(self.iri, DCAT["keyword"], string(keyword, "en"))
        for other in self.requires:
            yield Triple(self.iri, DCTERMS["requires"], other)
        if self.kind is not None:
            yield Triple(self.iri, DCTERMS["type"], self.kind)
        if self.periodicity is not None:
            yield Triple(self.iri, DCTERMS["accrualPeriodicity"], NamedNode(self.periodicity))
        distribution = NamedNode(f"{self.iri.value}#distribution")
        yield Triple(self.iri, DCAT["distribution"], distribution)
        yield Triple(distribution, type_, DCAT["Distribution"])
        yield Triple(distribution, DCAT["accessURL"], self.iri)
        yield Triple(distribution, DCTERMS["license"], NamedNode(self.licence))


def _date(value: date) -> Literal:
    return Literal(value.isoformat(), datatype=XSD["date"])
