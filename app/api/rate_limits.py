"""How often one client may ask, and the header fields that tell it.

RateLimit and RateLimit-Policy follow draft-ietf-httpapi-ratelimit-headers; the counting is that of
the package `limits`, in fixed windows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.requests import Request

from app.errors import RateLimited

MAX_CLIENTS = 10_000
"""Clients that are counted at one time; beyond, those whose window ends first are forgotten."""

_HOST_BITS = 64


class _BoundedStorage(MemoryStorage):
    """Counts in memory that cannot be filled up by many addresses."""

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        if key not in self.storage and len(self.storage) >= MAX_CLIENTS:
            soonest = sorted(self.expirations, key=lambda known: self.expirations.get(known, 0))
            for known in soonest[: MAX_CLIENTS // 10]:
                self.clear(known)
        return super().incr(key, expiry, amount)


class RateLimits:
    """Counts requests by client address, in this process.

    `trusted` are the networks of proxies whose X-Forwarded-For is believed; without any, the
    address of the connection counts. When not `on`, everybody is admitted.
    """

    def __init__(self, *, on: bool, trusted: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        self._trusted = tuple(trusted)
        self._limiter = FixedWindowRateLimiter(_BoundedStorage()) if on else None
        self.on = on

    def admit(self, request: Request, policy: str, rate: str) -> dict[str, str]:
        """Count a request under `policy`; the header fields to answer with.

        `rate` is like "30/minute". Raises RateLimited when the client has used it up. Problem
        documents that are written later in the same request carry the fields too.
        """
        if self._limiter is None:
            return {}
        item, client = parse(rate), self.client(request)
        admitted = self._limiter.hit(item, policy, client)
        window = self._limiter.get_window_stats(item, policy, client)
        wait = max(1, round(window.reset_time - time.time()))
        fields = _fields(policy, item, window.remaining, wait)
        request.state.rate_limit = fields
        if not admitted:
            raise RateLimited(policy, quota=item.amount, window=item.get_expiry(), retry_after=wait)
        return fields

    def client(self, request: Request) -> str:
        """Whom a request counts for; see `client_address`."""
        peer = request.client.host if request.client else ""
        return client_address(peer, request.headers.getlist("x-forwarded-for"), self._trusted)


def client_address(
    peer: str, forwarded: Sequence[str], trusted: Sequence[IPv4Network | IPv6Network]
) -> str:
    """Whom a request from `peer` counts for: an IPv4 address, or the /64 network of an IPv6 one.

    Each proxy appends whom it saw, so the last address that is not a trusted proxy's is the
    client's; what stands before it may be invented.
    """
    if not trusted:
        return _group(peer)
    seen = [peer]
    seen += [part.strip() for part in reversed(",".join(forwarded).split(",")) if part.strip()]
    client = peer
    for address in seen:
        try:
            parsed = ip_address(address)
        except ValueError:
            break
        client = address
        if not any(parsed in network for network in trusted):
            break
    return _group(client)


@lru_cache(maxsize=MAX_CLIENTS)
def _group(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Network((int(parsed) >> _HOST_BITS << _HOST_BITS, _HOST_BITS)))
    return str(parsed)


def _fields(policy: str, item: RateLimitItem, remaining: int, reset: int) -> dict[str, str]:
    return {
        "RateLimit-Policy": f'"{policy}";q={item.amount};w={item.get_expiry()}',
        "RateLimit": f'"{policy}";r={remaining};t={reset}',
    }
