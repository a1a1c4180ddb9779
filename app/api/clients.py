"""Whom a query counts for: the partner whose key is sent, else an address."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from app.accounts import Accounts
from app.api.bearer import bearer_token
from app.api.rate_limits import client_address
from app.sparql.guard import Client, Guard

KNOWN_SECONDS: Final = 5.0
"""How long a key that was valid is believed; a revoked one works no longer than that."""

MAX_KNOWN: Final = 1_000
"""Keys that are remembered at one time."""


@dataclass(frozen=True, slots=True)
class _Known:
    client: Client
    until: float


class Clients:
    """Reads the client of a request. Valid keys are remembered for a moment, by their hash.

    To look a key up counts as a query of the address that it comes from, so that nobody can try
    keys, or keep the database busy, any faster.
    """

    def __init__(
        self,
        accounts: Accounts,
        guard: Guard,
        *,
        trusted: Sequence[IPv4Network | IPv6Network] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._guard = guard
        self._trusted = tuple(trusted)
        self._now = now
        self._known: dict[bytes, _Known] = {}

    async def of(self, scope: Scope) -> Client:
        """The client; raises Unauthenticated for a key that is not valid, and RateLimited."""
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        if not sent:
            return self.unkeyed(scope)
        token = bearer_token([value.decode("latin-1") for value in sent])
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(digest)
        if known is None or known.until <= self._now():
            known = await self._looked_up(token, digest, self.unkeyed(scope))
        return known.client

    def count(self, client: Client) -> None:
        """Count something else as a query of a client; raises RateLimited."""
        self._guard.count(client)

    def fields(self, client: Client) -> list[tuple[bytes, bytes]]:
        """What is left to a client, for the head of an answer."""
        return [
            (name.lower().encode(), value.encode())
            for name, value in self._guard.fields(client).items()
        ]

    def tell(self, scope: Scope, client: Client) -> None:
        """Have the problem that the request is answered with carry the same fields."""
        Request(scope).state.rate_limit = self._guard.fields(client)

    def unkeyed(self, scope: Scope) -> Client:
        """The client of a request without a key: its address."""
        peer = scope["client"][0] if scope.get("client") else ""
        if not self._trusted:  # on the path of every query
            return _directly(peer)
        forwarded = Headers(scope=scope).getlist("x-forwarded-for")
        return Client(client_address(peer, forwarded, self._trusted))

    async def _looked_up(self, token: str, digest: bytes, address: Client) -> _Known:
        self._guard.count(address)
        principal = await asyncio.to_thread(self._accounts.authenticate, token)
        owner = principal.partner.slug if principal.partner else f"key {principal.key}"
        known = _Known(Client(f"partner {owner}", keyed=True), self._now() + KNOWN_SECONDS)
        self._known.pop(digest, None)
        while len(self._known) >= MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[digest] = known
        return known


@lru_cache(maxsize=MAX_KNOWN)
def _directly(peer: str) -> Client:
    return Client(client_address(peer, (), ()))
