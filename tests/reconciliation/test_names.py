"""The index of names, and the candidates that come from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reconciliation.matching import candidates, ranked
from app.reconciliation.names import Facts, NameIndex, read_facts
from app.reconciliation.scoring import decided
from app.reconciliation.spelling import spelled

LEUVEN = Facts(
    "urn:leuven",
    "organisation",
    {"": "KU Leuven"},
    ("KU Leuven", "KUL", "Katholieke Universiteit Leuven", "University of Leuven"),
    ("https://ror.org/05f950310", "BE0419052173"),
    ({"": "Leuven"}, {"en": "Belgium", "fr": "Belgique"}),
)
HOSPITAL = Facts("urn:uz", "organisation", {"": "UZ Leuven"}, ("UZ Leuven",))
REGION = Facts("urn:region", "region", {"en": "Leuven"}, ("Leuven",), ("BE24",))


@pytest.fixture
def index() -> NameIndex:
    made = NameIndex()
    for one in (LEUVEN, HOSPITAL, REGION):
        made.add(one)
    made.commit()
    return made


def first(index: NameIndex, text: str, without: str | None = None) -> str | None:
    found = ranked(candidates(index, text, without=without))
    return found[0].iri if found else None


@pytest.mark.parametrize(
    "text",
    [
        "ku leuven", "Kathollieke Universiteit Leuven", "Leuven, Universiteit Katholieke",
        "KU Leuven vzw", "05F950310", "be 0419 052 173", "urn:leuven",
    ],
)  # fmt: skip
def test_an_entity_is_found(index: NameIndex, text: str) -> None:
    assert first(index, text) == "urn:leuven"


def test_only_of_the_types_asked_for(index: NameIndex) -> None:
    assert {one.facts.iri for one in candidates(index, "Leuven", ("region",))} == {"urn:region"}
    assert candidates(index, "BE24", ("organisation",)) == []


def test_a_withheld_name_finds_nothing(index: NameIndex) -> None:
    assert first(index, "KUL") == "urn:leuven"
    found = candidates(index, "KUL", without="KUL")
    assert all(one.name != "KUL" for one in found)
    assert not decided(ranked(found))


def test_changes_count_from_the_commit_on(index: NameIndex) -> None:
    index.remove("urn:uz")
    index.add(Facts("urn:new", "organisation", {"": "Quux"}, ("Quux Metrics",)))
    assert first(index, "UZ Leuven") == "urn:uz"
    index.commit()
    assert index.facts("urn:uz") is None
    assert first(index, "Quux Metrics") == "urn:new"
    assert first(index, "UZ Leuven") != "urn:uz"


def test_what_is_typed_begins_a_word(index: NameIndex) -> None:
    assert [one.iri for one in index.beginning("kathol", (), 5, 0)] == ["urn:leuven"]
    assert [one.iri for one in index.beginning("leu", ("region",), 5, 0)] == ["urn:region"]
    assert [one.iri for one in index.beginning("university leu", (), 5, 0)] == ["urn:leuven"]
    assert index.beginning("(.*", (), 5, 0) == []
    assert len(index.some((), 2, 1)) == 2


def test_rare_words_weigh_more(index: NameIndex) -> None:
    assert 1 <= index.weigh("leuven") < index.weigh("katholieke") <= index.weigh("unseen") <= 10


def test_an_empty_index_answers() -> None:
    empty = NameIndex()
    assert candidates(empty, "anything") == []
    assert empty.weigh("anything") > 0


def test_facts_survive_as_bytes() -> None:
    assert read_facts(LEUVEN.dumped()) == LEUVEN
    assert LEUVEN.where("fr") == ["Leuven", "Belgique"]
    assert REGION.label("nl") == "Leuven"


@given(st.text(max_size=300))
def test_any_text_can_be_asked(text: str) -> None:
    for one in ranked(candidates(_KEPT, text)):
        assert 0 <= one.score <= 100
    _KEPT.beginning(text, (), 3, 0)
    _KEPT.identified(text)
    assert spelled(text).text is not None


_KEPT = NameIndex()
_KEPT.add(LEUVEN)
_KEPT.commit()
