"""Many at once: nothing that was published is lost, and nobody sees a part of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.server.conftest import bare_in
from tests.server.running import RunningServer
from tests.server.senders import Senders, at_once, count, statements

CLIENTS, ROUNDS = 8, 4


class House:
    """A server, and those who send to it."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.senders = Senders(folder / "var", settings)
        self.server = RunningServer(folder / "var", **settings)

    def send(
        self, dataset: str, data: bytes, mode: str = "replace", **headers: str
    ) -> httpx.Response:
        return self.senders.send(self.server, "sure", dataset, data, mode, **headers)

    def decide(self, who: str, submission: str, action: str, **more: Any) -> httpx.Response:
        return self.senders.ask(self.server, who, "POST", f"/{submission}/{action}", **more)

    def in_review(self, name: str) -> tuple[str, str]:
        """A dataset, and a submission to it that waits for a curator."""
        dataset = self.senders.dataset("slow", name)
        sent = self.senders.send(self.server, "slow", dataset, statements(name, 3))
        assert (sent.status_code, sent.json()["state"]) == (202, "in-review"), sent.text
        return dataset, sent.json()["id"]

    def agree(self) -> None:
        assert self.senders.disagreements() == []


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp(request.param)
    settings = bare_in(folder)
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres").new_database()
    one = House(folder, settings)
    with contextlib.closing(one.senders), one.server:
        yield one


def _pair(name: str, number: int) -> bytes:
    """Two linked facts: a thing and its partner are of the same round."""
    return b"".join(
        f'<urn:{name}:{part}> <urn:p:round> "{number}" .\n'.encode() for part in ("a", "b")
    )


def test_readers_see_all_of_a_submission_or_nothing(house: House) -> None:
    """Eight publish to a dataset each, eight read all the time."""
    names = [f"pair-{n}" for n in range(CLIENTS)]
    datasets = {name: house.senders.dataset("sure", name) for name in names}
    rounds = "SELECT ?g ?s ?o { GRAPH ?g { ?s <urn:p:round> ?o } }"
    writing = threading.Barrier(CLIENTS + 1)  # the readers stop when all have written
    done = threading.Event()

    def seen() -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row in house.server.select(rounds):
            found.setdefault(row["g"], []).append(int(row["o"]))
        return found

    def write(name: str) -> int:
        try:
            for number in range(1, ROUNDS + 1):
                sent = house.send(datasets[name], _pair(name, number))
                assert (sent.status_code, sent.json()["state"]) == (201, "published"), sent.text
                # Who is told that it is published, sees it.
                assert seen()[datasets[name]] == [number, number]
        finally:
            writing.wait(300)
        return 0

    def read() -> int:
        reads, before = 0, dict.fromkeys(datasets.values(), 0)
        while not done.is_set():
            for dataset, numbers in seen().items():
                assert numbers == [numbers[0]] * 2, (dataset, numbers)
                assert numbers[0] >= before[dataset], "a reader went back in time"
                before[dataset] = numbers[0]
            reads += 1
        return reads

    def stop() -> int:
        writing.wait(300)
        done.set()
        return 0

    reads = at_once([partial(write, name) for name in names] + [read] * CLIENTS + [stop])
    assert sum(reads) > CLIENTS * ROUNDS
    assert seen() == {dataset: [ROUNDS, ROUNDS] for dataset in datasets.values()}
    for dataset in datasets.values():
        assert len(house.senders.commits(dataset)) == ROUNDS
    house.agree()


def test_merges_and_removals_of_one_dataset_lose_nothing(house: House) -> None:
    dataset = house.senders.dataset("sure", "merged")
    assert house.send(dataset, statements("old", 40)).status_code == 201

    def change(client: int) -> int:
        for number in range(ROUNDS):
            added = statements(f"new{client}", 5, first=5 * number)
            assert house.send(dataset, added, "merge").status_code == 201
            removed = statements("old", 1, first=ROUNDS * client + number)
            assert house.send(dataset, removed, "remove").status_code == 201
        return client

    at_once([partial(change, client) for client in range(CLIENTS)])
    assert count(house.server, dataset) == 5 * ROUNDS * CLIENTS + 40 - ROUNDS * CLIENTS
    assert len(house.senders.commits(dataset)) == 1 + 2 * ROUNDS * CLIENTS
    for one in house.senders.sent(house.server, dataset):
        (commit,) = [c for c in house.senders.commits(dataset) if c.submission == one["id"]]
        # What is told of a submission is what it did in the end, not what it was first to do.
        assert one["compared_with"] == commit.generation - 1, one
    house.agree()


def test_of_those_who_insist_on_one_generation_one_is_published(house: House) -> None:
    dataset = house.senders.dataset("sure", "insisted")
    first = house.send(dataset, statements("insisted", 1)).json()["generation"]

    def merge(client: int) -> httpx.Response:
        data = statements(f"client{client}", 1)
        return house.send(dataset, data, "merge", if_match=f'"{first}"')

    replies = at_once([partial(merge, client) for client in range(CLIENTS)])
    assert sorted(reply.status_code for reply in replies) == [201] + [412] * (CLIENTS - 1)
    refused = [reply.json() for reply in replies if reply.status_code == 412]
    assert {one["type"].rpartition("/")[2] for one in refused} == {"precondition-failed"}
    assert count(house.server, dataset) == 2
    house.agree()


def test_a_counter_that_many_raise_by_if_match_counts_them_all(house: House) -> None:
    """Read, write, and begin again at 412: no update is lost."""
    dataset = house.senders.dataset("sure", "counted")
    address = f"/graphs?graph={quote(dataset, safe='')}"

    def counter(number: int) -> bytes:
        return f'<urn:counter:c> <urn:p:p> "{number}" .\n'.encode()

    assert house.send(dataset, counter(0)).status_code == 201

    def raise_it() -> int:
        attempts = 0
        while True:
            attempts += 1
            read = house.server.get(address, accept="application/n-triples")
            number = int(read.text.split('"')[1])
            sent = house.send(dataset, counter(number + 1), if_match=read.headers["etag"])
            if sent.status_code == 201:
                return attempts
            assert sent.status_code == 412, sent.text

    attempts = at_once([raise_it] * 4)
    assert house.server.get(address, accept="application/n-triples").content == counter(4)
    assert max(attempts) <= 4


def test_the_same_key_sent_many_times_at_once_is_one_submission(house: House) -> None:
    dataset = house.senders.dataset("sure", "repeated")
    data = statements("repeated", 3)
    replies = at_once([partial(house.send, dataset, data, idempotency_key="same")] * CLIENTS)
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert len(house.senders.commits(dataset)) == 1
    house.agree()


@pytest.mark.parametrize("other", ["accept", "reject", "withdraw"])
def test_of_two_who_decide_at_once_one_decides(other: str, house: House) -> None:
    for number in range(3):
        dataset, submission = house.in_review(f"decided-{other}-{number}")
        deciding = {
            "accept": partial(house.decide, "curator", submission, "accept"),
            "reject": partial(
                house.decide, "curator", submission, "reject", json={"reason": "Not this one."}
            ),
            "withdraw": partial(house.decide, "slow", submission, "withdraw"),
        }
        replies = at_once([deciding["accept"], deciding[other]])
        # Two who accept want the same; who finds it published already may be told so.
        told = [reply.json()["state"] for reply in replies if reply.status_code == 200]
        assert len(told) == 1 or (other == "accept" and told == ["published"] * 2)
        assert {reply.status_code for reply in replies} <= {200, 409}
        (one,) = house.senders.sent(house.server, dataset)
        assert one["state"] == told[0]
        published = told[0] == "published"
        assert len(house.senders.commits(dataset)) == published
        assert count(house.server, dataset) == 3 * published
        assert one["problem"] is None
    house.agree()
