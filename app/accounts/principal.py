"""Roles, what each may do, and the one on whose behalf a request is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.accounts.model import DATASET_SLUG, PARTNER_SLUG, Partner
from app.errors import Forbidden


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

    def may_write(self, dataset: str) -> bool:
        """Whether it may write to the dataset with this IRI, `{base}graph/{partner}/{dataset}`.

        Says nothing about whether the dataset exists. No role writes to other graphs, above all
        not to the one in which the service speaks of itself.
        """
        found = re.fullmatch(
            rf"{re.escape(self.base_iri)}graph/({PARTNER_SLUG})/{DATASET_SLUG}", dataset
        )
        within = self.scope is None or dataset in self.scope
        return found is not None and within and self._acts_for(found[1])

    def may_mint(self, iri: str) -> bool:
        """Whether it may make statements that bring this IRI into the world.

        Foreign IRIs are free. Of ours these may be minted: `{base}id/{type}/{partner}-{local}`,
        the partner itself, and datasets that may be written; each with fragments. What a partner
        may not mint it may still speak about, once it exists.
        """
        if not iri.lower().startswith(self.base_iri.lower()):
            return True
        thing = iri.partition("#")[0]
        if thing.startswith(f"{self.base_iri}graph/"):
            return self.may_write(thing)
        base = re.escape(self.base_iri)
        found = re.fullmatch(rf"{base}id/partner/({PARTNER_SLUG})", thing) or re.fullmatch(
            rf"{base}id/(?!partner/)[a-z][a-z0-9-]*/({PARTNER_SLUG})-[^/?#\s]+", thing
        )
        return found is not None and self._acts_for(found[1])

    def _acts_for(self, partner: str) -> bool:
        own = self.partner is not None and self.partner.slug == partner
        return self.may(Act.WRITE_ALL) or (own and self.may(Act.WRITE_OWN))
