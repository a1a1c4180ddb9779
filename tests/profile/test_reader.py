from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.profile import Field, Profile, ProfileError, Step, load_profile
from app.rdf.terms import DCTERMS, ORG, SCHEMA, XSD
from tests.profile.samples import BASE, PREFIXES, SAMPLE, sample_profile


@pytest.fixture(scope="module")
def profile() -> Profile:
    return sample_profile()


def field(profile: Profile, type_name: str, name: str) -> Field:
    found = profile.type(type_name).field(name)
    assert found is not None
    return found


def with_shapes(tmp_path: Path, turtle: str) -> Profile:
    shapes = tmp_path / "shapes"
    shutil.copytree(SAMPLE / "shapes", shapes)
    (shapes / "more.ttl").write_text(PREFIXES + turtle)
    return load_profile(SAMPLE / "ontology", shapes, BASE)


def test_types_come_in_the_order_of_their_shapes(profile: Profile) -> None:
    assert [kind.name for kind in profile.types] == [
        "organisation",
        "project",
        "participation",
        "region",
        "concept",
        "dataset",
    ]


def test_fields_of_a_shape_include_those_it_builds_on(profile: Profile) -> None:
    names = [f.name for f in profile.type("organisation").fields]
    assert names[:3] == ["label", "alt_label", "identifiers"]


def test_kinds_follow_from_the_constraints(profile: Profile) -> None:
    assert field(profile, "organisation", "label").kind == "text"
    assert field(profile, "organisation", "site").kind == "part"
    assert field(profile, "organisation", "homepage").kind == "reference"
    assert field(profile, "organisation", "classification").kind == "reference"
    assert field(profile, "organisation", "founding_date").kind == "literal"


def test_the_first_xsd_datatype_of_several_is_the_plain_one(profile: Profile) -> None:
    founded = field(profile, "organisation", "founding_date")
    assert founded.datatypes == (XSD["gYear"], XSD["date"])
    assert founded.datatype == XSD["gYear"]
    identifiers = field(profile, "organisation", "identifiers").part
    assert identifiers is not None
    value = identifiers.field("value")
    assert value is not None
    assert value.datatype is None


def test_a_warning_beside_a_field_does_not_make_it_required(profile: Profile) -> None:
    assert field(profile, "organisation", "founding_date").min == 0
    assert field(profile, "organisation", "label").min == 1


def test_paths_with_inverse_steps_or_sequences_are_derived(profile: Profile) -> None:
    projects = field(profile, "organisation", "projects")
    assert projects.derived
    assert projects.predicate is None
    assert projects.path[0].inverse
    assert projects.path[1] == Step(projects.path[1].predicate)


def test_labels_fall_back_to_english_and_then_to_the_name(profile: Profile) -> None:
    label = field(profile, "organisation", "label")
    assert label.label("nl") == "Naam"
    assert label.label("fr") == "Label"
    assert field(profile, "project", "start_date").label("en") == "start date"
    assert profile.label(ORG["FormalOrganization"].value, "nl") == "Formal organization"


def test_entities_are_found_by_class_collection_and_address(profile: Profile) -> None:
    kind = profile.of_classes([SCHEMA["Thing"], DCTERMS["Location"]])
    assert kind is profile.type("region")
    assert profile.of_classes([ORG["Site"]]) is None
    assert profile.by_collection("concepts") is profile.type("concept")
    assert profile.locate("datasets", "lifetec/ror") == f"{BASE}graph/lifetec/ror"
    assert profile.locate("nothing", "x") is None


@pytest.mark.parametrize(
    ("iri", "path"),
    [
        (f"{BASE}id/organisation/ror-1", "/organisations/ror-1"),
        (f"{BASE}id/organisation/ror-1#site", "/organisations/ror-1#site"),
        (f"{BASE}graph/lifetec/ror", "/datasets/lifetec/ror"),
        (f"{BASE}scheme/trl/4", "/concepts/trl/4"),
        (f"{BASE}id/organisation/a%20b", "/organisations/a%2520b"),
        (f"{BASE}id/x/1", "/resource?iri=https%3A%2F%2Fw3id.org%2Flifetec%2Fid%2Fx%2F1"),
        (f"{BASE}scheme/", "/resource?iri=https%3A%2F%2Fw3id.org%2Flifetec%2Fscheme%2F"),
        ("http://example.org/a?b#c", "/resource?iri=http%3A%2F%2Fexample.org%2Fa%3Fb%23c"),
    ],
)  # fmt: skip
def test_every_iri_has_a_local_path(profile: Profile, iri: str, path: str) -> None:
    assert profile.local_path(iri) == path


def test_the_fingerprint_follows_the_files(tmp_path: Path, profile: Profile) -> None:
    assert sample_profile().fingerprint == profile.fingerprint
    more = with_shapes(tmp_path, "ltsh:Project rdfs:comment 'More'@en .")
    assert more.fingerprint != profile.fingerprint


@pytest.mark.parametrize(
    ("turtle", "message"),
    [
        ("ltsh:Project sh:property [ sh:path ex:a ; pf:name 'start_date' ] .", "two paths"),
        (
            "ltsh:Project sh:property [ sh:path ex:a ; pf:name 'a' ] , "
            "[ sh:path ex:a ; pf:name 'b' ] .",
            "two JSON names",
        ),
        ("ltsh:Project sh:property [ sh:path ex:a ; pf:name 'Start' ] .", "snake_case"),
        ("ltsh:Project sh:property [ sh:path ex:a ; pf:name 'url' ] .", "fixed meaning"),
        ("ltsh:Project sh:property [ sh:path ex:a ; pf:name 'limit' ] .", "parameter of every"),
        ("ltsh:Project sh:property [ pf:name 'a' ] .", "no sh:path"),
        (
            "ltsh:Project sh:property [ sh:path ex:a ; pf:name 'a' ; sh:node ltsh:Nothing ] .",
            "unknown node shape <https://w3id.org/lifetec/shapes#Nothing>",
        ),
        ("ltsh:Project sh:node ltsh:Nothing .", "unknown node shape"),
        (
            "ltsh:Address sh:property [ sh:path ex:a ; pf:name 'a' ; sh:node ltsh:Site ] .",
            "contain each other",
        ),
        (
            "ltsh:Project sh:property [ sh:path [ sh:zeroOrMorePath ex:a ] ; pf:name 'a' ] .",
            "predicates in sequence",
        ),
        ("ltsh:Project sh:property [ sh:path rdf:type ; pf:name 'types' ] .", "rdf:type"),
        (
            "ltsh:X pf:name 'x' ; pf:collection 'xs' ; sh:targetClass org:Organization .",
            "same sh:targetClass",
        ),
        ("ltsh:X pf:name 'x' ; pf:collection 'projects' ; sh:targetClass ex:X .", "pf:collection"),
        ("ltsh:X pf:name 'x' ; pf:collection 'xs' .", "sh:targetClass"),
        ("ltsh:X pf:name 'x' ; sh:targetClass ex:X .", "lower-case words"),
        ("ltsh:Project sh:property", "more.ttl"),
    ],
)
def test_an_inconsistent_profile_is_refused_with_a_reason(
    tmp_path: Path, turtle: str, message: str
) -> None:
    with pytest.raises(ProfileError, match=message):
        with_shapes(tmp_path, turtle)


def test_an_empty_folder_is_an_empty_profile(tmp_path: Path) -> None:
    assert load_profile(SAMPLE / "ontology", tmp_path, BASE).types == ()


def test_a_stricter_neighbour_on_the_same_path_counts(tmp_path: Path) -> None:
    profile = with_shapes(
        tmp_path,
        """ltsh:Project sh:property
             [ sh:path ex:a ; pf:name "a" ; sh:datatype xsd:string ] ,
             [ sh:path ex:a ; sh:maxCount 1 ; sh:pattern "^x" ] ,
             [ sh:path ex:a ; sh:minCount 1 ; sh:severity sh:Info ] .""",
    )
    found = field(profile, "project", "a")
    assert (found.max, found.min, found.pattern) == (1, 0, "^x")


def test_a_deactivated_property_is_no_field(tmp_path: Path) -> None:
    profile = with_shapes(
        tmp_path,
        "ltsh:Project sh:property [ sh:path ex:a ; pf:name 'a' ; sh:deactivated true ] .",
    )
    assert profile.type("project").field("a") is None
