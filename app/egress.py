"""The one door by which the service calls others for a client: SPARQL endpoints of a list.

Whoever calls has decided that the endpoint is on the list. Here it is made sure that the call goes
to a public address, to the one that was looked at, and nowhere else: the name is resolved once and
the connection made to what came out, redirects are not followed, no proxy and no cookie is used. It
ends by its deadline, and no more is read than the limit.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpx

from app.errors import ServiceFailed

_RESULTS: Final = "application/sparql-results+json"
_NAT64: Final = IPv6Network("64:ff9b::/96")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one call may use: seconds, its waiting included, and bytes of answer."""

    seconds: float
    max_bytes: int
    at_once: int
    private: bool
    """Whether addresses of this machine and of its own network may be called."""


class Egress:
    """Sends queries to endpoints elsewhere."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._places = asyncio.Semaphore(bounds.at_once)
        self._http = httpx.AsyncClient(
            verify=ssl.create_default_context(),  # whom the machine trusts, or SSL_CERT_FILE says
            trust_env=False,
            follow_redirects=False,
            timeout=bounds.seconds,
            # a connection is for one name; kept, it could serve another at the same address
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={
                "user-agent": "LifeTec Graph",
                "accept": _RESULTS,
                "accept-encoding": "identity",
            },
        )

    async def select(self, endpoint: str, query: str) -> bytes:
        """The results of a SELECT as SPARQL Results JSON, not parsed; raises ServiceFailed."""
        try:
            async with asyncio.timeout(self._bounds.seconds), self._places:
                return await self._called(endpoint, query)
        except TimeoutError:
            raise ServiceFailed(
                endpoint, f"gave no answer within {self._bounds.seconds:g} s"
            ) from None
        except httpx.HTTPError:
            raise ServiceFailed(endpoint, "could not be reached, or broke off") from None

    async def close(self) -> None:
        """End what is under way."""
        await self._http.aclose()

    async def _called(self, endpoint: str, query: str) -> bytes:
        url = httpx.URL(endpoint)
        address = await self._address(endpoint, url)
        request = self._http.build_request(
            "POST",
            url.copy_with(host=str(address)),
            data={"query": query},
            headers={"host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        reply = await self._http.send(request, stream=True)
        try:
            self._check(endpoint, reply)
            return await self._body(endpoint, reply)
        finally:
            await reply.aclose()

    async def _address(self, endpoint: str, url: httpx.URL) -> IPv4Address | IPv6Address:
        """Where its name leads; all that it leads to must be allowed."""
        port = url.port or _PORTS[url.scheme]
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                url.raw_host.decode("ascii"), port, type=socket.SOCK_STREAM
            )
        except OSError:
            raise ServiceFailed(endpoint, "has a name that leads nowhere") from None
        addresses = [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
        if not self._bounds.private and not all(is_public(one) for one in addresses):
            raise ServiceFailed(endpoint, "has an address that is not public")
        return addresses[0]

    def _check(self, endpoint: str, reply: httpx.Response) -> None:
        if reply.has_redirect_location:
            raise ServiceFailed(endpoint, "sends on to another address")
        if reply.status_code != httpx.codes.OK:
            raise ServiceFailed(endpoint, f"answered with status {reply.status_code}")
        if reply.headers.get("content-encoding", "identity") != "identity":
            raise ServiceFailed(endpoint, "sent a compressed answer, which was not asked for")
        if reply.headers.get("content-type", "").partition(";")[0].strip().lower() != _RESULTS:
            raise ServiceFailed(endpoint, f"did not answer with {_RESULTS}")

    async def _body(self, endpoint: str, reply: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in reply.aiter_raw():
            body += chunk
            if len(body) > self._bounds.max_bytes:
                raise ServiceFailed(
                    endpoint, f"has more to say than {self._bounds.max_bytes >> 10} kB"
                )
        return bytes(body)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address, and any that it stands for, is one of the open internet."""
    if isinstance(address, IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
        if not all(is_public(one) for one in inner if one is not None):
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )
