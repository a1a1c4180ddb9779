"""How well the search finds what people look for: the questions, and their mean reciprocal rank."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

QUESTIONS = Path(__file__).with_name("search_quality.toml")
DEPTH = 10

Ask = Callable[[str], Sequence[str]]
"""The IRIs that a search for some words finds, the best first."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A question, the best place of an expected entity (0 for none), and how long it took."""

    kind: str
    q: str
    rank: int
    seconds: float


def answer_all(ask: Ask) -> list[Answered]:
    """Ask every question of the file."""
    answered = []
    for question in tomllib.loads(QUESTIONS.read_text("utf-8"))["question"]:
        began = time.perf_counter()
        found = ask(question["q"])[:DEPTH]
        seconds = time.perf_counter() - began
        right = (n for n, iri in enumerate(found, 1) if iri.endswith(tuple(question["expected"])))
        answered.append(Answered(question["kind"], question["q"], next(right, 0), seconds))
    return answered


def mean_reciprocal_rank(answered: Sequence[Answered]) -> float:
    """1 if the first hit is always right, 0 if none ever is."""
    return sum(1 / one.rank for one in answered if one.rank) / len(answered)
