"""uvicorn's HTTP protocol, with a small response in one write instead of two."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OneWriteProtocol(HttpToolsProtocol):
    """Holds the head of a response until its body comes, or the loop's next turn.

    uvicorn writes them apart, so a client is woken twice and reads twice: on a lookup that the
    cache answers, more than what the application does.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(_Pairing(transport, self.loop))  # type: ignore[arg-type]


class _Pairing:
    """A transport that joins each write with the next one, if that comes in the same turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self._turn: asyncio.Handle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Hold, or send with what is held."""
        if self._held:
            self._held += data
            self._flush()
        else:
            self._held = data
            self._turn = self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Close after what was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._turn:
            self._turn.cancel()
            self._turn = None
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)
