"""`lifetec partner`, `lifetec dataset`, `lifetec key`: accounts, beside a server or without one."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer

from app.accounts import Accounts, Dataset, Key, Partner, Rhythm, Role
from app.console import read_settings, reported
from app.database import utc_now
from app.errors import InvalidRequest
from app.service import open_database

partners = typer.Typer(name="partner", help="Partners: who publishes here.", no_args_is_help=True)
datasets = typer.Typer(
    name="dataset", help="Datasets of partners: one named graph each.", no_args_is_help=True
)
keys = typer.Typer(
    name="key", help="Keys, by which programs say who they are.", no_args_is_help=True
)

Slug = Annotated[str, typer.Argument(help="Slug of the partner")]
Contact = Annotated[str, typer.Option(help="Mail or web address of an office, never of a person")]


@partners.command("add")
def add_partner(
    slug: Annotated[
        str, typer.Argument(help="Small letters and digits; begins all names that it mints")
    ],
    name: Annotated[
        list[str], typer.Option(help="LANGUAGE=TEXT, e.g. en=Demo; again for other languages")
    ],
    contact: Contact,
) -> None:
    """Add a partner, which is not trusted at first."""
    with _accounts() as accounts:
        one = accounts.add_partner(slug, names=_texts(name, "--name"), contact=contact)
        _print(f"{one.slug}  <{one.iri}>")


@partners.command("list")
def list_partners() -> None:
    """List all partners."""
    with _accounts() as accounts:
        _table(
            ("PARTNER", "NAME", "TRUSTED", "CONTACT"),
            [(p.slug, _first(p.names), _yes(p.trusted), p.contact) for p in accounts.partners()],
        )


@partners.command("show")
def show_partner(slug: Slug) -> None:
    """Show a partner with its datasets and keys."""
    with _accounts() as accounts:
        _show_partner(accounts.partner(slug))
        _print("")
        _show_datasets(accounts.datasets(slug))
        _print("")
        _show_keys(accounts.keys(slug))


@partners.command("trust")
def trust_partner(slug: Slug) -> None:
    """Mark a partner as trusted: what it sends needs no review."""
    with _accounts() as accounts:
        accounts.change_partner(slug, trusted=True)
        _print(f"{slug} is trusted: what it sends needs no review.")


@partners.command("untrust")
def untrust_partner(slug: Slug) -> None:
    """Mark a partner as not trusted: what it sends needs review."""
    with _accounts() as accounts:
        accounts.change_partner(slug, trusted=False)
        _print(f"{slug} is not trusted: what it sends needs review.")


@datasets.command("add")
def add_dataset(
    partner: Slug,
    slug: Annotated[str, typer.Argument(help="Slug of the dataset")],
    *,
    title: Annotated[
        list[str], typer.Option(help="LANGUAGE=TEXT, e.g. en=Patents; again for other languages")
    ],
    licence: Annotated[str, typer.Option(help="IRI of the licence")],
    contact: Annotated[
        str | None, typer.Option(help="Address of an office; default: the partner's")
    ] = None,
    rhythm: Annotated[Rhythm, typer.Option(help="How often it is renewed")] = Rhythm.UNKNOWN,
) -> None:
    """Add a dataset of a partner."""
    with _accounts() as accounts:
        one = accounts.add_dataset(
            partner,
            slug,
            titles=_texts(title, "--title"),
            licence=licence,
            contact=contact,
            rhythm=rhythm,
        )
        _print(f"{one.partner}/{one.slug}  <{one.iri}>")


@datasets.command("list")
def list_datasets(
    partner: Annotated[str | None, typer.Option(help="Only those of this partner")] = None,
) -> None:
    """List datasets."""
    with _accounts() as accounts:
        _show_datasets(accounts.datasets(partner))


@keys.command("issue")
def issue_key(
    role: Annotated[Role, typer.Option(help="What it may do")],
    partner: Annotated[str | None, typer.Option(help="Slug of the partner it acts for")] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="Slug of a dataset of the partner, to limit it to; may be repeated"),
    ] = None,
    expires: Annotated[
        int | None, typer.Option(help="Days until it expires; never unless given")
    ] = None,
) -> None:
    """Issue a key, and print it as the last word. It is not shown again."""
    with _accounts() as accounts:
        issued = accounts.issue_key(role, partner=partner, datasets=dataset or (), days=expires)
        until = issued.key.expires_at
        _print(
            f"Key {issued.key.id}, role {role}{f' of {partner}' if partner else ''}, "
            f"{f'until {_moment(until)}' if until else 'without end'}. "
            "Keep it now, it is not shown again:"
        )
        _print(issued.text)


@keys.command("list")
def list_keys(
    partner: Annotated[str | None, typer.Option(help="Only those of this partner")] = None,
) -> None:
    """List keys without their secrets."""
    with _accounts() as accounts:
        _show_keys(accounts.keys(partner))


@keys.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="Id of the key, as `lifetec key list` shows it")],
) -> None:
    """End a key at once and for good."""
    with _accounts() as accounts:
        ended = accounts.revoke_key(key)
        _print(f"Key {ended.id} is revoked since {_moment(ended.revoked_at)}.")


@contextmanager
def _accounts() -> Iterator[Accounts]:
    settings = read_settings()
    with reported():
        database = open_database(settings)
        try:
            yield Accounts(database, settings.base_iri)
        finally:
            database.close()


def _texts(given: Sequence[str], option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        parts = re.fullmatch(r"([a-z]{2,3})=(.+)", text)
        if not parts or parts[1] in found:
            raise InvalidRequest(
                f"{option}: write LANGUAGE=TEXT, each language once, for example en=Demo.",
                field=option,
            )
        found[parts[1]] = parts[2]
    return found


def _show_partner(one: Partner) -> None:
    _print(f"{one.slug}  <{one.iri}>")
    for language, name in one.names.items():
        _print(f"  name ({language})  {name}")
    _print(f"  contact    {one.contact}")
    _print(f"  trusted    {_yes(one.trusted)}")
    _print(f"  added      {_moment(one.created_at)}")


def _show_datasets(found: Sequence[Dataset]) -> None:
    _table(
        ("DATASET", "TITLE", "RENEWED", "LICENCE", "CONTACT"),
        [
            (f"{d.partner}/{d.slug}", _first(d.titles), d.rhythm.value, d.licence, d.contact)
            for d in found
        ],
    )


def _show_keys(found: Sequence[Key]) -> None:
    now = utc_now()
    _table(
        ("KEY", "ROLE", "PARTNER", "STATE", "ISSUED", "EXPIRES", "LAST USED", "ONLY FOR"),
        [
            (
                key.id,
                key.role,
                key.partner or "-",
                key.state(now),
                _moment(key.created_at),
                _moment(key.expires_at),
                _moment(key.last_used_at),
                "all"
                if key.scope is None
                else " ".join(iri.rpartition("/")[2] for iri in key.scope),
            )
            for key in found
        ],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns of plain text, so that other programs can read them."""
    lines = [head, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        _print("  ".join(cells).rstrip())


def _first(texts: Mapping[str, str]) -> str:
    return texts.get("en") or next(iter(texts.values()))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _moment(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ") if moment else "-"


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
