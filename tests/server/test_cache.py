"""What clients and caches on their way see of the result cache."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.running import RunningServer, lifetec

LOOKUP = "SELECT ?o { <http://e/s7> <http://e/p> ?o }"
SLOW = """SELECT (COUNT(*) AS ?n) {
  ?a <http://e/p> ?c { SELECT * { ?d ?e ?f } LIMIT 300 } FILTER(STRLEN(?c) + STRLEN(?f) > 3)
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    root = tmp_path_factory.mktemp("cache")
    settings: dict[str, Any] = {}
    for name in ("ontology_dir", "shapes_dir", "seed_dir"):
        settings[name] = root / name
        settings[name].mkdir()
    data = root / "data.nt"
    data.write_text("".join(f'<http://e/s{n}> <http://e/p> "{n:04d}" .\n' for n in range(2_500)))
    loaded = lifetec(root / "var", "load", data, "--dataset", "http://e/d", **settings)
    assert loaded.returncode == 0, loaded.stderr
    with RunningServer(root / "var", **settings) as server:
        yield server


def _get(server: RunningServer, query: str, method: str = "GET", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(
        method, f"{server.url}/sparql", params={"query": query}, headers=named, timeout=60
    )


def test_a_result_from_memory_is_the_same_as_a_new_one(server: RunningServer) -> None:
    replies = [_get(server, LOOKUP) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200] * 3
    assert len({reply.content for reply in replies}) == 1
    new, *again = ({k: v for k, v in reply.headers.items() if k != "date"} for reply in replies)
    assert again == [new, new]
    assert new["x-generation"] == new["etag"].removeprefix('W/"').partition("-")[0]
    assert new["cache-control"] == "public, no-cache"
    assert new["vary"] == "Accept"


@pytest.mark.parametrize("asked", [LOOKUP, "ASK { <http://e/never-asked-for> ?p 1 }"])
def test_who_has_it_already_is_told_so(server: RunningServer, asked: str) -> None:
    tag = _get(server, asked).headers["etag"]
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}'):
        reply = _get(server, asked, if_none_match=known)
        assert (reply.status_code, reply.content) == (304, b"")
        assert reply.headers["etag"] == tag
        assert reply.headers["cache-control"] == "public, no-cache"
        assert reply.headers["vary"] == "Accept"
        assert "content-length" not in reply.headers
    assert _get(server, asked, if_none_match='W/"0-0"').status_code == 200
    assert _get(server, asked, "HEAD", if_none_match=tag).status_code == 304


def test_head_has_the_headers_of_get_and_no_body(server: RunningServer) -> None:
    query = "SELECT * { <http://e/s9> ?p ?o }"
    for _ in range(2):  # new, and from memory
        head = _get(server, query, "HEAD")
        assert (head.status_code, head.content) == (200, b"")
    got = _get(server, query)
    assert int(head.headers["content-length"]) == len(got.content) > 0
    assert head.headers["etag"] == got.headers["etag"]


def test_each_format_has_its_own_result(server: RunningServer) -> None:
    replies = [_get(server, LOOKUP, accept=kind) for kind in ("text/csv", "text/csv", "*/*")]
    csv, again, json = replies
    assert csv.content == again.content == b"o\r\n0007\r\n"
    assert json.json()["results"]["bindings"][0]["o"]["value"] == "0007"
    assert csv.headers["etag"] != json.headers["etag"]


def test_post_is_answered_from_memory_but_is_nobodys_to_keep(server: RunningServer) -> None:
    tag = _get(server, LOOKUP).headers["etag"]
    reply = httpx.post(
        f"{server.url}/sparql", data={"query": LOOKUP}, headers={"if-none-match": tag}
    )
    assert reply.status_code == 200
    assert "etag" not in reply.headers
    assert "cache-control" not in reply.headers
    assert reply.content == _get(server, LOOKUP).content


@pytest.mark.parametrize("function", ["RAND()", "UUID()", "STRUUID()", "NOW()"])
def test_what_is_new_each_time_is_never_the_same(server: RunningServer, function: str) -> None:
    query = f"SELECT ({function} AS ?x) {{}}"
    first, second = _get(server, query), _get(server, query)
    assert first.content != second.content
    assert "etag" not in first.headers
    assert first.headers["cache-control"] == "no-store"
    assert _get(server, query, if_none_match='W/"1-0"').status_code == 200


def test_a_result_that_streams_has_an_etag(server: RunningServer) -> None:
    query = "SELECT * { ?a ?b ?c. ?d ?e ?f } LIMIT 20000"
    reply = _get(server, query)
    assert "content-length" not in reply.headers
    assert len(reply.json()["results"]["bindings"]) == 20_000
    assert _get(server, query, if_none_match=reply.headers["etag"]).status_code == 304


def test_the_same_at_once_takes_the_time_of_one(server: RunningServer) -> None:
    """As many as have all places and a part of the line, while there are two places."""
    with ThreadPoolExecutor(12) as threads:
        asked = list(threads.map(lambda _: _get(server, SLOW), range(12)))
    assert {reply.status_code for reply in asked} == {200}
    counts = {reply.json()["results"]["bindings"][0]["n"]["value"] for reply in asked}
    assert counts == {str(2_500 * 300)}
    began = time.monotonic()
    assert _get(server, SLOW).status_code == 200  # it is kept, though it was slow
    assert time.monotonic() - began < asked[0].elapsed.total_seconds()


def test_who_waits_for_the_same_gets_it_when_the_first_has_left(server: RunningServer) -> None:
    query = f"{SLOW} # left"
    with ThreadPoolExecutor(3) as threads:
        leaves = threads.submit(
            httpx.get, f"{server.url}/sparql", params={"query": query}, timeout=0.1
        )
        stay = [threads.submit(_get, server, query) for _ in range(2)]
        with pytest.raises(httpx.ReadTimeout):
            leaves.result()
        assert [one.result().status_code for one in stay] == [200, 200]


def test_a_publication_is_seen_at_once(server: RunningServer, tmp_path: Path) -> None:
    query = "SELECT ?o { <http://e/new> <http://e/p> ?o }"
    before = _get(server, query)
    assert before.json()["results"]["bindings"] == []
    data = tmp_path / "new.nt"
    data.write_text('<http://e/new> <http://e/p> "new" .\n')
    loaded = lifetec(server.data_dir, "load", data, "--dataset", "http://e/n", **server.settings)
    assert loaded.returncode == 0, loaded.stderr
    after = _get(server, query, if_none_match=before.headers["etag"])
    assert after.status_code == 200
    assert int(after.headers["x-generation"]) > int(before.headers["x-generation"])
    assert after.json()["results"]["bindings"][0]["o"]["value"] == "new"
