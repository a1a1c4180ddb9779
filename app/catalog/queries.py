"""The named queries of the house, as its datasets declare them (SHACL-SPARQL, DASH, SIB's spex)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyoxigraph import Literal, NamedNode

from app.catalog.house import House
from app.catalog.reading import Described
from app.rdf.terms import RDFS, SCHEMA, SH, SPEX

_FORMS = (SH["select"], SH["ask"], SH["construct"], SH["describe"], SPEX["describe"])
_HOUSE = "lifetec"
"""Whose datasets name queries: the house's own, to which curators write."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A parameter as it is declared; `datatype` is None for an IRI."""

    name: str
    datatype: NamedNode | None
    description: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """A query as it is declared."""

    name: str
    iri: str
    titles: Mapping[str, str]
    text: str
    keywords: tuple[str, ...]
    parameters: tuple[Declared, ...]


def queries_query(house: House) -> str:
    """CONSTRUCT of every query with its parameters, from datasets of the house only."""
    begin = f"{house.base_iri}graph/{_HOUSE}/"
    return f"""
CONSTRUCT {{ ?s ?p ?o }} WHERE {{
  GRAPH ?g {{
    ?query a {SH["SPARQLExecutable"]} ; {SH["parameter"]}? ?s . ?s ?p ?o
  }}
  FILTER(STRSTARTS(STR(?g), {Literal(begin)}))
}}"""


def declarations(described: Described, base_iri: str) -> Iterator[Declaration]:
    """Every query with one text and a name, in the order of names; of two of one name the first."""
    seen = set[str]()
    for iri in described.things(SH["SPARQLExecutable"]):
        name = _name(iri.value, base_iri)
        texts = {
            value.value
            for form in _FORMS
            for value in described.values(iri, form)
            if isinstance(value, Literal)
        }
        if name is None or name in seen or len(texts) != 1:
            continue
        seen.add(name)
        yield Declaration(
            name,
            iri.value,
            _by_language(described, iri),
            texts.pop(),
            tuple(str(one.value) for one in described.values(iri, SCHEMA["keywords"])),  # type: ignore[union-attr]
            tuple(_parameters(described, iri)),
        )


def _parameters(described: Described, query: NamedNode) -> Iterator[Declared]:
    for node in described.iris(query, SH["parameter"]):
        name = described.text(node, SH["name"], "en")
        if name and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,40}", name):
            datatypes = described.iris(node, SH["datatype"])
            description = described.text(node, SH["description"], "en") or ""
            yield Declared(name, datatypes[0] if datatypes else None, description)


def _by_language(described: Described, query: NamedNode) -> dict[str, str]:
    return {
        value.language or "en": value.value
        for value in described.values(query, RDFS["comment"])
        if isinstance(value, Literal)
    }


def _name(iri: str, base_iri: str) -> str | None:
    """`{base}query/NAME` of what comes with the software, else `{base}id/query/lifetec-NAME`."""
    base = re.escape(base_iri)
    found = re.fullmatch(rf"{base}(?:query/|id/query/{_HOUSE}-)([a-z0-9][a-z0-9-]{{0,80}})", iri)
    return found[1] if found else None
