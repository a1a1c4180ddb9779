"""The shapes refuse what they should, accept what they should, and say so in four languages.

``tests/shapes/{shape}/`` holds the cases. ``valid-*.ttl`` gives neither violation nor warning.
``invalid-*.ttl`` begins with one line for each result that it must give, and no others:
``# refuses: {severity} {constraint component} on {path, or - for the node itself}``.
Severity Info counts only where a line announces it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyshacl
import pytest
from rdflib import DCTERMS, OWL, RDF, RDFS, SH, SKOS, Graph, Literal, Namespace, URIRef
from rdflib.term import Node

from app.profile import EntityType, Part, load_profile

ROOT = Path(__file__).resolve().parent.parent
CASES = sorted((ROOT / "tests" / "shapes").glob("*/*.ttl"))
LANGUAGES = {"en", "nl", "de", "fr"}
BASE = "https://w3id.org/lifetec/"
PF = Namespace(BASE + "profile#")
SHACL = Namespace(str(SH))  # open to any name
LT = BASE + "ontology#"
OWN_ONTOLOGY = [ROOT / "ontology" / name for name in ("lifetec.ttl", "schemes.ttl", "profile.ttl")]
DESCRIPTIVE = {SH.name, SH.description, SH.group, SH.order, SH.message}
PARAMETERS = [
    *("minCount", "maxCount", "datatype", "nodeKind", "class", "node", "in", "or", "not"),
    *("pattern", "minLength", "uniqueLang", "minInclusive", "maxInclusive", "lessThanOrEquals"),
]
COMPONENTS = {
    SHACL[parameter]: SHACL[parameter[0].upper() + parameter[1:] + "ConstraintComponent"]
    for parameter in PARAMETERS
} | {SH.sparql: SH.SPARQLConstraintComponent}


class Refusal(NamedTuple):
    """One result of a report, as the head of a case announces it."""

    severity: str
    component: str
    path: str


@cache
def shapes() -> Graph:
    graph = Graph()
    for file in sorted((ROOT / "shapes").glob("*.ttl")):
        graph.parse(file)
    return graph


@cache
def constraints() -> Graph:
    """The shapes without their texts and annotations, which pySHACL would read again and again."""
    graph = Graph()
    for triple in shapes():
        predicate = triple[1]
        of_shacl = str(predicate).startswith(str(SH)) and predicate not in DESCRIPTIVE
        if of_shacl or predicate in {RDF.type, RDF.first, RDF.rest}:
            graph.add(triple)
    return graph


@cache
def results_of(folder: Path) -> dict[str, list[tuple[Refusal, Node]]]:
    """Results with their source shapes, by the name of the case.

    All cases of a folder are validated in one run, which saves most of the time; the things of
    each case get addresses of their own first.
    """
    data = Graph()
    for file in sorted(folder.glob("*.ttl")):
        text = file.read_text(encoding="utf-8")
        data.parse(data=text.replace("//example.org/", f"//example.org/{file.name}/"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, report, _ = pyshacl.validate(
            data, shacl_graph=constraints(), advanced=False, inference="none"
        )
    assert isinstance(report, Graph)
    found: dict[str, list[tuple[Refusal, Node]]] = {}
    for whole in report.subjects(RDF.type, SH.ValidationReport):
        for result in report.objects(whole, SH.result):
            focus = str(report.value(result, SH.focusNode))
            case = re.search(r"//example\.org/([^/]+\.ttl)/", focus)
            assert case, focus
            path = report.value(result, SH.resultPath)
            refusal = Refusal(
                local(report.value(result, SH.resultSeverity)),
                local(report.value(result, SH.sourceConstraintComponent)).removesuffix(
                    "ConstraintComponent"
                ),
                "-" if path is None else path_name(report, path),
            )
            source = report.value(result, SH.sourceShape)
            assert source is not None
            found.setdefault(case[1], []).append((refusal, source))
    return found


def local(term: Node | None) -> str:
    return re.split(r"[#/]", str(term))[-1]


def path_name(graph: Graph, path: Node) -> str:
    """A path as the cases write it: a, ^a (inverse), a/b (sequence), a|b (alternative)."""
    if isinstance(path, URIRef):
        return local(path)
    inverse = graph.value(path, SH.inversePath)
    if inverse is not None:
        return "^" + path_name(graph, inverse)
    alternatives = graph.value(path, SH.alternativePath)
    if alternatives is not None:
        return "|".join(path_name(graph, member) for member in graph.items(alternatives))
    return "/".join(path_name(graph, member) for member in graph.items(path))


def announced(case: Path) -> set[Refusal]:
    lines = re.findall(r"^# refuses: (\S+) (\S+) on (\S+)$", case.read_text("utf-8"), re.M)
    return {Refusal(*line) for line in lines}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_case_gives_exactly_the_announced_results(case: Path) -> None:
    expected = announced(case)
    assert bool(expected) == case.name.startswith("invalid-")
    results = {refusal for refusal, _ in results_of(case.parent).get(case.name, [])}
    assert {r for r in results if r.severity != "Info" or r in expected} == expected


def targeted_shapes() -> Iterator[Node]:
    """Shapes with a target, and the property shapes of these."""
    for target in (SH.targetClass, SH.targetSubjectsOf, SH.targetObjectsOf):
        for shape in set(shapes().subjects(target)):
            yield shape
            yield from shapes().objects(shape, SH.property)


def cannot_be_broken(shape: Node) -> bool:
    """A derived field that follows one predicate backwards only meets subjects."""
    path = shapes().value(shape, SH.path)
    return (
        path is not None
        and (shape, PF.name, None) in shapes()
        and (path, SH.inversePath, None) in shapes()
    )


def test_every_constraint_has_a_case_that_it_refuses() -> None:
    wanted = {
        (shape, component)
        for shape in targeted_shapes()
        if not cannot_be_broken(shape)
        for parameter, component in COMPONENTS.items()
        if (shape, parameter, None) in shapes()
    }
    refused = {
        (source, SHACL[refusal.component + "ConstraintComponent"])
        for folder in {case.parent for case in CASES}
        for name, results in results_of(folder).items()
        if name.startswith("invalid-")
        for refusal, source in results
        if refusal in announced(folder / name)
    }
    uncovered = wanted - refused
    assert not sorted(f"{local(shape)} {local(component)}" for shape, component in uncovered)


def test_no_constraint_escapes_the_coverage_test() -> None:
    other = {SH.path, SH.property, SH.severity, SH.flags, SH.message, *DESCRIPTIVE}
    targets = {SH.targetClass, SH.targetSubjectsOf, SH.targetObjectsOf}
    used = {
        predicate
        for shape in targeted_shapes()
        for predicate in shapes().predicates(shape)
        if str(predicate).startswith(str(SH))
    }
    assert used <= {*COMPONENTS, *other, *targets}


def test_shapes_are_valid_shacl() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        conforms, _, text = pyshacl.validate(
            Graph(), shacl_graph=constraints(), advanced=False, meta_shacl=True
        )
    assert conforms, text


def languages(graph: Graph, subject: Node, predicate: URIRef) -> set[str | None]:
    return {
        term.language for term in graph.objects(subject, predicate) if isinstance(term, Literal)
    }


def without_all_languages(graph: Graph, subjects: Iterable[Node], *predicates: URIRef) -> list[str]:
    return sorted(
        f"{local(subject)} {local(predicate)}"
        for subject in subjects
        for predicate in predicates
        if languages(graph, subject, predicate) != LANGUAGES
    )


def test_every_type_part_and_group_is_described_in_four_languages() -> None:
    described = {s for s in shapes().subjects(SH.targetClass) if (s, SH.property, None) in shapes()}
    assert not without_all_languages(shapes(), described, RDFS.label, RDFS.comment)
    groups = set(shapes().subjects(RDF.type, SH.PropertyGroup))
    assert not without_all_languages(shapes(), groups, RDFS.label)
    assert set(shapes().objects(None, SH.group)) == groups


def test_every_field_is_named_in_four_languages() -> None:
    fields = [s for s in shapes().subjects(PF.name) if (s, SH.path, None) in shapes()]
    assert not without_all_languages(shapes(), fields, SH.name)


def test_every_constraint_says_in_four_languages_what_to_do() -> None:
    speaking = {
        shape
        for shape in targeted_shapes()
        if any((shape, parameter, None) in shapes() for parameter in COMPONENTS)
        and (shape, SH.sparql, None) not in shapes()
    }
    queries = set(shapes().objects(None, SH.sparql))
    assert not without_all_languages(shapes(), speaking | queries, SH.message)


def test_json_names_are_unique_and_every_type_can_be_named() -> None:
    profile = load_profile(ROOT / "ontology", ROOT / "shapes", BASE)
    everything: list[EntityType | Part] = [*profile.types, *profile.parts]
    for kind in everything:
        names = [field.name for field in kind.fields]
        assert len(names) == len(set(names)), kind.name
    for entity_type in profile.types:
        assert any(f.labelling or f.naming for f in entity_type.fields), entity_type.name


def test_no_shape_is_closed() -> None:
    assert (None, SH.closed, None) not in shapes()


def test_own_terms_are_defined_in_four_languages() -> None:
    graph = Graph()
    for file in OWN_ONTOLOGY:
        graph.parse(file)
    terms = {s for s in graph.subjects(RDFS.isDefinedBy) if isinstance(s, URIRef)}
    assert terms
    assert not without_all_languages(graph, terms, RDFS.label, SKOS.definition)
    concepts = set(graph.subjects(RDF.type, SKOS.Concept))
    schemes = set(graph.subjects(RDF.type, SKOS.ConceptScheme))
    assert not without_all_languages(graph, concepts | schemes, SKOS.prefLabel, SKOS.definition)
    datasets = set(graph.subjects(RDF.type, URIRef("http://www.w3.org/ns/dcat#Dataset")))
    assert len(datasets) == len(OWN_ONTOLOGY)
    assert not without_all_languages(graph, datasets, DCTERMS.title, DCTERMS.description)
    ontologies = set(graph.subjects(RDF.type, OWL.Ontology))
    assert not without_all_languages(graph, ontologies, DCTERMS.title, DCTERMS.description)
    assert not [s for s in graph.subjects() if not isinstance(s, URIRef)]


def test_own_terms_and_concepts_that_shapes_use_exist() -> None:
    graph = Graph()
    for file in OWN_ONTOLOGY:
        graph.parse(file)
    used = {
        term
        for triple in shapes()
        for term in triple
        if isinstance(term, URIRef)
        and (str(term).startswith((LT, str(PF))) or str(term).startswith(BASE + "scheme/"))
        and "/emdn/" not in term
    }
    datatypes = {
        term.datatype
        for term in shapes().objects()
        if isinstance(term, Literal) and str(term.datatype).startswith(LT)
    }
    assert not sorted(str(term) for term in used | datatypes if (term, None, None) not in graph)
