"""The tables of the log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base, UtcDateTime


class CommitRow(Base):
    """One commit. Its number is the generation of the graph after it."""

    __tablename__ = "commits"

    generation: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    author: Mapped[str] = mapped_column(String(2000))
    licence: Mapped[str | None] = mapped_column(String(2000))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    source_hash: Mapped[str | None] = mapped_column(String(64))
    submission: Mapped[str | None] = mapped_column(String(32), unique=True, index=True)
    report: Mapped[dict[str, object]] = mapped_column(JSON)
    added: Mapped[int] = mapped_column(BigInteger)
    removed: Mapped[int] = mapped_column(BigInteger)
    diff_hash: Mapped[str] = mapped_column(String(64))
    diff: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The compressed diff; None when it is large and a blob, whose name is `diff_hash`."""
    datasets: Mapped[list[CommitDatasetRow]] = relationship(
        order_by="CommitDatasetRow.position", lazy="selectin"
    )


class CommitDatasetRow(Base):
    """A dataset that a commit changes, at its place among them."""

    __tablename__ = "commit_datasets"

    generation: Mapped[int] = mapped_column(ForeignKey("commits.generation"), primary_key=True)
    dataset: Mapped[str] = mapped_column(String(2000), primary_key=True, index=True)
    position: Mapped[int] = mapped_column(Integer)
