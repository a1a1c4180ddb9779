"""How often reconciliation finds the right organisation, and how far its `match` can be trusted.

    python -m bench.reconciliation [--data ../shared/data] [--sample N]

The index holds the organisations of the seed that have a ROR identifier, with all names that the
seed gives them; with `--everything` all entities, among them organisations of CORDIS, some of which
are the same ones once more. The names that are asked:

(a) those under which CORDIS knows them, from a table that gives their ROR identifiers. These were
    joined by equal names, so the result is a floor of what such a table must give.
(b) each label, alias and acronym that ROR gives, first as it is while the index does not know it
    ("withheld"), then changed by one typing error, by another legal form, by another order of its
    words, each with the unchanged name in the index and withheld. A withheld name counts for recall
    only when the organisation keeps another one; for precision it always counts.

Beside it, in the same run and with the same names withheld: RapidFuzz's `extractOne` with WRatio
over all names of organisations; it says "match" from the score on (of 80, 85, …, 100) at which it
is right most often with a precision of 0.98, if there is one, else from 100 on. Nothing is tuned
to single names; changes are made by a generator of numbers with a fixed seed.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyoxigraph as ox
from rapidfuzz import fuzz, process
from rapidfuzz.utils import default_process

from app.profile import load_profile
from app.reconciliation.matching import candidates, ranked
from app.reconciliation.names import Facts, NameIndex
from app.reconciliation.scoring import decided
from app.reconciliation.sources import FactsReader
from app.reconciliation.spelling import LEGAL_FORMS, looks_like_acronym, split_words
from app.records.graph import Graph
from app.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent
_TYPE = "organisation"
_ROR = "https://ror.org/"
_SEED = 20261123
_FORMS = ("NV", "BV", "GmbH", "SA", "VZW", "e.V.", "Ltd", "AG", "SRL", "ASBL")
_TRIES = tuple(range(80, 101, 5))
_PRECISION = 0.98
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Question:
    """A name that is asked, whom it means, and the name that is withheld meanwhile, if any.

    `askable`: the organisation keeps a name, so it can be found.
    """

    group: str
    text: str
    iri: str
    without: str | None = None
    askable: bool = True


@dataclass(frozen=True)
class Reply:
    """The first candidate, and whether it was called a match, or with which score it came."""

    iri: str | None
    match: bool
    score: float = 0.0


def entities(seed: Path, ontology: Path, shapes: Path, base_iri: str) -> list[Facts]:
    """The facts of all entities of the seed."""
    store = ox.Store()
    for number, file in enumerate([*sorted(ontology.glob("*.ttl")), *sorted(seed.glob("*.ttl"))]):
        graph = ox.NamedNode(f"{base_iri}graph/bench/{number}")
        store.bulk_load(path=str(file), format=ox.RdfFormat.TURTLE, to_graph=graph)
    profile = load_profile(ontology, shapes, base_iri)
    return list(FactsReader(Graph(store, base_iri), profile).everything())


def ror_names(seed: Path) -> dict[str, list[str]]:
    """IRI → the names that the Research Organization Registry gives, and no other dataset."""
    store = ox.Store()
    store.bulk_load(path=str(seed / "ror.ttl"), format=ox.RdfFormat.TURTLE)
    rows = store.query(
        "PREFIX skos: <http://www.w3.org/2004/02/skos/core#> PREFIX org: <http://www.w3.org/ns/org#>"
        "SELECT ?s ?n { ?s a org:Organization ; skos:prefLabel|skos:altLabel ?n } ORDER BY ?s ?n"
    )
    found: dict[str, list[str]] = {}
    for row in rows:  # type: ignore[union-attr]
        found.setdefault(row[0].value, []).append(row[1].value)
    return found


def cordis_questions(data: Path, by_ror: dict[str, str]) -> Iterator[Question]:
    """Group (a)."""
    with (data / "cordis_organizations.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["ror_id"] in by_ror:
                yield Question("(a) CORDIS name", row["name"], by_ror[row["ror_id"]])


def ror_questions(
    names: dict[str, list[str]], known: dict[str, Facts], dice: random.Random
) -> Iterator[Question]:
    """Group (b)."""
    for iri, own in names.items():
        for name in own:
            keeps = any(other != name for other in known[iri].names)
            kind = _kind(name, known[iri])
            yield Question(f"{kind}, withheld", name, iri, name, keeps)
            for change, make in _CHANGES.items():
                asked = make(name, dice)
                if asked and asked not in known[iri].names:
                    yield Question(f"{kind}, {change}", asked, iri)
                    yield Question(f"{kind}, {change}, withheld", asked, iri, name, keeps)


def _kind(name: str, facts: Facts) -> str:
    if looks_like_acronym(name):
        return "acronym"
    return "label" if name in facts.labels.values() else "alias"


def typing_error(name: str, dice: random.Random) -> str | None:
    """One letter left out, doubled, exchanged with the next, or replaced by another."""
    places = [i for i, letter in enumerate(name[:-1]) if letter.isalpha() and name[i + 1].isalpha()]
    if not places:
        return None
    at = dice.choice(places)
    return dice.choice(
        (
            name[:at] + name[at + 1 :],
            name[:at] + name[at] + name[at:],
            name[:at] + name[at + 1] + name[at] + name[at + 2 :],
            name[:at] + dice.choice(_LETTERS) + name[at + 1 :],
        )
    )


def other_form(name: str, dice: random.Random) -> str | None:
    """The legal form exchanged for another, or one added where there is none."""
    words = name.split()
    bare = [word for word in words if not LEGAL_FORMS.issuperset(split_words(word))]
    had = "".join(split_words(" ".join(word for word in words if word not in bare)))
    form = dice.choice([form for form in _FORMS if "".join(split_words(form)) != had])
    return f"{' '.join(bare)} {form}" if bare else None


def swapped(name: str, dice: random.Random) -> str | None:
    """The words in another order."""
    words = name.split()
    if len(set(words)) < 2:
        return None
    other = list(words)
    while other == words:
        dice.shuffle(other)
    return " ".join(other)


_CHANGES: dict[str, Callable[[str, random.Random], str | None]] = {
    "typing error": typing_error,
    "legal form": other_form,
    "words swapped": swapped,
}


class Ours:
    """The service's own way from a name to an answer."""

    def __init__(self, facts: Sequence[Facts]) -> None:
        began = time.perf_counter()
        self.index = NameIndex()
        for one in facts:
            self.index.add(one)
        self.index.commit()
        self.built = time.perf_counter() - began

    def reply(self, question: Question) -> Reply:
        """What it would answer."""
        found = ranked(candidates(self.index, question.text, (_TYPE,), without=question.without))
        return Reply(found[0].iri, decided(found), found[0].score) if found else Reply(None, False)


class WRatio:
    """RapidFuzz alone: the most similar of all names, case and marks ignored."""

    def __init__(self, facts: Sequence[Facts]) -> None:
        pairs = [(name, one.iri) for one in facts if one.type == _TYPE for name in one.names]
        self._owners = [iri for _, iri in pairs]
        self._names: list[str | None] = [default_process(name) for name, _ in pairs]
        self._places: dict[str, list[int]] = {}
        for place, (name, _) in enumerate(pairs):
            self._places.setdefault(name, []).append(place)

    def reply(self, question: Question) -> Reply:
        """Without a decision: that is made when all scores are known."""
        away = self._places.get(question.without or "", [])
        kept = [self._names[place] for place in away]
        for place in away:
            self._names[place] = None  # extractOne passes over it
        best = process.extractOne(default_process(question.text), self._names, scorer=fuzz.WRatio)
        for place, name in zip(away, kept, strict=True):
            self._names[place] = name
        return Reply(self._owners[best[2]], False, best[1]) if best else Reply(None, False)


def with_threshold(questions: Sequence[Question], replies: Sequence[Reply]) -> list[Reply]:
    """The replies with the decision that serves WRatio best."""
    best, most = 100, -1
    for least in _TRIES:
        said = [q.iri == r.iri for q, r in zip(questions, replies, strict=True) if r.score >= least]
        if said and sum(said) / len(said) >= _PRECISION and sum(said) > most:
            best, most = least, sum(said)
    print(f"WRatio says match from {best} on")
    return [Reply(r.iri, r.score >= best, r.score) for r in replies]


@dataclass(frozen=True)
class Figures:
    """Recall of the first candidate; how many were called a match, and which part rightly."""

    recall: float
    matches: int
    precision: float | None

    def __str__(self) -> str:
        precision = "     -" if self.precision is None else f"{self.precision:6.3f}"
        return f"{self.recall:7.3f} {self.matches:6d} {precision}"


def figures(questions: Sequence[Question], replies: Sequence[Reply]) -> Figures:
    """Of one group."""
    pairs = list(zip(questions, replies, strict=True))
    right = [q.iri == r.iri for q, r in pairs if q.askable]
    said = [q.iri == r.iri for q, r in pairs if r.match]
    return Figures(
        sum(right) / len(right) if right else 0.0,
        len(said),
        sum(said) / len(said) if said else None,
    )


def report(questions: Sequence[Question], ours: Sequence[Reply], theirs: Sequence[Reply]) -> bool:
    """Print a line for each group; whether all that is promised holds."""
    kept = True
    head = "recall  match  precis"
    print(f"\n{'':42s} {'asked':>6s}  {head}   WRatio: {head}")
    groups = list(dict.fromkeys(q.group for q in questions))
    for group in [*groups, "(b) all", "(b) not withheld"]:
        at = [i for i, q in enumerate(questions) if _belongs(q, group)]
        asked = [questions[i] for i in at]
        mine = figures(asked, [ours[i] for i in at])
        other = figures(asked, [theirs[i] for i in at])
        fine = mine.recall >= other.recall and (mine.precision or 1.0) >= _PRECISION
        kept &= fine
        print(f"{group:42s} {len(asked):6d}  {mine}           {other} {'' if fine else '  <--'}")
    return kept


def _belongs(question: Question, group: str) -> bool:
    if group.startswith("(b)"):
        plain = question.without is None or group == "(b) all"
        return not question.group.startswith("(a)") and plain
    return question.group == group


def main() -> None:
    """Ask all, print all."""
    parser = argparse.ArgumentParser(description="Measure reconciliation on the seed.")
    parser.add_argument("--data", type=Path, default=_ROOT / "../shared/data")
    parser.add_argument("--sample", type=int, default=0, help="ask only so many of (b)")
    parser.add_argument("--everything", action="store_true", help="compare with all entities")
    parser.add_argument("--misses", type=int, default=0, help="show so many wrong matches")
    given = parser.parse_args()
    settings = Settings.model_fields
    base_iri: str = settings["base_iri"].default
    facts = entities(_ROOT / "data", _ROOT / "ontology", _ROOT / "shapes", base_iri)
    by_ror = {i: f.iri for f in facts for i in f.identifiers if i.startswith(_ROR)}
    if not given.everything:
        facts = [f for f in facts if f.iri in set(by_ror.values())]
    known = {f.iri: f for f in facts}
    dice = random.Random(_SEED)
    asked = list(ror_questions(ror_names(_ROOT / "data"), known, dice))
    if given.sample:
        asked = dice.sample(asked, min(given.sample, len(asked)))
    questions = [*cordis_questions(given.data, by_ror), *asked]
    ours, theirs = Ours(facts), WRatio(facts)
    print(f"{len(facts)} entities, index built in {ours.built:.1f} s; {len(questions)} questions")
    replies, took = [], []
    for question in questions:
        began = time.perf_counter()
        replies.append(ours.reply(question))
        took.append(time.perf_counter() - began)
    began = time.perf_counter()
    others = with_threshold(questions, [theirs.reply(question) for question in questions])
    each = (time.perf_counter() - began) / len(questions)
    p99 = statistics.quantiles(took, n=100)[98]
    print(
        f"ours: {statistics.mean(took) * 1e3:.1f} ms a name, p99 {p99 * 1e3:.1f} ms; "
        f"WRatio: {each * 1e3:.1f} ms a name"
    )
    kept = report(questions, replies, others)
    wrong = [
        (q, r) for q, r in zip(questions, replies, strict=True) if q.askable and q.iri != r.iri
    ]
    for question, reply in sorted(wrong, key=lambda pair: not pair[1].match)[: given.misses]:
        got = known[reply.iri].names if reply.iri else ()
        told = "MATCH" if reply.match else ""
        meant = known[question.iri].names
        print(f"{question.group}: {question.text!r} {reply.score} {told} {meant} != {got}")
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
