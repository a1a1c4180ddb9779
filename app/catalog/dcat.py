"""The catalogue of datasets and services as DCAT-AP 3.0.1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pyoxigraph import Literal, NamedNode, Triple

from app.catalog.house import AUTHORITY, LANGUAGES, House
from app.catalog.reading import Described
from app.rdf import media
from app.rdf.terms import DCAT, DCTERMS, FOAF, SKOS, VCARD, VOID, XSD, string, type_

_CC0 = f"{AUTHORITY}licence/CC0"
_PUBLIC = f"{AUTHORITY}access-right/PUBLIC"
_THEMES = tuple(NamedNode(f"{AUTHORITY}data-theme/{code}") for code in ("HEAL", "TECH"))
_FORMATS = {  # suffix: format, its code in the European Union, its name
    "ttl": (media.TURTLE, "RDF_TURTLE", "Turtle"),
    "jsonld": (media.JSON_LD, "JSON_LD", "JSON-LD"),
    "nt": (media.N_TRIPLES, "RDF_N_TRIPLES", "N-Triples"),
    "rdf": (media.RDF_XML, "RDF_XML", "RDF/XML"),
}
_SERVICES = {  # fragment: address, its description, specification, title
    "sparql": (
        "/sparql", "/sparql", "http://www.w3.org/TR/sparql11-protocol/", "SPARQL endpoint",
    ),
    "graphs": (
        "/graphs", "/docs", "http://www.w3.org/TR/sparql11-http-rdf-update/", "Graph store",
    ),
    "api": ("/api/v1", "/openapi.json", "https://spec.openapis.org/oas/v3.1.0", "JSON interface"),
}  # fmt: skip
_REWRITTEN = (DCTERMS["issued"], DCTERMS["modified"], DCTERMS["publisher"], type_)


def catalogued(datasets: Described) -> list[NamedNode]:
    """The datasets of the catalogue: those that are described, or hold something."""
    found = {*datasets.things(DCAT["Dataset"]), *datasets.things(VOID["Dataset"])}
    return sorted(found, key=str)


def record_of(dataset: NamedNode) -> NamedNode:
    """The catalogue's note on a dataset."""
    return NamedNode(f"{dataset.value}#record")


def catalog(datasets: Described, house: House) -> list[Triple]:
    """The whole catalogue."""
    triples = [*_catalog(datasets, house), *_house(house)]
    known = catalogued(datasets)
    for dataset in known:
        triples += _dataset(dataset, datasets, house)
    for name in _SERVICES:
        triples += _service(name, known, house)
    return list(dict.fromkeys(triples))


def _catalog(datasets: Described, house: House) -> Iterator[Triple]:
    node = NamedNode(house.catalog)
    yield Triple(node, type_, DCAT["Catalog"])
    yield from _texts(node, DCTERMS["title"], house.titles)
    yield from _texts(node, DCTERMS["description"], house.descriptions)
    yield Triple(node, DCTERMS["publisher"], _publisher(house))
    yield Triple(node, DCTERMS["license"], NamedNode(_CC0))
    yield Triple(node, FOAF["homepage"], NamedNode(f"{house.public_url}/"))
    yield Triple(node, DCAT["contactPoint"], _contact(house))
    yield Triple(node, DCAT["themeTaxonomy"], NamedNode(f"{AUTHORITY}data-theme"))
    yield Triple(node, DCAT["version"], string(str(datasets.generation)))
    for theme in _THEMES:
        yield Triple(node, DCAT["theme"], theme)
    for country in house.countries:
        yield Triple(node, DCTERMS["spatial"], NamedNode(f"{AUTHORITY}country/{country}"))
    for code in LANGUAGES.values():
        yield Triple(node, DCTERMS["language"], NamedNode(f"{AUTHORITY}language/{code}"))
    known = catalogued(datasets)
    records = [record_of(one) for one in known]
    times = [str(t.value) for one in records for t in _times(datasets, one)]
    for predicate, time in (("issued", min), ("modified", max)):
        if times:
            value = Literal(time(times), datatype=XSD["dateTime"])
            yield Triple(node, DCTERMS[predicate], value)
    for dataset, record in zip(known, records, strict=True):
        yield Triple(node, DCAT["dataset"], dataset)
        if datasets.values(record, DCTERMS["modified"]):
            yield Triple(node, DCAT["record"], record)
    for name in _SERVICES:
        yield Triple(node, DCAT["service"], _service_iri(name, house))


def _times(datasets: Described, record: NamedNode) -> Iterator[Literal]:
    for name in ("issued", "modified"):
        for value in datasets.values(record, DCTERMS[name]):
            if isinstance(value, Literal):
                yield value


def _house(house: House) -> Iterator[Triple]:
    publisher, contact = _publisher(house), _contact(house)
    yield Triple(publisher, type_, FOAF["Agent"])
    yield Triple(publisher, FOAF["name"], string(house.publisher))
    yield Triple(contact, type_, VCARD["Kind"])
    yield Triple(contact, VCARD["fn"], string(house.publisher))
    if "@" in house.contact and "/" not in house.contact:
        yield Triple(contact, VCARD["hasEmail"], NamedNode(f"mailto:{house.contact}"))
    else:
        yield Triple(contact, VCARD["hasURL"], NamedNode(house.contact))
    for theme in _THEMES:
        yield Triple(theme, type_, SKOS["Concept"])


def _dataset(dataset: NamedNode, datasets: Described, house: House) -> Iterator[Triple]:
    yield Triple(dataset, type_, DCAT["Dataset"])
    yield from datasets.all(dataset, without=_REWRITTEN)
    name = string(dataset.value.removeprefix(f"{house.base_iri}graph/"))
    for predicate in ("title", "description"):
        if not datasets.values(dataset, DCTERMS[predicate]):
            yield Triple(dataset, DCTERMS[predicate], name)
    publishers = datasets.iris(dataset, DCTERMS["publisher"])[:1] or [_publisher(house)]
    for publisher in publishers:
        yield Triple(dataset, DCTERMS["publisher"], publisher)
        yield Triple(publisher, type_, FOAF["Agent"])
        names = datasets.values(publisher, FOAF["name"]) or (string(house.publisher),)
        yield from (Triple(publisher, FOAF["name"], name) for name in names)
    for contact in datasets.iris(dataset, DCAT["contactPoint"]):
        yield from datasets.all(contact)
    if not datasets.values(dataset, DCAT["contactPoint"]):
        yield Triple(dataset, DCAT["contactPoint"], _contact(house))
    if not datasets.values(dataset, DCAT["theme"]):
        yield from (Triple(dataset, DCAT["theme"], theme) for theme in _THEMES)
    yield Triple(dataset, DCTERMS["accessRights"], NamedNode(_PUBLIC))
    yield from _record(dataset, datasets)
    yield from _distributions(dataset, datasets, house)


def _record(dataset: NamedNode, datasets: Described) -> Iterator[Triple]:
    record = record_of(dataset)
    yield from datasets.all(record)
    for name in ("issued", "modified"):
        for value in datasets.values(record, DCTERMS[name]):
            yield Triple(dataset, DCTERMS[name], value)


def _distributions(dataset: NamedNode, datasets: Described, house: House) -> Iterator[Triple]:
    address = NamedNode(house.graph_address(dataset.value))
    licences = datasets.iris(dataset, DCTERMS["license"])[:1]
    for suffix, (media_type, code, name) in _FORMATS.items():
        node = NamedNode(f"{dataset.value}#{suffix}")
        yield Triple(dataset, DCAT["distribution"], node)
        yield Triple(node, type_, DCAT["Distribution"])
        yield Triple(node, DCTERMS["title"], string(name, "en"))
        yield Triple(node, DCAT["accessURL"], address)
        yield Triple(node, DCAT["downloadURL"], NamedNode(f"{address.value}&format={suffix}"))
        yield Triple(node, DCTERMS["format"], NamedNode(f"{AUTHORITY}file-type/{code}"))
        iana = f"http://www.iana.org/assignments/media-types/{media_type}"
        yield Triple(node, DCAT["mediaType"], NamedNode(iana))
        yield Triple(node, DCAT["accessService"], _service_iri("graphs", house))
        yield from (Triple(node, DCTERMS["license"], licence) for licence in licences)


def _service(name: str, known: Iterable[NamedNode], house: House) -> Iterator[Triple]:
    address, description, specification, title = _SERVICES[name]
    node = _service_iri(name, house)
    yield Triple(node, type_, DCAT["DataService"])
    yield Triple(node, DCTERMS["title"], string(title, "en"))
    yield Triple(node, DCAT["endpointURL"], NamedNode(f"{house.public_url}{address}"))
    yield Triple(node, DCAT["endpointDescription"], NamedNode(f"{house.public_url}{description}"))
    yield Triple(node, DCTERMS["conformsTo"], NamedNode(specification))
    yield Triple(node, DCTERMS["publisher"], _publisher(house))
    yield Triple(node, DCTERMS["license"], NamedNode(_CC0))
    yield Triple(node, DCTERMS["accessRights"], NamedNode(_PUBLIC))
    yield Triple(node, DCAT["contactPoint"], _contact(house))
    yield from (Triple(node, DCAT["servesDataset"], dataset) for dataset in known)


def _texts(node: NamedNode, predicate: NamedNode, texts: Mapping[str, str]) -> Iterator[Triple]:
    for lang, text in texts.items():
        yield Triple(node, predicate, string(text, lang))


def _service_iri(name: str, house: House) -> NamedNode:
    return NamedNode(f"{house.catalog}#{name}")


def _publisher(house: House) -> NamedNode:
    return NamedNode(f"{house.catalog}#publisher")


def _contact(house: House) -> NamedNode:
    return NamedNode(f"{house.catalog}#contact")
