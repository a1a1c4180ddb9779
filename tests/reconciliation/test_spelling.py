"""Names in the form in which they are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reconciliation.spelling import identifier_keys, looks_like_acronym, spelled


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Forschungszentrum Jülich", "FORSCHUNGSZENTRUM JUELICH"),
        ("Universität zu Köln", "Universitat zu Koln"),
        ("Straße", "Strasse"),
        ("Université de Liège", "universite de liege"),
        ("Philips N.V.", "Philips"),
        ("Philips NV", "PHILIPS B.V."),
        ("Stichting Smart Homes", "Smart Homes"),
        ("Wuppertal Institut gGmbH", "Wuppertal Institut"),
        ("VITO vzw", "V.I.T.O."),
        ("Max-Planck-Institut e. V.", "Max Planck Institut"),
        ("Łódź", "Lodz"),
        ("Uni Klinikum", "Uniklinikum"),
    ],
)
def test_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert spelled(one).key == spelled(other).key


@pytest.mark.parametrize(
    ("one", "other"), [("Universität Bonn", "Universität Köln"), ("3M", "4M"), ("NV", "BV")]
)
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert spelled(one).key != spelled(other).key


def test_legal_forms_and_brackets_are_told_apart_from_the_name() -> None:
    found = spelled("Nyrstar Budel B.V. (Netherlands)")
    assert found.words == ("nyrstar", "budel")
    assert found.legal == {"bv"}
    assert found.aside == ("netherlands",)


def test_initials_are_of_all_words_and_of_those_that_say_something() -> None:
    assert spelled("Deutsches Zentrum für Luft- und Raumfahrt").initials == ("dzflur", "dzlr")
    assert spelled("KU Leuven").initials == ()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("https://ror.org/05f950310", "05f950310"),
        ("http://www.wikidata.org/entity/Q833670", "q833670"),
        ("ror:05f950310", "05f950310"),
        ("BE 0419.052.173", "be0419052173"),
        ("0000 0001 0668 7884", "0000000106687884"),
        ("  999991334 ", "999991334"),
    ],
)
def test_identifiers_are_found_as_people_write_them(text: str, key: str) -> None:
    assert key in identifier_keys(text)


def test_a_single_letter_is_no_identifier() -> None:
    assert identifier_keys("x") == ()
    assert identifier_keys("https://example.org/x/1") == (
        "httpsexampleorgx1",
        "exampleorgx1",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("KUL", True), ("R.W.T.H.", True), ("UHasselt", True), ("Leuven", False), ("A", False)],
)
def test_acronyms(text: str, expected: bool) -> None:
    assert looks_like_acronym(text) is expected


@given(st.text(max_size=700))
def test_any_text_has_a_spelling_without_marks(text: str) -> None:
    found = spelled(text)
    assert "".join(found.words) == found.key
    for word in (*found.words, *found.aside):
        assert word.isalnum() or not word.isascii()
        assert " " not in word


@given(st.text(alphabet=st.characters(categories=["Lu", "Ll", "Nd", "Zs"]), max_size=60))
def test_case_makes_no_difference(text: str) -> None:
    assert spelled(text.casefold()).key == spelled(text).key
