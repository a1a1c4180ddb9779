from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.importers.rows import day, decimal, is_damaged, parts, read_rows, web_address


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("528340.97", "528340.97"),
        ("960619,95", "960619.95"),
        ("1.234.567,80", "1234567.80"),
        ("1,234,567.80", "1234567.80"),
        ("1 234 567", "1234567"),
        ("1.732084396E7", "17320843.96"),
        ("0", "0"),
        ("-12,5", "-12.5"),
    ],
)
def test_numbers_are_read_with_either_decimal_sign(cell: str, number: str) -> None:
    assert decimal(cell) == Decimal(number)


@pytest.mark.parametrize("cell", ["", " ", "n/a", "NaN", "Infinity", "1,2,x"])
def test_what_is_no_number_is_none(cell: str) -> None:
    assert decimal(cell) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=0, max_value=10**9))
def test_a_decimal_comma_means_the_same_as_a_decimal_point(number: Decimal) -> None:
    assert decimal(str(number).replace(".", ",")) == decimal(str(number)) == number


@pytest.mark.parametrize(
    "text",
    [
        "Marie Sk?odowska-Curie",
        "Gr√ºnenthal GmbH",
        "BUNDESANSTALT FÃœR LANDWIRTSCHAFT",
        "ERA-NET: \ufffdCardiovascular disease",
        "PHC 9 ? 2015: Vaccine ?development",
        "dru≈æb",
    ],
)
def test_damaged_text_is_recognised(text: str) -> None:
    assert is_damaged(text)


@pytest.mark.parametrize(
    "text", ["Universität zu Köln", "Who pays?", "Liège", "Łódź", "Århus", "São Paulo", "Ålesund"]
)
def test_sound_text_is_not_called_damaged(text: str) -> None:
    assert not is_damaged(text)


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        ("www.kuleuven.be", "http://www.kuleuven.be"),
        ("https://www.ap.be/", "https://www.ap.be/"),
        (
            "HTTP://WWW.Example.ORG/Über uns".replace(" ", "-"),
            "http://www.example.org/%C3%9Cber-uns",
        ),
        ("http://www.boehringer\u2010ingelheim.com", None),
        ("info@example.org", None),
        ("http://www.example.org/cms/~a/lang/1/", "http://www.example.org/"),
        ("http://www.example.org/~institute/", "http://www.example.org/~institute/"),
        ("n/a", None),
        ("ftp://example.org", None),
        ("javascript:alert(1)", None),
        ("", None),
    ],
)
def test_web_addresses_are_absolute_or_nothing(cell: str, address: str | None) -> None:
    assert web_address(cell) == address


def test_dates_may_carry_a_time() -> None:
    assert day("2018-07-19 09:17:05") == date(2018, 7, 19)
    assert day("19/07/2018") is None


def test_lists_in_a_cell_lose_empty_and_repeated_elements() -> None:
    assert parts("a||b| a ") == ["a", "b"]


@pytest.mark.parametrize("text", ["\ufeffa;b\n1;2,5\n", 'a,b\r\n1,"2,5"\r\n'])
def test_files_are_read_with_either_separator_and_with_a_byte_order_mark(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    assert list(read_rows(path)) == [{"a": "1", "b": "2,5"}]
