from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.accounts import Accounts, Principal, Rhythm, Role
from app.accounts import registry as registry_module
from app.accounts.model import RESERVED_SLUGS
from app.accounts.secret import new_secret
from app.database import Database
from app.errors import AppError, Conflict, Forbidden, InvalidRequest, NotFound, Unauthenticated

BASE = "https://w3id.org/lifetec/"
CC0 = "http://publications.europa.eu/resource/authority/licence/CC0"
START = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def go(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(database: Database, clock: Clock) -> Accounts:
    """With two partners, of which one has two datasets."""
    one = Accounts(database, BASE, clock)
    one.add_partner("demo", names={"en": "Demo", "nl": "Proef"}, contact="data@demo.org")
    one.add_partner("other", names={"en": "Other"}, contact="https://other.org/contact")
    for slug in ("first", "second"):
        one.add_dataset("demo", slug, titles={"en": slug}, licence=CC0)
    return one


def test_what_was_added_is_found_again(accounts: Accounts) -> None:
    demo, other = accounts.partners()
    assert demo == accounts.partner("demo")
    assert (demo.iri, demo.names) == (f"{BASE}id/partner/demo", {"en": "Demo", "nl": "Proef"})
    assert (demo.contact, demo.trusted, demo.created_at) == ("data@demo.org", False, START)
    first = accounts.dataset("demo", "first")
    assert first.iri == f"{BASE}graph/demo/first"
    assert first == accounts.dataset_by_iri(first.iri)
    assert (first.contact, first.rhythm) == ("data@demo.org", Rhythm.UNKNOWN)
    assert [one.slug for one in accounts.datasets("demo")] == ["first", "second"]
    assert accounts.datasets(other.slug) == []
    assert len(accounts.datasets()) == 2


def test_a_change_leaves_the_rest(accounts: Accounts) -> None:
    before = accounts.partner("demo")
    after = accounts.change_partner("demo", trusted=True)
    assert (after.trusted, after.names, after.contact) == (True, before.names, before.contact)
    changed = accounts.change_dataset("demo", "first", rhythm=Rhythm.MONTHLY, titles={"de": "x"})
    assert changed == accounts.dataset("demo", "first")
    assert changed.rhythm.iri.endswith("/frequency/MONTHLY")
    assert (changed.titles, changed.licence) == ({"de": "x"}, CC0)


PARTNER: dict[str, Any] = {"slug": "new", "names": {"en": "New"}, "contact": "info@new.org"}
DATASET: dict[str, Any] = {"partner": "demo", "slug": "new", "titles": {"en": "N"}, "licence": CC0}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"slug": slug} for slug in ("", "a", "A1", "1a", "a-b", "a b", "ä1", "a" * 32, "ab\n")),
        *({"slug": slug} for slug in sorted(RESERVED_SLUGS)),
        *({"names": names} for names in ({}, {"en": ""}, {"en": " "}, {"english": "x"})),
        *({"names": {"en": name}} for name in ("x" * 301, "a\nb", "a\0b", "\ud800")),
        *(
            {"contact": c}
            for c in ("", "demo", "a@b", "jan.jansen@demo.org", "ftp://x.org", "a@b.c\0")
        ),
    ],
    ids=lambda wrong: ascii(wrong)[:60],
)
def test_a_partner_that_does_not_fit_is_refused(accounts: Accounts, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        accounts.add_partner(**{**PARTNER, **wrong})
    assert [caught.value.facts["field"]] == list(wrong)
    assert len(accounts.partners()) == 2


@pytest.mark.parametrize("contact", ["open.data@demo.org", "info@demo.org", "jansen@demo.org"])
def test_an_office_may_have_words_in_its_address(accounts: Accounts, contact: str) -> None:
    assert accounts.add_partner(**{**PARTNER, "contact": contact}).contact == contact


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        *(
            ({"slug": slug}, InvalidRequest)
            for slug in ("", "A", "a/b", "-a", "a-", "..", "a" * 64)
        ),
        ({"slug": "first"}, Conflict),
        *(({"partner": slug}, NotFound) for slug in ("nobody", "", "demo/x", "a\0b")),
        *(({"licence": iri}, InvalidRequest) for iri in ("", "CC0", "urn:x", "http://x.y/ z")),
        ({"titles": {}}, InvalidRequest),
    ],
    ids=repr,
)
def test_a_dataset_that_does_not_fit_is_refused(
    accounts: Accounts, wrong: dict[str, Any], error: type[AppError]
) -> None:
    with pytest.raises(error):
        accounts.add_dataset(**{**DATASET, **wrong})
    assert len(accounts.datasets()) == 2


@pytest.mark.parametrize(
    "look",
    [
        lambda a: a.partner("nobody"),
        lambda a: a.partner("a\0b"),
        lambda a: a.change_partner("nobody", trusted=True),
        lambda a: a.dataset("demo", "none"),
        lambda a: a.dataset("demo", "a\0b"),
        lambda a: a.dataset_by_iri("https://example.org/x"),
        lambda a: a.datasets("nobody"),
        lambda a: a.keys("nobody"),
        lambda a: a.revoke_key("nothing"),
        lambda a: a.revoke_key("a\0b"),
        lambda a: a.issue_key(Role.PARTNER, partner="nobody"),
        lambda a: a.issue_key(Role.PARTNER, partner="demo", datasets=["none"]),
    ],
)
def test_what_does_not_exist_is_not_found(
    accounts: Accounts, look: Callable[[Accounts], object]
) -> None:
    with pytest.raises(NotFound):
        look(accounts)


def test_a_slug_is_given_once(accounts: Accounts) -> None:
    with pytest.raises(Conflict, match="choose another"):
        accounts.add_partner(**{**PARTNER, "slug": "demo"})


def test_names_taken_from_the_identifiers_of_others_belong_to_no_partner() -> None:
    """Else a partner could mint what the importers mint."""
    found = {
        name
        for path in [*ROOT.glob("data/*.ttl"), *ROOT.glob("ontology/*.ttl")]
        for name in re.findall(r"id/[a-z]+/([a-z0-9]+)-", path.read_text("utf-8"))
    }
    assert found
    assert found <= RESERVED_SLUGS


# keys


def test_only_the_hash_of_a_key_is_stored(accounts: Accounts, database: Database) -> None:
    issued = accounts.issue_key(Role.ADMIN)
    assert re.fullmatch(r"ltg_[0-9a-f]{12}_[0-9a-f]{64}", issued.text)
    with database.session() as session:
        (row,) = session.execute(text("SELECT * FROM keys")).mappings().all()
    assert row["hash"] == hashlib.sha256(issued.text.encode()).hexdigest()
    secret = issued.text.rpartition("_")[2]
    shown = f"{dict(row)} {issued!r} {issued.key!r} {new_secret()!r}"
    assert secret not in shown
    assert re.search("[0-9a-f]{64}", shown.replace(row["hash"], "")) is None


def test_keys_differ(accounts: Accounts) -> None:
    texts = [new_secret().text for _ in range(1000)]
    assert (
        len({t.rpartition("_")[2] for t in texts}) == len({t.split("_")[1] for t in texts}) == 1000
    )


def test_a_key_says_whose_it_is(accounts: Accounts) -> None:
    accounts.change_partner("demo", trusted=True)
    issued = accounts.issue_key(Role.PARTNER, partner="demo", datasets=["second", "second"])
    who = accounts.authenticate(issued.text)
    assert (who.key, who.role, who.trusted) == (issued.key.id, Role.PARTNER, True)
    assert who.partner == accounts.partner("demo")
    assert who.scope == frozenset({f"{BASE}graph/demo/second"})
    admin = accounts.authenticate(accounts.issue_key(Role.ADMIN).text)
    assert (admin.partner, admin.scope, admin.trusted) == (None, None, False)


def test_a_wrong_secret_looks_like_an_unknown_key(accounts: Accounts) -> None:
    known = accounts.issue_key(Role.ADMIN).text
    wrong = known[:-1] + ("0" if known[-1] != "0" else "1")
    told = []
    for key in (wrong, new_secret().text):
        with pytest.raises(Unauthenticated) as caught:
            accounts.authenticate(key)
        told.append(caught.value.as_dict())
    assert told[0] == told[1]
    assert told[0]["facts"] == {"reason": "unknown"}


@pytest.mark.parametrize(
    "key",
    ["", "ltg_", "ltg_1_2", "x" * 81, "ltg_" + "A" * 12 + "_" + "0" * 64, "\0", "é", "1" * 9999],
)
def test_what_is_no_key_is_told_so(accounts: Accounts, key: str) -> None:
    with pytest.raises(Unauthenticated, match="begins with ltg_") as caught:
        accounts.authenticate(key)
    assert caught.value.facts == {"reason": "malformed"}


def test_a_key_ends_at_its_time_and_says_so_to_its_holder_alone(
    accounts: Accounts, clock: Clock
) -> None:
    key = accounts.issue_key(Role.ADMIN, days=2).text
    clock.go(days=2, seconds=-1)
    assert accounts.authenticate(key)
    clock.go(seconds=1)
    with pytest.raises(
        Unauthenticated, match=r"expired on 2026-05-08 at 07:08 UTC.*another"
    ) as caught:
        accounts.authenticate(key)
    assert caught.value.facts == {"reason": "expired"}
    with pytest.raises(Unauthenticated, match="not known"):
        accounts.authenticate(key[:-4] + "0000")


def test_a_revoked_key_ends_at_once_and_for_good(accounts: Accounts, clock: Clock) -> None:
    issued = accounts.issue_key(Role.ADMIN)
    assert accounts.revoke_key(issued.key.id).revoked_at == START
    clock.go(days=1)
    assert accounts.revoke_key(issued.key.id).revoked_at == START
    with pytest.raises(
        Unauthenticated, match=r"revoked on 2026-05-06 at 07:08 UTC.*another"
    ) as caught:
        accounts.authenticate(issued.text)
    assert caught.value.facts == {"reason": "revoked"}


def test_states_of_keys(accounts: Accounts, clock: Clock) -> None:
    for days in (None, 1, 3):
        accounts.issue_key(Role.READER, days=days)
    revoked = accounts.issue_key(Role.PARTNER, partner="demo")
    accounts.revoke_key(revoked.key.id)
    clock.go(days=2)
    found = accounts.keys()
    states = sorted(key.state(clock.now) for key in found)
    assert states == ["active", "active", "expired", "revoked"]
    assert [key.id for key in accounts.keys("demo")] == [revoked.key.id]


def test_use_is_noted_at_most_once_a_minute(accounts: Accounts, clock: Clock) -> None:
    issued = accounts.issue_key(Role.ADMIN)
    noted, writes = [], []

    def count(state: Any) -> None:
        if state.is_update:
            writes.append(clock.now)

    event.listen(Session, "do_orm_execute", count)
    try:
        for seconds in (0, 30, 29, 1, 59, 1):
            clock.go(seconds=seconds)
            accounts.authenticate(issued.text)
            (key,) = accounts.keys()
            assert key.last_used_at
            noted.append((key.last_used_at - START).total_seconds())
    finally:
        event.remove(Session, "do_orm_execute", count)
    assert noted == [0, 0, 0, 60, 60, 120]
    assert len(writes) == 3, "a request that need not write must not wait for a writer"


def test_a_request_does_not_fail_because_its_use_cannot_be_noted(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = accounts.issue_key(Role.ADMIN)

    def refuse(state: Any) -> None:
        if state.is_update:
            raise OperationalError("UPDATE", {}, Exception("database is locked"))

    event.listen(Session, "do_orm_execute", refuse)
    try:
        assert accounts.authenticate(issued.text).role is Role.ADMIN
    finally:
        event.remove(Session, "do_orm_execute", refuse)
    assert accounts.keys()[0].last_used_at is None


@pytest.mark.parametrize(
    ("role", "facts", "field"),
    [
        (Role.PARTNER, {}, "partner"),
        (Role.ADMIN, {"partner": "demo", "datasets": ["first"]}, "datasets"),
        (Role.READER, {"partner": "demo", "datasets": ["first"]}, "datasets"),
        (Role.CURATOR, {"datasets": ["first"]}, "datasets"),
        (Role.ADMIN, {"days": 0}, "days"),
        (Role.ADMIN, {"days": 3651}, "days"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_issued(
    accounts: Accounts, role: Role, facts: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        accounts.issue_key(role, **facts)
    assert caught.value.facts["field"] == field
    assert accounts.keys() == []


def test_an_empty_limit_allows_nothing(accounts: Accounts, database: Database) -> None:
    """Whatever empties the list must not open the door."""
    key = accounts.issue_key(Role.PARTNER, partner="demo", datasets=["first"])
    with database.session() as session:
        session.execute(text("UPDATE keys SET scope = '[]'"))
        session.commit()
    assert not accounts.authenticate(key.text).may_write(f"{BASE}graph/demo/first")


def test_accounts_on_the_same_database_see_each_other(
    accounts: Accounts, database_url: str
) -> None:
    """The command line issues and revokes beside a server."""
    database = Database(database_url)
    beside = Accounts(database, BASE)
    key = beside.issue_key(Role.ADMIN)
    assert accounts.authenticate(key.text)
    beside.revoke_key(key.key.id)
    with pytest.raises(Unauthenticated):
        accounts.authenticate(key.text)
    database.close()


# what a principal may


def principal(accounts: Accounts, role: Role, **facts: Any) -> Principal:
    return accounts.authenticate(accounts.issue_key(role, **facts).text)


FIRST, SECOND = f"{BASE}graph/demo/first", f"{BASE}graph/demo/second"
NEVER = [
    f"{BASE}graph/service",
    f"{BASE}graph/demo",
    f"{BASE}graph/demo/",
    f"{BASE}graph/demo/first/x",
    f"{BASE}graph/demo/../other/x",
    f"{BASE}graph/demo/first#x",
    f"{BASE}graph/demo/first\n",
    f"{BASE}ontology",
    f"{BASE}shapes",
    f"{BASE}scheme/x/y",
    "https://example.org/graph/demo/first",
    f"x{BASE}graph/demo/first",
    FIRST.replace("w3id.org", "w3idXorg"),
    FIRST.upper(),
    "",
]


def test_who_may_write_where(accounts: Accounts) -> None:
    table = {
        "reader": (principal(accounts, Role.READER, partner="demo"), set()),
        "partner": (principal(accounts, Role.PARTNER, partner="demo"), {FIRST, SECOND}),
        "other": (principal(accounts, Role.PARTNER, partner="other"), set()),
        "limited": (
            principal(accounts, Role.PARTNER, partner="demo", datasets=["second"]),
            {SECOND},
        ),
        "curator": (principal(accounts, Role.CURATOR), {FIRST, SECOND}),
        "limited curator": (
            principal(accounts, Role.CURATOR, partner="demo", datasets=["first"]),
            {FIRST},
        ),
        "admin": (principal(accounts, Role.ADMIN), {FIRST, SECOND}),
    }
    for name, (who, expected) in table.items():
        assert {iri for iri in (FIRST, SECOND) if who.may_write(iri)} == expected, name
        assert [iri for iri in NEVER if who.may_write(iri)] == [], name


OWN = [
    f"{BASE}id/organisation/demo-1",
    f"{BASE}id/organisation/demo-1#address",
    f"{BASE}id/technology/demo-a-b.c_d",
    f"{BASE}id/partner/demo",
    FIRST,
    f"{FIRST}#distribution",
]
FOREIGN = ["https://ror.org/02jz4aj89", "urn:x:y", "https://w3id.org/lifetec"]
OTHERS = [f"{BASE}id/organisation/{slug}-1" for slug in ("other", "ror", "pic", "demox", "dem")]
NOBODYS = [
    *(f"{BASE}{name}" for name in ("ontology#x", "shapes#x", "scheme/a/b", "catalog", "commit/1")),
    *(f"{BASE}id/{name}" for name in ("organisation/demo-", "organisation/demo", "partner/demo-1")),
    f"{BASE}id/organisation/demo-1/../other-1",
    f"{BASE}id/organisation/demo-1?x",
    f"{BASE}graph/service",
    "HTTPS://w3id.org/lifetec/id/organisation/ror-1",
    "https://W3ID.org/lifetec/id/organisation/demo-1",
]


def test_who_may_mint_what(accounts: Accounts) -> None:
    table = {
        "reader": (principal(accounts, Role.READER, partner="demo"), []),
        "partner": (principal(accounts, Role.PARTNER, partner="demo"), OWN),
        "curator": (principal(accounts, Role.CURATOR), [*OWN, *OTHERS]),
        "admin": (principal(accounts, Role.ADMIN), [*OWN, *OTHERS]),
    }
    for name, (who, expected) in table.items():
        found = [iri for iri in (*OWN, *OTHERS, *NOBODYS) if who.may_mint(iri)]
        assert found == expected, name
        assert all(who.may_mint(iri) for iri in FOREIGN), name


def test_each_role_may_do_what_those_before_it_may(accounts: Accounts) -> None:
    roles = list(Role)
    for at, role in enumerate(roles):
        who = principal(accounts, role, partner="demo")
        for least in roles[: at + 1]:
            who.require(least)
        for least in roles[at + 1 :]:
            with pytest.raises(Forbidden, match=f"needs a key with the role {least}.*issues keys"):
                who.require(least)


def test_the_longest_life_of_a_key_is_said_in_its_message(accounts: Accounts) -> None:
    with pytest.raises(InvalidRequest, match=str(registry_module.MOST_DAYS)):
        accounts.issue_key(Role.ADMIN, days=99999)
