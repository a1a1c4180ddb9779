"""The JSON form of a validation report, without anything that needs pySHACL.

The service keeps reports in all languages: texts are objects by language. `localised` turns them
into what one reader gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from app.rdf.terms import Term
from app.sandbox.findings import SEVERITIES, Finding, Rule

RESULTS_PER_GROUP = 20
"""Results shown per constraint; the true total is always given."""

MAX_GROUPS = 200
"""Constraints shown in a report; their true number is always given."""

MAX_VALUE = 500
"""Characters of a value or text that a report shows."""

Json = dict[str, Any]
Explain = Callable[[Finding], Json]
ExplainRule = Callable[[Rule, Finding], Json]

_TEXTS = ("message", "fix", "label", "type_label", "field_label")


def empty_report() -> Json:
    """The report on data for which there are no shapes."""
    return {
        "conforms": True,
        "counts": dict.fromkeys(SEVERITIES, 0),
        "folded": 0,
        "groups_total": 0,
        "groups": [],
    }


def grouped(
    findings: Iterable[Finding],
    *,
    explain: Explain | None = None,
    explain_rule: ExplainRule | None = None,
    per_group: int | None = RESULTS_PER_GROUP,
    most_groups: int | None = MAX_GROUPS,
) -> Json:
    """The report: results by shape, path and constraint, worst first, each with its true total.

    `conforms`: no violation; warnings and infos do not block. `counts` are results by severity,
    `folded` those that were left out because another says the same.
    """
    explain, report = explain or _place, empty_report()
    by_rule: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        if finding.echo:
            report["folded"] += 1
            continue
        rule = finding.rule
        report["counts"][rule.severity] += 1
        key = (rule.severity, rule.shape, rule.path, rule.component, *rule.messages.items())
        by_rule.setdefault(key, []).append(finding)
    ranked = sorted(
        by_rule.values(),
        key=lambda fs: (SEVERITIES.index(fs[0].rule.severity), -len(fs), fs[0].rule.shape),
    )
    report["conforms"] = report["counts"]["violation"] == 0
    report["groups_total"] = len(ranked)
    for found in ranked[:most_groups]:
        rule = found[0].rule
        report["groups"].append(
            {
                "severity": rule.severity,
                "shape": rule.shape,
                "path": rule.path.value if rule.path is not None else None,
                "constraint": rule.component,
                "message": {k: v[:MAX_VALUE] for k, v in rule.messages.items()},
                **(explain_rule(rule, found[0]) if explain_rule else {}),
                "total": len(found),
                "results": [explain(one) for one in found[:per_group]],
            }
        )
    return report


def _place(finding: Finding) -> Json:
    return {"focus": identifier(finding.focus), "value": shortened(finding.value)}


def identifier(term: Term) -> str:
    """An IRI as it is, `_:label` for a blank node."""
    return str(getattr(term, "value", term)) if str(term).startswith("<") else str(term)[:MAX_VALUE]


def shortened(value: Term | None) -> str | None:
    """A value in the form of N-Triples, cut where it is long."""
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


def summary(report: Json) -> Json:
    """What the log keeps of a report."""
    return {"conforms": report["conforms"], "counts": report["counts"]}


def localised(report: Json, language: str) -> Json:
    """The report with its texts in `language`, else in English, else in any."""
    groups = [
        {
            **_in_language(group, language),
            "results": [_result(r, language) for r in group["results"]],
        }
        for group in report["groups"]
    ]
    return {**report, "language": language, "groups": groups}


def _result(result: Json, language: str) -> Json:
    found = _in_language(result, language)
    if "nearest" in found:
        found["nearest"] = _in_language(found["nearest"], language)
    return found


def _in_language(entry: Mapping[str, Any], language: str) -> Json:
    return {
        name: _text(value, language) if name in _TEXTS and isinstance(value, dict) else value
        for name, value in entry.items()
    }


def _text(texts: Mapping[str, str], language: str) -> str:
    return texts.get(language) or texts.get("en") or next(iter(texts.values()), "")


def lines(report: Json, *, language: str = "en") -> Iterator[str]:
    """The report for people, a constraint at a time, worst first."""
    shown = localised(report, language)
    counts = shown["counts"]
    yield ", ".join(
        f"{counts[name]} {name}{'' if counts[name] == 1 else 's'}" for name in SEVERITIES
    )
    for group in shown["groups"]:
        yield ""
        yield f"{group['severity']}: {group['message']}"
        if group.get("fix"):
            yield f"  {group['fix']}"
        where = group["path"] or group["shape"]
        times = "once" if group["total"] == 1 else f"{group['total']} times"
        yield f"  {group['constraint']} on {where}, {times}"
        for result in group["results"]:
            yield from _result_lines(result)
        hidden = group["total"] - len(group["results"])
        if hidden > 0:
            yield f"    … and {hidden} more"
    more = shown["groups_total"] - len(shown["groups"])
    if more > 0:
        yield f"\n… and {more} more constraints"


def _result_lines(result: Json) -> Iterator[str]:
    place = ", ".join(
        text
        for text in (
            f"line {result['line']}" if "line" in result else "",
            " ".join(filter(None, (result.get("type_label"), _quoted(result.get("label"))))),
            f"field {result['field']} ({result['field_label']})" if "field" in result else "",
        )
        if text
    )
    if place:
        yield f"    {place}"
    value = f"  value {result['value']}" if result["value"] else ""
    yield f"    {result['focus']}{value}"
    if "nearest" in result:
        near = result["nearest"]
        yield f"    did you mean <{near['id']}> {_quoted(near['label'])}?"


def _quoted(text: str | None) -> str:
    return f"“{text}”" if text else ""
