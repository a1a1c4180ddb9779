"""Roles, what each may do, and the one on whose behalf a request is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.accounts.model import Partner
from app.errors import Forbidden
from app.rdf.naming import Naming


class Role(StrEnum):
    """From least to most: each may do what those before it may."""

    READER = "reader"
    PARTNER = "partner"
    CURATOR = "curator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether this role may do all that `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class Act(StrEnum):
    """What a key can be used for."""

    IDENTIFY = "identify"
    SEE_OWN = "see-own"
    WRITE_OWN = "write-own"
    WRITE_ALL = "write-all"
    ADMINISTER = "administer"


LEAST: Final[Mapping[Act, Role]] = {
    Act.IDENTIFY: Role.READER,
    Act.SEE_OWN: Role.PARTNER,
    Act.WRITE_OWN: Role.PARTNER,
    Act.WRITE_ALL: Role.CURATOR,
    Act.ADMINISTER: Role.ADMIN,
}
"""The one table of rights: the least role that may do each thing."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever sent a valid key: its role, its partner, and to which datasets it is limited.

    Answers from what it holds, so asking costs nothing. `scope` is None for a key without limits.
    """

    key: str
    role: Role
    partner: Partner | None
    scope: frozenset[str] | None
    base_iri: str

    @property
    def trusted(self) -> bool:
        """Whether what it sends may be published without review."""
        return self.partner is not None and self.partner.trusted

    @property
    def acts(self) -> tuple[Act, ...]:
        """All that the role may do."""
        return tuple(act for act in Act if self.may(act))

    def may(self, act: Act) -> bool:
        """Whether the role may do this at all."""
        return self.role.includes(LEAST[act])

    def require(self, role: Role) -> None:
        """Raise Forbidden unless the role is `role` or more."""
        if not self.role.includes(role):
            raise Forbidden(
                f"This needs a key with the role {role}; this key has the role {self.role}. "
                "An administrator issues keys.",
                needed=role.value,
                role=self.role.value,
            )

    @property
    def naming(self) -> Naming:
        """To which datasets it may write, and what it may mint."""
        own = self.partner.slug if self.partner and self.may(Act.WRITE_OWN) else None
        return Naming(self.base_iri, own, self.may(Act.WRITE_ALL), self.scope)

    def may_write(self, dataset: str) -> bool:
        """See `Naming.may_write`."""
        return self.naming.may_write(dataset)

    def may_mint(self, iri: str) -> bool:
        """See `Naming.may_mint`. What it may not mint it may still speak about, once it exists."""
        return self.naming.may_mint(iri)
