"""What a validation finds, as values that need neither pySHACL nor rdflib."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pyoxigraph import NamedNode, Triple

from app.rdf.terms import Term

Severity = Literal["violation", "warning", "info"]

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
