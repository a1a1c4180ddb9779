"""Example queries: five first steps of our own, and those that a graph of examples holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyoxigraph as ox

from app.rdf.terms import RDFS, SCHEMA, SH, type_


@dataclass(frozen=True, slots=True)
class Example:
    """A query with a title in one or more languages; `key` names it in addresses."""

    key: str
    titles: Mapping[str, str]
    query: str
    keywords: tuple[str, ...] = ()


_PREFIXES = {
    "eurio": "http://data.europa.eu/s66#",
    "org": "http://www.w3.org/ns/org#",
    "locn": "http://www.w3.org/ns/locn#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
}

_BODIES = {
    "organisations": """
SELECT ?organisation ?name ?city ?country WHERE {
  ?organisation a org:Organization ; skos:prefLabel ?name .
  OPTIONAL {
    ?organisation org:hasPrimarySite/org:siteAddress ?address .
    OPTIONAL { ?address locn:postName ?city }
    OPTIONAL { ?address locn:adminUnitL1/skos:prefLabel ?country FILTER(lang(?country) = "en") }
  }
} ORDER BY ?name LIMIT 200""",
    "projects": """
SELECT ?project ?acronym (COUNT(DISTINCT ?organisation) AS ?partners) WHERE {
  ?project a eurio:Project ; eurio:hasInvolvedParty ?role .
  ?role eurio:isRoleOf ?organisation .
  OPTIONAL { ?project eurio:hasAcronym/eurio:shortForm ?acronym }
} GROUP BY ?project ?acronym ORDER BY DESC(?partners) LIMIT 50""",
    "crossborder": """
PREFIX country: <http://publications.europa.eu/resource/authority/country/>
SELECT ?project (SAMPLE(?short) AS ?acronym) (COUNT(DISTINCT ?organisation) AS ?partners) WHERE {
  ?project a eurio:Project ; eurio:hasInvolvedParty/eurio:isRoleOf ?organisation .
  ?organisation org:hasPrimarySite/org:siteAddress/locn:adminUnitL1 ?country .
  VALUES ?country { country:NLD country:BEL country:DEU }
  OPTIONAL { ?project eurio:hasAcronym/eurio:shortForm ?short }
} GROUP BY ?project HAVING (COUNT(DISTINCT ?country) = 3) ORDER BY DESC(?partners) LIMIT 50""",
    "coordinators": """
SELECT ?organisation ?name (COUNT(DISTINCT ?project) AS ?projects) WHERE {
  ?role eurio:roleLabel "coordinator" ; eurio:isInvolvedIn ?project ; eurio:isRoleOf ?organisation .
  OPTIONAL { ?organisation skos:prefLabel ?name }
} GROUP BY ?organisation ?name ORDER BY DESC(?projects) LIMIT 25""",
    "datasets": """
SELECT ?dataset ?title ?licence ?source WHERE {
  ?dataset a dcat:Dataset ; dcterms:title ?title .
  FILTER(lang(?title) = "en")
  OPTIONAL { ?dataset dcterms:license ?licence }
  OPTIONAL { ?dataset dcterms:source ?source }
} ORDER BY ?title""",
}


def first_steps(titles: Mapping[str, Mapping[str, str]]) -> tuple[Example, ...]:
    """Return the five queries of the home page; `titles` maps key → language → title."""
    return tuple(Example(key, titles[key], _with_prefixes(body)) for key, body in _BODIES.items())


FIRST_STEPS = tuple(_BODIES)
"""Keys of the five queries of the home page."""


def _with_prefixes(body: str) -> str:
    used = [f"PREFIX {name}: <{iri}>" for name, iri in _PREFIXES.items() if f"{name}:" in body]
    return "\n".join([*used, body.strip(), ""])


def read_examples(files: Iterable[Path]) -> tuple[Example, ...]:
    """Read every sh:SPARQLExecutable of the Turtle files, in the order of their IRIs."""
    store = ox.Store()
    for file in files:
        store.bulk_load(path=str(file), format=ox.RdfFormat.TURTLE)
    found = []
    for quad in store.quads_for_pattern(None, type_, SH["SPARQLExecutable"], None):
        example = _example(store, quad.subject)
        if example is not None:
            found.append(example)
    return tuple(sorted(found, key=lambda example: example.key))


def _example(store: ox.Store, node: object) -> Example | None:
    if not isinstance(node, ox.NamedNode):
        return None
    queries = [
        text.value
        for form in ("select", "ask", "construct", "describe")
        for text in _literals(store, node, SH[form])
    ]
    if not queries:
        return None
    titles = {t.language or "en": t.value for t in _literals(store, node, RDFS["comment"])}
    titles |= {t.language or "en": t.value for t in _literals(store, node, RDFS["label"])}
    key = node.value.rstrip("/").replace("#", "/").rpartition("/")[2]
    prefixes = _declared_prefixes(store, node)
    missing = [line for line in prefixes if line.split()[1] not in queries[0].partition("{")[0]]
    keywords = tuple(sorted(t.value for t in _literals(store, node, SCHEMA["keywords"])))
    return Example(key, titles or {"en": key}, "\n".join([*missing, queries[0]]), keywords)


def _declared_prefixes(store: ox.Store, node: ox.NamedNode) -> list[str]:
    """The declarations behind sh:prefixes that the query needs, as SPARQL."""
    query = next(
        (
            text.value
            for form in ("select", "ask", "construct", "describe")
            for text in _literals(store, node, SH[form])
        ),
        "",
    )
    found = set()
    for owner in _objects(store, node, SH["prefixes"]):
        for declaration in _objects(store, owner, SH["declare"]):
            names = _literals(store, declaration, SH["prefix"])
            spaces = _literals(store, declaration, SH["namespace"])
            if names and spaces and f"{names[0].value}:" in query:
                found.add(f"PREFIX {names[0].value}: <{spaces[0].value}>")
    return sorted(found)


def _objects(store: ox.Store, node: object, predicate: ox.NamedNode) -> list[object]:
    if not isinstance(node, ox.NamedNode | ox.BlankNode):
        return []
    return [quad.object for quad in store.quads_for_pattern(node, predicate, None, None)]


def _literals(store: ox.Store, node: object, predicate: ox.NamedNode) -> list[ox.Literal]:
    return [o for o in _objects(store, node, predicate) if isinstance(o, ox.Literal)]
