"""Accounts through a real server, and by the command line beside it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.postgres import Postgres
from tests.server.running import RunningServer, lifetec

PROBLEMS = "https://w3id.org/lifetec/problem/"
CC0 = "http://publications.europa.eu/resource/authority/licence/CC0"
DEMO = {"slug": "demo", "names": {"en": "Demo"}, "contact": "data@demo.org"}
DATASET = {"partner": "demo", "slug": "first", "titles": {"en": "First"}, "licence": CC0}


class House:
    """A server with an administrator's key."""

    def __init__(self, server: RunningServer, settings: dict[str, Any]) -> None:
        self.server = server
        self.settings = settings
        self.admin = self.key("--role", "admin")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return lifetec(self.server.data_dir, *words, **self.settings)

    def key(self, *words: str) -> str:
        done = self.run("key", "issue", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    def ask(
        self, method: str, path: str, key: str | None = None, json: Any = None, **more: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {key or self.admin}", **more.pop("headers", {})}
        return httpx.request(
            method,
            f"{self.server.url}/api/v1/{path}",
            headers=headers,
            json=json,
            timeout=30,
            **more,
        )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A server without data, on either database, with two partners."""
    folder = tmp_path_factory.mktemp("accounts")
    settings: dict[str, Any] = {}
    for name in ("ontology_dir", "shapes_dir", "seed_dir"):
        settings[name] = folder / name
        settings[name].mkdir()
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        settings["database_url"] = server.new_database()
    with RunningServer(folder / "var", **settings) as running:
        one = House(running, settings)
        assert one.ask("POST", "admin/partners", json=DEMO).status_code == 201
        other = {**DEMO, "slug": "other"}
        assert one.ask("POST", "admin/partners", json=other).status_code == 201
        assert one.ask("POST", "admin/datasets", json=DATASET).status_code == 201
        yield one


def problem(reply: httpx.Response) -> tuple[int, str, str | None]:
    assert reply.headers["content-type"] == "application/problem+json", reply.text
    assert reply.headers["cache-control"] == "no-store"
    body = reply.json()
    assert body["status"] == reply.status_code
    assert body["type"].startswith(PROBLEMS)
    return reply.status_code, body["type"].removeprefix(PROBLEMS), body.get("reason")


def test_an_administrator_manages_partners_datasets_and_keys(house: House) -> None:
    made = house.ask("POST", "admin/partners", json={**DEMO, "slug": "new", "names": {"de": "Neu"}})
    assert made.headers["location"] == f"{house.server.url}/api/v1/admin/partners/new"
    shown = house.ask("GET", "admin/partners/new").json()
    assert shown == made.json()
    assert (shown["iri"], shown["trusted"]) == ("https://w3id.org/lifetec/id/partner/new", False)
    assert house.ask("PATCH", "admin/partners/new", json={"trusted": True}).json() == {
        **shown,
        "trusted": True,
    }
    given = {**DATASET, "partner": "new", "rhythm": "MONTHLY"}
    made = house.ask("POST", "admin/datasets", json=given)
    assert made.headers["location"].endswith("/api/v1/admin/datasets/new/first")
    dataset = house.ask("GET", "admin/datasets/new/first").json()
    assert dataset["iri"] == "https://w3id.org/lifetec/graph/new/first"
    assert dataset["rhythm_iri"].endswith("/frequency/MONTHLY")
    changed = house.ask("PATCH", "admin/datasets/new/first", json={"rhythm": "NEVER"}).json()
    assert changed == {**dataset, "rhythm": "NEVER", "rhythm_iri": changed["rhythm_iri"]}
    issued = house.ask(
        "POST", "admin/keys", json={"role": "partner", "partner": "new", "datasets": ["first"]}
    )
    assert issued.status_code == 201
    assert issued.headers["cache-control"] == "no-store"
    me = house.ask("GET", "me", issued.json()["key"]).json()
    assert me["partner"] == {**shown, "trusted": True}
    assert me["datasets"] == [dataset["iri"]]
    assert (me["role"], me["may"]) == ("partner", ["identify", "see-own", "write-own"])
    listed = house.ask("GET", "admin/keys").json()
    assert listed["total"] == len(listed["items"])
    assert issued.json()["key"] not in str(listed)
    (key,) = [one for one in listed["items"] if one["id"] == me["key"]]
    assert key["state"] == "active"
    used = datetime.fromisoformat(key["last_used_at"])
    assert abs((datetime.now(UTC) - used).total_seconds()) < 60
    gone = house.ask("DELETE", f"admin/keys/{me['key']}")
    assert (gone.status_code, gone.content) == (204, b"")
    refused = house.ask("GET", "me", issued.json()["key"])
    assert problem(refused) == (401, "unauthenticated", "revoked")


def test_a_partner_sees_its_own_and_nothing_else(house: House) -> None:
    key = house.key("--role", "partner", "--partner", "demo")
    assert [one["slug"] for one in house.ask("GET", "admin/partners", key).json()["items"]] == [
        "demo"
    ]
    assert house.ask("GET", "admin/partners/demo", key).json()["slug"] == "demo"
    assert house.ask("GET", "admin/datasets/demo/first", key).status_code == 200
    assert {one["partner"] for one in house.ask("GET", "admin/datasets", key).json()["items"]} == {
        "demo"
    }
    assert {one["partner"] for one in house.ask("GET", "admin/keys", key).json()["items"]} == {
        "demo"
    }
    told = []
    for path in ("admin/partners/other", "admin/partners/nobody", "admin/datasets/other/x"):
        reply = house.ask("GET", path, key)
        assert problem(reply)[:2] == (403, "forbidden"), path
        assert reply.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'
        told.append(reply.json())
    assert told[0] == told[1], "whether another partner exists is not said"


def expire(house: House, key: str) -> None:
    """Have a key expire in the past, as time would."""
    file = house.server.data_dir.resolve() / "lifetec.db"
    url = house.settings.get("database_url", f"sqlite:///{file}")
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE keys SET expires_at = '2026-01-02 03:04:05+00:00' WHERE id = :id")
            if "postgresql" in url
            else text("UPDATE keys SET expires_at = '2026-01-02 03:04:05.000000' WHERE id = :id"),
            {"id": key.split("_")[1]},
        )
    engine.dispose()


def test_bad_keys(house: House) -> None:
    """What is sent → status, problem type, reason, what the message says."""
    good = house.key("--role", "reader")
    expired = house.key("--role", "admin", "--expires", "1")
    expire(house, expired)
    revoked = house.key("--role", "admin")
    assert house.run("key", "revoke", revoked.split("_")[1]).returncode == 0
    no_rights = house.key("--role", "reader", "--partner", "demo")
    curator = house.key("--role", "curator")
    partner = house.key("--role", "partner", "--partner", "demo")
    flipped = good[:-1] + ("0" if good[-1] != "0" else "1")
    unknown = f"ltg_{'0' * 12}_{'0' * 64}"
    bearer = "Bearer "
    table: list[tuple[str, str | None, str, int, str, str | None, str]] = [
        ("missing", None, "me", 401, "unauthenticated", "missing", "Send a key"),
        ("no scheme", good, "me", 401, "unauthenticated", "malformed", "Bearer ltg_"),
        ("basic", "Basic YTpi", "me", 401, "unauthenticated", "malformed", "Bearer ltg_"),
        ("empty", "Bearer", "me", 401, "unauthenticated", "malformed", "Bearer ltg_"),
        ("no key", f"{bearer}x", "me", 401, "unauthenticated", "malformed", "begins with ltg_"),
        ("cut", bearer + good[:-1], "me", 401, "unauthenticated", "malformed", "begins with ltg_"),
        ("longer", bearer + good + "0", "me", 401, "unauthenticated", "malformed", "begins with"),
        ("quoted", f'{bearer}"{good}"', "me", 401, "unauthenticated", "malformed", "begins with"),
        ("wrong secret", bearer + flipped, "me", 401, "unauthenticated", "unknown", "not known"),
        ("unknown", bearer + unknown, "me", 401, "unauthenticated", "unknown", "not known"),
        ("expired", bearer + expired, "me", 401, "unauthenticated", "expired",
         "expired on 2026-01-02 at 03:04 UTC. Ask an administrator for another"),
        ("revoked", bearer + revoked, "me", 401, "unauthenticated", "revoked", "Ask an admin"),
        ("wrong role", bearer + no_rights, "admin/keys", 403, "forbidden", None, "role partner"),
        ("no partner", bearer + curator, "admin/keys", 403, "forbidden", None, "for no partner"),
        ("wrong partner", bearer + partner, "admin/partners/other", 403, "forbidden", None,
         "acts for demo"),
        ("unknown, elsewhere", bearer + unknown, "admin/keys", 401, "unauthenticated", "unknown",
         "not known"),
    ]  # fmt: skip
    for name, header, path, status, kind, reason, told in table:
        headers = {} if header is None else {"authorization": header}
        reply = httpx.get(f"{house.server.url}/api/v1/{path}", headers=headers, timeout=30)
        assert problem(reply) == (status, kind, reason), name
        assert told in reply.json()["detail"], name
        if status == 401:
            expected = "Bearer" if reason == "missing" else 'Bearer error="invalid_token"'
            assert reply.headers["www-authenticate"] == expected, name
        assert good[4:] not in reply.text, "an error never repeats a key"


WRITES = [
    ("POST", "admin/partners", {**DEMO, "slug": "intruder"}),
    ("PATCH", "admin/partners/demo", {"trusted": True}),
    ("POST", "admin/datasets", {**DATASET, "slug": "intruder"}),
    ("PATCH", "admin/datasets/demo/first", {"licence": CC0}),
    ("POST", "admin/keys", {"role": "admin"}),
    ("DELETE", "admin/keys/x", None),
]


@pytest.mark.parametrize("role", [None, "reader", "partner", "curator"])
def test_only_administrators_change_accounts(house: House, role: str | None) -> None:
    key = house.key("--role", role, "--partner", "demo") if role else f"ltg_{'0' * 12}_{'0' * 64}"
    before = [house.ask("GET", path).json() for path in ("admin/partners", "admin/datasets")]
    for method, path, body in WRITES:
        reply = house.ask(method, path, key, json=body)
        expected = (403, "forbidden") if role else (401, "unauthenticated")
        assert problem(reply)[:2] == expected, path
    after = [house.ask("GET", path).json() for path in ("admin/partners", "admin/datasets")]
    assert before == after


JSON = {"content-type": "application/json"}


MISFITS: list[tuple[str, str, bytes, dict[str, str], tuple[int, str], str | None]] = [
    ("POST", "admin/partners", b"{", JSON, (400, "invalid-request"), None),
    ("POST", "admin/partners", b"[]", JSON, (400, "invalid-request"), None),
    ("POST", "admin/partners", b"", JSON, (400, "invalid-request"), None),
    ("POST", "admin/partners", b"\xff", JSON, (400, "invalid-request"), None),
    ("POST", "admin/partners", b"{}", {}, (415, "unsupported-media-type"), None),
    ("POST", "admin/partners", b" " * 70_000, JSON, (413, "too-large"), None),
    ("POST", "admin/keys", b'{"role":"boss"}', JSON, (400, "invalid-request"), "role"),
    ("POST", "admin/keys", b'{"role":"admin","x":1}', JSON, (400, "invalid-request"), "x"),
    ("POST", "admin/keys", b'{"role":"partner"}', JSON, (400, "invalid-request"), "partner"),
    ("POST", "admin/keys", b'{"role":"admin","days":"1"}', JSON, (400, "invalid-request"),
     "days"),
    ("PATCH", "admin/partners/demo", b'{"trusted":"yes"}', JSON, (400, "invalid-request"),
     "trusted"),
    ("PATCH", "admin/partners/nobody", b'{"trusted":true}', JSON, (404, "not-found"), None),
    ("GET", "admin/partners/nobody", b"", {}, (404, "not-found"), None),
    ("GET", "admin/partners/a%00b", b"", {}, (404, "not-found"), None),
    ("GET", "admin/partners/%ff", b"", {}, (404, "not-found"), None),
    ("GET", "admin/datasets/demo/none", b"", {}, (404, "not-found"), None),
    ("DELETE", "admin/keys/none", b"", {}, (404, "not-found"), None),
    ("PUT", "admin/partners/demo", b"", {}, (405, "method-not-allowed"), None),
]  # fmt: skip


@pytest.mark.parametrize("case", MISFITS, ids=lambda case: f"{case[1]} {case[2][:30]!r}")
def test_what_does_not_fit_is_refused(house: House, case: Any) -> None:
    method, path, content, headers, expected, field = case
    reply = house.ask(method, path, content=content, headers=headers)
    assert problem(reply)[:2] == expected, reply.text
    assert reply.json().get("field") == field


def test_a_slug_that_is_taken_is_a_conflict(house: House) -> None:
    assert problem(house.ask("POST", "admin/partners", json=DEMO))[:2] == (409, "conflict")
    assert problem(house.ask("POST", "admin/datasets", json=DATASET))[:2] == (409, "conflict")


def test_the_command_line_and_the_server_see_the_same(house: House) -> None:
    added = house.run("partner", "add", "cli", "--name", "en=By hand", "--contact", "data@cli.org")
    assert "https://w3id.org/lifetec/id/partner/cli" in added.stdout
    assert house.run("partner", "trust", "cli").returncode == 0
    assert house.ask("GET", "admin/partners/cli").json()["trusted"] is True
    assert house.run("partner", "untrust", "cli").returncode == 0
    assert house.ask("GET", "admin/partners/cli").json()["trusted"] is False
    words = ("dataset", "add", "cli", "one", "--title", "en=One", "--title", "nl=Een")
    assert house.run(*words, "--licence", CC0, "--rhythm", "WEEKLY").returncode == 0
    assert house.ask("GET", "admin/datasets/cli/one").json()["titles"] == {"en": "One", "nl": "Een"}
    done = house.run("key", "issue", "--role", "partner", "--partner", "cli", "--dataset", "one",
                     "--expires", "7")  # fmt: skip
    key = done.stdout.split()[-1]
    assert re.fullmatch(r"ltg_[0-9a-f]{12}_[0-9a-f]{64}", key)
    assert house.ask("GET", "me", key).json()["datasets"][0].endswith("/graph/cli/one")
    shown = house.run("partner", "show", "cli").stdout
    for word in ("By hand", "data@cli.org", "cli/one", "WEEKLY", key.split("_")[1], "active"):
        assert word in shown
    assert key not in shown
    assert "cli/one" not in house.run("dataset", "list", "--partner", "demo").stdout
    assert house.run("key", "revoke", key.split("_")[1]).returncode == 0
    assert problem(house.ask("GET", "me", key)) == (401, "unauthenticated", "revoked")
    assert "revoked" in house.run("key", "list", "--partner", "cli").stdout


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ("partner show nobody", 1, "There is no partner 'nobody'"),
        ("partner add demo --name en=x --contact data@x.org", 1, "choose another slug"),
        ("partner add x1 --name x --contact data@x.org", 1, "write LANGUAGE=TEXT"),
        ("partner add x1 --name en=x --name en=y --contact data@x.org", 1, "each language once"),
        ("key issue --role partner", 1, "needs a partner"),
        ("key issue --role boss", 2, "is not one of"),
        ("key revoke none", 1, "lifetec key list"),
    ],
)
def test_commands_say_what_is_wrong(house: House, words: str, status: int, told: str) -> None:
    done = house.run(*words.split())
    assert (done.returncode, done.stdout) == (status, "")
    assert told in " ".join(done.stderr.split())


def test_every_route_of_accounts_is_described_and_asks_for_a_key(house: House) -> None:
    document = house.server.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    operations = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith(("/api/v1/admin", "/api/v1/me"))
    }
    assert len(operations) == 12
    for (method, path), operation in operations.items():
        assert operation["security"] == [{"key": []}]
        assert ("requestBody" in operation) == (method in {"POST", "PATCH"})
        named = [one["name"] for one in operation["parameters"]]
        assert named == re.findall(r"\{(\w+)\}", path)
        address = re.sub(r"\{\w+\}", "x", path)
        reply = httpx.request(method, f"{house.server.url}{address}", timeout=30)
        assert problem(reply) == (401, "unauthenticated", "missing"), path
    for reference in re.findall(r'"\$ref": ?"#/([^"]+)"', house.server.get("/openapi.json").text):
        found: Any = document
        for part in reference.split("/"):
            found = found[part]


def test_a_browser_may_send_keys_from_other_sites(house: House) -> None:
    reply = httpx.options(
        f"{house.server.url}/api/v1/admin/keys/x",
        headers={
            "origin": "https://app.example",
            "access-control-request-method": "DELETE",
            "access-control-request-headers": "authorization",
        },
    )
    assert reply.status_code == 200
    assert "authorization" in reply.headers["access-control-allow-headers"].lower()


def test_no_key_is_in_the_log_of_the_server(house: House) -> None:
    assert Path(house.server.log).read_text().count("ltg_") == 0
