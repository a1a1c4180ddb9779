"""Two HTTP nodes that share nothing but a PostgreSQL."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.service import store_folder
from app.store.check import check_all
from tests.postgres import Postgres
from tests.server.conftest import bare_in
from tests.server.peers import Peer
from tests.server.running import ROOT, RunningServer, lifetec
from tests.server.senders import Senders, at_once, count, statements, until

MERGES = 4


class Nodes:
    """Two servers with data directories of their own, and those who send to both."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.settings = {**settings, "workers": 1}
        self.one, self.two = (
            RunningServer(folder / name, **self.settings) for name in ("one", "two")
        )
        self.both = (self.one, self.two)
        self.senders = Senders(self.one.data_dir, settings)

    def seen_everywhere(self, sender: RunningServer, dataset: str, name: str) -> float:
        """Publish on one; seconds from its answer until the other's /sparql shows it."""
        other = self.two if sender is self.one else self.one
        before = count(other, dataset)
        sent = self.senders.send(sender, "sure", dataset, statements(name, 3), "merge")
        assert sent.status_code == 201, sent.text
        told = time.monotonic()
        until(lambda: count(other, dataset) == before + 3, "the other node does not show it")
        return time.monotonic() - told

    def agree(self) -> None:
        """Both come to show all that is published, and the same."""
        head = self.senders.log.head()
        for server in self.both:
            until(partial(_shows, server, head), "a node does not follow")
        graphs = set()
        for server in self.both:
            settings = self.senders.settings.model_copy(update={"data_dir": server.data_dir})
            findings = list(check_all(self.senders.log, store_folder(settings), settings.base_iri))
            assert all(one.good for one in findings), findings
            graphs |= {one.detail for one in findings if one.what == "graph"}
        assert len(graphs) == 1
        assert "SHA-256" in graphs.pop()


SECONDS_TO_THE_OTHER = 2


def _shows(server: RunningServer, generation: int) -> bool:
    shown: int = server.get("/health/ready").json()["generation"]
    return shown == generation


def _misses_the_log(server: RunningServer) -> bool:
    return "the log cannot be followed" in server.log.read_text()


@pytest.fixture(scope="module")
def nodes(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Both are started at once, and find an empty database and something to publish."""
    folder = tmp_path_factory.mktemp("nodes")
    settings = {**bare_in(folder), "database_url": postgres.new_database()}
    seed = (ROOT / "data" / "partners.ttl").read_text("utf-8")
    (folder / "seed_dir" / "partners.ttl").write_text(seed, "utf-8")
    made = Nodes(folder, settings)
    with contextlib.closing(made.senders):
        try:
            at_once([made.one.start, made.two.start])
            yield made
        finally:
            for server in made.both:
                server.stop()


def test_nodes_that_start_at_once_load_the_seed_whole(nodes: Nodes) -> None:
    nodes.agree()
    assert nodes.one.select("SELECT ?s { ?s a <http://www.w3.org/ns/dcat#Dataset> }")


def test_what_is_published_on_one_node_appears_on_the_other(nodes: Nodes) -> None:
    dataset = nodes.senders.dataset("sure", "seen")
    for number, server in enumerate(nodes.both):
        name = f"seen{number}"
        sent = nodes.senders.send(server, "sure", dataset, statements(name, 5), "merge")
        assert (sent.status_code, sent.json()["state"]) == (201, "published"), sent.text
    nodes.agree()
    assert [count(server, dataset) for server in nodes.both] == [10, 10]
    for server in nodes.both:
        assert [one["state"] for one in nodes.senders.sent(server, dataset)] == ["published"] * 2


def test_a_large_difference_reaches_the_other_node(nodes: Nodes) -> None:
    """It does not fit into a row of the log, and the nodes share no folder."""
    dataset = nodes.senders.dataset("sure", "large")
    sent = nodes.senders.send(nodes.one, "sure", dataset, statements("large", 25_000))
    assert sent.status_code == 201, sent.text
    nodes.agree()
    assert count(nodes.two, dataset) == 25_000


def test_submissions_to_both_nodes_at_once_lose_nothing(nodes: Nodes) -> None:
    dataset = nodes.senders.dataset("sure", "shared")

    def merge(number: int) -> None:
        server = nodes.both[number % 2]
        for step in range(MERGES):
            data = statements(f"shared{number}", 2, first=2 * step)
            sent = nodes.senders.send(server, "sure", dataset, data, "merge")
            assert sent.status_code == 201, sent.text

    at_once([partial(merge, number) for number in range(4)])
    nodes.agree()
    assert count(nodes.one, dataset) == 4 * 2 * MERGES
    commits = {commit.submission: commit for commit in nodes.senders.commits(dataset)}
    assert len(commits) == 4 * MERGES
    for one in nodes.senders.sent(nodes.one, dataset):
        # What is told of a submission is what it did, not what it was to do when it was overtaken.
        assert one["compared_with"] == commits[one["id"]].generation - 1


def test_of_those_who_insist_on_one_generation_one_is_published(nodes: Nodes) -> None:
    dataset = nodes.senders.dataset("sure", "insisted")
    first = nodes.senders.send(nodes.one, "sure", dataset, statements("first", 1)).json()

    def merge(number: int) -> httpx.Response:
        data, tag = statements(f"insisted{number}", 1), f'"{first["generation"]}"'
        server = nodes.both[number % 2]
        return nodes.senders.send(server, "sure", dataset, data, "merge", if_match=tag)

    replies = at_once([partial(merge, number) for number in range(4)])
    assert sorted(reply.status_code for reply in replies) == [201, 412, 412, 412]
    nodes.agree()
    assert count(nodes.two, dataset) == 2


def test_the_same_key_sent_to_both_nodes_is_one_submission(nodes: Nodes) -> None:
    dataset = nodes.senders.dataset("sure", "repeated")
    data = statements("repeated", 3)

    def send(server: RunningServer) -> tuple[str, str, int]:
        sent = nodes.senders.send(server, "sure", dataset, data, idempotency_key="same")
        assert sent.status_code == 201, sent.text
        # Who is told that it is published, sees it here, wherever it was published.
        return sent.json()["id"], sent.json()["state"], count(server, dataset)

    told = set(at_once([partial(send, server) for server in nodes.both * 2]))
    (submission,) = {one for one, _, _ in told}
    assert told == {(submission, "published", 3)}
    assert len(nodes.senders.commits(dataset)) == 1


@pytest.mark.parametrize("action", ["accept", "reject", "withdraw"])
def test_what_was_sent_to_one_node_is_decided_on_the_other(action: str, nodes: Nodes) -> None:
    senders = nodes.senders
    dataset = senders.dataset("slow", action)
    sent = senders.send(nodes.one, "slow", dataset, statements(action, 3)).json()
    assert sent["state"] == "in-review"
    shown = senders.ask(
        nodes.two, "curator", "GET", f"/{sent['id']}/diff", params={"format": "patch"}
    )
    assert shown.text.count("urn:p:p") == 3
    who = "slow" if action == "withdraw" else "curator"
    more = {"json": {"reason": "Not this one."}} if action == "reject" else {}
    decided = senders.ask(nodes.two, who, "POST", f"/{sent['id']}/{action}", **more)
    assert decided.status_code == 200, decided.text
    state = {"accept": "published", "reject": "rejected", "withdraw": "withdrawn"}[action]
    (one,) = senders.sent(nodes.one, dataset)
    assert (one["state"], decided.json()["state"]) == (state, state)
    assert count(nodes.one, dataset) == (3 if action == "accept" else 0)
    nodes.agree()


def test_the_command_line_publishes_beside_both(nodes: Nodes, tmp_path: Path) -> None:
    dataset = "http://example.org/loaded"
    file = tmp_path / "loaded.nt"

    def load(server: RunningServer, number: int) -> None:
        own = file.with_name(f"{number}.nt")
        own.write_bytes(statements("loaded", number))
        done = lifetec(server.data_dir, "load", "--dataset", dataset, own, **nodes.settings)
        assert done.returncode == 0, done.stderr
        # Its server shows what it published before it ends.
        assert count(server, dataset) == number

    load(nodes.one, 4)
    load(nodes.two, 7)
    nodes.agree()
    assert [count(server, dataset) for server in nodes.both] == [7, 7]


def test_nodes_go_on_when_the_database_was_away(nodes: Nodes, postgres: Postgres) -> None:
    dataset = nodes.senders.dataset("sure", "away")
    with postgres.away(nodes.settings["database_url"]):
        for server in nodes.both:
            until(partial(_misses_the_log, server), "nobody noticed that the database is away")
    sent = nodes.senders.send(nodes.one, "sure", dataset, statements("away", 3))
    assert sent.status_code == 201, sent.text
    nodes.agree()
    assert count(nodes.two, dataset) == 3


def test_a_publication_is_on_the_other_node_within_two_seconds(nodes: Nodes) -> None:
    dataset = nodes.senders.dataset("sure", "soon")
    for number, server in enumerate(nodes.both):
        assert nodes.seen_everywhere(server, dataset, f"soon{number}") < SECONDS_TO_THE_OTHER


def test_nodes_share_a_store_elsewhere(postgres: Postgres, oxigraph: Peer, tmp_path: Path) -> None:
    """Each brings the log there; who queries either, asks the same store."""
    oxigraph.clear()
    settings = {**bare_in(tmp_path), "database_url": postgres.new_database(), **oxigraph.settings}
    nodes = Nodes(tmp_path, settings)
    with contextlib.closing(nodes.senders):
        try:
            at_once([nodes.one.start, nodes.two.start])
            dataset = nodes.senders.dataset("sure", "soon")
            for number, server in enumerate(nodes.both):
                soon = nodes.seen_everywhere(server, dataset, f"soon{number}")
                assert soon < SECONDS_TO_THE_OTHER
            data = [statements(f"both{number}", 5) for number in range(6)]

            def send(number: int) -> int:
                server = nodes.both[number % 2]
                sent = nodes.senders.send(server, "sure", dataset, data[number], "merge")
                return sent.status_code

            assert set(at_once([partial(send, number) for number in range(6)])) == {201}
            nodes.agree()
            checked = lifetec(nodes.one.data_dir, "check", **settings)
            assert checked.returncode == 0, checked.stdout
            assert "ok   remote graphs" in checked.stdout
            assert [count(server, dataset) for server in nodes.both] == [36, 36]
        finally:
            for server in nodes.both:
                server.stop()
