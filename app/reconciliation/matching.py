"""From what is asked to candidates in order: by identifier, else by name, then by properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.reconciliation.names import Facts, NameIndex
from app.reconciliation.scoring import CERTAIN, Feature, Scored, best_name, combined
from app.reconciliation.spelling import spelled

MOST_COMPARED = 15
"""Candidates whose properties are looked at."""

_NAMES_FOUND = 40
_LEAST = 25.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entity that may be meant; `name_score` (0 to 100) is None when no name was asked for."""

    facts: Facts
    name_score: float | None = None
    name: str | None = None
    identified: bool = False
    short: bool = False
    properties: Mapping[str, float] = field(default_factory=dict)

    def scored(self) -> Scored:
        """Its score with the reasons."""
        features = []
        if self.name_score is not None:
            features.append(Feature("name", round(self.name_score, 2)))
        features.append(Feature("identifier", self.identified))
        features += [
            Feature(f"property:{name}", round(100 * likeness, 2))
            for name, likeness in self.properties.items()
        ]
        score = CERTAIN if self.identified else combined(self.name_score, self.properties)
        decisive = not self.short or self.identified
        return Scored(
            self.facts.iri, round(score, 2), self.name, tuple(features), decisive, self.identified
        )


def candidates(
    index: NameIndex, text: str, types: Sequence[str] = (), *, without: str | None = None
) -> list[Candidate]:
    """Who may be meant by a name or an identifier, the likeliest first, before properties.

    Nothing is found by the name `without`, as if it were not known.
    """
    found = {
        facts.iri: Candidate(facts, identified=True) for facts in index.identified(text, types)
    }
    asked = spelled(text)
    for facts in index.similar(asked, types, _NAMES_FOUND, without):
        if facts.iri in found:
            continue
        names = [name for name in facts.names if name != without]
        score, name = best_name(asked, names, facts.place_names, index.weigh)
        if score >= _LEAST:
            found[facts.iri] = Candidate(facts, score, name, short=asked.short)
    return sorted(found.values(), key=_order)


def _order(candidate: Candidate) -> tuple[float, int, str]:
    score = CERTAIN if candidate.identified else candidate.name_score or 0.0
    return -score, len(candidate.name or ""), candidate.facts.iri


def ranked(found: Sequence[Candidate]) -> list[Scored]:
    """Their scores in falling order, those with an equal identifier first."""
    return sorted((one.scored() for one in found), key=lambda one: (not one.identified, -one.score))
