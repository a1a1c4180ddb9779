"""Bytes named by their SHA-256: too large for a row, too important to lose."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sqlalchemy import ColumnElement, LargeBinary, String, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database.schema import Base


class Blobs(Protocol):
    """A place for bytes, found again by their digest (SHA-256, hexadecimal).

    Safe to use from several threads and processes.
    """

    def write(self, data: bytes) -> str:
        """Keep the bytes and name their digest; they survive the loss of power from here on.

        Writing what is there already changes nothing.
        """

    def read(self, digest: str) -> bytes:
        """The bytes; LookupError when there are none, ValueError when they were damaged."""

    def delete(self, digest: str) -> None:
        """Forget the bytes, if they are there. Nobody else may need them any more."""


class FileBlobs:
    """A file for each, on disk before anything refers to it."""

    def __init__(self, folder: Path, suffix: str = "") -> None:
        """`suffix` ends the name of each file and says to people what is in it."""
        self._folder = folder
        self._suffix = suffix
        folder.mkdir(parents=True, exist_ok=True)
        _sync(folder.parent)

    def write(self, data: bytes) -> str:
        """See `Blobs.write`."""
        digest = digest_of(data)
        path = self._path(digest)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            unnamed = path.with_name(f"{digest}.{secrets.token_hex(4)}.tmp")
            with unnamed.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unnamed.rename(path)
        # Also when it was there: who wrote it may not have come as far as this.
        _sync(path.parent)
        _sync(self._folder)
        return digest

    def read(self, digest: str) -> bytes:
        """See `Blobs.read`."""
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise LookupError(f"there is no file {path}") from None
        return _checked(data, digest, f"the file {path}")

    def delete(self, digest: str) -> None:
        """See `Blobs.delete`."""
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}{self._suffix}"


class BlobRow(Base):
    """One blob of a room."""

    __tablename__ = "blobs"

    room: Mapped[str] = mapped_column(String(31), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class TableBlobs:
    """A row for each, so that all nodes of one database share them."""

    def __init__(self, session: Callable[[], Session], room: str) -> None:
        self._session = session
        self._room = room

    def write(self, data: bytes) -> str:
        """See `Blobs.write`."""
        digest = digest_of(data)
        with self._session() as session:
            there = select(BlobRow.digest).where(*self._is(digest))
            if session.scalar(there) is None:
                session.add(BlobRow(room=self._room, digest=digest, data=data))
                try:
                    session.commit()
                except IntegrityError:  # another wrote the same meanwhile
                    session.rollback()
        return digest

    def read(self, digest: str) -> bytes:
        """See `Blobs.read`."""
        with self._session() as session:
            data = session.scalar(select(BlobRow.data).where(*self._is(digest)))
        name = f"blob {digest} of {self._room!r}"
        if data is None:
            raise LookupError(f"there is no {name} in the operations database")
        return _checked(data, digest, f"the {name} in the operations database")

    def delete(self, digest: str) -> None:
        """See `Blobs.delete`."""
        with self._session() as session:
            session.execute(delete(BlobRow).where(*self._is(digest)))
            session.commit()

    def _is(self, digest: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return BlobRow.room == self._room, BlobRow.digest == digest


def digest_of(data: bytes) -> str:
    """The name of these bytes."""
    return hashlib.sha256(data).hexdigest()


def _checked(data: bytes, digest: str, name: str) -> bytes:
    if digest_of(data) != digest:
        raise ValueError(f"{name} is damaged")
    return data


def _sync(folder: Path) -> None:
    """Have the names in a folder survive the loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
