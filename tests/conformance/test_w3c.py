"""The suites of SPARQL 1.1, asked over HTTP."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from rdflib import RDF, RDFS, Graph, Namespace, URIRef
from rdflib.term import Node

from app.rdf import media
from tests.conformance.manifests import MF, Case
from tests.conformance.protocols import Conversation
from tests.conformance.results import ACCEPT, expected_result, isomorphic, same
from tests.conformance.service import Service, expected_quads

QT = Namespace("http://www.w3.org/2001/sw/DataAccess/tests/test-query#")
SD = Namespace("http://www.w3.org/ns/sparql-service-description#")
UT = Namespace("http://www.w3.org/2009/sparql/tests/test-update#")

_FROM = re.compile(r"FROM\s+(?:NAMED\s+)?<([^>:]+)>", re.IGNORECASE)
_LAST_ORDER = re.compile(r"ORDER\s+BY[^{}]*(VALUES[^{}]*\{[^{}]*\}\s*)?\Z", re.IGNORECASE)


@pytest.fixture(scope="session")
def conversation(service: Service) -> Conversation:
    """The tests of the Graph Store Protocol go on from each other."""
    return Conversation(service)


def test_w3c(case: Case, service: Service, conversation: Conversation) -> None:
    if case.kind in {"ProtocolTest", "GraphStoreProtocolTest"}:
        conversation.run(case)
        return
    check = _CHECKS.get(case.kind)
    if check is None:
        pytest.fail(f"No test of this kind is known: {case.kind}.")
    check(case, service)


def _evaluate_query(case: Case, service: Service) -> None:
    action = _only(case, case.node, MF.action)
    path = case.file(case.one(action, QT.query) or action)
    wanted = case.file(_only(case, case.node, MF.result))
    query = path.read_text()
    default, named = _files(case, action, QT)
    for name in _FROM.findall(query):  # a file that is there by its name
        path_of_graph, base = _read(case, URIRef(name))
        named.setdefault(base, (path_of_graph, base))
    service.hold(default, named)
    reply = service.ask(_with_base(query, case.iri(path)), ACCEPT[wanted.suffix])
    found = service.result(reply)
    expected = expected_result(wanted, case.iri(wanted))
    assert same(expected, found, ordered=bool(_LAST_ORDER.search(query))), reply.text


def _evaluate_update(case: Case, service: Service) -> None:
    action, result = (_only(case, case.node, name) for name in (MF.action, MF.result))
    service.hold(*_files(case, action, UT))
    path = case.file(_only(case, action, UT.request))
    reply = service.update(_with_base(path.read_text(), case.iri(path)))
    assert reply.status_code == 200, reply.text
    held = list(service.held())
    assert isomorphic(expected_quads(*_files(case, result, UT)), held), held


def _accept_query(case: Case, service: Service) -> None:
    reply = service.ask(_text(case), "*/*")
    # what is in order may ask for what is not there, such as an extension function
    accepted = reply.status_code == 200 or reply.json()["type"].endswith("/query-rejected")
    assert accepted, reply.text


def _refuse_query(case: Case, service: Service) -> None:
    if case.file(_only(case, case.node, MF.action)).suffix == ".ru":
        _refuse_update(case, service)
    else:
        _refused(service.ask(_text(case), "*/*"))


def _accept_update(case: Case, service: Service) -> None:
    reply = service.update(_text(case), dry_run="true")
    # what is in order may clear what is not there, or load from elsewhere
    understood = ("/query-rejected", "/federation-refused")
    assert reply.status_code == 200 or reply.json()["type"].endswith(understood), reply.text


def _refuse_update(case: Case, service: Service) -> None:
    _refused(service.update(_text(case), dry_run="true"))


def _refused(reply: httpx.Response) -> None:
    assert reply.status_code == 400, reply.text
    assert reply.json()["type"].endswith("/syntax"), reply.text


def _describe(case: Case, service: Service) -> None:
    """The three tests say in their names what must hold."""
    reply = service.http.get("/sparql", headers={"accept": media.TURTLE})
    assert reply.status_code == 200
    graph = Graph().parse(data=reply.text, format="turtle")
    services = set(graph.subjects(SD.endpoint, URIRef(f"{service.server.url}/sparql")))
    test = case.name.rpartition("#")[2]
    if test == "returns-rdf":
        assert len(graph) > 0
    elif test == "has-endpoint-triple":
        assert len(services) == 1
    elif test == "conforms-to-schema":
        assert services <= set(graph.subjects(RDF.type, SD.Service))
        for predicate, kind in _RANGES.items():
            for one in graph.objects(None, SD[predicate]):
                assert (one, RDF.type, SD[kind]) in graph, (predicate, one)
        assert (
            not {str(term) for term in graph.predicates() if str(term).startswith(str(SD))} - _TERMS
        )
    else:
        pytest.fail(f"No test of this name is known: {case.name}.")


_RANGES = {
    "defaultDataset": "Dataset",
    "availableGraphs": "GraphCollection",
    "defaultGraph": "Graph",
    "namedGraph": "NamedGraph",
    "graph": "Graph",
    "extensionFunction": "Function",
    "extensionAggregate": "Aggregate",
}
_TERMS = {
    str(SD[name])
    for name in [
        "endpoint",
        "feature",
        "defaultEntailmentRegime",
        "supportedEntailmentProfile",
        "entailmentRegime",
        "defaultSupportedEntailmentProfile",
        "extensionFunction",
        "extensionAggregate",
        "languageExtension",
        "supportedLanguage",
        "propertyFeature",
        "defaultDataset",
        "availableGraphs",
        "resultFormat",
        "inputFormat",
        "defaultGraph",
        "namedGraph",
        "name",
        "graph",
    ]
}

_CHECKS = {
    "ServiceDescriptionTest": _describe,
    "QueryEvaluationTest": _evaluate_query,
    "CSVResultFormatTest": _evaluate_query,
    "UpdateEvaluationTest": _evaluate_update,
    "PositiveSyntaxTest11": _accept_query,
    "PositiveSyntaxTest": _accept_query,
    "NegativeSyntaxTest11": _refuse_query,
    "NegativeSyntaxTest": _refuse_query,
    "PositiveUpdateSyntaxTest11": _accept_update,
    "PositiveUpdateSyntaxTest": _accept_update,
    "NegativeUpdateSyntaxTest11": _refuse_update,
    "NegativeUpdateSyntaxTest": _refuse_update,
}


def _files(
    case: Case, where: Node, terms: Namespace
) -> tuple[list[tuple[Path, str]], dict[str, tuple[Path, str]]]:
    """Files of the default graph, and of named graphs by name; each with its base IRI."""
    default = [_read(case, node) for node in case.manifest.objects(where, terms.data)]
    named = {}
    for node in case.manifest.objects(where, terms.graphData):
        file = case.one(node, terms.graph) or node
        path, base = _read(case, file)
        named[str(case.one(node, RDFS.label) or base)] = (path, base)
    return default, named


def _read(case: Case, node: Node) -> tuple[Path, str]:
    path = case.file(node)
    return path, case.iri(path)


def _only(case: Case, subject: Node, predicate: Node) -> Node:
    found = case.manifest.value(subject, predicate)
    assert found is not None, f"{case.name} has no {predicate}"
    return found


def _text(case: Case) -> str:
    path = case.file(_only(case, case.node, MF.action))
    return _with_base(path.read_text(), case.iri(path))


def _with_base(text: str, base: str) -> str:
    return f"BASE <{base}>\n{text}"
