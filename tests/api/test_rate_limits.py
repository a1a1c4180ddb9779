"""Who is counted as one client, and that counting cannot fill the memory."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from app.api import rate_limits
from app.api.rate_limits import RateLimits
from app.errors import RateLimited
from app.settings import networks


def request(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    client = (peer, 1) if peer is not None else None
    return Request({"type": "http", "headers": headers, "client": client})


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ("", "192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("10.0.0.0/8", "10.1.1.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.0/8", "192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("10.0.0.0/8", "10.1.1.1", ["6.6.6.6, 198.51.100.1, 10.2.2.2"], "198.51.100.1"),
        ("10.0.0.0/8", "10.1.1.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.0/8", "10.1.1.1", ["6.6.6.6, nonsense"], "10.1.1.1"),
        ("10.0.0.0/8", "10.1.1.1", [], "10.1.1.1"),
        ("", "2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("", "::ffff:192.0.2.1", [], "192.0.2.1"),
        ("", None, [], ""),
    ],
)
def test_client(trusted: str, peer: str | None, forwarded: list[str], client: str) -> None:
    limits = RateLimits(on=True, trusted=networks(trusted))
    assert limits.client(request(peer, *forwarded)) == client


def test_many_addresses_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MAX_CLIENTS", 50)
    limits = RateLimits(on=True)
    for n in range(500):
        limits.admit(request(f"10.0.{n // 250}.{n % 250}"), "p", "1/minute")
    assert limits._limiter is not None
    storage = limits._limiter.storage
    assert len(storage.storage) <= 50  # type: ignore[attr-defined]
    with pytest.raises(RateLimited):  # the newest are still known
        limits.admit(request("10.0.1.249"), "p", "1/minute")
