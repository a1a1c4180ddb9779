"""The graph for language models: a real server, asked by the SDK's own client."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

from app.profile import load_profile
from tests.server.running import ROOT, RunningServer

BASE = "https://w3id.org/lifetec/"
PROFILE = load_profile(ROOT / "ontology", ROOT / "shapes", BASE)
T = TypeVar("T")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with the partners, the example queries, and our own terms."""
    folder = tmp_path_factory.mktemp("mcp")
    taken = {"data": ("partners", "queries"), "ontology": ("lifetec", "profile", "schemes")}
    for part, names in taken.items():
        (folder / part).mkdir()
        for name in names:
            shutil.copy(ROOT / part / f"{name}.ttl", folder / part)
    settings = {"seed_dir": folder / "data", "ontology_dir": folder / "ontology"}
    with RunningServer(folder / "var", **settings) as running:
        yield running


def speak(server: RunningServer, talk: Callable[[Client], Awaitable[T]], mode: str = "auto") -> T:
    async def connected() -> T:
        async with Client(f"{server.url}/mcp", mode=mode) as client:
            return await talk(client)

    return asyncio.run(asyncio.wait_for(connected(), 60))


def call(server: RunningServer, tool: str, **arguments: Any) -> Any:
    """What a tool gives; its text must say the same."""
    result = speak(server, lambda client: client.call_tool(tool, arguments))
    assert isinstance(result.content[0], TextContent)
    assert not result.is_error, result.content[0].text
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


def refused(server: RunningServer, tool: str, **arguments: Any) -> str:
    """The words with which a tool refuses."""
    result = speak(server, lambda client: client.call_tool(tool, arguments))
    assert result.is_error, result.structured_content
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


def raw(server: RunningServer, body: bytes | dict[str, Any], **headers: str) -> httpx.Response:
    """A request as no client of the SDK would send it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        f"{server.url}/mcp",
        content=body if isinstance(body, bytes) else json.dumps(body),
        headers={
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": "2025-11-25",
            **named,
        },
        timeout=30,
    )


def asked(tool: str, **arguments: Any) -> dict[str, Any]:
    parameters = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_all_tools_say_that_they_only_read(server: RunningServer, mode: str) -> None:
    """In the revision without sessions, and in those with a handshake."""
    listed = speak(server, lambda client: client.list_tools(), mode)
    names = {tool.name for tool in listed.tools}
    assert names == {"search", "get_record", "describe_schema", "sparql", "example_queries"}
    for tool in listed.tools:
        assert tool.annotations
        assert tool.annotations.read_only_hint
        assert not tool.annotations.destructive_hint
        assert tool.description
        assert tool.output_schema
        for name, schema in tool.input_schema["properties"].items():
            assert name == "limit" or schema["description"]


def test_the_schema_is_the_profile(server: RunningServer) -> None:
    types = call(server, "describe_schema")["types"]
    assert [one["name"] for one in types] == [kind.name for kind in PROFILE.types]
    for kind in PROFILE.types:
        (one,) = call(server, "describe_schema", type=kind.name, language="de")["types"]
        assert [field["name"] for field in one["fields"]] == [field.name for field in kind.fields]
        assert one["label"] == kind.label("de")


def test_what_search_finds_can_be_read(server: RunningServer) -> None:
    kind = max(call(server, "describe_schema")["types"], key=lambda one: one["count"])
    first = call(server, "search", type=kind["name"], limit=3, fields=["label"])
    assert first["total"] == kind["count"]
    assert len(first["hits"]) == 3
    second = call(server, "search", type=kind["collection"], limit=3, cursor=first["next"])
    shown = [hit["id"] for hit in (*first["hits"], *second["hits"])]
    assert len(set(shown)) == 6
    for hit in first["hits"]:
        assert httpx.get(hit["url"], follow_redirects=True, timeout=30).status_code == 200
        by_iri = call(server, "get_record", id=hit["id"])["record"]
        assert by_iri["name"] == hit["name"]
        assert by_iri["label"] == hit["fields"]["label"]
        assert call(server, "get_record", id=hit["url"])["record"] == by_iri


def test_search_filters_and_counts(server: RunningServer) -> None:
    (dataset,) = call(server, "search", type="dataset", text="partners", limit=1)["hits"]
    found = call(server, "search", type="dataset", filters=[f"title={dataset['name']}"])
    assert [hit["id"] for hit in found["hits"]] == [dataset["id"]]
    everything = call(server, "search", facets=["type"], limit=1)
    types = {one["name"]: one["count"] for one in call(server, "describe_schema")["types"]}
    counted = {one["value"]: one["count"] for one in everything["facets"]["type"]}
    assert counted == {name: count for name, count in types.items() if count}
    assert call(server, "search", text="qqqxxx")["hits"] == []


def test_search_understands_the_conditions_of_lists(server: RunningServer) -> None:
    def total(*conditions: str) -> int:
        found: int = call(server, "search", type="dataset", filters=list(conditions))["total"]
        return found

    dated = total("modified>2000-01-01")
    assert dated == total("modified>=2000-01-01", "modified<2999-01-01") > 0
    assert total("modified<2000-01-01") == 0


def test_sparql_answers_every_form(server: RunningServer) -> None:
    rows = call(server, "sparql", query="SELECT ?s {?s a ?o} ORDER BY ?s LIMIT 2")
    assert rows["variables"] == ["s"]
    assert [row["s"]["type"] for row in rows["rows"]] == ["uri", "uri"]
    assert call(server, "sparql", query="ASK {?s ?p ?o}")["boolean"] is True
    graph = call(server, "sparql", query="CONSTRUCT WHERE {?s a ?o} LIMIT 1")["graph"]
    assert graph.startswith("<https://")


def test_a_cut_off_result_is_an_error(server: RunningServer) -> None:
    most = call(server, "sparql", query="SELECT ?s {?s ?p ?o} LIMIT 500")
    assert len(most["rows"]) == 500
    assert "write LIMIT 500" in refused(server, "sparql", query="SELECT ?s {?s ?p ?o} LIMIT 501")
    assert "longer than 256 kB" in refused(server, "sparql", query="SELECT * {?s ?p ?o}")
    assert "longer than 256 kB" in refused(server, "sparql", query="CONSTRUCT WHERE {?s ?p ?o}")


def test_example_queries_run(server: RunningServer) -> None:
    listed = call(server, "example_queries")["queries"]
    assert len(listed) > 10
    assert not any(one["query"] for one in listed)
    (one,) = call(server, "example_queries", name=listed[0]["name"])["queries"]
    assert call(server, "sparql", query=one["query"])["generation"] > 0


def test_nothing_is_changed_and_nobody_is_called(server: RunningServer) -> None:
    published = server.get("/health/ready").json()["published"]
    assert "does not parse" in refused(
        server, "sparql", query="INSERT DATA {<http://a.b/c> a <http://a.b/d>}"
    )
    silent = "SELECT * {SERVICE SILENT <http://127.0.0.1:1/> {?s ?p ?o}}"
    assert "Federated requests are refused" in refused(server, "sparql", query=silent)
    assert "refused" in refused(server, "sparql", query="LOAD <file:///etc/passwd>")
    assert server.get("/health/ready").json()["published"] == published


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("search", {"type": "organization"}, "did you mean 'organisation'?"),
        ("search", {"type": "organisation", "filters": ["contry=BE"]}, "did you mean"),
        ("search", {"type": "organisation", "filters": ["limit=1000"]}, "more than once"),
        ("search", {"type": "organisation", "filters": ["near=1"]}, "lat,lon,km"),
        ("search", {"type": "organisation", "fields": ["lable"]}, "did you mean 'label'?"),
        ("search", {"type": "organisation", "filter": []}, "did you mean 'filters'?"),
        ("search", {"type": "organisation", "limit": 51}, "less than or equal to 50"),
        ("search", {"type": "organisation", "limit": 10**30}, "limit"),
        ("search", {"type": "organisation", "cursor": "-1"}, "`next` of an answer"),
        ("search", {"type": "organisation", "cursor": "9" * 400}, "`next` of an answer"),
        ("search", {"type": "organisation", "text": "x" * 2_000}, "longer than 1000 characters"),
        ("search", {"type": "organisation", "language": "xx"}, "must be one of en"),
        ("search", {"type": ["organisation"]}, "valid string"),
        ("get_record", {"id": "../../etc/passwd"}, "not an absolute IRI"),
        ("get_record", {"id": "organisations/none"}, "organisation/none"),
        ("get_record", {"id": "javascript:alert(1)"}, "javascript:alert(1)"),
        ("get_record", {"id": f"{BASE}id/x> ; DROP"}, "not an absolute IRI"),
        ("describe_schema", {"type": "__class__"}, "There is no type"),
        ("sparql", {"query": ""}, "empty"),
        ("sparql", {"query": "SELECT * {" + "(" * 5_000}, ". "),
        ("sparql", {"query": "SELECT nonsense"}, "does not parse"),
        ("example_queries", {"name": "../secret"}, "There is no query"),
        ("drop_everything", {}, "Unknown tool"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_argument_is_told_in_words(
    server: RunningServer, tool: str, arguments: dict[str, Any], words: str
) -> None:
    told = refused(server, tool, **arguments)
    assert words in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        asked("get_record", id="\ud800"),
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": None}},
    ],
    ids=["empty", "null", "list", "bytes", "deep-list", "deep-object", "surrogate", "no-name"],
)
def test_what_is_no_request_is_refused(server: RunningServer, body: bytes | dict[str, Any]) -> None:
    reply = raw(server, body)
    assert reply.json()["error"]["code"] in {-32700, -32602, -32600}
    assert server.get("/health/live").status_code == 200


def test_a_long_request_is_refused(server: RunningServer) -> None:
    reply = raw(server, asked("sparql", query="#" * 300_000))
    assert (reply.status_code, reply.json()["type"]) == (413, f"{BASE}problem/too-large")


def test_no_other_name_of_the_host_is_believed(server: RunningServer) -> None:
    """A page whose name was bound anew to this address (DNS rebinding) sends its own name."""
    assert raw(server, asked("describe_schema"), host="rebound.example.org").status_code == 421
    port = server.url.rpartition(":")[2]
    assert raw(server, asked("describe_schema"), host=f"localhost:{port}").status_code == 200


def test_pages_of_other_origins_may_ask(server: RunningServer) -> None:
    origin = "https://inspector.example.org"
    preflight = httpx.options(
        f"{server.url}/mcp",
        headers={
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,mcp-protocol-version,mcp-method",
        },
    )
    assert preflight.status_code == 200
    assert "mcp-protocol-version" in preflight.headers["access-control-allow-headers"]
    reply = raw(server, asked("describe_schema"), origin=origin)
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "Mcp-Session-Id" in reply.headers["access-control-expose-headers"]


def test_only_post_is_offered(server: RunningServer) -> None:
    """Without sessions there is nothing to listen to, and nothing to delete."""
    for method in ("GET", "DELETE", "PUT"):
        reply = httpx.request(method, f"{server.url}/mcp")
        assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


def test_documents_are_what_their_addresses_give(server: RunningServer) -> None:
    async def read(client: Client) -> dict[str, tuple[str | None, str]]:
        found = {}
        for resource in (await client.list_resources()).resources:
            (content,) = (await client.read_resource(resource.uri)).contents
            assert content.mime_type == resource.mime_type
            found[str(resource.uri)] = (resource.mime_type, content.text)  # type: ignore[union-attr]
        return found

    documents = speak(server, read)
    paths = ("/ontology.ttl", "/shapes.ttl", "/context.jsonld", "/api/v1/queries")
    assert set(documents) == {f"{server.url}{path}" for path in paths}
    for address, (media_type, text) in documents.items():
        reply = httpx.get(address, timeout=30)
        assert media_type
        assert reply.headers["content-type"].startswith(media_type)
        if media_type == "text/turtle":
            assert text == reply.text
        else:
            shown = reply.json()
            assert json.loads(text) == shown.get("items", shown)


def test_no_other_document_is_read(server: RunningServer) -> None:
    async def read(client: Client) -> None:
        for address in ("file:///etc/passwd", f"{server.url}/../data", f"{server.url}/metrics"):
            with pytest.raises(MCPError, match="Unknown resource"):
                await client.read_resource(address)

    speak(server, read)


def test_calls_count_for_their_client(tmp_path: Path, bare: dict[str, Any]) -> None:
    settings = {**bare, "rate_limits": "on", "query_rate": "4/minute"}
    with RunningServer(tmp_path / "var", **settings) as limited:
        ask = asked("sparql", query="ASK {}")
        assert raw(limited, ask, authorization="Bearer nobody").status_code == 401  # counts, too
        for body in (asked("describe_schema"), asked("example_queries"), ask):
            result = raw(limited, body).json()["result"]
            assert not result["isError"], result
        for body in (asked("describe_schema"), asked("sparql", query="ASK {?s ?p ?o}")):
            result = raw(limited, body).json()["result"]
            assert result["isError"]
            assert "More than 4 queries in 60 s" in result["content"][0]["text"]
        assert limited.get("/sparql?query=ASK%7B%3Fa%20%3Fb%20%3Fc%7D").status_code == 429
        assert limited.get("/api/v1/types").status_code == 200
