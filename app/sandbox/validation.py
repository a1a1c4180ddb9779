"""SHACL Core validation with pySHACL. Only the cage imports this: pySHACL patches rdflib."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pyshacl
import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, Triple, parse
from rdflib.collection import Collection
from rdflib.namespace import OWL, RDF, SH
from rdflib.term import Node

from app.errors import FederationRefused, InvalidRequest, SyntaxRejected
from app.rdf import media, terms
from app.rdf.parsing import parse_rdf
from app.rdf.tokens import used_keywords
from app.sandbox.batches import evaluate_in_batches
from app.sandbox.findings import (
    SEVERITIES,
    Finding,
    Findings,
    Rule,
    Severity,
    result_triples,
)

evaluate_in_batches()
# rdflib logs a traceback for each malformed literal; the report tells of them instead.
logging.getLogger("rdflib.term").setLevel(logging.ERROR)

_SEVERITIES: Final[dict[Node, Severity]] = {
    SH.Violation: "violation",
    SH.Warning: "warning",
    SH.Info: "info",
}
_SPARQL_TEXTS: Final = (SH.select, SH.ask, SH.construct, SH.update)
_MAX_SHAPES_BYTES: Final = 10 * 2**20
_MOST_TELLING: Final = ("Datatype", "NodeKind", "Class", "In")
_PF_NAME: Final = rdflib.URIRef(terms.PF["name"].value)


def shapes_graph(files: Iterable[Path]) -> rdflib.Graph:
    """All shapes of a folder as one graph."""
    graph = rdflib.Graph()
    for file in files:
        for quad in parse(path=str(file), format=RdfFormat.TURTLE):
            graph.add(_triple(quad))
    return graph


def parse_shapes(
    data: bytes,
    base_iri: str,
    *,
    media_type: str = media.TURTLE,
    max_bytes: int = _MAX_SHAPES_BYTES,
) -> rdflib.Graph:
    """A stranger's shapes graph as it is written.

    SPARQL in it that would read from elsewhere is refused.
    """
    graph = rdflib.Graph()
    quads = parse_rdf(data, media_type, base_iri=base_iri, max_bytes=max_bytes, as_written=True)
    for quad in quads:
        graph.add(_triple(quad))
    _refuse_callouts(graph)
    _bring_prefixes(graph)
    return graph


def _bring_prefixes(shapes: rdflib.Graph) -> None:
    """The prefixes of what `sh:prefixes` imports, if it is here (SHACL §5.2.1)."""
    for owner in set(shapes.objects(None, SH.prefixes)):
        for imported in list(shapes.transitive_objects(owner, OWL.imports)):
            for declaration in shapes.objects(imported, SH.declare):
                shapes.add((owner, SH.declare, declaration))


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
    shapes: rdflib.Graph,
    data: Iterable[Quad],
    context: Iterable[Quad] = (),
    *,
    exact: bool = False,
) -> Findings:
    """Validate `data` against `shapes`.

    `context` says what the things are that the data refers to, or adds to, without typing them
    itself. It is seen, but not judged: of a thing that only the context types, just the values
    that the data gives are judged, not what it leaves out. Graph names do not matter.

    A literal outside the lexical space of its datatype is a violation, whether or not a shape asks
    for the datatype. With `exact` everything is judged as SHACL says, the context too, and such a
    literal is a violation of its own only if the validator cannot compare it.
    """
    given, graph = rdflib.Graph(), rdflib.Graph()
    malformed: list[Quad] = []
    for quad in data:
        triple = _triple(quad)
        given.add(triple)
        if getattr(triple[2], "ill_typed", False):
            malformed.append(quad)
        else:
            graph.add(triple)
    for quad in context:
        graph.add(_triple(quad))
    if exact and malformed:
        try:
            results = _results(given, shapes)
        except InvalidRequest:
            results = _results(graph, shapes)
        else:
            malformed = []
    else:
        results = _results(graph, shapes)  # pySHACL stops at malformed values it must compare
    judged = None if exact else _Judged(given, graph)
    return _Reader(results, shapes, judged).findings(malformed)


def _results(graph: rdflib.Graph, shapes: rdflib.Graph) -> rdflib.Graph:
    try:
        _, results, _ = pyshacl.validate(
            graph, shacl_graph=shapes, advanced=False, inference="none", meta_shacl=False
        )
    except (pyshacl.errors.ShapeLoadError, pyshacl.errors.ConstraintLoadError) as error:
        raise InvalidRequest(f"The shapes do not fit together: {error}"[:500]) from None
    except (
        pyshacl.errors.ReportableRuntimeError,
        TypeError,
        ValueError,
        AttributeError,
        NotImplementedError,
        re.error,
    ) as error:
        raise InvalidRequest(f"The validation stopped: {error}"[:500]) from None
    except Exception as error:
        if type(error) is not Exception:  # as rdflib calls an unknown prefix
            raise
        raise InvalidRequest(f"The shapes cannot be used: {error}"[:500]) from None
    if not isinstance(results, rdflib.Graph):
        raise SyntaxRejected(f"The validation stopped: {results}"[:500])
    return results


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
_MALFORMED_RULE: Final = "Datatype"


class _Reader:
    """Reads pySHACL's report."""

    def __init__(self, results: rdflib.Graph, shapes: rdflib.Graph, judged: _Judged | None) -> None:
        self._results = results
        self._shapes = shapes
        self._judged = judged
        self._rules: dict[tuple[Node | None, ...], Rule] = {}

    def findings(self, malformed: Iterable[Quad]) -> Findings:
        """What is judged, in the order of focus nodes, and what `malformed` literals add."""
        top = [node for node in set(self._results.objects(None, SH.result)) if self._counts(node)]
        top.sort(key=lambda node: (str(self._results.value(node, SH.focusNode)), str(node)))
        found = {node: self._finding(node) for node in top}
        self._mark_echoes_of_parts(found)
        wrong = list(_malformed(malformed))
        everything = [*wrong, *found.values()]
        _mark_repetitions(everything)
        return Findings(tuple(everything), lambda: self._standard(top, wrong))

    def _counts(self, result: Node) -> bool:
        if self._judged is None:
            return True
        value = self._results.value
        return self._judged(value(result, SH.focusNode), value(result, SH.value))

    def _finding(self, result: Node) -> Finding:
        value = self._results.value(result, SH.value)
        focus = self._results.value(result, SH.focusNode)
        return Finding(
            self._rule(result),
            _ox_term(focus) if focus is not None else BlankNode(),
            _ox_term(value) if value is not None else None,
        )

    def _rule(self, result: Node) -> Rule:
        source = self._results.value(result, SH.sourceShape)
        component = self._results.value(result, SH.sourceConstraintComponent)
        constraint = self._results.value(result, SH.sourceConstraint)
        severity = self._results.value(result, SH.resultSeverity)
        key = (source, component, constraint, severity)
        if key not in self._rules:
            self._rules[key] = self._read_rule(result, source, component, severity)
        return self._rules[key]

    def _read_rule(
        self, result: Node, source: Node | None, component: Node | None, severity: Node | None
    ) -> Rule:
        owner, shapes = source, self._shapes
        if isinstance(source, rdflib.BNode):
            owner = next(shapes.subjects(SH.property, source), source)
        path = shapes.value(source, SH.path) if source is not None else None
        name = str(component).removeprefix(str(SH)).removesuffix("ConstraintComponent")
        parameter = rdflib.URIRef(f"{SH}{name[:1].lower()}{name[1:]}")
        given = list(shapes.objects(source, parameter)) if source is not None else []
        choices: tuple[terms.Term, ...] = ()
        if name == "In" and len(given) == 1:
            choices = tuple(_ox_term(one) for one in Collection(shapes, given[0]))
        single = given[0] if len(given) == 1 and not isinstance(given[0], rdflib.BNode) else None
        field = shapes.value(source, _PF_NAME) if source is not None else None
        return Rule(
            severity=_SEVERITIES.get(severity, "violation") if severity else "violation",
            shape=str(owner),
            path=NamedNode(str(path)) if isinstance(path, rdflib.URIRef) else None,
            component=name,
            messages=self._messages(result, source),
            parameter=_ox_term(single) if single is not None else None,
            choices=choices,
            name=str(field) if field is not None else None,
            labels=_texts(shapes.objects(source, SH.name)) if source is not None else {},
        )

    def _messages(self, result: Node, source: Node | None) -> dict[str, str]:
        written = list(self._shapes.objects(source, SH.message)) if source is not None else []
        return _texts(written or self._results.objects(result, SH.resultMessage))

    def _mark_echoes_of_parts(self, found: dict[Node, Finding]) -> None:
        """A broken part is found at itself, and once more at its owner (sh:node).

        The owner's result is an echo if all that it rests on (sh:detail) is found at the part, and
        something of it is as severe.
        """
        at_parts = {
            (f.focus, self._results.value(node, SH.sourceShape), f.rule.component, f.value): f
            for node, f in found.items()
        }
        for node, finding in found.items():
            details = list(self._results.objects(node, SH.detail))
            twins = [at_parts.get(self._key(detail)) for detail in details]
            worst = [twin.rule.severity for twin in twins if twin is not None]
            if details and len(worst) == len(details) and finding.rule.component == "Node":
                rank = SEVERITIES.index
                finding.echo = min(map(rank, worst)) <= rank(finding.rule.severity)

    def _key(self, result: Node) -> tuple[terms.Term, Node | None, str, terms.Term | None]:
        finding = self._finding(result)
        source = self._results.value(result, SH.sourceShape)
        return finding.focus, source, finding.rule.component, finding.value

    def _standard(self, top: list[Node], malformed: list[Finding]) -> Iterator[Triple]:
        report = BlankNode()
        wrong = [(BlankNode(), finding) for finding in malformed]
        nodes = [*(node for node, _ in wrong), *(BlankNode(str(result)) for result in top)]
        yield Triple(report, terms.type_, terms.SH["ValidationReport"])
        yield Triple(report, terms.SH["conforms"], Literal(not nodes))
        for node in nodes:
            yield Triple(report, terms.SH["result"], node)
        for node, finding in wrong:
            yield from result_triples(node, finding)
        seen: set[Node] = set()
        for result in top:
            yield from self._described(result, seen)

    def _described(self, node: Node, seen: set[Node]) -> Iterator[Triple]:
        """What the report says of a blank node, and of those that it leads to."""
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if node in seen or not isinstance(node, rdflib.BNode):
                continue
            seen.add(node)
            for triple in self._results.triples((node, None, None)):
                yield Triple(*map(_ox_term, triple))  # type: ignore[arg-type]
                if triple[1] not in {SH.focusNode, SH.value}:
                    waiting.append(triple[2])


def _malformed(quads: Iterable[Quad]) -> Iterator[Finding]:
    """A literal outside the lexical space of its datatype: a violation in any shape."""
    rules: dict[NamedNode, Rule] = {}
    for quad in quads:
        path, value = quad.predicate, quad.object
        if path not in rules:
            rules[path] = Rule("violation", "", path, _MALFORMED_RULE, _MALFORMED)
        if not isinstance(quad.subject, Triple) and isinstance(value, Literal):
            yield Finding(rules[path], quad.subject, value)


def _mark_repetitions(findings: Iterable[Finding]) -> None:
    """Several constraints that say the same of one value, and what a malformed value brings on.

    The most telling one of each severity is kept. A value that cannot be read is missing too. Of a
    wrong reference the worst is told: that nothing is known of it adds nothing.
    """
    by_place: dict[tuple[object, ...], list[Finding]] = defaultdict(list)
    unreadable = set()
    for finding in findings:
        rule = finding.rule
        if rule.shape == "":
            unreadable.add((finding.focus, rule.path))
        elif not finding.echo:
            text = rule.messages.get("en") or next(iter(rule.messages.values()), "")
            place = (finding.focus, rule.path, finding.value, rule.severity, text)
            by_place[place].append(finding)
            if rule.component == "MinCount" and (finding.focus, rule.path) in unreadable:
                finding.echo = True
    worst: dict[tuple[object, ...], int] = {}
    for same in by_place.values():
        same.sort(key=_telling)
        for finding in same[1:]:
            finding.echo = True
        first = same[0]
        where, rank = _place(first), SEVERITIES.index(first.rule.severity)
        worst[where] = min(rank, worst.get(where, rank))
    for same in by_place.values():
        first = same[0]
        if isinstance(first.value, NamedNode) and first.rule.path is not None:
            rank = SEVERITIES.index(first.rule.severity)
            first.echo = first.echo or worst[_place(first)] < rank


def _place(finding: Finding) -> tuple[object, ...]:
    return finding.focus, finding.rule.path, finding.value


def _telling(finding: Finding) -> tuple[int, str]:
    name = finding.rule.component
    return _MOST_TELLING.index(name) if name in _MOST_TELLING else len(_MOST_TELLING), name


def _texts(literals: Iterable[Node]) -> dict[str, str]:
    texts = {getattr(text, "language", None) or "en": str(text) for text in literals}
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


def _ox_term(node: Node) -> terms.Term:
    """A term of the report as the rest of the project has it."""
    if isinstance(node, rdflib.URIRef):
        return NamedNode(str(node))
    if isinstance(node, rdflib.BNode):
        return BlankNode(str(node))
    if isinstance(node, rdflib.Literal):
        if node.language:
            return Literal(str(node), language=node.language)
        return Literal(str(node), datatype=NamedNode(str(node.datatype or rdflib.XSD.string)))
    raise InvalidRequest("The shapes give a result that is no RDF term.")


__all__ = ["parse_shapes", "shapes_graph", "validate"]
