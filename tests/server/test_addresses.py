"""Addresses that no database can hold: a character that PostgreSQL refuses in any text."""

from __future__ import annotations

from typing import Any

from tests.server.publishing import PROBLEMS, Publishing
from tests.server.running import RunningServer

NUL = "%00"


def test_a_zero_in_an_address_is_told_at_every_door(
    each_database: dict[str, Any], tmp_path: Any
) -> None:
    with RunningServer(tmp_path / "var", **each_database) as server:
        house = Publishing(server, each_database)
        before = house.generation()
        for method, path in (
            ("GET", f"/api/v1/submissions?before={NUL}"),
            ("GET", f"/api/v1/submissions?dataset=http://a{NUL}b"),
            ("GET", f"/api/v1/submissions/{NUL}"),
            ("POST", f"/api/v1/submissions/a{NUL}/accept"),
            ("POST", f"/api/v1/submissions?dataset=swift/a{NUL}b"),
            ("GET", f"/api/v1/jobs/{NUL}"),
            ("GET", f"/api/v1/admin/partners/{NUL}"),
            ("GET", f"/sparql?query=ASK{NUL}"),
            ("PUT", f"/graphs?graph=http://a{NUL}b"),
        ):
            reply = house.ask(
                method, path, "admin", content=b"", headers={"content-type": "text/turtle"}
            )
            expected = (400, "invalid-request") if "?" in path else (404, "not-found")
            found = (reply.status_code, reply.json()["type"].removeprefix(PROBLEMS))
            assert found == expected, (path, reply.text)
        assert house.generation() == before
