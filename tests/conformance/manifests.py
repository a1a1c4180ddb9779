"""Test manifests of the W3C as cases: which suite each belongs to, and the files that it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rdflib import RDF, Graph, Namespace, URIRef
from rdflib.collection import Collection
from rdflib.term import Node

MF = Namespace("http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#")

SUITES = {
    "query": (
        "aggregates bind bindings cast construct exists functions grouping negation "
        "project-expression property-path subquery algebra-interactions"
    ),
    "query syntax": "syntax-query",
    "update": (
        "add basic-update clear copy delete delete-data delete-insert delete-where drop move "
        "update-silent"
    ),
    "update syntax": "syntax-update-1 syntax-update-2",
    "result formats": "csv-tsv-res json-res",
    "federated query": "service syntax-fed",
    "service description": "service-description",
    "protocol": "protocol",
    "graph store": "http-rdf-update",
}
"""The folders of each suite. What a checkout has beside them is a suite of its own, `other`."""

NOT_PROMISED = {"entailment"}
"""Folders that are passed over."""

_BASE = "http://www.w3.org/2009/sparql/docs/tests/data-sparql11/"


@dataclass(frozen=True)
class Case:
    """One test of a manifest.

    `name` is the end of its IRI, `folder/manifest#fragment`: what stands before has changed over
    the years. `kind` is the local name of its class. `base` is the IRI of the folder's files.
    """

    suite: str
    name: str
    kind: str
    node: Node
    manifest: Graph
    folder: Path
    base: str

    def one(self, subject: Node, predicate: URIRef) -> Node | None:
        """The only object, if there is one."""
        return self.manifest.value(subject, predicate)

    def file(self, node: Node) -> Path:
        """The file that an IRI of the manifest stands for."""
        return self.folder / str(node).rpartition("/")[2]

    def iri(self, path: Path) -> str:
        """The IRI of a file, to which what is relative in it refers."""
        return self.base + path.name


def read_cases(checkout: Path) -> list[Case]:
    """The tests of all suites in a checkout of w3c/rdf-tests, in the order of the manifests.

    `checkout` may also be the folder that has the suites' folders.
    """
    root = next(
        (
            folder
            for folder in (checkout / "sparql" / "sparql11", checkout / "sparql11", checkout)
            if (folder / "manifest-all.ttl").is_file()
        ),
        None,
    )
    if root is None:
        raise FileNotFoundError(f"{checkout} has no sparql/sparql11/manifest-all.ttl")
    suites = {suite: folders.split() for suite, folders in SUITES.items()}
    known = NOT_PROMISED.union(*suites.values())
    suites["other"] = sorted(path.parent.name for path in root.glob("*/manifest.ttl"))
    suites["other"] = [folder for folder in suites["other"] if folder not in known]
    return [
        case
        for suite, folders in suites.items()
        for folder in folders
        for case in read_manifest(root / folder / "manifest.ttl", suite)
    ]


def read_manifest(path: Path, suite: str) -> Iterator[Case]:
    """The tests of one manifest; none where it does not exist."""
    if not path.is_file():
        return
    manifest = Graph().parse(path, format="turtle", publicID=path.resolve().as_uri())
    folder = path.parent.name
    for entries in manifest.objects(None, MF.entries):
        for node in Collection(manifest, entries):
            kind = manifest.value(node, RDF.type)
            assert kind is not None, f"{node} has no type in {path}"
            fragment = str(node).rpartition("#")[2]
            yield Case(
                suite,
                f"{folder}/manifest#{fragment}",
                str(kind).rpartition("#")[2],
                node,
                manifest,
                path.parent,
                f"{_BASE}{folder}/",
            )
