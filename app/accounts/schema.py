"""The tables of partners, datasets and keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Boolean, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, UtcDateTime


class PartnerRow(Base):
    """A partner; its slug is part of IRIs, so it never changes."""

    __tablename__ = "partners"

    slug: Mapped[str] = mapped_column(String(31), primary_key=True)
    names: Mapped[dict[str, str]] = mapped_column(JSON)
    contact: Mapped[str] = mapped_column(String(2000))
    trusted: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DatasetRow(Base):
    """A dataset of a partner."""

    __tablename__ = "datasets"

    partner: Mapped[str] = mapped_column(ForeignKey("partners.slug"), primary_key=True)
    slug: Mapped[str] = mapped_column(String(63), primary_key=True)
    titles: Mapped[dict[str, str]] = mapped_column(JSON)
    licence: Mapped[str] = mapped_column(String(2000))
    contact: Mapped[str] = mapped_column(String(2000))
    rhythm: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeyRow(Base):
    """A key without its secret; revoked ones stay, so that their id still says what it was."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(String(16))
    partner: Mapped[str | None] = mapped_column(ForeignKey("partners.slug"), index=True)
    scope: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """`partner/dataset` of each dataset it is limited to; an empty list allows none."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
