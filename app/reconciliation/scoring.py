"""How alike a name and an entity are, from 0 to 100, why, and whether that settles it. Pure.

A name is compared with every name of an entity; the best counts. Words are weighed by how rare they
are, so "Institut" says less than "Jülich", and each word of one side is set beside the most similar
of the other: order does not matter, a typing error costs little. What else is known, properties,
moves the score; an identifier that is equal settles it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import OSA

from app.reconciliation.spelling import Spelling, is_linking, spelled

CERTAIN: Final = 100.0

EXACT: Final = 97.0
"""From here on the names are the same but for order, marks and legal form."""

SURE: Final = 90.0
"""The least score of a match that is not the same name."""

AHEAD: Final = 9.0
"""By how much such a match must lead; the same name leads by `AHEAD_EXACT`."""

AHEAD_EXACT: Final = 1.5

AHEAD_SHORT: Final = 60.0
"""The same for a name as short as an acronym: others with one letter more or less contend."""

_ALIKE = 0.74
_LINKING_WEIGHT = 0.15
_ASIDE_WEIGHT = 0.35
_OTHER_ORDER = 0.985
_OTHER_FORM = 0.975
_OTHER_ASIDE = 0.94
_ABBREVIATED = 0.75
_CONFLICT = 0.5
_INITIALS = 0.55
_NEAR_INITIALS = 0.3
_LONG_KEY = 8
_SHORTEST_PREFIX = 3
_PROPERTY_WEIGHT = 0.25
_SETTLES = 0.99

Weigh = Callable[[str], float]
"""How much a word says: from about 1, for the most frequent, to 10."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A reason for a score: `id` as the protocol's matching feature has it."""

    id: str
    value: float | bool


@dataclass(frozen=True, slots=True)
class Scored:
    """An entity with its score, the name by which it was found, and why."""

    iri: str
    score: float
    name: str | None
    features: tuple[Feature, ...]
    decisive: bool = True
    """Whether enough was said to decide by; not so with a name of few letters."""

    identified: bool = False
    """Whether an identifier is equal: then only others of which that is so contend."""


def name_score(asked: Spelling, known: Spelling, weigh: Weigh) -> float:
    """Likeness of two names, 0 to 1."""
    best = _main_score(asked, known, weigh)
    if asked.legal and known.legal and asked.legal != known.legal:
        best *= _OTHER_FORM
    if asked.aside or known.aside:
        best = max(best * _aside_factor(asked, known), _with_aside(asked, known, weigh))
    return best


def _main_score(asked: Spelling, known: Spelling, weigh: Weigh) -> float:
    if asked.key == known.key:
        return float(bool(asked.key) or asked.text.casefold() == known.text.casefold())
    if sorted(asked.words) == sorted(known.words):
        return _OTHER_ORDER
    if asked.short or known.short:  # each letter counts: no word of it can be right by itself
        return max(
            OSA.normalized_similarity(asked.key, known.key) ** 2,
            _same_words_score(asked.words, known.words, weigh),
            _initials_score(asked, known),
        )
    apart = _apart_score(asked, known) if len(asked.words) != len(known.words) else 0.0
    return max(_words_score(asked.words, known.words, weigh), apart)


def _aside_factor(asked: Spelling, known: Spelling) -> float:
    """What stands in brackets on one side only costs little; different things cost more."""
    if asked.aside and known.aside:
        return 1.0 if asked.aside == known.aside else 0.8
    return _OTHER_ASIDE


def _with_aside(asked: Spelling, known: Spelling, weigh: Weigh) -> float:
    """The names with what stands in their brackets."""
    one, other = asked.words + asked.aside, known.words + known.aside
    if sorted(one) == sorted(other):
        return _OTHER_ORDER
    return _words_score(one, other, weigh)


def _initials_score(one: Spelling, other: Spelling) -> float:
    """Whether one may be the acronym of the other: the first letters of its words."""
    pairs = [(one.key, letters) for letters in other.initials]
    pairs += [(other.key, letters) for letters in one.initials]
    nearest = min((OSA.distance(key, letters) for key, letters in pairs), default=2)
    return (_INITIALS, _NEAR_INITIALS, 0.0)[min(nearest, 2)]


def _apart_score(asked: Spelling, known: Spelling) -> float:
    """Likeness of names that are divided into words differently, with one more typing error."""
    longer = max(len(asked.key), len(known.key))
    if longer < _LONG_KEY or OSA.distance(asked.key, known.key, score_cutoff=1) > 1:
        return 0.0
    return 1.0 - 1.0 / longer


def _same_words_score(asked: Sequence[str], known: Sequence[str], weigh: Weigh) -> float:
    """The weight of the words that both have, of the weight of all."""
    total = sum(_weight(word, weigh) for word in (*asked, *known))
    both = sum(_weight(word, weigh) for word in set(asked).intersection(known))
    return 2 * both / total if total else 0.0


def _words_score(asked: Sequence[str], known: Sequence[str], weigh: Weigh) -> float:
    """The weight of the words that have a partner, of the weight of all.

    Words without a partner on one side are left out there; on both sides, they contradict.
    """
    weights = {word: _weight(word, weigh) for word in (*asked, *known)}
    pairs = sorted(
        (
            (likeness * (weights[a] + weights[b]), likeness, i, j)
            for i, a in enumerate(asked)
            for j, b in enumerate(known)
            if (likeness := word_likeness(a, b)) > 0
        ),
        reverse=True,
    )
    left, right, matched = set(range(len(asked))), set(range(len(known))), 0.0
    for weighed, _, i, j in pairs:
        if i in left and j in right:
            left.discard(i)
            right.discard(j)
            matched += weighed
    total = sum(weights[word] for word in asked) + sum(weights[word] for word in known)
    alone = min(sum(weights[asked[i]] for i in left), sum(weights[known[j]] for j in right))
    return max(0.0, matched - _CONFLICT * alone) / total if total else 0.0


def word_likeness(one: str, other: str) -> float:
    """Likeness of two words, 0 to 1: by typing errors, or as a word and its abbreviation."""
    if one == other:
        return 1.0
    shorter, longer = (one, other) if len(one) < len(other) else (other, one)
    length = len(longer)
    if len(shorter) >= _SHORTEST_PREFIX and longer.startswith(shorter):
        return max(_ABBREVIATED, len(shorter) / length)
    errors = max(1, int(length * (1 - _ALIKE)))
    if length - len(shorter) > errors or len(shorter) == 1 or shorter.isdigit() or longer.isdigit():
        return 0.0
    distance = OSA.distance(one, other, score_cutoff=errors)
    return 1.0 - distance / length if distance <= errors else 0.0


def _weight(word: str, weigh: Weigh) -> float:
    return _LINKING_WEIGHT if is_linking(word) else weigh(word)


def best_name(
    asked: Spelling, names: Iterable[str], places: Iterable[str], weigh: Weigh
) -> tuple[float, str | None]:
    """The score (0 to 100) of the name that is most like, and that name.

    The entity's places may stand in what is asked: "Philips Eindhoven" is Philips in Eindhoven.
    """
    best, chosen = 0.0, None
    here = {word for place in places for word in spelled(place).words}
    for name in names:
        known = spelled(name)
        score = name_score(asked, known, weigh)
        extra = here.intersection(asked.words) - set(known.words)
        if extra and len(extra) < len(asked.words):
            rest = tuple(word for word in asked.words if word not in extra)
            bare = Spelling(asked.text, rest, asked.legal, (), "".join(rest))
            score = max(score, _OTHER_ASIDE * name_score(bare, known, weigh))
        if score > best:
            best, chosen = score, name
    return best * 100, chosen


def combined(name: float | None, properties: Mapping[str, float]) -> float:
    """The score of a name (0 to 100) and of properties (0 to 1 each) together.

    A property that the entity says nothing about is not among them.
    """
    weight = _PROPERTY_WEIGHT * len(properties)
    said = 100 * _PROPERTY_WEIGHT * sum(properties.values())
    if name is None:
        return said / weight if weight else 0.0
    return (name + said) / (1 + weight)


def property_likeness(asked: str, values: Iterable[str]) -> float:
    """How like a value is to the most similar of an entity's, 0 to 1; less than 0.6 is 0."""
    wanted = spelled(asked)
    best = 0.0
    for value in values:
        known = spelled(value)
        if value == asked or (wanted.key and wanted.key == known.key):
            return 1.0
        best = max(best, _main_score(wanted, known, lambda _: 1.0))
    return best if best >= 0.6 else 0.0  # noqa: PLR2004


def decided(ranked: Sequence[Scored]) -> bool:
    """Whether the first of candidates in falling order is the one: good, and clearly ahead."""
    if not ranked:
        return False
    if ranked[0].identified:
        return len(ranked) == 1 or not ranked[1].identified
    first = ranked[0].score
    second = ranked[1].score if len(ranked) > 1 else 0.0
    if first >= EXACT:
        return first - second >= (AHEAD_EXACT if ranked[0].decisive else AHEAD_SHORT)
    return ranked[0].decisive and first >= SURE and first - second >= AHEAD
