"""Writing by the standard doors: Graph Store Protocol at `/graphs`, SPARQL at `/sparql/update`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import httpx
import pytest
from pyoxigraph import RdfFormat, parse

from tests.server.conftest import bare_in
from tests.server.publishing import BASE, PROBLEMS, Publishing
from tests.server.running import RunningServer, lifetec

UPDATE = "/sparql/update"
N_TRIPLES = "application/n-triples"
RESERVED = f"{BASE}graph/service"


def said(number: int, text: str = "x") -> bytes:
    """One statement about an organisation of the partner `swift`."""
    subject = f"{BASE}id/organisation/swift-{number}"
    return f'<{subject}> <http://purl.org/dc/terms/title> "{text}" .\n'.encode()


def opened(folder: Path, **more: Any) -> Iterator[Publishing]:
    """Without shapes: what the doors do, not what the shapes say."""
    settings = {**bare_in(folder), **more}
    with RunningServer(folder / "var", **settings) as server:
        yield Publishing(server, settings)
        checked = lifetec(server.data_dir, "check", **settings)
        assert checked.returncode == 0, checked.stdout


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishing]:
    yield from opened(tmp_path_factory.mktemp("union"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishing]:
    """The default graph is one of its own, as in most SPARQL servers."""
    yield from opened(tmp_path_factory.mktemp("plain"), default_graph="plain")


def graph(name: str) -> str:
    """The address of a graph, by its IRI or as partner/dataset."""
    return f"/graphs?graph={quote(name if ':' in name else f'{BASE}graph/{name}', safe='')}"


def write(
    house: Publishing, method: str, path: str, data: bytes = b"", key: str = "swift", **headers: str
) -> httpx.Response:
    return house.ask(
        method, path, key, content=data, headers={"content-type": N_TRIPLES, **headers}
    )


def content(house: Publishing, path: str) -> set[str]:
    reply = house.server.get(path, accept=N_TRIPLES)
    return {str(quad) for quad in parse(input=reply.content, format=RdfFormat.N_TRIPLES)}


def update(house: Publishing, text: str, key: str = "swift", **more: str) -> httpx.Response:
    return house.ask("POST", UPDATE, key, data={"update": text, **more})


def test_the_statuses_of_the_recommendation(house: Publishing) -> None:
    """§5.3 to §5.6: created, replaced, merged, dropped; and what is not there."""
    path = graph(house.dataset("swift"))
    assert house.server.get(path).status_code == 404
    assert write(house, "DELETE", path).status_code == 404

    created = write(house, "PUT", path, said(1))
    assert (created.status_code, created.content) == (201, b"")
    assert httpx.get(created.headers["location"]).status_code == 200
    assert created.headers["etag"] == f'"{house.generation()}"'
    submission = created.headers["link"].partition(">")[0].removeprefix("<")
    assert house.ask("GET", submission, "swift").json()["state"] == "published"

    replaced = write(house, "PUT", path, said(2))
    assert (replaced.status_code, replaced.content) == (204, b"")
    assert len(content(house, path)) == 1
    merged = write(house, "POST", path, said(3))
    assert (merged.status_code, merged.json()["state"]) == (200, "published")
    assert len(content(house, path)) == 2
    assert write(house, "PUT", path, b"").status_code == 204
    assert house.server.get(path).status_code == 404

    assert write(house, "POST", path, said(4)).status_code == 201
    dropped = write(house, "DELETE", path)
    assert (dropped.status_code, dropped.json()["removed"]) == (200, 1)
    assert house.server.get(path).status_code == 404


RELATIVE = {
    "text/turtle": f"<{BASE}id/organisation/swift-1> <urn:p:p> <#a>, <sibling>, <../up>, <> .",
    "application/rdf+xml": (
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:u="urn:p:">'
        f'<r:Description r:about="{BASE}id/organisation/swift-1">'
        + "".join(f'<u:p r:resource="{one}"/>' for one in ("#a", "sibling", "../up", ""))
        + "</r:Description></r:RDF>"
    ),
    "application/ld+json": json.dumps(
        {
            "@id": f"{BASE}id/organisation/swift-1",
            "urn:p:p": [{"@id": one} for one in ("#a", "sibling", "../up", "")],
        }
    ),
}


@pytest.mark.parametrize("kind", RELATIVE)
def test_relative_iris_are_relative_to_the_graph(kind: str, house: Publishing) -> None:
    """Graph Store Protocol §4.1, RFC 3986 §5.1; at /api/v1/submissions to the service."""

    def objects(base: str) -> set[str]:
        rest = f"<{BASE}id/organisation/swift-1> <urn:p:p>"
        return {f"{rest} <{urljoin(base, one)}>" for one in ("#a", "sibling", "../up", "")}

    name = house.dataset("swift")
    text, path = RELATIVE[kind].encode(), graph(name)
    iri = f"{BASE}graph/{name}"
    for method, status in (("PUT", 201), ("POST", 200)):
        sent = write(house, method, path, text, **{"content-type": kind})
        assert sent.status_code == status, sent.text
        assert content(house, path) == objects(iri)
    sent = write(
        house, "POST", f"/api/v1/submissions?dataset={iri}", text, **{"content-type": kind}
    )
    assert sent.status_code == 201, sent.text
    assert content(house, path) == objects(BASE)


def test_who_needs_review_is_told_where_to_look(house: Publishing) -> None:
    path = graph(house.dataset("demo"))
    sent = write(house, "PUT", path, said(1).replace(b"swift-", b"demo-"), "demo")
    assert sent.status_code == 202
    shown = house.ask("GET", sent.headers["location"], "demo").json()
    assert shown["state"] == sent.json()["state"] == "in-review"
    assert house.server.get(path).status_code == 404
    assert house.act(shown, "accept").status_code == 200
    assert len(content(house, path)) == 1


def test_the_parts_of_a_form_are_one_graph(house: Publishing) -> None:
    """§5.5: multipart POST; each part in a format of its own."""
    path = graph(house.dataset("swift"))
    subject = f"{BASE}id/organisation/swift-8"
    parts = [
        ("one", ("a.nt", said(7), N_TRIPLES)),
        ("two", ("b.jsonld", f'{{"@id":"{subject}","http://a/b":1}}'.encode(), "")),
    ]
    assert house.ask("POST", path, "swift", files=parts).status_code == 201
    assert len(content(house, path)) == 2


def test_a_tag_guards_what_was_read(house: Publishing) -> None:
    path = graph(house.dataset("swift"))
    only_new = {"if-none-match": "*"}
    assert write(house, "PUT", path, said(1), **only_new).status_code == 201
    again = write(house, "PUT", path, said(2), **only_new)
    assert (again.status_code, again.json()["type"]) == (412, f"{PROBLEMS}precondition-failed")

    read = house.server.get(path, accept="text/turtle")
    tag = read.headers["etag"]
    known = httpx.get(
        f"{house.server.url}{path}", headers={"accept": "text/turtle", "if-none-match": tag}
    )
    assert (known.status_code, known.content) == (304, b"")
    other = house.server.get(path, accept=N_TRIPLES).headers["etag"]
    assert other != tag

    assert write(house, "PUT", path, said(3), **{"if-match": tag}).status_code == 204
    late = write(house, "PUT", path, said(4), **{"if-match": tag})
    assert (late.status_code, late.json()["type"]) == (412, f"{PROBLEMS}precondition-failed")
    assert late.json()["found"] == house.generation()


def test_head_is_get_without_a_body(house: Publishing) -> None:
    path = graph(house.dataset("swift"))
    write(house, "PUT", path, said(1))
    got = house.server.get(path, accept=N_TRIPLES)
    head = httpx.head(f"{house.server.url}{path}", headers={"accept": N_TRIPLES})
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag"):
        assert head.headers[name] == got.headers[name]


def test_a_dry_run_at_either_door_keeps_nothing(house: Publishing) -> None:
    dataset = house.dataset("swift")
    before = house.generation()
    shown = write(house, "PUT", f"{graph(dataset)}&dry_run=true", said(1))
    assert (shown.status_code, shown.json()["diff"]["added"]) == (200, 1)
    text = f"INSERT DATA {{ GRAPH <{BASE}graph/{dataset}> {{ <http://a> <http://b> 1, 2 }} }}"
    asked = update(house, text, dry_run="true")
    assert (asked.status_code, asked.json()["diff"]["added"]) == (200, 2)
    assert house.generation() == before
    assert house.server.get(graph(dataset)).status_code == 404


def test_an_update_changes_own_datasets_in_one_commit(house: Publishing) -> None:
    one, two = (f"{BASE}graph/{house.dataset('swift')}" for _ in range(2))
    subject = f"{BASE}id/organisation/swift-5"
    text = f"""PREFIX dcterms: <http://purl.org/dc/terms/>
        INSERT DATA {{ GRAPH <{one}> {{ <{subject}> dcterms:title "a" }} }} ;
        INSERT {{ GRAPH <{two}> {{ ?s dcterms:title ?o }} }} WHERE {{ ?s dcterms:title ?o
            FILTER (?s = <{subject}>) }}"""
    before = house.generation()
    done = update(house, text)
    assert (done.status_code, done.json()["state"]) == (200, "published"), done.text
    assert house.generation() == before + 1
    assert content(house, graph(one)) == content(house, graph(two)) != set()

    foreign = f"{BASE}graph/{house.dataset('demo')}"
    for text, status, kind in (
        (f"INSERT DATA {{ GRAPH <{foreign}> {{ <http://a> <http://b> 1 }} }}", 403, "forbidden"),
        (f"INSERT DATA {{ GRAPH <{RESERVED}> {{ <http://a> <http://b> 1 }} }}", 403, "forbidden"),
        ("DELETE WHERE { GRAPH ?g { ?s ?p ?o } }", 403, "forbidden"),
        ("DROP ALL", 403, "forbidden"),
        ("INSERT DATA { <http://a> <http://b> 1 }", 400, "invalid-request"),
        (f"LOAD <http://127.0.0.1:9/> INTO GRAPH <{one}>", 400, "federation-refused"),
        (f"INSERT DATA {{ GRAPH <{one}> {{ <{BASE}id/project/demo-1> a 1 }} }}", 403, "not-yours"),
    ):
        refused = update(house, text)
        assert (refused.status_code, refused.json()["type"]) == (status, PROBLEMS + kind), text
    assert house.generation() == before + 1


@pytest.mark.parametrize(
    "text", ["DROP ALL", "CLEAR ALL", "DELETE WHERE { GRAPH ?g { ?s ?p ?o } }"]
)
def test_an_administrator_clears_all_but_what_the_service_says(
    plain: Publishing, text: str
) -> None:
    write(plain, "PUT", graph(plain.dataset("swift")), said(1))
    write(plain, "PUT", graph("http://example.org/any"), said(2), "admin")
    write(plain, "PUT", "/graphs?default", said(3), "admin")
    before = content(plain, graph(RESERVED))
    assert update(plain, text, "admin").status_code == 200
    rows = plain.server.select("SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }")
    assert rows == []
    named = plain.server.select(f"SELECT DISTINCT ?g FROM NAMED <{RESERVED}> {{ GRAPH ?g {{}} }}")
    assert [row["g"] for row in named] == [RESERVED]
    after = content(plain, graph(RESERVED))
    assert any(f"<{BASE}commit/" in one for one in after - before)
    # What was said of the commits stays; what is counted of the graphs goes with them.
    counted = (f"{BASE}.well-known/void#", "http://rdfs.org/ns/void#", "dcat#version")
    assert [one for one in before - after if not any(word in one for word in counted)] == []
    if "ALL" in text:
        assert content(plain, "/graphs?default") == set()
    else:
        assert write(plain, "DELETE", "/graphs?default", key="admin").status_code == 200


def test_the_default_graph_is_for_administrators(plain: Publishing, house: Publishing) -> None:
    assert write(plain, "PUT", "/graphs?default", said(1)).status_code == 403
    assert write(plain, "PUT", "/graphs?default", said(1), "curator").status_code == 403
    write(plain, "DELETE", "/graphs?default", key="admin")
    assert write(plain, "PUT", "/graphs?default", said(1), "admin").status_code == 201
    assert write(plain, "PUT", "/graphs?default", said(1), "admin").status_code == 204
    assert update(plain, "INSERT DATA { <http://a> <http://b> 1 }", "admin").status_code == 200
    assert len(content(plain, "/graphs?default")) == 2
    assert write(plain, "DELETE", "/graphs?default", key="admin").status_code == 200
    union = write(house, "PUT", "/graphs?default", said(1), "admin")
    assert (union.status_code, union.json()["type"]) == (400, f"{PROBLEMS}invalid-request")


def test_what_is_posted_without_a_name_has_the_address_that_it_is_given(house: Publishing) -> None:
    """§5.5 and §4.1; the same for who repeats the request."""
    key = {"idempotency-key": "new-graph"}
    made = write(house, "POST", "/graphs", said(1), "admin", **key)
    assert made.status_code == 201
    address = made.headers["location"]
    assert address.startswith(f"{house.server.url}/graphs/")
    path = address.removeprefix(house.server.url)
    assert content(house, path) == content(house, graph(address)) != set()
    again = write(house, "POST", "/graphs", said(1), "admin", **key)
    assert (again.status_code, again.headers["location"]) == (201, address)
    other = write(house, "POST", "/graphs/", said(1), "admin")
    assert (other.status_code, other.headers["location"] != address) == (201, True)
    assert write(house, "POST", path, said(2), "admin").status_code == 200
    assert httpx.head(address).status_code == 200
    assert len(content(house, path)) == 2
    assert write(house, "DELETE", path, key="admin").status_code == 200
    assert house.server.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/graphs", "/graphs/swift/new"])
@pytest.mark.parametrize("key", ["swift", "curator"])
def test_only_administrators_make_graphs_that_no_dataset_has(
    house: Publishing, path: str, key: str
) -> None:
    assert write(house, "POST", path, said(1), key).status_code == 403


def test_load_silent_and_what_is_not_there_fail_without_a_word(plain: Publishing) -> None:
    """Update §3.1.3 and §3.1.4: nothing is loaded, and what holds nothing can be cleared."""
    name = "http://example.org/cleared"
    text = f"LOAD SILENT <http://127.0.0.1:9/> INTO GRAPH <{name}> ; CLEAR GRAPH <{name}> ; "
    done = update(
        plain, f"{text} INSERT DATA {{ GRAPH <{name}> {{ <urn:s> <urn:p> 1 }} }}", "admin"
    )
    assert done.status_code == 200
    assert len(content(plain, graph(name))) == 1
    nothing = update(plain, "", "admin")
    assert (nothing.status_code, nothing.json()["generation"]) == (200, None)
