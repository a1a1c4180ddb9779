"""Who sends a request: a key in the header `Authorization: Bearer` (RFC 6750 §2.1)."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from app.accounts import Accounts, Principal
from app.errors import Unauthenticated

SCHEME = "key"
"""Name of this way to authenticate in the OpenAPI description."""


async def principal_of(request: Request, accounts: Accounts) -> Principal:
    """The principal of a request; raises Unauthenticated when it has no valid key."""
    key = bearer_token(request.headers.getlist("authorization"))
    return await asyncio.to_thread(accounts.authenticate, key)


def bearer_token(headers: list[str]) -> str:
    """The token of the Authorization headers; the scheme's case does not matter."""
    if not headers:
        raise Unauthenticated(
            "Send a key in the header `Authorization: Bearer ltg_…`. Administrators issue keys.",
            reason="missing",
        )
    scheme, _, token = headers[0].strip().partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(
            "Send one header `Authorization: Bearer ltg_…`, with your key in place of ltg_….",
            reason="malformed",
        )
    return token.strip()
