"""Where a SPARQL 1.1 server is, and how it is told who asks."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

import httpx

SHOW_UNION: Final = {"union-default-graph": "true"}
"""Has an Oxigraph server show the union of all graphs where a query states no dataset; there the
parameter wins over FROM, so a query with FROM must not have it. Other servers pass it over."""


@dataclass(frozen=True, slots=True)
class Address:
    """The addresses of one SPARQL server, and what it wants to know of who asks.

    `token` is sent as Bearer; `user` and `password` by Digest or Basic, as the server asks for.
    No secret is part of the representation.
    """

    query: str
    update: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def auth(self) -> httpx.Auth | None:
        """What signs the requests of one client; None where nobody is asked."""
        if self.token:
            return _Bearer(self.token)
        if self.user is not None:
            return _Password(self.user, self.password or "")
        return None


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


class _Password(httpx.Auth):
    """Waits to be asked, so that who wants Digest never gets a password as Basic sends it."""

    def __init__(self, user: str, password: str) -> None:
        self._ways = httpx.DigestAuth(user, password), httpx.BasicAuth(user, password)
        self._chosen: httpx.Auth | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._chosen is None:
            response = yield request
            asked = response.headers.get("www-authenticate", "").lower()
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return
            self._chosen = self._ways[0] if "digest" in asked else self._ways[1]
        yield from self._chosen.auth_flow(request)
