"""The JSON form of a validation report, without anything that needs pySHACL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def empty_report() -> dict[str, Any]:
    """The report on data for which there are no shapes."""
    return {
        "conforms": True,
        "counts": {"violation": 0, "warning": 0, "info": 0},
        "groups": [],
    }


def summary(report: dict[str, Any]) -> dict[str, Any]:
    """What the log keeps of a report."""
    return {"conforms": report["conforms"], "counts": report["counts"]}


def lines(report: dict[str, Any], *, language: str = "en") -> Iterator[str]:
    """The report for people, a constraint at a time, worst first."""
    counts = report["counts"]
    yield ", ".join(
        f"{counts[name]} {name}{'' if counts[name] == 1 else 's'}"
        for name in ("violation", "warning", "info")
    )
    for group in report["groups"]:
        messages = group["message"]
        text = messages.get(language) or messages.get("en") or next(iter(messages.values()), "")
        yield ""
        yield f"{group['severity']}: {text}"
        where = group["path"] or group["shape"]
        yield f"  {group['constraint']} on {where}, {group['total']} times"
        for result in group["results"]:
            value = f"  value {result['value']}" if result["value"] else ""
            yield f"    {result['focus']}{value}"
        hidden = group["total"] - len(group["results"])
        if hidden > 0:
            yield f"    … and {hidden} more"
