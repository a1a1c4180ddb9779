"""All datasets together as VoID (W3C Interest Group Note of 3 March 2011)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pyoxigraph import NamedNode, Triple

from app.catalog.house import House
from app.catalog.reading import Described
from app.rdf.terms import (
    DCTERMS,
    FOAF,
    FORMATS,
    PREFIXES,
    VOID,
    Namespace,
    integer,
    string,
    type_,
)  # fmt: skip
from app.rdf.void import document_iri, partition_iri

_FORMATS = ("Turtle", "JSON-LD", "N-Triples", "RDF_XML")
_SUMMED = (VOID["triples"], VOID["entities"])


def void(statistics: Described, datasets: Described, house: House) -> list[Triple]:
    """The description of the whole, of each dataset with its partitions, and of the link sets.

    Counts of the whole are sums over the datasets: what two of them say counts twice.
    """
    document = NamedNode(document_iri(house.base_iri))
    whole, prefix = NamedNode(house.dataset), f"{document.value}#"
    triples = [*_document(document, whole), *_whole(statistics, whole, house)]
    for dataset in statistics.things(VOID["Dataset"]):
        triples.append(Triple(whole, VOID["subset"], dataset))
        address = NamedNode(house.graph_address(dataset.value))
        triples.append(Triple(dataset, VOID["dataDump"], address))
        triples.append(Triple(dataset, VOID["sparqlEndpoint"], _endpoint(house)))
        triples += statistics.tree(dataset, prefix)
        for name in ("title", "description", "license", "publisher", "source"):
            triples += (
                Triple(dataset, DCTERMS[name], value)
                for value in datasets.values(dataset, DCTERMS[name])
            )
    for linkset in statistics.things(VOID["Linkset"]):
        triples.append(Triple(whole, VOID["subset"], linkset))
        triples += (
            triple
            for triple in statistics.tree(linkset, prefix)
            if triple.subject.value.startswith(prefix)  # type: ignore[union-attr]
        )
    return list(dict.fromkeys(triples))


def _document(document: NamedNode, whole: NamedNode) -> Iterator[Triple]:
    yield Triple(document, type_, VOID["DatasetDescription"])
    yield Triple(document, DCTERMS["title"], string("VoID description of LifeTec Graph", "en"))
    yield Triple(document, FOAF["primaryTopic"], whole)


def _whole(statistics: Described, whole: NamedNode, house: House) -> Iterator[Triple]:
    yield Triple(whole, type_, VOID["Dataset"])
    for lang, text in house.titles.items():
        yield Triple(whole, DCTERMS["title"], string(text, lang))
    for lang, text in house.descriptions.items():
        yield Triple(whole, DCTERMS["description"], string(text, lang))
    yield Triple(whole, FOAF["homepage"], NamedNode(f"{house.public_url}/"))
    yield Triple(whole, VOID["sparqlEndpoint"], _endpoint(house))
    yield Triple(whole, VOID["uriSpace"], string(house.base_iri))
    yield from statistics.all(whole)  # the example
    for name in _FORMATS:
        yield Triple(whole, VOID["feature"], FORMATS[name])
    datasets = statistics.things(VOID["Dataset"])
    for asks in _SUMMED:
        total = sum(statistics.number(dataset, asks) for dataset in datasets)
        yield Triple(whole, asks, integer(total))
    for kind in ("class", "property"):
        yield from _partitions(statistics, kind, whole, house.base_iri)


def _partitions(
    statistics: Described, kind: str, whole: NamedNode, base_iri: str
) -> Iterator[Triple]:
    asks = VOID["entities" if kind == "class" else "triples"]
    totals: Counter[NamedNode] = Counter()
    for dataset in statistics.things(VOID["Dataset"]):
        for partition in statistics.iris(dataset, VOID[f"{kind}Partition"]):
            for what in statistics.iris(partition, VOID[kind]):
                totals[what] += statistics.number(partition, asks)
    yield Triple(whole, VOID["classes" if kind == "class" else "properties"], integer(len(totals)))
    for what, total in sorted(totals.items(), key=lambda one: one[0].value):
        node = partition_iri(base_iri, whole.value, kind, what.value)
        yield Triple(whole, VOID[f"{kind}Partition"], node)
        yield Triple(node, VOID[kind], what)
        yield Triple(node, asks, integer(total))
    for space in _vocabularies(totals):
        yield Triple(whole, VOID["vocabulary"], NamedNode(space))


def _vocabularies(terms: Counter[NamedNode]) -> list[Namespace | str]:
    return sorted(
        space for space in PREFIXES.values() if any(one.value.startswith(space) for one in terms)
    )


def _endpoint(house: House) -> NamedNode:
    return NamedNode(f"{house.public_url}/sparql")
