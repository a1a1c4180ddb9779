"""Jobs of real servers: seen over HTTP, killed in the middle, several nodes on one database."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.postgres import Postgres
from tests.server.running import RunningServer, lifetec

SECONDS = 60
PROBLEMS = "https://w3id.org/lifetec/problem/"


class JobServer(RunningServer):
    program = ("-m", "tests.server.serve_jobs")


class Node:
    """A server with the work of this test, and keys."""

    def __init__(self, server: RunningServer, admin: str) -> None:
        self.server = server
        self.admin = admin

    def submit(self, job: str, **asked: str) -> None:
        reply = httpx.post(f"{self.server.url}/test/jobs/{job}", params=asked, timeout=30)
        assert reply.status_code == 202, reply.text

    def ask(self, path: str, key: str | None = None, **headers: str) -> httpx.Response:
        return self.server.get(
            f"/api/v1/jobs{path}", authorization=f"Bearer {key or self.admin}", **headers
        )

    @contextmanager
    def stream(self, job: str) -> Iterator[httpx.Response]:
        headers = {
            "authorization": f"Bearer {self.admin}",
            "accept": "text/event-stream",
            "last-event-id": "7",
        }
        address = f"{self.server.url}/api/v1/jobs/{job}"
        with httpx.stream("GET", address, headers=headers, timeout=SECONDS) as reply:
            yield reply

    def job(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(f"/{job}").json()
        return found

    def until(self, job: str, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while not true(found := self.job(job)):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def begun(self, job: str) -> list[str]:
        file = self.server.data_dir / f"begun-{job}"
        return file.read_text().split() if file.exists() else []

    def go(self, *jobs: str) -> None:
        for job in jobs:
            (self.server.data_dir / f"go-{job}").touch()


def running(job: dict[str, Any]) -> bool:
    return bool(job["progress"])


def ended(job: dict[str, Any]) -> bool:
    return job["state"] in {"done", "failed"}


def events(reply: httpx.Response) -> Iterator[tuple[str, Any]]:
    """The events of a stream (HTML Living Standard §9.2.6)."""
    fields: dict[str, str] = {}
    for line in reply.iter_lines():
        name, _, value = line.partition(": ")
        if not line:
            if fields:
                yield fields["event"], json.loads(fields["data"])
            fields = {}
        elif name:
            fields[name] = value


def key(server: RunningServer, *words: str) -> str:
    done = lifetec(server.data_dir, "key", "issue", *words, **server.settings)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, bare: dict[str, Any]) -> dict[str, Any]:
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return {**bare, "database_url": server.new_database()}
    return bare


def test_a_job_goes_on_after_a_stop_and_after_a_kill(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    with JobServer(tmp_path / "var", **settings) as server:
        node = Node(server, key(server, "--role", "admin"))
        node.submit("a", owner="demo")
        first = node.until("a", running)
        assert (first["state"], first["attempts"]) == ("running", 1)
        pids = [str(server.pid)]
        for attempts, how in ((2, signal.SIGTERM), (3, signal.SIGKILL)):
            with node.stream("a") as reply:
                coming = events(reply)
                assert next(coming)[0] == "progress"
                if how == signal.SIGTERM:
                    server.stop(how)
                    # The stream ends as a whole, without an outcome, and the server without haste.
                    assert {name for name, _ in coming} <= {"progress"}
            server.stop(how)
            server.start()
            node.until("a", lambda _, n=attempts: len(node.begun("a")) == n)  # type: ignore[misc]
            pids.append(str(server.pid))
        node.go("a")
        last = node.until("a", ended)
        assert (last["state"], last["attempts"]) == ("done", 3)
        assert last["result"] == {"pid": server.pid}
        assert last["created_at"] == first["created_at"]
        assert node.begun("a") == pids
        assert server.log.read_text() == ""


def test_several_nodes_share_a_database_and_run_each_job_once(
    tmp_path: Path, bare: dict[str, Any], postgres: Postgres
) -> None:
    shared = {**bare, "database_url": postgres.new_database()}
    with (
        JobServer(tmp_path / "one", **shared) as first,
        JobServer(tmp_path / "two", **shared) as second,
    ):
        admin = key(first, "--role", "admin")
        nodes = [Node(first, admin), Node(second, admin)]
        names = [str(n) for n in range(10)]
        with ThreadPoolExecutor(4) as pool:  # each id to both at the same time
            for _ in pool.map(lambda each: nodes[each[0]].submit(each[1]),
                              [(at, name) for name in names for at in (0, 1)]):  # fmt: skip
                pass
        nodes[0].submit("left")
        for name in [*names, "left"]:
            nodes[0].until(name, running)
        first.stop(signal.SIGKILL)
        nodes[1].submit("after")
        nodes[1].go("after")
        assert nodes[1].until("after", ended)["state"] == "done"
        assert nodes[1].job("left")["state"] == "running", "nobody has begun it again so far"
        for one in nodes:
            one.go(*names, "left")
        first.start()
        for name in [*names, "left"]:
            assert nodes[0].until(name, ended)["state"] == "done"
        for name in names:
            begun = [len(node.begun(name)) for node in nodes]
            attempts = nodes[1].job(name)["attempts"]
            # What was with the node that died was begun once more, by whoever came first.
            assert sum(begun) == attempts <= 2, (name, begun)
            assert attempts == 1 or begun[0] >= 1
        assert nodes[1].job("left")["attempts"] == 2


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A server with two partners, each with a job that waits."""
    folder = tmp_path_factory.mktemp("jobs")
    settings: dict[str, Any] = {}
    for name in ("ontology_dir", "shapes_dir", "seed_dir"):
        settings[name] = folder / name
        settings[name].mkdir()
    with JobServer(folder / "var", **settings) as server:
        for partner in ("demo", "other"):
            words = ("partner", "add", partner, "--name", "en=X", "--contact", "data@demo.org")
            assert lifetec(server.data_dir, *words, **settings).returncode == 0
        node = Node(server, key(server, "--role", "admin"))
        for partner in ("demo", "other"):
            node.submit(partner, owner=partner)
            node.until(partner, running)
        node.submit("service")
        yield node


def problem(reply: httpx.Response) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    return reply.status_code, reply.json()["type"].removeprefix(PROBLEMS)


def test_who_sees_which_jobs(shown: Node) -> None:
    def ids(who: str) -> list[str]:
        reply = shown.ask("", who)
        assert reply.status_code == 200, reply.text
        assert reply.headers["cache-control"] == "no-store"
        return sorted(one["id"] for one in reply.json()["items"])

    server = shown.server
    partner = key(server, "--role", "partner", "--partner", "demo")
    curator = key(server, "--role", "curator")
    reader = key(server, "--role", "reader")
    assert ids(partner) == ["demo"]
    assert {"demo", "other", "service"} <= set(ids(curator))
    assert ids(shown.admin) == ids(curator)
    assert problem(shown.ask("", reader)) == (403, "forbidden")
    assert shown.ask("/demo", partner).json()["owner"] == "demo"
    hidden = [
        shown.ask(path, who)
        for path, who in (
            ("/other", partner),
            ("/service", partner),
            ("/demo", reader),
            ("/nothing", partner),
            ("/nothing", curator),
        )
    ]
    assert {problem(reply) for reply in hidden} == {(404, "not-found")}
    assert hidden[0].json()["detail"] == hidden[3].json()["detail"].replace("nothing", "other")
    stream = shown.ask("/other", partner, accept="text/event-stream")
    assert problem(stream) == (404, "not-found")
    for path in ("", "/demo"):
        assert problem(server.get(f"/api/v1/jobs{path}")) == (401, "unauthenticated")


def test_parameters_and_formats_that_do_not_fit_are_refused(shown: Node) -> None:
    assert len(shown.ask("?limit=1").json()["items"]) == 1
    for limit in ("0", "201", "x"):
        assert problem(shown.ask(f"?limit={limit}")) == (400, "invalid-request")
    assert problem(shown.ask("/demo", accept="text/turtle")) == (406, "not-acceptable")
    assert shown.ask("/demo", accept="text/html, */*;q=0.8").json()["id"] == "demo"


@pytest.mark.parametrize("how", ["done", "failed"])
def test_a_job_is_seen_as_it_happens(shown: Node, how: str) -> None:
    node, job = shown, f"seen-{how}"
    node.submit(job, **({"fail": "yes"} if how == "failed" else {}))
    seen = []
    with node.stream(job) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers["cache-control"] == "no-store"
        for name, data in events(reply):
            seen.append((name, data))
            if data["progress"]:
                assert data["progress"] == {"stage": "waiting"}
                node.go(job)
    assert [name for name, _ in seen] == ["progress"] * (len(seen) - 1) + [how]
    assert any(data["progress"] for name, data in seen if name == "progress")
    last = seen[-1][1]
    assert last == node.job(job)
    if how == "done":
        assert (last["result"], last["error"]) == ({"pid": node.server.pid}, None)
    else:
        assert last["result"] is None
        assert last["error"] == {
            "type": f"{PROBLEMS}invalid-data",
            "title": "The data breaks the shapes",
            "status": 422,
            "detail": "The test says no.",
            "report": {"conforms": False},
        }
    # Who comes when all is over is told so at once.
    with node.stream(job) as again:
        assert [name for name, _ in events(again)] == [how]


def test_the_description_says_what_jobs_are(shown: Node) -> None:
    document = shown.server.get("/openapi.json").json()
    job = document["components"]["schemas"]["JobShown"]
    assert set(job["properties"]) == set(shown.job("demo"))
    operation = document["paths"]["/api/v1/jobs/{id}"]["get"]
    assert set(operation["responses"]["200"]["content"]) == {
        "application/json",
        "text/event-stream",
    }
