"""The table of submissions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Boolean, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, UtcDateTime


class SubmissionRow(Base):
    """One submission. Source, report and difference lie among the blobs, by their hashes."""

    __tablename__ = "submissions"
    __table_args__ = (UniqueConstraint("key", "idempotency", name="uq_submissions_key"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Begins with the time, so that ids sort by it."""
    key: Mapped[str] = mapped_column(String(12))
    idempotency: Mapped[str | None] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    partner: Mapped[str | None] = mapped_column(String(31), index=True)
    author: Mapped[str] = mapped_column(String(2000))
    licence: Mapped[str | None] = mapped_column(String(2000))
    mode: Mapped[str] = mapped_column(String(16))
    dataset: Mapped[str] = mapped_column(String(2000), index=True)
    graphs: Mapped[list[str] | None] = mapped_column(JSON)
    names: Mapped[dict[str, object]] = mapped_column(JSON)
    force: Mapped[bool] = mapped_column(Boolean)
    direct: Mapped[bool] = mapped_column(Boolean)
    expects: Mapped[dict[str, int]] = mapped_column(JSON)
    reverts: Mapped[str | None] = mapped_column(String(32))
    files: Mapped[list[dict[str, object]]] = mapped_column(JSON)
    size: Mapped[int] = mapped_column(BigInteger)
    source_hash: Mapped[str] = mapped_column(String(64))
    source: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    statements: Mapped[int | None] = mapped_column(BigInteger)
    counts: Mapped[dict[str, int] | None] = mapped_column(JSON)
    report: Mapped[str | None] = mapped_column(String(64))
    compared_with: Mapped[int | None] = mapped_column(Integer)
    added: Mapped[int | None] = mapped_column(BigInteger)
    removed: Mapped[int | None] = mapped_column(BigInteger)
    diff: Mapped[str | None] = mapped_column(String(64))
    problem: Mapped[dict[str, object] | None] = mapped_column(JSON)
    reason: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[str | None] = mapped_column(String(2000))
    generation: Mapped[int | None] = mapped_column(Integer)
