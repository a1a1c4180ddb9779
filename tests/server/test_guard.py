"""What one client may ask of a real server, and what its log says of what was refused."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.rdf import media
from app.sparql.guard import fingerprint
from tests.server.conftest import bare_in
from tests.server.running import RunningServer, lifetec

SECONDS = 3
LONG = "SELECT (COUNT(*) AS ?n) {?a ?b ?c. ?d ?e ?f. ?g ?h ?i}"
ENDLESS = "SELECT * {?a ?b ?c. ?d ?e ?f. ?g ?h ?i}"
_NUMBERS = itertools.count()


def lookup() -> str:
    """Another one each time: what is answered from memory counts for nobody."""
    return f"SELECT ?o {{ <http://example.org/s{next(_NUMBERS)}> <http://example.org/p> ?o }}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that gives little to each client, and believes what this machine forwards."""
    root = tmp_path_factory.mktemp("guarded")
    settings: dict[str, Any] = {
        **bare_in(root),
        "rate_limits": "on",
        "trusted_proxies": "127.0.0.1",
        "query_rate": "5/minute",
        "query_budget": 2,
        "query_at_once": 2,
        "query_seconds": SECONDS,
        "query_memory_mb": 512,
        "query_result_mb": 2,
        "query_kb": 1,
        "key_factor": 2,
    }
    data = root / "many.nt"
    data.write_text(
        "".join(f'<http://example.org/s{n}> <http://example.org/p> "{n}" .\n' for n in range(3_000))
    )
    loaded = lifetec(root / "var", "load", data, "--dataset", "http://example.org/many", **settings)
    assert loaded.returncode == 0, loaded.stderr
    with RunningServer(root / "var", **settings) as server:
        yield server


def ask(
    server: RunningServer,
    client: str,
    query: str | None = None,
    *,
    seconds: float = 30,
    **headers: str,
) -> httpx.Response:
    return httpx.post(
        f"{server.url}/sparql",
        data={"query": query or lookup()},
        headers={"x-forwarded-for": client, **headers},
        timeout=seconds,
    )


def key_of(server: RunningServer, *words: str) -> tuple[str, str]:
    """A new key's text and id."""
    made = lifetec(server.data_dir, "key", "issue", *words, **server.settings)
    assert made.returncode == 0, made.stderr
    text = next(word for word in made.stdout.split() if word.startswith("ltg_"))
    return text, text.split("_")[1]


def lines(server: RunningServer, reason: str) -> list[dict[str, Any]]:
    """What the log says so far of queries that ended so."""
    found = []
    for line in server.log.read_text().splitlines():
        if line.startswith("{"):
            said = json.loads(line)
            assert set(said) == {"time", "event", "reason", "door", "seconds", "bytes", "query"}
            if said["reason"] == reason:
                found.append(said)
    return found


def test_what_is_left_is_told_and_kept(guarded: RunningServer) -> None:
    for left in (4, 3, 2, 1, 0):
        reply = ask(guarded, "192.0.2.1")
        assert reply.status_code == 200
        assert reply.headers["ratelimit-policy"] == '"queries";q=5;w=60, "seconds";q=2;w=60'
        queries, seconds = reply.headers["ratelimit"].split(", ")
        assert queries.startswith(f'"queries";r={left};t=')
        assert seconds.startswith('"seconds";r=1;t=')
    one_more = lookup()
    refused = ask(guarded, "192.0.2.1", one_more)
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"].endswith("/rate-limited")
    assert refused.json()["policy"] == "queries"
    assert 1 <= int(refused.headers["retry-after"]) <= 12
    assert refused.headers["ratelimit"].startswith('"queries";r=0;t=')
    assert "retry-after" in refused.headers["access-control-expose-headers"]
    assert ask(guarded, "192.0.2.2").status_code == 200
    wrong = ask(guarded, "192.0.2.2", "SELECT")
    assert wrong.status_code == 400
    assert wrong.headers["ratelimit"].startswith('"queries";r=3;t=')
    (line,) = lines(guarded, "rate-limited")
    assert line["query"] == fingerprint(one_more)


def test_what_is_remembered_counts_for_nobody(guarded: RunningServer) -> None:
    again = lookup()
    replies = [ask(guarded, "192.0.2.4", again) for _ in range(7)]
    assert {reply.status_code for reply in replies} == {200}
    assert ask(guarded, "192.0.2.4").headers["ratelimit"].startswith('"queries";r=3;t=')


def test_whole_graphs_count_too(guarded: RunningServer) -> None:
    codes = [
        guarded.get(path, accept=media_type, x_forwarded_for="192.0.2.3").status_code
        for media_type in (media.TURTLE, media.N_TRIPLES, media.JSON_LD)
        for path in ("/graphs?graph=http://example.org/many", "/graphs?default")
    ]
    assert codes[0] == 200
    assert codes[-1] == 429


def test_seconds_of_evaluation_are_used_up(guarded: RunningServer) -> None:
    assert ask(guarded, "192.0.2.10", LONG).status_code == 504
    refused = ask(guarded, "192.0.2.10")
    assert refused.status_code == 429
    assert refused.json()["policy"] == "seconds"
    assert "seconds of evaluation" in refused.json()["detail"]
    # a second comes back in 30, and more than one is owed
    assert int(refused.headers["retry-after"]) > 30
    assert '"seconds";r=0;t=' in refused.headers["ratelimit"]
    (line,) = lines(guarded, "deadline")
    assert line["seconds"] == pytest.approx(SECONDS, abs=1)
    assert line["query"] == fingerprint(LONG)


def test_one_client_cannot_take_all_places(guarded: RunningServer) -> None:
    with ThreadPoolExecutor(3) as threads:
        began = time.monotonic()
        three = [threads.submit(ask, guarded, "192.0.2.20", f"{LONG} #{n}") for n in range(3)]
        ended = sorted((one.result() for one in three), key=lambda reply: reply.status_code)
    assert [reply.status_code for reply in ended] == [429, 504, 504]
    assert ended[0].json()["policy"] == "at-once"
    assert ended[0].elapsed.total_seconds() < SECONDS
    assert time.monotonic() - began < 3 * SECONDS


def test_a_key_counts_for_its_partner_wherever_it_is_used(guarded: RunningServer) -> None:
    settings = guarded.settings
    words = ("partner", "add", "demo", "--name", "en=Demo", "--contact", "office@example.org")
    added = lifetec(guarded.data_dir, *words, **settings)
    assert added.returncode == 0, added.stderr
    one, _ = key_of(guarded, "--role", "reader", "--partner", "demo")
    two, last = key_of(guarded, "--role", "reader", "--partner", "demo")
    for n in range(10):
        key = (one, two)[n % 2]
        reply = ask(guarded, f"198.51.100.{n}", authorization=f"Bearer {key}")
        assert reply.status_code == 200, reply.text
        assert reply.headers["ratelimit-policy"] == '"queries";q=10;w=60, "seconds";q=4;w=60'
        assert reply.headers["ratelimit"].startswith(f'"queries";r={9 - n};t=')
    assert ask(guarded, "192.0.2.30", authorization=f"Bearer {one}").status_code == 429
    revoked = lifetec(guarded.data_dir, "key", "revoke", last, **settings)
    assert revoked.returncode == 0, revoked.stderr
    deadline = time.monotonic() + 10
    n = 0
    while (
        reply := ask(guarded, f"203.0.113.{n}", authorization=f"Bearer {two}")
    ).status_code != 401:
        assert time.monotonic() < deadline, "a revoked key goes on working"
        n += 1
        time.sleep(0.5)
    assert reply.json()["reason"] == "revoked"


def test_a_wrong_key_is_refused_and_trying_many_is_limited(guarded: RunningServer) -> None:
    wrong = f"Bearer ltg_{'0' * 12}_{'0' * 64}"
    codes = [ask(guarded, "192.0.2.40", authorization=wrong).status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    assert ask(guarded, "192.0.2.41", authorization="Basic eDp5").status_code == 401


def test_what_was_refused_or_cut_is_logged_without_who_or_what(guarded: RunningServer) -> None:
    federated = "SELECT * { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }"
    assert ask(guarded, "192.0.2.50", federated).status_code == 400
    assert ask(guarded, "192.0.2.51", f"ASK {{}} # {'x' * 2_000}").status_code == 413
    with pytest.raises(httpx.RemoteProtocolError):
        ask(guarded, "192.0.2.52", ENDLESS)
    with pytest.raises(httpx.ReadTimeout):
        ask(guarded, "192.0.2.53", LONG, seconds=1)
    deadline = time.monotonic() + 10
    while not lines(guarded, "client-gone"):
        assert time.monotonic() < deadline, guarded.log.read_text()
        time.sleep(0.05)
    assert lines(guarded, "federation-refused")[0]["query"] == fingerprint(federated)
    cut = [line for line in lines(guarded, "too-large") if line["bytes"]]
    assert cut[0]["bytes"] > 2 << 20
    assert {line["query"] for line in lines(guarded, "too-large")} == {None, fingerprint(ENDLESS)}
    assert lines(guarded, "client-gone")[-1]["query"] == fingerprint(LONG)
    assert lines(guarded, "syntax") == []
    log = Path(guarded.log).read_text()
    for never in ("192.0.2.", "198.51.100.", "example.org", "SELECT", "ltg_"):
        assert never not in log


def metrics(server: RunningServer) -> dict[str, float]:
    reply = server.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=")
    samples = (line.rpartition(" ") for line in reply.text.splitlines() if line[0] != "#")
    return {name: float(value) for name, _, value in samples}


def test_metrics_follow_what_happens(guarded: RunningServer) -> None:
    def queries(outcome: str) -> float:
        name = f'lifetec_query_seconds_count{{door="sparql",outcome="{outcome}"}}'
        return metrics(guarded).get(name, 0)

    answered, mistaken, late = queries("answered"), queries("syntax"), queries("deadline")
    before = metrics(guarded)
    assert ask(guarded, "192.0.2.60").status_code == 200
    assert ask(guarded, "192.0.2.60", "SELECT").status_code == 400
    with ThreadPoolExecutor(1) as threads:
        long = threads.submit(ask, guarded, "192.0.2.60", LONG)
        while metrics(guarded)['lifetec_lane_busy{lane="heavy"}'] != 1:
            assert not long.done(), "no place was ever taken"
        assert long.result().status_code == 504
    after = metrics(guarded)
    assert (queries("answered"), queries("syntax")) == (answered + 1, mistaken + 1)
    assert queries("deadline") == late + 1
    assert after['lifetec_http_requests_total{status="504"}'] >= 1
    assert after["lifetec_workers_killed_total"] == before["lifetec_workers_killed_total"] + 1
    assert after["lifetec_workers_started_total"] > before["lifetec_workers_started_total"]
    assert after['lifetec_query_bytes_total{door="sparql"}'] > 0
    assert after['lifetec_lane_places{lane="light"}'] == 2
    assert after["lifetec_generation"] == after["lifetec_log_head"] > 0
    assert after['lifetec_resident_bytes{process="server"}'] > 1 << 20
    assert after['lifetec_resident_bytes{process="workers"}'] > 1 << 20
