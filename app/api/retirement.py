"""What will go from the interface: announced in each answer (RFC 9745, RFC 8594), then gone.

The promise stands in docs/api.md. Nothing is retired now; to retire something is a line in
`RETIREMENTS`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from starlette.types import Message, Send

NOTICE: Final = timedelta(days=365)
"""What lies between the announcement and the end, at least."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """An address, as a path of the OpenAPI document, that is deprecated and will end.

    `successor` is the address to use instead, `explained` where it is said how. Raises ValueError
    for moments without a time zone, and when the end comes sooner than is promised.
    """

    path: str
    deprecated: datetime
    sunset: datetime
    successor: str
    explained: str

    def __post_init__(self) -> None:
        if self.deprecated.tzinfo is None or self.sunset.tzinfo is None:
            raise ValueError(f"{self.path}: say in which time zone")
        if self.sunset - self.deprecated < NOTICE:
            raise ValueError(f"{self.path}: it must stay for {NOTICE.days} days")

    def covers(self, path: str) -> bool:
        """Whether a request for this path uses what will go."""
        parts = re.split(r"\{[^}]*\}", self.path)
        return re.fullmatch(".+".join(map(re.escape, parts)), path) is not None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What each answer of the address carries."""
        sunset = format_datetime(self.sunset.astimezone(UTC), usegmt=True)
        links = (
            f'<{self.successor}>; rel="successor-version", <{self.explained}>; rel="deprecation"'
        )
        return [
            (b"deprecation", f"@{int(self.deprecated.timestamp())}".encode()),
            (b"sunset", sunset.encode()),
            (b"link", links.encode()),
        ]


RETIREMENTS: Final[tuple[Retirement, ...]] = ()


def announcing(retirements: Sequence[Retirement], path: str, send: Send) -> Send:
    """The same `send`, which also tells that what was asked for will go."""
    found = next((one for one in retirements if one.covers(path)), None)
    if found is None:
        return send

    async def announced(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *found.headers()]}
        await send(message)

    return announced


def describe_retirements(openapi: dict[str, Any], retirements: Sequence[Retirement]) -> None:
    """Mark in an OpenAPI document what is deprecated."""
    for one in retirements:
        for operation in openapi["paths"].get(one.path, {}).values():
            operation["deprecated"] = True
