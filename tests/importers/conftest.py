"""Inline tables as rows, and triples as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from pyoxigraph import Triple

from app.importers.rows import Row

Rows = Callable[[str], list[Row]]
Lines = Callable[[Iterable[Triple]], set[str]]

_SHORT = {
    "https://w3id.org/lifetec/id/": "id:",
    "https://w3id.org/lifetec/scheme/": "scheme:",
    "https://w3id.org/lifetec/ontology#": "lt:",
    "http://data.europa.eu/nuts/code/": "nuts:",
    "http://data.europa.eu/s66#": "eurio:",
    "http://publications.europa.eu/resource/authority/country/": "country:",
    "http://purl.org/dc/terms/": "dcterms:",
    "http://www.opengis.net/ont/geosparql#": "geo:",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#type": "a",
    "http://www.w3.org/2001/XMLSchema#": "xsd:",
    "http://www.w3.org/2002/07/owl#": "owl:",
    "http://www.w3.org/2004/02/skos/core#": "skos:",
    "http://www.w3.org/ns/adms#": "adms:",
    "http://www.w3.org/ns/locn#": "locn:",
    "http://www.w3.org/ns/org#": "org:",
    "http://xmlns.com/foaf/0.1/": "foaf:",
    "https://schema.org/": "schema:",
}


@pytest.fixture
def rows() -> Rows:
    """Rows of a table whose cells are separated by `|`; `~` stands for `|` inside a cell."""

    def read(table: str) -> list[Row]:
        header, *lines = (
            [cell.strip().replace("~", "|") for cell in line.split("|")]
            for line in table.strip().splitlines()
        )
        return [dict(zip(header, line, strict=True)) for line in lines]

    return read


@pytest.fixture
def lines() -> Lines:
    """Triples as lines with short names, to compare sets of them."""

    def write(triples: Iterable[Triple]) -> set[str]:
        found = set()
        for triple in triples:
            line = f"{triple.subject} {triple.predicate} {triple.object}"
            for namespace, prefix in _SHORT.items():
                line = line.replace(f"<{namespace}", f"<{prefix}")
            found.add(line.replace("<", "").replace(">", ""))
        return found

    return write
