"""kill -9 at every named moment of a submission: it is seen through afterwards, exactly once."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import delete, func, select

from app.database.blobs import BlobRow
from app.failpoints import FAILPOINTS
from app.submissions.schema import SubmissionRow
from tests.server.conftest import bare_in
from tests.server.mortal import MortalServer
from tests.server.running import lifetec
from tests.server.senders import Senders, count, statements, until

FEW, MANY = 10, 21_000
"""The second is more than one transaction holds, and its difference more than a row does."""

BULK: Final = {"log.diff-written", "store.between-data-and-marker"}
UNKNOWN: Final = "submission.source-written"
"""Dead here, nobody knows of the submission."""

ELSEWHERE: Final = ("remote.", "index.buil", "merge.")
HERE: Final = [name for name in FAILPOINTS if not name.startswith(ELSEWHERE)]
"""The moments of a node that keeps its own store and has an index; `test_crash` is about stores
elsewhere and merging, `test_index` about the building of an index."""

_LATER: Final = [name for name in HERE if not name.startswith("submission.")]
_DIRECT: Final = [name for name in HERE if name != "submission.waiting"]
_ACCEPTED: Final = ["submission.validated", *_LATER, "submission.published"]
KINDS: Final = {
    "direct": _DIRECT,
    "large": _DIRECT,
    "reviewed": [UNKNOWN, "submission.received", "submission.validated", "submission.waiting"],
    "accepted": _ACCEPTED,
}
"""What a client does, and the moments that it passes."""

CASES: Final = [(kind, failpoint) for kind, passed in KINDS.items() for failpoint in passed]


def test_every_failpoint_is_met() -> None:
    assert {failpoint for _, failpoint in CASES} == set(HERE)


class House:
    """A server that dies often, and those who send to it."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.var = folder / "var"
        self.settings = {**settings, "submission_wait_mb": 1, "workers": 1}
        self.senders = Senders(self.var, settings)
        self.numbers = itertools.count(1)
        self.server = MortalServer(self.var, **self.settings)

    def state(self, dataset: str) -> str | None:
        """The state of the only submission to a dataset, as the database has it."""
        with self.senders.database.session() as session:
            return session.scalar(
                select(SubmissionRow.state).where(SubmissionRow.dataset == dataset)
            )

    def sources(self) -> int:
        """How many sources are kept."""
        with self.senders.database.session() as session:
            rows = session.scalar(select(func.count()).where(BlobRow.room == "sources"))
        files = (self.var / "sources").rglob("*")
        return (rows or 0) + sum(1 for file in files if file.is_file())


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp(request.param)
    settings = bare_in(folder)
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres").new_database()
    house = House(folder, settings)
    with contextlib.closing(house.senders), house.server:
        yield house
        house.server.stop()
        checked = lifetec(house.var, "check", **house.settings)
        assert checked.returncode == 0, checked.stdout


@pytest.fixture
def house(shared: House) -> House:
    """The one house, with its server alive and without a failpoint."""
    if not shared.server.alive:
        shared.server.start()
    return shared


class Attempt:
    """What a client does while the server dies."""

    def __init__(self, house: House, kind: str, failpoint: str) -> None:
        self.house = house
        self.kind = kind
        self.failpoint = failpoint
        self.sender = "slow" if kind in {"reviewed", "accepted"} else "sure"
        self.expected = "in-review" if kind == "reviewed" else "published"
        self.name = f"{kind}-{next(house.numbers)}"
        self.dataset = house.senders.dataset(self.sender, self.name)
        self.size = MANY if failpoint in BULK else FEW
        self.data = statements(self.name, self.size)
        if kind == "large":  # by its bytes; what they say would only take time
            self.data += b"#" * (1 << 20)

    def send(self) -> httpx.Response:
        house = self.house
        return house.senders.send(
            house.server, self.sender, self.dataset, self.data, idempotency_key=self.name
        )

    def accept(self) -> httpx.Response:
        (one,) = self.shown()
        return self.house.senders.ask(self.house.server, "curator", "POST", f"/{one['id']}/accept")

    def shown(self) -> list[dict[str, Any]]:
        return self.house.senders.sent(self.house.server, self.dataset)

    def await_state(self, state: str) -> None:
        until(lambda: [one["state"] for one in self.shown()] == [state], f"it is never {state}")

    def meet_death(self) -> bool:
        """Whether there was an answer before the end."""
        if self.kind == "accepted":
            assert self.send().status_code == 202
            self.await_state("in-review")
        self.house.server.arm(self.failpoint)
        try:
            answer = self.accept() if self.kind == "accepted" else self.send()
        except httpx.TransportError:
            return False
        finally:
            self.house.server.await_death()
        assert (self.kind, answer.status_code) == ("large", 202), answer.text
        return True


@pytest.mark.parametrize(("kind", "failpoint"), CASES)
def test_a_killed_server_sees_a_submission_through(kind: str, failpoint: str, house: House) -> None:
    attempt, kept = Attempt(house, kind, failpoint), house.sources()
    answered = attempt.meet_death()

    # Published is what the log has, and nothing else.
    state, commits = house.state(attempt.dataset), house.senders.commits(attempt.dataset)
    assert (state == "published") == bool(commits)
    assert (state is None) == (failpoint == UNKNOWN)
    assert not (answered and state is None)

    house.server.start()
    if failpoint == UNKNOWN:
        assert attempt.shown() == []
    else:
        attempt.await_state(attempt.expected)  # although nobody asks for it again
    before = attempt.shown()

    again = attempt.send()
    assert again.status_code in {201, 202}, again.text
    attempt.await_state(attempt.expected)
    (one,) = attempt.shown()
    assert one["id"] == again.json()["id"]
    assert not before or before == [one]
    if kind == "reviewed":
        accepted = attempt.accept()
        assert (accepted.status_code, accepted.json()["state"]) == (200, "published")
        (one,) = attempt.shown()

    (commit,) = house.senders.commits(attempt.dataset)
    assert (commit.submission, commit.generation) == (one["id"], one["generation"])
    assert one["problem"] is None
    assert count(house.server, attempt.dataset) == attempt.size
    assert house.senders.disagreements() == []
    # A source that was written when nobody knew of it is nobody's; any other goes.
    kept += failpoint == UNKNOWN
    until(lambda: house.sources() == kept, "what was sent is kept after the decision")


def test_a_submission_whose_source_was_lost_is_refused(house: House) -> None:
    attempt = Attempt(house, "large", "submission.received")
    attempt.meet_death()
    shutil.rmtree(house.var / "sources", ignore_errors=True)
    with house.senders.database.session() as session:
        session.execute(delete(BlobRow).where(BlobRow.room == "sources"))
        session.commit()
    house.server.start()
    (one,) = attempt.shown()

    def refused() -> bool:
        found = house.senders.ask(house.server, "sure", "GET", f"/{one['id']}").json()
        return bool(found["state"] == "rejected")

    until(refused, "the submission stays on its way for ever")
    again = attempt.send()
    assert (again.status_code, again.json()["submission"]) == (500, one["id"])
    assert house.senders.commits(attempt.dataset) == []
