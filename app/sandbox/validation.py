"""SHACL Core validation with pySHACL. Only the cage imports this: pySHACL patches rdflib."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyshacl
import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, parse
from rdflib.namespace import RDF, SH
from rdflib.term import Node

from app.errors import FederationRefused, InvalidRequest, SyntaxRejected
from app.rdf import media
from app.rdf.parsing import parse_rdf
from app.rdf.tokens import used_keywords
from app.sandbox.batches import evaluate_in_batches

evaluate_in_batches()

_SEVERITIES: Final = {SH.Violation: "violation", SH.Warning: "warning", SH.Info: "info"}
_SPARQL_TEXTS: Final = (SH.select, SH.ask, SH.construct, SH.update)
_MAX_SHAPES_BYTES: Final = 10 * 2**20
RESULTS_PER_GROUP: Final = 20
"""Results shown per constraint; the true total is always given."""


@dataclass(slots=True)
class _Group:
    """Results of one constraint of one shape."""

    severity: str
    shape: str
    path: str | None
    constraint: str
    messages: dict[str, str]
    total: int = 0
    results: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "shape": self.shape,
            "path": self.path,
            "constraint": self.constraint,
            "message": self.messages,
            "total": self.total,
            "results": self.results,
        }


def shapes_graph(files: Iterable[Path]) -> rdflib.Graph:
    """All shapes of a folder as one graph."""
    graph = rdflib.Graph()
    for file in files:
        for quad in parse(path=str(file), format=RdfFormat.TURTLE):
            graph.add(_triple(quad))
    return graph


def parse_shapes(turtle: bytes, base_iri: str) -> rdflib.Graph:
    """A stranger's shapes graph; SPARQL in it that would read from elsewhere is refused."""
    graph = rdflib.Graph()
    for quad in parse_rdf(turtle, media.TURTLE, base_iri=base_iri, max_bytes=_MAX_SHAPES_BYTES):
        graph.add(_triple(quad))
    _refuse_callouts(graph)
    return graph


def _refuse_callouts(shapes: rdflib.Graph) -> None:
    for predicate in _SPARQL_TEXTS:
        for text in shapes.objects(None, predicate):
            used = used_keywords(str(text), "SERVICE", "LOAD", "FROM")
            if used:
                raise FederationRefused(
                    f"{', '.join(sorted(used))} in the SPARQL of a shape would read from other "
                    "addresses; write the constraint over the data itself."
                )


def validate(
    shapes: rdflib.Graph, data: Iterable[Quad], context: Iterable[Quad] = ()
) -> dict[str, Any]:
    """Validate `data` against `shapes`.

    `context` says what the things are that the data refers to, or adds to, without typing them
    itself. It is seen, but not judged: of a thing that only the context types, just the values
    that the data gives are judged, not what it leaves out. Graph names do not matter.

    The report: `conforms` (no violation; warnings and infos do not block), `counts` per severity,
    and `groups`, one per shape, path and constraint, worst first, each with its `total`, its
    `message` per language and at most RESULTS_PER_GROUP `results` (focus, value, message).
    """
    given, graph = rdflib.Graph(), rdflib.Graph()
    malformed: dict[str, _Group] = {}
    for quad in data:
        triple = _triple(quad)
        given.add(triple)
        if getattr(triple[2], "ill_typed", False):
            _add_malformed(malformed, quad)  # pySHACL would stop at it when it compares values
        else:
            graph.add(triple)
    for quad in context:
        graph.add(_triple(quad))
    try:
        _, results, _ = pyshacl.validate(
            graph, shacl_graph=shapes, advanced=False, inference="none", meta_shacl=False
        )
    except (pyshacl.errors.ShapeLoadError, pyshacl.errors.ConstraintLoadError) as error:
        raise InvalidRequest(f"The shapes do not fit together: {error}"[:500]) from None
    except (pyshacl.errors.ReportableRuntimeError, TypeError) as error:
        raise InvalidRequest(f"The validation stopped: {error}"[:500]) from None
    if not isinstance(results, rdflib.Graph):
        raise SyntaxRejected(f"The validation stopped: {results}"[:500])
    return _report(results, shapes, _Judged(given, graph), malformed)


class _Judged:
    """Tells results on what the data says from results on what others say."""

    def __init__(self, given: rdflib.Graph, whole: rdflib.Graph) -> None:
        self._given = given
        self._whole = whole

    def __call__(self, focus: Node | None, value: Node | None) -> bool:
        if (focus, None, None) not in self._given:
            return False
        if (focus, RDF.type, None) in self._given or (focus, RDF.type, None) not in self._whole:
            return True
        return value is not None and (focus, None, value) in self._given


_MALFORMED: Final = {
    "en": "The value is not one of its datatype; write it as that datatype asks, "
    "for example 2026-11-23 for an xsd:date.",
    "nl": "De waarde past niet bij haar datatype; schrijf ze zoals dat datatype vraagt, "
    "bijvoorbeeld 2026-11-23 voor een xsd:date.",
    "de": "Der Wert passt nicht zu seinem Datentyp; schreiben Sie ihn, wie der Datentyp es "
    "verlangt, zum Beispiel 2026-11-23 für ein xsd:date.",
    "fr": "La valeur ne convient pas à son type de données ; écrivez-la comme ce type le demande, "
    "par exemple 2026-11-23 pour un xsd:date.",
}


def _add_malformed(groups: dict[str, _Group], quad: Quad) -> None:
    """A literal outside the lexical space of its datatype: a violation in any shape."""
    path = quad.predicate.value
    group = groups.setdefault(path, _Group("violation", "", path, "Datatype", _MALFORMED))
    group.total += 1
    if len(group.results) < RESULTS_PER_GROUP:
        focus = getattr(quad.subject, "value", str(quad.subject))
        group.results.append({"focus": focus, "value": str(quad.object)})


def _report(
    results: rdflib.Graph,
    shapes: rdflib.Graph,
    judged: _Judged,
    malformed: dict[str, _Group],
) -> dict[str, Any]:
    groups: dict[Any, _Group] = {**malformed}
    counts = dict.fromkeys(_SEVERITIES.values(), 0)
    counts["violation"] += sum(group.total for group in malformed.values())
    top = set(results.objects(None, SH.result))
    for result in sorted(top, key=lambda r: (str(results.value(r, SH.focusNode)), str(r))):
        focus, value = results.value(result, SH.focusNode), results.value(result, SH.value)
        if not judged(focus, value):
            continue
        group = _group_of(groups, results, shapes, result)
        counts[group.severity] += 1
        group.total += 1
        if len(group.results) < RESULTS_PER_GROUP:
            group.results.append(
                {"focus": str(focus), "value": value.n3() if value is not None else None}
            )
    order = list(_SEVERITIES.values())
    ranked = sorted(groups.values(), key=lambda g: (order.index(g.severity), -g.total, g.shape))
    return {
        "conforms": counts["violation"] == 0,
        "counts": counts,
        "groups": [group.as_dict() for group in ranked],
    }


def _group_of(
    groups: dict[Any, _Group],
    results: rdflib.Graph,
    shapes: rdflib.Graph,
    result: Node,
) -> _Group:
    source = results.value(result, SH.sourceShape)
    constraint = results.value(result, SH.sourceConstraintComponent)
    severity = results.value(result, SH.resultSeverity)
    path = shapes.value(source, SH.path) if source is not None else None
    key = (source, constraint, severity)
    if key not in groups:
        name = next((text for iri, text in _SEVERITIES.items() if iri == severity), "violation")
        owner = source
        if isinstance(source, rdflib.BNode):
            owner = next(shapes.subjects(SH.property, source), source)
        groups[key] = _Group(
            severity=name,
            shape=str(owner),
            path=str(path) if isinstance(path, rdflib.URIRef) else None,
            constraint=str(constraint).removeprefix(str(SH)).removesuffix("ConstraintComponent"),
            messages=_messages(results, shapes, result, source),
        )
    return groups[key]


def _messages(
    results: rdflib.Graph, shapes: rdflib.Graph, result: Node, source: Node | None
) -> dict[str, str]:
    written = list(shapes.objects(source, SH.message)) if source is not None else []
    written = written or list(results.objects(result, SH.resultMessage))
    texts = {getattr(m, "language", None) or "en": str(m) for m in written}
    return {language: texts[language] for language in sorted(texts)}


def _triple(quad: Quad) -> tuple[Node, Node, Node]:
    return _term(quad.subject), _term(quad.predicate), _term(quad.object)


def _term(term: object) -> Node:
    if isinstance(term, NamedNode):
        return rdflib.URIRef(term.value)
    if isinstance(term, BlankNode):
        return rdflib.BNode(term.value)
    if isinstance(term, Literal):
        if term.language:
            return rdflib.Literal(term.value, lang=term.language)
        datatype = rdflib.URIRef(term.datatype.value)
        plain = datatype == rdflib.XSD.string
        return rdflib.Literal(term.value, datatype=None if plain else datatype, normalize=False)
    raise InvalidRequest("Statements about statements (RDF 1.2 triple terms) are not taken.")


__all__ = ["RESULTS_PER_GROUP", "parse_shapes", "shapes_graph", "validate"]
