"""Speaking to a service elsewhere, which here is a script of answers."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.accounts.secret import new_secret
from app.errors import InvalidRequest
from app.remote import Remote, read_address
from app.submissions.gate import File

KEY = new_secret()
FILE = File("a.ttl", "text/turtle", b"<a:a> <a:b> <a:c> .\n" * 10)
Scripted = tuple[int, dict[str, str], bytes]

CUT: Scripted = (0, {}, b"")
"""Instead of an answer the connection is closed."""


def answer(status: int, document: Any = None, **headers: str) -> Scripted:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, json.dumps(document or {}).encode()


def refusal(slug: str, status: int, **facts: Any) -> Scripted:
    document = {"type": f"https://w3id.org/lifetec/problem/{slug}", "status": status, **facts}
    return answer(status, document)


@dataclass
class Service:
    """A server that answers as it is told, and keeps what it was asked."""

    script: Sequence[Scripted]
    url: str = ""
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def serving(*script: Scripted) -> Iterator[Service]:
    service = Service(script)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.asked.append((self.path, headers, body))
            status, more, text = service.script[len(service.asked) - 1]
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _answer  # noqa: N815 -- the names that the library looks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def remote(url: str, pauses: Sequence[float] = (0, 0)) -> Iterator[tuple[Remote, list[str]]]:
    told: list[str] = []
    with Remote(url, KEY, told=told.append, pauses=pauses) as found:
        yield found, told


def send(one: Remote, *files: File) -> Any:
    return one.send("/in", files or (FILE,), params={"a": "é&"}, headers={"Idempotency-Key": "k"})


@pytest.mark.parametrize(
    "text",
    [
        "https://data.example.org",
        "https://data.example.org:8443/here",
        "http://127.0.0.1:8000",
        "http://127.9.9.9",
        "http://[::1]:8000",
        "http://localhost",
    ],
)
def test_an_address_is_taken_without_its_last_slash(text: str) -> None:
    assert read_address(f"{text}/", insecure=False) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://data.example.org",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "http://10.0.0.1",
        "http://0x7f000001",
    ],
)
def test_a_line_that_others_can_read_must_be_asked_for(text: str) -> None:
    with pytest.raises(ValueError, match="can read the key"):
        read_address(text, insecure=False)
    assert read_address(text, insecure=True) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data.example.org",
        "ftp://data.example.org",
        "https://",
        "https://user:word@data.example.org",
        "https://data.example.org?x=1",
        "https://data.example.org/#x",
        "http://127.0.0.1\\@data.example.org",
        "https://data.example.org:port",
        "https://data.exam\nple.org",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_address(text, insecure=True)


def test_files_are_sent_as_a_form_with_the_key() -> None:
    with serving(answer(201, {"id": "1"})) as service, remote(service.url) as (one, told):
        found = send(one, FILE, File("b.nt.gz", "application/n-triples", b"\x1f\x8b"))
    (path, headers, body) = service.asked[0]
    assert (found.status, found.document, found.refused) == (201, {"id": "1"}, False)
    assert path == "/in?a=%C3%A9%26"
    assert headers["authorization"] == f"Bearer {KEY.text}"
    assert headers["idempotency-key"] == "k"
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="file"; filename="a.ttl"\r\nContent-Type: text/turtle' in body
    assert b'filename="b.nt.gz"\r\nContent-Type: application/n-triples\r\n\r\n\x1f\x8b' in body
    assert told == []


def test_what_is_large_is_compressed_on_the_way_unless_it_is_already() -> None:
    large = File("a.ttl", "text/turtle", FILE.data * 1000)
    packed = File("a.ttl.gz", "text/turtle", FILE.data * 1000)
    with (
        serving(answer(201), answer(201)) as service,
        remote(service.url) as (one, _),
    ):
        send(one, large)
        send(one, packed)
    (_, headers, body), (_, more, same) = service.asked
    assert headers["content-encoding"] == "gzip"
    assert large.data in gzip.decompress(body)
    assert len(body) < len(large.data) / 10
    assert "content-encoding" not in more
    assert packed.data in same


@pytest.mark.parametrize(
    "trouble",
    [
        CUT,
        answer(503, Retry_After="0"),
        answer(429, Retry_After="0"),
        answer(503, Retry_After=formatdate(0, usegmt=True)),
    ],
    ids=["cut", "busy", "too often", "a date that has passed"],
)
def test_the_same_is_sent_again_until_there_is_an_answer(trouble: Scripted) -> None:
    with (
        serving(trouble, trouble, answer(201, {"id": "1"})) as service,
        remote(service.url) as (one, told),
    ):
        assert send(one).document == {"id": "1"}
    assert len(service.asked) == 3
    assert (
        len({(path, headers["idempotency-key"], body) for path, headers, body in service.asked})
        == 1
    )
    assert [line.endswith("Again in 0 s.") for line in told] == [True, True]


def test_an_answer_that_never_comes_is_given_up() -> None:
    with (
        serving(CUT, CUT, CUT) as service,
        remote(service.url) as (one, told),
        pytest.raises(ConnectionError, match="No answer from http://127"),
    ):
        send(one)
    assert (len(service.asked), len(told)) == (3, 2)


@pytest.mark.parametrize(
    ("trouble", "slug"),
    [
        (refusal("overloaded", 503), "overloaded"),
        (refusal("memory", 503, detail="It needed more."), "memory"),
        (refusal("deadline", 504), "deadline"),
    ],
)
def test_an_error_that_does_not_say_to_come_again_is_final(trouble: Scripted, slug: str) -> None:
    with serving(trouble) as service, remote(service.url) as (one, _):
        found = send(one)
    assert found.refused
    assert found.problem().slug == slug
    assert len(service.asked) == 1


def test_who_says_to_come_again_much_later_is_not_waited_for() -> None:
    status, headers, body = refusal("rate-limited", 429, retry_after=3600)
    trouble = (status, {**headers, "Retry-After": "3600"}, body)
    with serving(trouble) as service, remote(service.url) as (one, _):
        assert send(one).problem().facts == {"retry_after": 3600}


def test_the_key_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as other:
        moved = answer(307, Location=f"{other.url}/in")
        monkeypatch.setenv("HTTP_PROXY", other.url)
        monkeypatch.setenv("ALL_PROXY", other.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with (
            serving(moved) as service,
            remote(service.url) as (one, _),
            pytest.raises(ConnectionError, match=f"sends on to {other.url}/in"),
        ):
            send(one)
        assert len(service.asked) == 1
        assert other.asked == []
    assert KEY.text not in repr(one.__dict__)


@pytest.mark.parametrize(
    "other",
    [
        (502, {}, b"<html>Bad gateway</html>"),
        (200, {}, b"[]"),
        answer(404, {"detail": "Not Found"}),
    ],
)
def test_an_answer_of_somebody_else_is_told_as_such(other: Scripted) -> None:
    with (
        serving(other) as service,
        remote(service.url) as (one, _),
        pytest.raises(ConnectionError, match=f"status {other[0]}, but not as"),
    ):
        one.get("/x", lang="en")
    assert service.asked[0][0] == "/x?lang=en"


def test_a_problem_comes_back_as_the_error_that_it_was() -> None:
    facts = {"detail": "No.", "field": "dataset", "nearest": "demo/one"}
    with (
        serving(refusal("invalid-request", 400, **facts)) as service,
        remote(service.url) as (one, _),
    ):
        error = one.get("/x").problem()
    assert isinstance(error, InvalidRequest)
    assert (error.detail, error.facts) == ("No.", {"field": "dataset", "nearest": "demo/one"})
