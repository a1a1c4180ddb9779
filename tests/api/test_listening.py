"""The protocol that makes whole responses, beside the one of uvicorn that it stands for."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.api.listening import WholeResponseProtocol

PATIENCE = 20.0
Fields = list[tuple[bytes, bytes]]
TEXT: Fields = [(b"content-type", b"text/plain")]

LONG = b"long " * 100_000

ANSWERS: dict[str, tuple[int, Fields, list[bytes]]] = {
    "whole": (200, [*TEXT, (b"content-length", b"5")], [b"whole"]),
    "length-first": (200, [(b"content-length", b"5"), *TEXT], [b"whole"]),
    "empty": (200, [*TEXT, (b"content-length", b"0")], [b""]),
    "long": (200, [(b"content-length", b"%d" % len(LONG))], [LONG]),
    "not-found": (404, [*TEXT, (b"content-length", b"4")], [b"none"]),
    "no-such-status": (599, [(b"content-length", b"4")], [b"what"]),
    "in-two": (200, [*TEXT, (b"content-length", b"6")], [b"in ", b"two"]),
    "without-length": (200, TEXT, [b"chunked"]),
    "without-length-in-two": (200, TEXT, [b"chun", b"ked"]),
    "chunked": (200, [(b"transfer-encoding", b"chunked"), (b"content-length", b"3")], [b"abc"]),
    "no-fields": (200, [], [b"bare"]),
    "twice": (200, [(b"vary", b"a"), (b"vary", b"b"), (b"content-length", b"2")], [b"ok"]),
    "tab": (200, [(b"x", b"a\tb"), (b"content-length", b"2")], [b"ok"]),
    "latin": (200, [(b"x", "é".encode("latin-1")), (b"content-length", b"2")], [b"ok"]),
    "closes": (200, [(b"connection", b"close"), (b"content-length", b"2")], [b"ok"]),
    "no-content": (204, [], [b""]),
    "not-modified": (304, [(b"etag", b'"a"')], [b""]),
    "not-modified-with-length": (304, [(b"content-length", b"0")], [b""]),
}

FAULTS: dict[str, tuple[int, Fields, list[bytes]]] = {
    "line-end": (200, [(b"x", b"a\r\nset-cookie: b"), (b"content-length", b"2")], [b"ok"]),
    "line-feed": (200, [(b"x", b"a\nb"), (b"content-length", b"2")], [b"ok"]),
    "nul": (200, [(b"x", b"a\0b"), (b"content-length", b"2")], [b"ok"]),
    "too-short": (200, [(b"content-length", b"9")], [b"short"]),
    "too-long": (200, [(b"content-length", b"2")], [b"too long"]),
    "no-number": (200, [(b"content-length", b"two")], [b"ok"]),
}


async def scripted(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what stands under its path; the body of a request is sent back by /echo."""
    name = scope["path"][1:]
    if name == "raises":
        fields = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        raise RuntimeError("after the head")
    if name == "echo":
        body = (await receive())["body"]
        status, fields, bodies = 200, [(b"content-length", b"%d" % len(body))], [body]
    else:
        status, fields, bodies = {**ANSWERS, **FAULTS}[name]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    for body in bodies[:-1]:
        await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": bodies[-1]})


def served(protocol: type[Any]) -> Iterator[int]:
    config = uvicorn.Config(
        scripted, port=0, http=protocol, ws="none", lifespan="off", log_level="critical"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + PATIENCE
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(PATIENCE)


@pytest.fixture(scope="module")
def ours() -> Iterator[int]:
    yield from served(WholeResponseProtocol)


@pytest.fixture(scope="module")
def theirs() -> Iterator[int]:
    yield from served(HttpToolsProtocol)


def asked(port: int, *requests: bytes) -> bytes:
    """All that a server sends until it hangs up, without the time of day."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) as client:
        client.sendall(b"".join(requests))
        received = b""
        while data := client.recv(1 << 20):
            received += data
    return re.sub(rb"date: [^\r]*\r\n", b"", received)


def request(name: str, method: str = "GET", *, version: str = "1.1", more: str = "") -> bytes:
    return f"{method} /{name} HTTP/{version}\r\nhost: h\r\n{more}\r\n".encode()


LAST = request("whole", more="connection: close\r\n")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("name", ANSWERS)
def test_each_response_is_the_one_of_uvicorn(
    name: str, method: str, ours: int, theirs: int
) -> None:
    """The one after it, on the same connection, shows where it ends."""
    requests = request(name, method), LAST
    sent = asked(ours, *requests)
    assert sent == asked(theirs, *requests)
    assert sent.count(b"HTTP/1.1 ") == (1 if name == "closes" else 2)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("name", ["whole", "without-length", "in-two"])
def test_a_connection_that_ends_with_the_response(
    name: str, version: str, ours: int, theirs: int
) -> None:
    last = request(name, version=version, more="connection: close\r\n")
    assert asked(ours, last) == asked(theirs, last)


def test_requests_that_do_not_wait_for_each_other(ours: int, theirs: int) -> None:
    requests = [request(name) for name in ("whole", "in-two", "without-length", "long", "empty")]
    assert asked(ours, *requests, LAST) == asked(theirs, *requests, LAST)


def test_a_body_that_comes_after_100_continue(ours: int, theirs: int) -> None:
    fields = "content-length: 3\r\nexpect: 100-continue\r\n"
    requests = request("echo", "POST", more=fields), b"abc", LAST
    sent = asked(ours, *requests)
    assert sent == asked(theirs, *requests)
    assert sent.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_response_is_refused_as_uvicorn_does(name: str, ours: int, theirs: int) -> None:
    sent = asked(ours, request(name), LAST)
    assert sent == asked(theirs, request(name), LAST)
    assert b"set-cookie" not in sent


def test_a_fault_after_the_head_of_a_whole_response_is_told(ours: int) -> None:
    sent = asked(ours, request("raises"), LAST)
    assert sent.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"HTTP/1.1 200 OK" not in sent
