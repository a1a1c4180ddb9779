"""A door before a SPARQL server, which lets in only who may, and can keep a query waiting."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlencode

import httpx
import uvicorn

HELD: Final = "# held"
"""A query with this comment waits until `release`."""

Headers = Sequence[tuple[bytes, bytes]]


class Door:
    """Passes requests on to `peer` as they are; others get 401 and are told `asks`.

    `shown` is what each request had as Authorization, `inside` the number of those that are being
    answered, `abandoned` of those whose sender left before the end. `drops` is a parameter of
    forms that is not passed on.
    """

    def __init__(
        self, peer: str, *, lets_in: str | None = None, asks: str = "", drops: str = ""
    ) -> None:
        self._peer, self._lets_in, self._asks, self._drops = peer, lets_in, asks, drops
        self.shown: list[str | None] = []
        self.inside = 0
        self.abandoned = 0
        self._released = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(self._answer, interface="asgi3", lifespan="off", log_level="warning")
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a service whose store is an Oxigraph behind this door."""
        return {"store": f"sparql+{self.url}/query", "store_update_url": f"{self.url}/update"}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()

    def release(self) -> None:
        """Let all go on that wait here."""
        self._released.set()

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = await _whole(receive)
        self.shown.append(headers.get("authorization"))
        if self._lets_in and headers.get("authorization") != self._lets_in:
            await send(_start(401, [(b"www-authenticate", self._asks.encode())]))
            await send({"type": "http.response.body"})
            return
        kept = {name: headers[name] for name in ("content-type", "accept") if name in headers}
        self.inside += 1
        passing = asyncio.ensure_future(self._pass(scope["path"], kept, body, send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            self.abandoned += not passing.done()
        finally:
            self.inside -= 1
            for one in (passing, leaving):
                one.cancel()
            await asyncio.gather(passing, leaving, return_exceptions=True)

    async def _pass(self, path: str, headers: dict[str, str], body: bytes, send: Any) -> None:
        form = headers.get("content-type") == "application/x-www-form-urlencoded"
        if form:
            said = parse_qsl(body.decode(), keep_blank_values=True)
            if any(HELD in value for _, value in said):
                await asyncio.to_thread(self._released.wait)
            body = urlencode([one for one in said if one[0] != self._drops]).encode()
        async with (
            httpx.AsyncClient(timeout=60) as client,
            client.stream("POST", self._peer + path, headers=headers, content=body) as reply,
        ):
            kind = reply.headers.get("content-type", "").encode()
            await send(_start(reply.status_code, [(b"content-type", kind)]))
            async for piece in reply.aiter_bytes():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})


def _start(status: int, headers: Headers) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _whole(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
