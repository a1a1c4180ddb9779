"""Example queries: `.rq` files with a head of comments, as sh:SPARQLExecutable.

A file `who-coordinates.rq` begins with lines such as

    #+ en: Which organisations coordinate projects?
    #+ keywords: project, coordinator
    #+ parameter: organisation | iri | IRI of the organisation

and goes on with the query. Its form (SELECT, ASK, CONSTRUCT, DESCRIBE) is read from the query.
The default of a parameter stands in the text, as `VALUES ?organisation { … }`.
The PREFIX lines stay in the text, so that it runs wherever it is pasted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pyoxigraph import Literal, NamedNode, Triple

from app.importers.dataset import BASE
from app.rdf.terms import LT, RDF, RDFS, SCHEMA, SH, SPEX, XSD, string, type_

ENDPOINT = BASE["sparql"]
LANGUAGES = ("en", "nl", "de", "fr")

_HEAD = re.compile(r"#\+\s*(\w+):\s*(.*)")
_FORM = re.compile(r"^\s*(SELECT|ASK|CONSTRUCT|DESCRIBE)\b", re.MULTILINE)
_PREFIX = re.compile(r"^PREFIX\s+([\w-]*):\s*<([^>]*)>", re.MULTILINE)

_CLASSES = {
    "SELECT": ("SPARQLSelectExecutable", (SH["select"],)),
    "ASK": ("SPARQLAskExecutable", (SH["ask"],)),
    "CONSTRUCT": ("SPARQLConstructExecutable", (SH["construct"],)),
    "DESCRIBE": ("", (SPEX["describe"], SH["describe"])),
}


def triples(folder: Path) -> Iterator[Triple]:
    """Every query of a folder, and the prefixes that they use, declared for the ontology."""
    for path in sorted(folder.glob("*.rq")):
        yield from query(path.stem, path.read_text(encoding="utf-8"))


def query(slug: str, source: str) -> Iterator[Triple]:
    """One query; ValueError when its head or form is missing."""
    heads = [match for line in source.splitlines() if (match := _HEAD.match(line))]
    body = "\n".join(line for line in source.splitlines() if not _HEAD.match(line)).strip()
    form = _FORM.search(body)
    head: dict[str, str] = {match[1]: match[2] for match in heads}
    if form is None or "en" not in head or "keywords" not in head:
        raise ValueError(f"{slug}: a query needs `#+ en:`, `#+ keywords:` and one query form")
    name, predicates = _CLASSES[form[1]]
    iri = BASE[f"query/{slug}"]
    yield Triple(iri, type_, SH["SPARQLExecutable"])
    if name:
        yield Triple(iri, type_, SH[name])
    for lang in LANGUAGES:
        if lang in head:
            yield Triple(iri, RDFS["comment"], string(head[lang], lang))
    for predicate in predicates:
        yield Triple(iri, predicate, string(body))
    for keyword in head["keywords"].split(","):
        yield Triple(iri, SCHEMA["keywords"], string(keyword.strip()))
    yield Triple(iri, SCHEMA["target"], ENDPOINT)
    for match in heads:
        if match[1] == "parameter":
            yield from _parameter(iri, match[2])
    yield Triple(iri, SH["prefixes"], PREFIXES_IRI)
    for prefix, namespace in _PREFIX.findall(body):
        yield from _declaration(prefix, namespace)


def _parameter(query: NamedNode, text: str) -> Iterator[Triple]:
    """`name | kind | description`."""
    name, kind, description = (part.strip() for part in text.split("|"))
    node = NamedNode(f"{query.value}#{name}")
    yield Triple(query, SH["parameter"], node)
    yield Triple(node, SH["name"], string(name))
    yield Triple(node, SH["description"], string(description, "en"))
    if kind == "iri":
        yield Triple(node, SH["nodeKind"], SH["IRI"])
    else:
        yield Triple(node, SH["datatype"], RDF["langString"] if kind == "text" else XSD[kind])


PREFIXES_IRI = NamedNode(LT)
"""The ontology, which the prefixes are declared for."""


def _declaration(prefix: str, namespace: str) -> Iterator[Triple]:
    node = BASE[f"query/prefixes#{prefix}"]
    yield Triple(PREFIXES_IRI, SH["declare"], node)
    yield Triple(node, SH["prefix"], string(prefix))
    yield Triple(node, SH["namespace"], Literal(namespace, datatype=XSD["anyURI"]))
