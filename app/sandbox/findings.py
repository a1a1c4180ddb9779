"""What a validation finds, as values that need neither pySHACL nor rdflib."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from typing import Literal as OneOf

from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from app.rdf.terms import SH, Term, string, type_

Severity = OneOf["violation", "warning", "info"]

SEVERITIES: Final[tuple[Severity, ...]] = ("violation", "warning", "info")
"""Worst first."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One constraint of one shape, at one severity.

    `shape` is the IRI of the shape, or of the one that an unnamed shape belongs to; `component` is
    the local name of the constraint component without its ending (`MinCount`); `parameter` is
    what the constraint demands where that is a single term (the 9 of `sh:maxInclusive 9`),
    `choices` what it offers (sh:in); `name` is the JSON name of the field (pf:name) and `labels`
    its name for people (sh:name) where the shape has one.
    """

    severity: Severity
    shape: str
    path: NamedNode | None
    component: str
    messages: Mapping[str, str]
    parameter: Term | None = None
    choices: tuple[Term, ...] = ()
    name: str | None = None
    labels: Mapping[str, str] | None = None


@dataclass(slots=True, eq=False)
class Finding:
    """One result: `rule` is not kept at `focus`, by `value` where it is one value that breaks it.

    An `echo` says nothing that another finding does not say more precisely.
    """

    rule: Rule
    focus: Term
    value: Term | None
    echo: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """All results of a validation; `standard` makes the sh:ValidationReport with the same."""

    results: tuple[Finding, ...]
    standard: Callable[[], Iterable[Triple]]

    def and_also(self, more: Sequence[Finding]) -> Findings:
        """These and violations that were found otherwise, in one report."""
        return Findings((*self.results, *more), lambda: self._together(more)) if more else self

    def _together(self, more: Sequence[Finding]) -> Iterator[Triple]:
        for triple in self.standard():
            if triple.predicate == SH["conforms"]:
                yield Triple(triple.subject, triple.predicate, Literal(False))
                for finding in more:
                    node = BlankNode()
                    yield Triple(triple.subject, SH["result"], node)
                    yield from result_triples(node, finding)
            else:
                yield triple


def result_triples(node: BlankNode, finding: Finding) -> Iterator[Triple]:
    """A violation that no shape of the validator found, as a result (SHACL §3.6.2)."""
    rule = finding.rule
    yield Triple(node, type_, SH["ValidationResult"])
    yield Triple(node, SH["resultSeverity"], SH["Violation"])
    component = SH[f"{rule.component}ConstraintComponent"]
    yield Triple(node, SH["sourceConstraintComponent"], component)
    if rule.shape:
        yield Triple(node, SH["sourceShape"], NamedNode(rule.shape))
    if not isinstance(finding.focus, Literal):
        yield Triple(node, SH["focusNode"], finding.focus)
    if rule.path is not None:
        yield Triple(node, SH["resultPath"], rule.path)
    if finding.value is not None:
        yield Triple(node, SH["value"], finding.value)
    for language, text in rule.messages.items():
        yield Triple(node, SH["resultMessage"], string(text, language))
