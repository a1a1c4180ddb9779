"""The names of people here are made up of common given names and words that are no names."""

from __future__ import annotations

import pytest

from app.importers.persons import is_natural_person


@pytest.mark.parametrize(
    ("name", "short_name"),
    [
        ("VOORBEELD DANIEL", "VBX"),
        ("BEISPIEL ANNA KATHARINA", ""),
        ("VAN VOORBEELD PIETER JAN", "ADVICE"),
        ("QWERTZ UIOPA", "UIOPA QWERTZ"),
        ("DR QWERTZ UIOPA", ""),
        ("Exemple, François", ""),
    ],
)
def test_people_are_recognised(name: str, short_name: str) -> None:
    assert is_natural_person(name, short_name)


@pytest.mark.parametrize(
    ("name", "short_name"),
    [
        ("KATHOLIEKE UNIVERSITEIT LEUVEN", "KU Leuven"),
        ("CENTRE OSCAR LAMBRET", "COL"),
        ("Fondazione Stella Maris", ""),
        ("INSTITUTO NACIONAL DE SAUDE DR. RICARDO JORGE", ""),
        ("MILTENYI BIOTEC GMBH", "MiltenyiBiotec"),
        ("MUNICIPIO DE LEON", ""),
        ("OTTO BOCK HEALTHCARE GMBH", ""),
        ("H. LUNDBECK AS", "H. LUNDBECK AS"),
        ("AGENCE ESANTE", "AGENCE ESANTE"),
        ("EATRIS ERIC", "EATRIS"),
        ("VIB", "VIB"),
        ("", ""),
    ],
)
def test_organisations_are_not_taken_for_people(name: str, short_name: str) -> None:
    assert not is_natural_person(name, short_name)
