"""uvicorn's HTTP protocol, with a whole response made at once."""

from __future__ import annotations

from typing import Any

from starlette.types import Message, Send
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09})
"""Characters that no field may have (RFC 9110 §5.5), beside what ends its line."""

_DECIDES = frozenset({b"connection", b"transfer-encoding"})
"""Fields that say more of a response than its length."""

_WITHOUT_CONTENT = frozenset({204, 304})


class WholeResponseProtocol(HttpToolsProtocol):
    """Writes a response that is known to its end with one join.

    uvicorn looks at each field of the head by itself, four times, and at the body after it: on a
    lookup that the cache answers, more than what the application does.
    """

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        def whole(scope: Any, receive: Any, send: Any) -> Any:
            return app(scope, receive, _Response(cycle, send))

        super()._start_asgi_task(cycle, whole)


class _Response:
    """`send` of one request: holds the head of a response until its body comes.

    One without a length is not held, as its body may be long in coming.
    """

    __slots__ = ("_cycle", "_fields", "_head", "_send")

    def __init__(self, cycle: RequestResponseCycle, send: Send) -> None:
        self._cycle = cycle
        self._send = send
        self._head: Message | None = None
        self._fields: dict[bytes, bytes] = {}

    async def __call__(self, message: Message) -> None:
        """Hold, write, or pass to uvicorn, which has the rest of the cases."""
        if head := self._head:
            self._head = None
            if message.get("more_body") or not self._written(head, message["body"]):
                await self._send(head)
                await self._send(message)
            return
        self._fields = dict(message.get("headers", ()))
        if b"content-length" in self._fields:
            self._head = message
        else:
            await self._send(message)

    def _written(self, head: Message, body: bytes) -> bool:
        cycle, status = self._cycle, head["status"]
        fields = [*cycle.default_headers, *head["headers"]]
        lines = b"\r\n".join(map(b": ".join, fields))
        if (
            not cycle.keep_alive
            or cycle.disconnected
            or cycle.flow.write_paused
            or cycle.scope["method"] == "HEAD"
            or status in _WITHOUT_CONTENT
            or not _DECIDES.isdisjoint(self._fields)
            or self._fields[b"content-length"] != b"%d" % len(body)
            or len(lines.translate(None, _CONTROLS)) != len(lines) - 2 * (len(fields) - 1)
        ):
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.transport.write(b"".join((STATUS_LINE[status], lines, b"\r\n\r\n", body)))
        cycle.message_event.set()
        cycle.on_response()
        return True
