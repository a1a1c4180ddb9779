"""The example dataset is fictional through and through."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, Store, parse

from app.importers import example
from app.importers.turtle import canonical
from app.rdf.terms import FOAF, FRAPO, LT, M8G, ORG, SCHEMA, type_

ROOT = Path(__file__).resolve().parents[2]
ID = "https://w3id.org/lifetec/id/"


@cache
def _store() -> Store:
    store = Store()
    triples = canonical(example.triples(ROOT / "data" / "example"))
    store.extend(Quad(t.subject, t.predicate, t.object) for t in triples)
    return store


def _count(kind: NamedNode) -> int:
    return len(list(_store().quads_for_pattern(None, type_, kind, None)))


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        (ORG["Organization"], 25),
        (LT["Technology"], 20),
        (FRAPO["Facility"], 12),
        (SCHEMA["Offer"], 25),
        (SCHEMA["Demand"], 20),
        (SCHEMA["Certification"], 15),
        (ORG["OrganizationalCollaboration"], 4),
        (ORG["Membership"], 25),
    ],
)
def test_every_feature_has_something_to_show(kind: NamedNode, least: int) -> None:
    assert _count(kind) >= least


def test_products_and_services_are_many() -> None:
    assert _count(SCHEMA["Product"]) + _count(SCHEMA["Service"]) >= 25


def test_all_readiness_levels_occur() -> None:
    levels = {
        quad.object.value
        for quad in _store().quads_for_pattern(None, LT["trl"], None)
        if isinstance(quad.object, Literal)
    }
    assert levels == {str(level) for level in range(1, 10)}


def test_every_reference_inside_leads_to_something_described() -> None:
    described = {quad.subject for quad in _store().quads_for_pattern(None, type_, None)}
    missing = {
        quad.object.value
        for quad in _store()
        if isinstance(quad.object, NamedNode)
        and quad.object.value.startswith(ID)
        and quad.object not in described
    }
    assert missing <= {f"{ID}region/elat"}


def test_no_reference_leads_to_a_real_entity() -> None:
    slugs = {
        match[1]
        for quad in _store()
        for term in (quad.subject, quad.object)
        if isinstance(term, NamedNode) and (match := re.match(rf"{ID}(\w+/[^#]*)", term.value))
    }
    assert {slug for slug in slugs if "/example" not in slug} == {"region/elat"}


def test_addresses_are_reserved_for_examples() -> None:
    hosts: Counter[str] = Counter()
    for quad in _store().quads_for_pattern(None, FOAF["homepage"], None):
        assert isinstance(quad.object, NamedNode)
        hosts[(urlsplit(quad.object.value).hostname or "").rpartition(".")[2]] += 1
    for quad in _store().quads_for_pattern(None, M8G["email"], None):
        assert isinstance(quad.object, Literal)
        assert quad.object.value.startswith("info@")
        hosts[quad.object.value.rpartition(".")[2]] += 1
    assert set(hosts) == {"example"}


def test_topics_and_categories_exist_in_the_code_lists() -> None:
    known = {
        quad.subject.value
        for name in ("euroscivoc", "emdn", "regions", "countries", "schemes")
        for quad in parse(path=ROOT / "ontology" / f"{name}.ttl", format=RdfFormat.TURTLE)
        if isinstance(quad.subject, NamedNode)
    }
    own = ("https://w3id.org/lifetec/scheme/", "http://data.europa.eu/")
    used = {
        quad.object.value
        for quad in _store()
        if isinstance(quad.object, NamedNode)
        and quad.predicate != type_
        and quad.object.value.startswith(own)
    }
    assert used <= known
