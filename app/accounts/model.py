"""Partners, datasets and keys as values, and the form that their parts must have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from app.errors import InvalidRequest
from app.rdf.naming import DATASET_SLUG, PARTNER_SLUG

RESERVED_SLUGS: Final = frozenset({"cordis", "example", "h2020", "pic", "ror", "service"})
"""Prefixes of names that come from the identifiers of others, and names of the service itself."""

FREQUENCIES: Final = "http://publications.europa.eu/resource/authority/frequency/"

_OFFICES: Final = frozenset(
    {
        *("accueil", "contact", "data", "desk", "empfang", "enquiries", "help", "helpdesk", "info"),
        *("kontakt", "lab", "mail", "office", "open", "partner", "partners", "press", "research"),
        *("secretariat", "sekretariat", "service", "services", "support", "team", "tto"),
    }
)
"""Words by which a mail address is that of an office even if it has the form of a name."""

LONGEST_TEXT: Final = 300
_LONGEST_ADDRESS: Final = 2000


class Rhythm(StrEnum):
    """How often a dataset is renewed: codes of the frequency table of the European Union."""

    CONTINUOUS = "CONT"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    FORTNIGHTLY = "BIWEEKLY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    HALF_YEARLY = "ANNUAL_2"
    YEARLY = "ANNUAL"
    IRREGULAR = "IRREG"
    NEVER = "NEVER"
    UNKNOWN = "UNKNOWN"

    @property
    def iri(self) -> str:
        """Its IRI in that table."""
        return f"{FREQUENCIES}{self.value}"


@dataclass(frozen=True, slots=True)
class Partner:
    """An organisation that publishes here; what a trusted one sends needs no review."""

    slug: str
    iri: str
    names: Mapping[str, str]
    contact: str
    trusted: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Dataset:
    """What one partner publishes together; its IRI is the name of its graph."""

    partner: str
    slug: str
    iri: str
    titles: Mapping[str, str]
    licence: str
    contact: str
    rhythm: Rhythm
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Key:
    """All of a key but its secret. `scope` lists IRIs of datasets; None means no limit."""

    id: str
    role: str
    partner: str | None
    scope: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> Literal["active", "expired", "revoked"]:
        """Whether it can be used."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= now else "active"


def partner_slug(text: str) -> str:
    """The slug of a new partner; raises InvalidRequest when it cannot be one."""
    if not re.fullmatch(PARTNER_SLUG, text):
        raise InvalidRequest(
            "A partner's slug is 2 to 31 small letters and digits, a letter first, for example "
            "'demo': it stands before the hyphen in all names that the partner mints.",
            field="slug",
        )
    if text in RESERVED_SLUGS:
        raise InvalidRequest(f"The slug {text!r} is reserved; choose another.", field="slug")
    return text


def dataset_slug(text: str) -> str:
    """The slug of a new dataset; raises InvalidRequest when it cannot be one."""
    if not re.fullmatch(DATASET_SLUG, text):
        raise InvalidRequest(
            "A dataset's slug is 1 to 63 small letters, digits and hyphens, no hyphen at its ends, "
            "for example 'technologies'.",
            field="slug",
        )
    return text


def texts(given: Mapping[str, str], field: str) -> dict[str, str]:
    """Texts by language, at least one; raises InvalidRequest naming `field`."""
    if not given:
        raise InvalidRequest(f"{field}: give at least one, with its language.", field=field)
    for language, text in given.items():
        if not re.fullmatch(r"[a-z]{2,3}", language):
            raise InvalidRequest(
                f"{field}: {language[:20]!r} is no language; write a code such as en.", field=field
            )
        if not text.strip() or len(text) > LONGEST_TEXT or not text.isprintable():
            raise InvalidRequest(
                f"{field}: write one line of 1 to {LONGEST_TEXT} characters.", field=field
            )
    return dict(given)


def licence(text: str) -> str:
    """The IRI of a licence; raises InvalidRequest when it is no web address."""
    if not _is_web_address(text):
        raise InvalidRequest(
            "licence: give its address, for example "
            "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0.",
            field="licence",
        )
    return text


def contact(text: str) -> str:
    """The mail or web address of an office; raises InvalidRequest for that of a person."""
    if _is_web_address(text):
        return text
    found = re.fullmatch(r"([^@\s]{1,64})@[^@\s]+\.[^@\s]+", text)
    if not found or len(text) > LONGEST_TEXT or not text.isprintable():
        raise InvalidRequest(
            "contact: give a mail address such as data@example.org, or a web address.",
            field="contact",
        )
    words = re.split(r"[._]", found[1].lower())
    if len(words) > 1 and not _OFFICES & set(words) and all(w and w[0].isalpha() for w in words):
        raise InvalidRequest(
            "contact: this looks like the address of a person; people are not stored. Give that of "
            "an office, such as data@example.org.",
            field="contact",
        )
    return text


def _is_web_address(text: str) -> bool:
    return (
        len(text) <= _LONGEST_ADDRESS
        and re.fullmatch(r'https?://[^\s/<>"{}|\\^`]+\.[^\s<>"{}|\\^`]+', text) is not None
        and text.isprintable()
    )
