"""What must not get in; a trusted partner sends it, so whatever passed would be public at once."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.server.bad_inputs import BODIES, REQUESTS
from tests.server.publishing import (
    BASE,
    SUBMISSIONS,
    Publishing,
    organisation,
    problem,
    publishing,
)
from tests.server.running import lifetec

REFERRING = (
    organisation("demo-1", "Demo")
    + """<id/technology/demo-patch> a lt:Technology ; skos:prefLabel "Patch"@en ;
  dcterms:description "A patch."@en ; dcterms:creator <id/organisation/swift-1> .
"""
)


@dataclass(frozen=True)
class House:
    """A furnished server; `words` are the names that the rows of the tables use."""

    publishing: Publishing
    words: dict[str, str]

    def named(self, text: str) -> str:
        """A text of a row with the names in it."""
        for word, name in self.words.items():
            text = text.replace(f"{{{word}}}", name)
        return text


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server that limits sizes to 1 MB and work to seconds; in the end nothing has changed."""
    limits = {"submission_mb": 1, "submission_seconds": 12, "submission_memory_mb": 1024}
    with publishing(tmp_path_factory.mktemp("bad"), **limits) as one:
        made = House(one, _furniture(one))
        before = _published(made)
        yield made
        assert _published(made) == before
        listed = one.ask("GET", f"{SUBMISSIONS}?state=in-review", "curator").json()
        assert [item["id"] for item in listed["items"]] == [made.words["waiting"]]
        kept = [file for file in (one.server.data_dir / "sources").rglob("*") if file.is_file()]
        assert len(kept) == 1, "what was refused is not kept"
        checked = lifetec(one.server.data_dir, "check", **one.settings)
        assert checked.returncode == 0, checked.stdout
        assert "FAIL" not in checked.stdout


def _furniture(one: Publishing) -> dict[str, str]:
    own, theirs, base, unpublished = (
        one.dataset(partner) for partner in ("swift", "demo", "swift", "swift")
    )
    expired, revoked = (one.key(role="partner", partner="swift", days=1) for _ in range(2))
    _expire(one, expired)
    assert one.ask("DELETE", f"/api/v1/admin/keys/{revoked.split('_')[1]}", "admin").is_success
    scoped = one.key(role="partner", partner="swift", datasets=[unpublished.partition("/")[2]])
    one.publish(base, organisation("swift-1", "One"))
    published = one.publish(own, organisation("swift-2", "Two"))
    one.publish(theirs, REFERRING)
    for partner in ("swift", "demo"):
        gone = one.dataset(partner)
        one.publish(gone, organisation(f"{partner}-gone", "Gone"))
        one.publish(gone, "")
    waiting = one.send(theirs, REFERRING + organisation("demo-2", "Waits")).json()
    assert waiting["state"] == "in-review", waiting
    return {
        "own": own,
        "theirs": theirs,
        "base": base,
        "unpublished": unpublished,
        "expired": expired,
        "revoked": revoked,
        "scoped": scoped,
        "published": published["id"],
        "waiting": waiting["id"],
    }


def _expire(one: Publishing, key: str) -> None:
    """Have a key expire in the past, as time would."""
    with contextlib.closing(sqlite3.connect(one.server.data_dir / "lifetec.db")) as database:
        database.execute(
            "UPDATE keys SET expires_at = '2026-01-02 03:04:05.000000' WHERE id = ?",
            [key.split("_")[1]],
        )
        database.commit()


def _published(house: House) -> tuple[Any, ...]:
    """All that must stay as it is."""
    one = house.publishing
    everything = f"{one.server.url}/sparql?query=CONSTRUCT WHERE {{ ?s ?p ?o }}"
    reply = one.ask("GET", everything, headers={"accept": "application/n-triples"})
    assert reply.status_code == 200, reply.text
    total = one.ask("GET", f"{SUBMISSIONS}?state=published&limit=0", "curator").json()["total"]
    return one.generation(), sorted(reply.text.splitlines()), total


@pytest.mark.parametrize("name", BODIES)
def test_bad_data_is_refused_with_its_problem(name: str, house: House) -> None:
    data, media_type, headers, status, slug = BODIES[name]
    given = {**({} if media_type is None else {"content-type": media_type}), **headers}
    reply = house.publishing.ask(
        "POST", f"{SUBMISSIONS}?dataset={house.words['own']}", "swift", content=data, headers=given
    )
    assert problem(reply) == (status, slug), reply.text[:2000]
    assert len(reply.content) < 1 << 19
    if "submission" in reply.json():
        one = house.publishing.ask("GET", f"{SUBMISSIONS}/{reply.json()['submission']}", "swift")
        assert (one.json()["state"], one.json()["generation"]) == ("rejected", None)
    if slug == "not-yours":
        assert reply.json()["total"] == len(reply.json()["iris"]) == 1
    if status >= 500:
        assert "in parts" in reply.json()["detail"]


@pytest.mark.parametrize("name", REQUESTS)
def test_bad_requests_are_refused_with_their_problem(name: str, house: House) -> None:
    row = REQUESTS[name]
    reply = house.publishing.ask(
        row.method,
        house.named(row.path),
        row.key and house.named(row.key),
        content=row.body and house.named(row.body.decode("latin-1")).encode("latin-1"),
        headers=row.headers,
    )
    assert problem(reply) == (row.status, row.slug), reply.text[:2000]
    assert len(reply.content) < 1 << 14


def test_what_is_too_long_is_refused_before_it_has_arrived(house: House) -> None:
    one = house.publishing
    address = f"{SUBMISSIONS}?dataset={house.words['own']}"
    head = f"POST {address} HTTP/1.1\r\nHost: x\r\nContent-Type: text/turtle\r\n"
    head += f"Authorization: Bearer {one.keys['swift']}\r\n"
    with socket.create_connection(("127.0.0.1", one.server.port), timeout=20) as announced:
        announced.sendall(f"{head}Content-Length: 99999999999\r\n\r\n".encode())
        assert announced.recv(4096).startswith(b"HTTP/1.1 413")
    with socket.create_connection(("127.0.0.1", one.server.port), timeout=20) as chunked:
        chunked.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(20):
            chunked.sendall(b"10000\r\n" + b"#" * 0x10000 + b"\r\n")
        assert chunked.recv(4096).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("path", ["/sparql", "/sparql?query=ASK%7B%7D"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_query_is_not_taken_from_the_body_of_a_get(method: str, path: str, house: House) -> None:
    one, headers = house.publishing, {"content-type": "application/sparql-query"}
    for body in (b"ASK {}", iter([b"ASK ", b"{}"])):  # with its length, and in chunks
        reply = one.ask(method, path, content=body, headers=headers)
        assert reply.status_code == 400
        assert method == "HEAD" or problem(reply) == (400, "invalid-request")
    assert one.ask(method, "/sparql?query=ASK%7B%7D", content=b"").status_code == 200


def test_a_body_is_not_awaited_from_who_may_not_send_it(house: House) -> None:
    one = house.publishing
    for path in (f"{SUBMISSIONS}?dataset={house.words['own']}", f"/graphs?graph={BASE}graph/x"):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/turtle\r\n"
        with socket.create_connection(("127.0.0.1", one.server.port), timeout=20) as slow:
            slow.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode())
            assert slow.recv(4096).startswith(b"HTTP/1.1 401")
