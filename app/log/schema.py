"""Tables of the operations database that the log needs."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, DateTime, Integer, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Naming conventions keep migrations the same on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class CommitRow(Base):
    """One commit. Its number is the generation of the graph after it."""

    __tablename__ = "commits"

    generation: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    dataset: Mapped[str] = mapped_column(String(2000), index=True)
    author: Mapped[str] = mapped_column(String(2000))
    licence: Mapped[str | None] = mapped_column(String(2000))
    created_at: Mapped[object] = mapped_column(DateTime(timezone=True))
    source_hash: Mapped[str | None] = mapped_column(String(64))
    report: Mapped[dict[str, object]] = mapped_column(JSON)
    added: Mapped[int] = mapped_column(BigInteger)
    removed: Mapped[int] = mapped_column(BigInteger)
    diff_hash: Mapped[str] = mapped_column(String(64))
    diff: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The compressed diff; None when it is large and lies in a file named by `diff_hash`."""
