"""The SHACL suite: its tests, and validation reports as values that can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from rdflib import RDF, SH, BNode, Graph, Literal, Namespace, URIRef
from rdflib.collection import Collection
from rdflib.term import Node

from tests.conformance.manifests import MF

SHT = Namespace("http://www.w3.org/ns/shacl-test#")

_BLANK = "_:"
_COMPARED = (
    SH.focusNode, SH.resultPath, SH.resultSeverity, SH.sourceConstraintComponent, SH.sourceShape,
    SH.value,
)  # fmt: skip

_PATHS = (
    SH.inversePath, SH.alternativePath, SH.zeroOrMorePath, SH.oneOrMorePath, SH.zeroOrOnePath,
)  # fmt: skip

Results = Counter[tuple[str, ...]]
"""Results of a report, each as what is compared of it. Blank nodes are all alike."""


@dataclass(frozen=True)
class Report:
    """What is compared of a validation report."""

    conforms: bool
    results: Results


@dataclass(frozen=True)
class ShaclCase:
    """One test: data and shapes, and the report that they shall give, or None for a failure.

    `name` is the path of its file without suffix, from `core` or `sparql` on.
    """

    suite: str
    name: str
    data: Path
    shapes: Path
    report: Report | None
    messages: bool


def read_shacl_cases(checkout: Path) -> list[ShaclCase]:
    """The tests of a checkout of w3c/data-shapes, or of the folder that has their manifest."""
    for root in (checkout / "data-shapes-test-suite" / "tests", checkout):
        if (root / "manifest.ttl").is_file():
            return list(_included(root, root / "manifest.ttl"))
    raise FileNotFoundError(f"{checkout} has no data-shapes-test-suite/tests/manifest.ttl")


def _included(root: Path, path: Path) -> Iterator[ShaclCase]:
    graph = Graph().parse(path, format="turtle", publicID=path.resolve().as_uri())
    manifest = URIRef(path.resolve().as_uri())
    for name in sorted(graph.objects(manifest, MF.include), key=str):
        yield from _included(root, _path(name))
    entries = graph.value(manifest, MF.entries)
    for node in () if entries is None else Collection(graph, entries):
        yield _case(root, path, graph, node)


def _case(root: Path, path: Path, graph: Graph, node: Node) -> ShaclCase:
    action, result = graph.value(node, MF.action), graph.value(node, MF.result)
    data, shapes = graph.value(action, SHT.dataGraph), graph.value(action, SHT.shapesGraph)
    assert data is not None, path
    assert shapes is not None, path
    assert result is not None, path
    name = path.resolve().relative_to(root.resolve()).with_suffix("").as_posix()
    messages = (None, SH.resultMessage, None) in graph
    return ShaclCase(
        f"shacl {name.partition('/')[0]}",
        f"{name}#{str(node).rpartition('/')[2]}",
        _path(data),
        _path(shapes),
        None if result == SHT.Failure else read_report(graph, result, messages=messages),
        messages,
    )


def _path(node: Node) -> Path:
    return Path(str(node).removeprefix("file://"))


def read_report(graph: Graph, report: Node | None = None, *, messages: bool) -> Report:
    """The report that stands in a graph, or the only one; with `messages` these count, too."""
    report = report or graph.value(None, RDF.type, SH.ValidationReport)
    assert report is not None, "no report"
    compared = (*_COMPARED, SH.resultMessage) if messages else _COMPARED
    results = Counter(
        tuple(
            " ".join(sorted(_text(graph, one) for one in graph.objects(result, p)))
            for p in compared
        )
        for result in graph.objects(report, SH.result)
    )
    conforms = graph.value(report, SH.conforms)
    return Report(isinstance(conforms, Literal) and bool(conforms.toPython()), results)


def _texts(graph: Graph, result: Node, predicate: Node) -> str:
    return " ".join(sorted(_text(graph, one) for one in graph.objects(result, predicate)))


def _text(graph: Graph, node: Node) -> str:
    """A term in N-Triples; a blank node by what it says as a path (SHACL §2.3.1), if it is one.

    A decimal is compared as a value: 4.0 is 4.
    """
    if isinstance(node, Literal) and isinstance(node.value, Decimal):
        return f"{node.value.normalize():f}"
    if not isinstance(node, BNode):
        return node.n3()
    if (node, RDF.first, None) in graph:
        return f"({' '.join(_text(graph, one) for one in Collection(graph, node))})"
    for kind in (
        SH.inversePath,
        SH.alternativePath,
        SH.zeroOrMorePath,
        SH.oneOrMorePath,
        SH.zeroOrOnePath,
    ):
        if (inner := graph.value(node, kind)) is not None:
            return f"[{kind.n3()} {_text(graph, inner)}]"
    return _BLANK
