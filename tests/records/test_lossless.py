"""A record and the context say exactly what the merged graph says about an entity."""

from __future__ import annotations

import itertools
from pathlib import Path

import pyoxigraph as ox
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.profile import Profile, ProfileError, load_profile
from app.rdf.terms import EURIO, ORG, RDF, SCHEMA, SKOS, XSD
from tests.profile.samples import BASE, REPOSITORY, sample_profile, sample_store
from tests.records.lossless import assert_lossless, build

PROFILE = sample_profile()
ENTITY = ox.NamedNode(f"{BASE}id/organisation/x")
GRAPHS = [ox.NamedNode(f"{BASE}graph/lifetec/{name}") for name in ("a", "b")]


@pytest.mark.parametrize(
    "iri",
    sorted(
        {
            q.subject.value
            for q in sample_store()
            if isinstance(q.subject, ox.NamedNode) and "#" not in q.subject.value
        }
    ),
)
def test_every_sample_thing_survives(iri: str) -> None:
    assert_lossless(sample_store(), PROFILE, iri)


# Anything may be said about anything: predicates and values that fit, and that do not.

_characters = st.characters(exclude_categories=["Cs"])
_strings = st.text(_characters, max_size=20)
_numbers = st.one_of(st.integers(), st.decimals(allow_nan=False, allow_infinity=False, places=2))
_literals = st.one_of(
    st.builds(ox.Literal, _strings),
    st.builds(
        lambda text, lang: ox.Literal(text, language=lang),
        _strings,
        st.sampled_from(["en", "nl", "de-be", "sr-latn"]),
    ),
    st.builds(
        lambda number, name: ox.Literal(str(number), datatype=XSD[name]),
        _numbers,
        st.sampled_from(["integer", "decimal", "double", "boolean"]),
    ),
    st.builds(
        lambda text, name: ox.Literal(text, datatype=XSD[name]),
        _strings,
        st.sampled_from(["integer", "boolean", "date", "gYear", "anyURI"]),
    ),
    st.sampled_from(
        [
            ox.Literal("true", datatype=XSD["boolean"]),
            ox.Literal("2020", datatype=XSD["gYear"]),
            ox.Literal("2020-01-01", datatype=XSD["date"]),
            ox.Literal('{"a":1}', datatype=RDF["JSON"]),
        ]
    ),
)
_nodes = st.sampled_from(
    [
        ENTITY,
        *(ox.NamedNode(f"{ENTITY.value}#{name}") for name in ("site", "address", "ror", "other")),
        ox.NamedNode("http://example.org/thing"),
        ox.NamedNode("javascript:alert(1)"),
        ox.NamedNode("urn:x:y"),
    ]
)
_subjects = st.sampled_from(
    [ENTITY, *(ox.NamedNode(f"{ENTITY.value}#{n}") for n in ("site", "address", "ror", "other"))]
)
_predicates = st.sampled_from(
    [
        *sorted({f.predicate for _, f in PROFILE.predicates() if f.predicate}, key=str),
        ox.NamedNode("http://example.org/unknown"),
        ox.NamedNode("urn:name"),
        RDF["type"],
    ]
)
_classes = st.sampled_from(
    [
        ORG["Organization"],
        ORG["FormalOrganization"],
        EURIO["Project"],
        SKOS["Concept"],
        ORG["Site"],
        ox.NamedNode("http://example.org/Thing"),
    ]
)
_statements = st.lists(
    st.tuples(
        st.sampled_from(GRAPHS),
        _subjects,
        st.one_of(
            st.tuples(_predicates, st.one_of(_literals, _nodes)),
            st.tuples(st.just(RDF["type"]), _classes),
        ),
    ),
    max_size=30,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_statements, st.booleans())
def test_whatever_is_said_survives(
    statements: list[tuple[ox.NamedNode, ox.NamedNode, tuple[ox.NamedNode, ox.Literal]]],
    typed: bool,
) -> None:
    store = ox.Store()
    if typed:
        store.add(ox.Quad(ENTITY, RDF["type"], ORG["Organization"], GRAPHS[0]))
    for graph, subject, (predicate, value) in statements:
        store.add(ox.Quad(subject, predicate, value, graph))
    if typed or any(subject == ENTITY for _, subject, _ in statements):
        assert_lossless(store, PROFILE, ENTITY.value)


def test_values_beyond_the_cardinality_stand_under_also() -> None:
    store = sample_store()
    record = build(store, PROFILE, f"{BASE}id/organisation/kul")
    assert record["employees"] == 11000
    assert record["founding_date"] == "1425"
    assert record["also"]["employees"] == [12000]
    assert record["also"]["label"] == {"en": ["Univ. Leuven"]}


def test_a_value_that_does_not_fit_stands_under_its_predicate() -> None:
    record = build(sample_store(), PROFILE, f"{BASE}id/organisation/acme")
    assert "employees" not in record
    assert record[SCHEMA["numberOfEmployees"].value] == [{"@value": "a lot"}]


def test_parts_that_contain_each_other_end() -> None:
    store = sample_store()
    site = ox.NamedNode(f"{BASE}id/organisation/kul#site")
    address = ox.NamedNode(f"{BASE}id/organisation/kul#address")
    store.add(ox.Quad(address, ORG["siteAddress"], site, GRAPHS[0]))
    store.add(ox.Quad(site, ORG["siteAddress"], site, GRAPHS[0]))
    assert_lossless(store, PROFILE, f"{BASE}id/organisation/kul")


def _seed() -> list[Path]:
    folders = (REPOSITORY / "ontology", REPOSITORY / "data")
    return sorted(path for folder in folders for path in folder.glob("*.ttl"))


def _real_profile() -> Profile | None:
    try:
        return load_profile(REPOSITORY / "ontology", REPOSITORY / "shapes", BASE)
    except ProfileError:
        if any((REPOSITORY / "shapes").glob("*.ttl")):
            raise
        return None


def test_the_first_entities_of_every_type_of_the_seed_survive() -> None:
    profile = _real_profile()
    if profile is None or not _seed():
        pytest.skip("there is no seed yet")
    store = ox.Store()
    for number, path in enumerate(_seed()):
        store.bulk_load(
            path=str(path), to_graph=ox.NamedNode(f"{BASE}graph/lifetec/{number}"),
            format=ox.RdfFormat.TURTLE,
        )  # fmt: skip
    for kind in profile.types:
        members = {
            q.subject.value
            for cls in kind.classes
            for q in store.quads_for_pattern(None, RDF["type"], cls, None)
            if isinstance(q.subject, ox.NamedNode)
        }
        for iri in itertools.islice(sorted(members), 100):
            assert_lossless(store, profile, iri)
