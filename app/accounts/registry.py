"""Keep partners, datasets and keys, and find out who sent a key."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from app.accounts import model, secret
from app.accounts.model import Dataset, Key, Partner, Rhythm
from app.accounts.principal import Principal, Role
from app.accounts.schema import DatasetRow, KeyRow, PartnerRow
from app.database import Database, utc_now
from app.errors import Conflict, InvalidRequest, NotFound, Unauthenticated

_USE_IS_NOTED_EVERY: Final = timedelta(minutes=1)
MOST_DAYS: Final = 3650


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key with its text, which is nowhere else and cannot be shown again."""

    key: Key
    text: str

    def __repr__(self) -> str:
        return f"IssuedKey({self.key.id})"


class Accounts:
    """All accounts of an operations database; safe to use from several threads and processes.

    Methods raise NotFound for what does not exist, Conflict for what exists already, and
    InvalidRequest, with the `field`, for what does not fit.
    """

    def __init__(
        self, database: Database, base_iri: str, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._base_iri = base_iri
        self._now = now

    # partners

    def partners(self) -> list[Partner]:
        """All partners, by slug."""
        with self._database.session() as session:
            rows = session.scalars(select(PartnerRow).order_by(PartnerRow.slug))
            return [self._partner(row) for row in rows]

    def partner(self, slug: str) -> Partner:
        """One partner."""
        with self._database.session() as session:
            return self._partner(_partner_row(session, slug))

    def add_partner(self, slug: str, *, names: Mapping[str, str], contact: str) -> Partner:
        """Add a partner, not trusted; `names` by language, `contact` of an office."""
        row = PartnerRow(
            slug=model.partner_slug(slug),
            names=model.texts(names, "names"),
            contact=model.contact(contact),
            trusted=False,
            created_at=self._now(),
        )
        self._insert(row, f"There is a partner {slug!r} already; choose another slug.")
        return self._partner(row)

    def change_partner(
        self,
        slug: str,
        *,
        names: Mapping[str, str] | None = None,
        contact: str | None = None,
        trusted: bool | None = None,
    ) -> Partner:
        """Change what is given; all else stays."""
        with self._database.session() as session:
            row = _partner_row(session, slug)
            if names is not None:
                row.names = model.texts(names, "names")
            if contact is not None:
                row.contact = model.contact(contact)
            if trusted is not None:
                row.trusted = trusted
            session.commit()
            return self._partner(row)

    # datasets

    def datasets(self, partner: str | None = None) -> list[Dataset]:
        """All datasets, or those of one partner, by their names."""
        query = select(DatasetRow).order_by(DatasetRow.partner, DatasetRow.slug)
        with self._database.session() as session:
            if partner is not None:
                query = query.where(DatasetRow.partner == _partner_row(session, partner).slug)
            return [self._dataset(row) for row in session.scalars(query)]

    def dataset(self, partner: str, slug: str) -> Dataset:
        """One dataset."""
        with self._database.session() as session:
            return self._dataset(_dataset_row(session, partner, slug))

    def dataset_by_iri(self, iri: str) -> Dataset:
        """The dataset with this IRI."""
        partner, _, slug = iri.removeprefix(f"{self._base_iri}graph/").partition("/")
        return self.dataset(partner, slug)

    def add_dataset(
        self,
        partner: str,
        slug: str,
        *,
        titles: Mapping[str, str],
        licence: str,
        contact: str | None = None,
        rhythm: Rhythm = Rhythm.UNKNOWN,
    ) -> Dataset:
        """Add one; `titles` by language, `licence` an IRI; `contact` as the partner's if None."""
        owner = self.partner(partner)
        row = DatasetRow(
            partner=owner.slug,
            slug=model.dataset_slug(slug),
            titles=model.texts(titles, "titles"),
            licence=model.licence(licence),
            contact=owner.contact if contact is None else model.contact(contact),
            rhythm=rhythm.value,
            created_at=self._now(),
        )
        self._insert(row, f"{partner} has a dataset {slug!r} already; choose another slug.")
        return self._dataset(row)

    def change_dataset(
        self,
        partner: str,
        slug: str,
        *,
        titles: Mapping[str, str] | None = None,
        licence: str | None = None,
        contact: str | None = None,
        rhythm: Rhythm | None = None,
    ) -> Dataset:
        """Change what is given; all else stays."""
        with self._database.session() as session:
            row = _dataset_row(session, partner, slug)
            if titles is not None:
                row.titles = model.texts(titles, "titles")
            if licence is not None:
                row.licence = model.licence(licence)
            if contact is not None:
                row.contact = model.contact(contact)
            if rhythm is not None:
                row.rhythm = rhythm.value
            session.commit()
            return self._dataset(row)

    # keys

    def keys(self, partner: str | None = None) -> list[Key]:
        """All keys, or those of one partner, the newest first."""
        query = select(KeyRow).order_by(KeyRow.created_at.desc(), KeyRow.id)
        with self._database.session() as session:
            if partner is not None:
                query = query.where(KeyRow.partner == _partner_row(session, partner).slug)
            return [self._key(row) for row in session.scalars(query)]

    def issue_key(
        self,
        role: Role,
        *,
        partner: str | None = None,
        datasets: Sequence[str] = (),
        days: int | None = None,
    ) -> IssuedKey:
        """A new key. `datasets`, slugs of the partner's, limit what it may write to.

        It expires `days` after now, or never.
        """
        if role is Role.PARTNER and partner is None:
            raise InvalidRequest("A key with the role partner needs a partner.", field="partner")
        if datasets and (partner is None or role not in {Role.PARTNER, Role.CURATOR}):
            raise InvalidRequest(
                "Only keys of a partner with the role partner or curator can be limited to "
                "datasets.",
                field="datasets",
            )
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise InvalidRequest(f"A key lasts from 1 to {MOST_DAYS} days.", field="days")
        owner = None if partner is None else self.partner(partner)
        chosen = sorted({self.dataset(partner, slug).slug for slug in datasets} if partner else ())
        now, new = self._now(), secret.new_secret()
        row = KeyRow(
            id=new.id,
            hash=new.hash,
            role=role.value,
            partner=owner.slug if owner else None,
            scope=[f"{partner}/{slug}" for slug in chosen] if chosen else None,
            created_at=now,
            expires_at=None if days is None else now + timedelta(days=days),
        )
        self._insert(row, "Try again.")
        return IssuedKey(self._key(row), new.text)

    def revoke_key(self, key: str) -> Key:
        """End a key at once and for good; doing so again changes nothing."""
        with self._database.session() as session:
            row = session.get(KeyRow, key) if key.isalnum() else None
            if row is None:
                raise NotFound(f"There is no key {key[:40]!r}; `lifetec key list` shows all.")
            row.revoked_at = row.revoked_at or self._now()
            session.commit()
            return self._key(row)

    def authenticate(self, text: str) -> Principal:
        """Whose key this is; notes its use, at most once a minute.

        Raises Unauthenticated. A wrong secret looks like an unknown key; only who has the right
        one hears that it is expired or revoked.
        """
        sent = secret.read_secret(text)
        if sent is None:
            raise Unauthenticated(
                f"This is not a key: one begins with {secret.PREFIX} and has 81 characters. "
                "Send it as it was issued.",
                reason="malformed",
            )
        now = self._now()
        with self._database.session() as session:
            row = session.get(KeyRow, sent.id)
            if not sent.matches(row.hash if row else None) or row is None:
                raise Unauthenticated(
                    "This key is not known here. Look for a mistake in it, or ask an administrator "
                    "for another.",
                    reason="unknown",
                )
            _refuse_ended(row, now)
            partner = session.get(PartnerRow, row.partner) if row.partner else None
            principal = Principal(
                key=row.id,
                role=Role(row.role),
                partner=self._partner(partner) if partner else None,
                scope=None if row.scope is None else frozenset(self._scope(row.scope)),
                base_iri=self._base_iri,
            )
            if row.last_used_at is None or row.last_used_at <= now - _USE_IS_NOTED_EVERY:
                _note_use(session, row.id, now)
        return principal

    def _insert(self, row: PartnerRow | DatasetRow | KeyRow, taken: str) -> None:
        with self._database.session() as session:
            session.add(row)
            try:
                session.commit()
            except IntegrityError:
                raise Conflict(taken) from None

    def _scope(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{self._base_iri}graph/{name}" for name in names)

    def _partner(self, row: PartnerRow) -> Partner:
        iri = f"{self._base_iri}id/partner/{row.slug}"
        return Partner(row.slug, iri, dict(row.names), row.contact, row.trusted, row.created_at)

    def _dataset(self, row: DatasetRow) -> Dataset:
        return Dataset(
            partner=row.partner,
            slug=row.slug,
            iri=f"{self._base_iri}graph/{row.partner}/{row.slug}",
            titles=dict(row.titles),
            licence=row.licence,
            contact=row.contact,
            rhythm=Rhythm(row.rhythm),
            created_at=row.created_at,
        )

    def _key(self, row: KeyRow) -> Key:
        return Key(
            id=row.id,
            role=row.role,
            partner=row.partner,
            scope=None if row.scope is None else self._scope(row.scope),
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
        )


def _partner_row(session: Session, slug: str) -> PartnerRow:
    # What cannot be a slug is not asked for: PostgreSQL refuses some characters altogether.
    row = session.get(PartnerRow, slug) if slug.isalnum() else None
    if row is None:
        raise NotFound(f"There is no partner {slug[:80]!r}.")
    return row


def _dataset_row(session: Session, partner: str, slug: str) -> DatasetRow:
    known = partner.isalnum() and slug.isprintable()
    row = session.get(DatasetRow, (partner, slug)) if known else None
    if row is None:
        raise NotFound(f"There is no dataset {partner[:80]!r}/{slug[:80]!r}.")
    return row


def _refuse_ended(row: KeyRow, now: datetime) -> None:
    another = "Ask an administrator for another; `lifetec key issue` makes one."
    if row.revoked_at:
        raise Unauthenticated(
            f"This key was revoked on {_shown(row.revoked_at)}. {another}", reason="revoked"
        )
    if row.expires_at and row.expires_at <= now:
        raise Unauthenticated(
            f"This key expired on {_shown(row.expires_at)}. {another}", reason="expired"
        )


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d at %H:%M UTC")


def _note_use(session: Session, key: str, now: datetime) -> None:
    """Of several requests at once, one writes; a request does not fail because it cannot."""
    stale = or_(KeyRow.last_used_at.is_(None), KeyRow.last_used_at <= now - _USE_IS_NOTED_EVERY)
    with contextlib.suppress(OperationalError):
        session.execute(
            update(KeyRow).where(KeyRow.id == key, stale).values(last_used_at=now),
            execution_options={"synchronize_session": False},
        )
        session.commit()
