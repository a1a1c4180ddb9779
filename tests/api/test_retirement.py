"""What will go is announced in time, and where a client looks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api.retirement import Retirement
from app.main import create_app
from app.settings import Settings

BEGIN = datetime(2027, 1, 1, tzinfo=UTC)
TYPES = Retirement(
    "/api/v1/types",
    BEGIN,
    datetime(2028, 1, 1, 13, tzinfo=timezone(timedelta(hours=1))),
    "https://example.org/api/v2/types",
    "https://example.org/docs/api",
)


def answers(folder: Path, *paths: str) -> list[httpx.Response]:
    """What the application answers; it is not started, so only to what needs no data."""
    given: dict[str, Any] = {"data_dir": folder, "store": "memory", "workers": 1}
    app = create_app(Settings(**given), retirements=(TYPES,))

    async def asked() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return [await client.get(path, headers={"accept": "*/*"}) for path in paths]

    return asyncio.run(asked())


def test_every_answer_tells_what_will_go(tmp_path: Path) -> None:
    refused, other, document = answers(
        tmp_path, "/api/v1/types?wrong=1", "/context.jsonld", "/openapi.json"
    )
    assert refused.status_code == 400
    assert refused.headers["deprecation"] == "@1798761600"
    assert refused.headers["sunset"] == "Sat, 01 Jan 2028 12:00:00 GMT"
    assert '<https://example.org/api/v2/types>; rel="successor-version"' in refused.headers["link"]
    assert '<https://example.org/docs/api>; rel="deprecation"' in refused.headers["link"]
    assert other.status_code == 200
    assert not {"deprecation", "sunset"} & set(other.headers)
    operations = {
        path: operation.get("deprecated", False)
        for path, methods in document.json()["paths"].items()
        for operation in methods.values()
    }
    assert [path for path, deprecated in operations.items() if deprecated] == ["/api/v1/types"]


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        ("/api/v1/organisations/a/b", True),
        ("/api/v1/organisations/", False),
        ("/api/v1/organisations", False),
        ("/api/v1/xorganisations/a", False),
    ],
)
def test_a_path_of_the_document_covers_its_addresses(path: str, covered: bool) -> None:
    one = Retirement("/api/v1/organisations/{slug}", BEGIN, TYPES.sunset, "/", "/")
    assert one.covers(path) is covered


def test_nothing_ends_sooner_than_is_promised() -> None:
    with pytest.raises(ValueError, match="365 days"):
        Retirement("/x", BEGIN, BEGIN + timedelta(days=364), "/y", "/z")
    with pytest.raises(ValueError, match="time zone"):
        Retirement("/x", datetime(2027, 1, 1), TYPES.sunset, "/y", "/z")  # noqa: DTZ001
