"""Example queries: `.rq` files with a head of comments, as sh:SPARQLExecutable.

A file `who-coordinates.rq` begins with lines such as

    #+ en: Which organisations coordinate projects?
    #+ keywords: project, coordinator

and goes on with the query. Its form (SELECT, ASK, CONSTRUCT, DESCRIBE) is read from the query.
The PREFIX lines stay in the text, so that it runs wherever it is pasted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pyoxigraph import Literal, NamedNode, Triple

from app.importers.dataset import BASE
from app.rdf.terms import LT, RDFS, SCHEMA, SH, SPEX, XSD, string, type_

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
    heads = (match for line in source.splitlines() if (match := _HEAD.match(line)))
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
    yield Triple(iri, SH["prefixes"], PREFIXES_IRI)
    for prefix, namespace in _PREFIX.findall(body):
        yield from _declaration(prefix, namespace)


PREFIXES_IRI = NamedNode(LT)
"""The ontology, which the prefixes are declared for."""


def _declaration(prefix: str, namespace: str) -> Iterator[Triple]:
    node = BASE[f"query/prefixes#{prefix}"]
    yield Triple(PREFIXES_IRI, SH["declare"], node)
    yield Triple(node, SH["prefix"], string(prefix))
    yield Triple(node, SH["namespace"], Literal(namespace, datatype=XSD["anyURI"]))
