"""Every implementation of `app.database.Blobs` keeps the same promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from app.database import Blobs, Database, FileBlobs, TableBlobs
from app.database.blobs import BlobRow
from tests.postgres import Postgres


@dataclass
class Place:
    """Somewhere to keep blobs, with a way to look behind it."""

    open: Callable[[], Blobs]
    damage: Callable[[str], None]
    count: Callable[[], int]


def in_files(folder: Path) -> Place:
    def files() -> list[Path]:
        return [path for path in folder.rglob("*") if path.is_file()]

    def damage(digest: str) -> None:
        (file,) = (path for path in files() if path.name == f"{digest}.z")
        data = file.read_bytes()
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    return Place(lambda: FileBlobs(folder, ".z"), damage, lambda: len(files()))


def in_a_table(database: Database) -> Place:
    def damage(digest: str) -> None:
        with database.session() as session:
            session.execute(update(BlobRow).where(BlobRow.digest == digest).values(data=b"other"))
            session.commit()

    def count() -> int:
        with database.session() as session:
            return session.scalar(select(func.count(BlobRow.digest))) or 0

    return Place(lambda: TableBlobs(database.session, "room"), damage, count)


@pytest.fixture(params=["files", "sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "files":
        yield in_files(tmp_path / "new" / "blobs")
        return
    url = f"sqlite:///{tmp_path / 'operations.db'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    database = Database(url)
    yield in_a_table(database)
    database.close()


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 40_000])
def test_what_is_written_is_read_by_its_digest(place: Place, data: bytes) -> None:
    digest = place.open().write(data)
    assert digest == sha256(data).hexdigest()
    assert place.open().read(digest) == data


def test_writing_twice_keeps_one(place: Place) -> None:
    one = place.open()
    assert one.write(b"same") == place.open().write(b"same") == one.write(b"same")
    assert place.count() == 1


def test_many_may_write_the_same_at_once(place: Place) -> None:
    place.open()
    data = b"many" * 100_000
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: place.open().write(data), range(24)))
    assert found == {sha256(data).hexdigest()}
    assert place.open().read(*found) == data
    assert place.count() == 1


def test_what_is_not_there_cannot_be_read(place: Place) -> None:
    nothing = sha256(b"nothing").hexdigest()
    with pytest.raises(LookupError, match=f"there is no .*{nothing}"):
        place.open().read(nothing)


def test_what_is_deleted_is_gone_and_may_come_again(place: Place) -> None:
    one = place.open()
    kept, gone = one.write(b"kept"), one.write(b"gone")
    for _ in range(2):
        one.delete(gone)
        assert place.count() == 1
    with pytest.raises(LookupError):
        one.read(gone)
    assert one.read(kept) == b"kept"
    assert one.read(one.write(b"gone")) == b"gone"


def test_damage_is_noticed(place: Place) -> None:
    one = place.open()
    digest = one.write(b"whole")
    place.damage(digest)
    with pytest.raises(ValueError, match=f"{digest}.* is damaged"):
        one.read(digest)


def test_rooms_do_not_see_each_others_rows(database: Database) -> None:
    mine, yours = (TableBlobs(database.session, room) for room in ("mine", "yours"))
    digest = mine.write(b"same")
    with pytest.raises(LookupError):
        yours.read(digest)
    yours.write(b"same")
    mine.delete(digest)
    assert yours.read(digest) == b"same"


def test_files_beside_sqlite_and_a_table_on_a_server(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    blobs = database.blobs("room", tmp_path / "blobs", suffix=".txt")
    digest = blobs.write(b"some text")
    files = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    expected = [f"{digest}.txt"] if database_url.startswith("sqlite") else []
    assert [file.name for file in files] == expected
    assert database.blobs("room", tmp_path / "blobs", suffix=".txt").read(digest) == b"some text"
