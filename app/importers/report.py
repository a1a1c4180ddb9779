"""What an import read, kept and dropped, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """Counts by plain words, single cases for a curator, and how decisions were taken."""

    counts: Counter[str] = field(default_factory=Counter)
    cases: dict[str, list[str]] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)

    def count(self, what: str, number: int = 1) -> None:
        """Add `number` to the count of `what`."""
        self.counts[what] += number

    def case(self, kind: str, what: str) -> None:
        """Note one case, and count it."""
        self.cases.setdefault(kind, []).append(what)
        self.count(kind)

    def method(self, what: str, how: str) -> None:
        """Say how something was decided."""
        self.methods[what] = how

    def as_json(self) -> dict[str, object]:
        """Counts, cases and methods in a stable order."""
        return {
            "counts": dict(sorted(self.counts.items())),
            "cases": {kind: sorted(found) for kind, found in sorted(self.cases.items())},
            "methods": dict(sorted(self.methods.items())),
        }
