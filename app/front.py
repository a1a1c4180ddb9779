"""The outermost application, and the server that runs it."""

from __future__ import annotations

import contextlib
import gc
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.listening import WholeResponseProtocol
from app.api.metrics import Metrics
from app.api.problems import Problems
from app.api.retirement import Retirement, announcing
from app.errors import AppError, InvalidRequest, NotFound
from app.settings import Settings


class Front:
    """The outermost application: the hot and the vital routes first, the framework for the rest.

    `/health/live` touches nothing but the event loop. `hang_up` ends responses that would go on
    for as long as a client listens. An address with the character U+0000 is refused here, for all:
    PostgreSQL holds no such text, so nothing can have this name. `raw` are hot addresses, `below`
    folders whose addresses are hot.
    """

    def __init__(
        self,
        framework: FastAPI,
        raw: Mapping[str, ASGIApp],
        problems: Problems,
        metrics: Metrics,
        hang_up: Callable[[], None],
        *,
        below: Mapping[str, ASGIApp],
        retirements: Sequence[Retirement] = (),
    ) -> None:
        self._retirements = tuple(retirements)
        self.framework = framework
        self._metrics = metrics
        self._raw: dict[str, ASGIApp] = {**raw, "/health/live": _ALIVE}
        self._below = below
        self._problems = problems
        self.hang_up = hang_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to whom it is for."""
        app: ASGIApp = self.framework
        if scope["type"] == "http":
            path: str = scope["path"]
            app = self._raw.get(path) or self._in_folder(path)
            if self._retirements:
                send = announcing(self._retirements, scope["path"], send)
            if error := _unnameable(scope):
                app = self._problems.response(Request(scope), error)
        await app(scope, receive, self._metrics.counting(scope, send))

    def _in_folder(self, path: str) -> ASGIApp:
        if path.startswith("/graphs/"):  # the addresses of graphs, with the store's own
            return self._raw["/graphs"]
        return self._below.get(path[: path.rfind("/") + 1], self.framework)


def _unnameable(scope: Scope) -> AppError | None:
    if "\0" in scope["path"]:
        return NotFound("There is nothing at this address.")
    if b"%00" in scope["query_string"]:
        return InvalidRequest("Leave the character %00 out of the parameters.")
    return None


_ALIVE = JSONResponse({"status": "live"}, headers={"cache-control": "no-store"})


def serve(application: Front, settings: Settings) -> None:
    """Serve until a signal ends it; responses under way have five seconds."""
    server = _Server(
        uvicorn.Config(
            application,
            host=settings.host,
            port=settings.port,
            http=WholeResponseProtocol,
            ws="none",
            log_level="warning",
            access_log=False,  # else its line is made for each request, and thrown away
            server_header=False,
            timeout_graceful_shutdown=5,
            proxy_headers=False,  # whom to believe is a setting of our own
        ),
        application.hang_up,
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(1)


class _Server(uvicorn.Server):
    """Hangs up before it waits for open responses, some of which would not end by themselves."""

    def __init__(self, config: uvicorn.Config, hang_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._hang_up = hang_up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and listen."""
        await super().startup(sockets)
        gc.freeze()  # what lives as long as the process need not be looked through again

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all responses, then the application."""
        self._hang_up()
        await super().shutdown(sockets)
