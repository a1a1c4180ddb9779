"""What the reserved graph says of partners and their datasets (DCAT), from their accounts."""

from __future__ import annotations

from collections.abc import Iterator

from pyoxigraph import NamedNode, Triple

from app.accounts import Dataset, Partner
from app.rdf.terms import DCAT, DCTERMS, FOAF, M8G, PROV, SKOS, VCARD, string, type_


def description(dataset: Dataset, partner: Partner) -> str:
    """All that is said of a dataset and its partner, as N-Triples."""
    triples = [*_of_dataset(dataset, partner), *_of_partner(partner)]
    return "".join(f"{triple} .\n" for triple in triples)


def _of_dataset(one: Dataset, partner: Partner) -> Iterator[Triple]:
    dataset, distribution = NamedNode(one.iri), NamedNode(f"{one.iri}#distribution")
    licence = NamedNode(one.licence)
    yield Triple(dataset, type_, DCAT["Dataset"])
    for language, title in one.titles.items():
        yield Triple(dataset, DCTERMS["title"], string(title, language))
    name = partner.names.get("en") or next(iter(partner.names.values()))
    title = one.titles.get("en") or next(iter(one.titles.values()))
    in_words = string(f"{title}: a dataset of the data partner {name}.", "en")
    yield Triple(dataset, DCTERMS["description"], in_words)
    yield Triple(dataset, DCTERMS["publisher"], NamedNode(partner.iri))
    yield Triple(dataset, DCTERMS["license"], licence)
    yield Triple(dataset, DCTERMS["accrualPeriodicity"], NamedNode(one.rhythm.iri))
    yield Triple(dataset, DCAT["distribution"], distribution)
    yield Triple(distribution, type_, DCAT["Distribution"])
    yield Triple(distribution, DCAT["accessURL"], dataset)
    yield Triple(distribution, DCTERMS["license"], licence)
    contact, address = NamedNode(f"{one.iri}#contact"), one.contact
    yield Triple(dataset, DCAT["contactPoint"], contact)
    yield Triple(contact, type_, VCARD["Kind"])
    yield Triple(contact, VCARD["fn"], string(name))
    if _is_web_address(address):
        yield Triple(contact, VCARD["hasURL"], NamedNode(address))
    else:
        yield Triple(contact, VCARD["hasEmail"], NamedNode(f"mailto:{address}"))


def _of_partner(one: Partner) -> Iterator[Triple]:
    partner, contact = NamedNode(one.iri), NamedNode(f"{one.iri}#contact")
    yield Triple(partner, type_, PROV["Agent"])
    yield Triple(partner, type_, FOAF["Agent"])
    for language, name in one.names.items():
        yield Triple(partner, SKOS["prefLabel"], string(name, language))
        yield Triple(partner, FOAF["name"], string(name, language))
    yield Triple(partner, M8G["contactPoint"], contact)
    yield Triple(contact, type_, M8G["ContactPoint"])
    if _is_web_address(one.contact):
        yield Triple(contact, M8G["contactPage"], NamedNode(one.contact))
    else:
        yield Triple(contact, M8G["email"], string(one.contact))


def _is_web_address(contact: str) -> bool:
    return contact.startswith(("http://", "https://"))
