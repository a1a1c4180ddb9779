"""How alike names are, and when that settles whom they mean."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.reconciliation.scoring import (
    AHEAD,
    EXACT,
    SURE,
    Scored,
    best_name,
    combined,
    decided,
    name_score,
    property_likeness,
    word_likeness,
)
from app.reconciliation.spelling import spelled

FREQUENT = {"university": 2.0, "universiteit": 2.0, "institute": 2.0, "fraunhofer": 3.0}
NAMES = st.text(alphabet="abcdeé ü-(&).NVB", max_size=40)


def weigh(word: str) -> float:
    return FREQUENT.get(word, 8.0)


def score(one: str, other: str) -> float:
    return 100 * name_score(spelled(one), spelled(other), weigh)


@pytest.mark.parametrize(
    ("asked", "known", "least", "most"),
    [
        ("Philips", "PHILIPS N.V.", 100, 100),
        ("Philips NV", "Philips BV", EXACT, 99),  # the same name, another company perhaps
        ("Leuven Katholieke Universiteit", "Katholieke Universiteit Leuven", EXACT, 99.9),
        ("Katolieke Universiteit Leuven", "Katholieke Universiteit Leuven", SURE, EXACT),
        ("Katholieke UniversiteitLeuven", "Katholieke Universiteit Leuven", 100, 100),
        ("Philips (Netherlands)", "Philips", SURE, EXACT),
        ("Philips (Netherlands)", "Philips (Germany)", 0, SURE),
        ("University of Maastricht", "University of Antwerp", 0, 50),
        ("Fraunhofer FIT", "Fraunhofer FKIE", 0, 60),
        ("CBS University", "HAS University", 0, 50),
        ("Dinalog", "DIN", 0, SURE),
        ("RWTH", "RWTA", 0, 60),
        ("KUL", "Katholieke Universiteit Leuven", 50, 60),
        ("Leuven", "Aachen", 0, 0),
        ("", "Aachen", 0, 0),
    ],
)
def test_names(asked: str, known: str, least: float, most: float) -> None:
    assert least <= score(asked, known) <= most


def test_a_rare_word_says_more_than_a_frequent_one() -> None:
    assert score("Jülich Institute", "Jülich Centre") > score("Jülich Institute", "Bonn Institute")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("klinikum", "klinikum", 1),
        ("klinikum", "klinkum", 0.875),
        ("uni", "universitat", 0.75),
        ("2019", "2020", 0),
        ("a", "b", 0),
        ("leuven", "aachen", 0),
    ],
)
def test_words(one: str, other: str, expected: float) -> None:
    assert word_likeness(one, other) == word_likeness(other, one) == pytest.approx(expected)


def test_a_place_in_the_name_is_understood_where_the_entity_is() -> None:
    here, _ = best_name(spelled("Philips Eindhoven"), ["Philips"], ["Eindhoven"], weigh)
    elsewhere, _ = best_name(spelled("Philips Eindhoven"), ["Philips"], ["Hamburg"], weigh)
    assert elsewhere < here < EXACT
    only, _ = best_name(spelled("Eindhoven"), ["Philips"], ["Eindhoven"], weigh)
    assert only == 0


def test_the_name_that_is_most_like_counts() -> None:
    assert best_name(spelled("kul"), ["KU Leuven", "KUL"], [], weigh) == (100, "KUL")


def test_properties_move_a_score() -> None:
    assert combined(100, {"city": 1.0, "country": 1.0}) == 100
    assert combined(100, {"city": 0.0}) == 80
    assert combined(90, {"city": 1.0}) > 90
    assert combined(None, {"city": 1.0, "country": 0.0}) == 50
    assert combined(None, {}) == 0


def test_values_of_properties() -> None:
    assert property_likeness("Koeln", ["Bonn", "Köln"]) == 1
    assert property_likeness("Eindhven", ["Eindhoven"]) > 0.8
    assert property_likeness("Bonn", ["Köln"]) == 0
    assert property_likeness("?", ["!"]) == 0


def ranking(*scores: float, **more: bool) -> list[Scored]:
    return [Scored(f"urn:{n}", score, None, (), **more) for n, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([], False),
        (ranking(100), True),
        (ranking(100, 100), False),
        (ranking(100, 98.6), False),
        (ranking(100, 97), True),
        (ranking(SURE, SURE - AHEAD), True),
        (ranking(SURE + 5, SURE), False),
        (ranking(SURE - 0.1), False),
        (ranking(100, 56, decisive=False), False),
        (ranking(100, 30, decisive=False), True),
        (ranking(95, decisive=False), False),
        (ranking(100, 100, identified=True), False),
        ([*ranking(100, identified=True), *ranking(100)], True),
    ],
)
def test_when_the_first_is_the_one(candidates: list[Scored], expected: bool) -> None:
    assert decided(candidates) is expected


@given(NAMES, NAMES)
def test_likeness_goes_both_ways_and_stays_in_its_bounds(one: str, other: str) -> None:
    there, back = score(one, other), score(other, one)
    assert 0 <= there <= 100
    assert there == pytest.approx(back)


@given(NAMES)
@example(".(b)")
def test_a_name_is_like_itself(name: str) -> None:
    assert score(name, name) == pytest.approx(100)
    assert score(name, name.upper()) == pytest.approx(100)


@given(st.floats(0, 100), st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=5))
def test_combined_scores_stay_in_their_bounds(name: float, properties: dict[str, float]) -> None:
    assert -1e-6 <= combined(name, properties) <= 100 + 1e-6
