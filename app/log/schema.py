"""The table of the log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, UtcDateTime


class CommitRow(Base):
    """One commit. Its number is the generation of the graph after it."""

    __tablename__ = "commits"

    generation: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    dataset: Mapped[str] = mapped_column(String(2000), index=True)
    author: Mapped[str] = mapped_column(String(2000))
    licence: Mapped[str | None] = mapped_column(String(2000))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    source_hash: Mapped[str | None] = mapped_column(String(64))
    report: Mapped[dict[str, object]] = mapped_column(JSON)
    added: Mapped[int] = mapped_column(BigInteger)
    removed: Mapped[int] = mapped_column(BigInteger)
    diff_hash: Mapped[str] = mapped_column(String(64))
    diff: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The compressed diff; None when it is large and lies in a file named by `diff_hash`."""
