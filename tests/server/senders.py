"""Partners and a curator who send to real servers, and what they look at beside them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx

from app.accounts import Accounts, Role
from app.log import Commit
from app.service import open_database, open_log, store_folder
from app.settings import Settings
from app.store.check import check_all
from tests.server.running import RunningServer

SECONDS = 60
LICENCE = "http://publications.europa.eu/resource/authority/licence/CC0"
SUBMISSIONS = "/api/v1/submissions"
N_TRIPLES = "application/n-triples"

_Found = TypeVar("_Found")


def statements(name: str, count: int, first: int = 0) -> bytes:
    """N-Triples about as many things that are nobody's."""
    return b"".join(
        f'<urn:{name}:{n}> <urn:p:p> "{n}" .\n'.encode() for n in range(first, first + count)
    )


class Senders:
    """The trusted partner `sure`, the partner `slow`, and a curator, each with a key.

    Accounts, log and checkpoints are used beside the servers, as the command line does.
    """

    def __init__(self, data_dir: Path, settings: dict[str, Any]) -> None:
        self.settings = Settings(data_dir=data_dir, **settings)
        self.database = open_database(self.settings)
        self.log = open_log(self.settings, self.database)
        self._accounts = Accounts(self.database, self.settings.base_iri)
        self._keys = {"curator": self._accounts.issue_key(Role.CURATOR).text}
        for partner in ("sure", "slow"):
            self._accounts.add_partner(partner, names={"en": partner}, contact="data@example.org")
            self._keys[partner] = self._accounts.issue_key(Role.PARTNER, partner=partner).text
        self._accounts.change_partner("sure", trusted=True)

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def dataset(self, partner: str, slug: str) -> str:
        """IRI of a new dataset."""
        return self._accounts.add_dataset(partner, slug, titles={"en": slug}, licence=LICENCE).iri

    def ask(
        self, server: RunningServer, who: str, method: str, path: str = "", **more: Any
    ) -> httpx.Response:
        """A request about submissions."""
        headers = {"authorization": f"Bearer {self._keys[who]}", **more.pop("headers", {})}
        url = f"{server.url}{SUBMISSIONS}{path}"
        return httpx.request(method, url, headers=headers, timeout=120, **more)

    def send(
        self,
        server: RunningServer,
        who: str,
        dataset: str,
        data: bytes,
        mode: str = "replace",
        **headers: str,
    ) -> httpx.Response:
        """A submission; `if_match` is the header If-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(
            server,
            who,
            "POST",
            params={"dataset": dataset, "mode": mode},
            content=data,
            headers={"content-type": N_TRIPLES, **named},
        )

    def sent(self, server: RunningServer, dataset: str) -> list[dict[str, Any]]:
        """All submissions to a dataset, the newest first."""
        reply = self.ask(server, "curator", "GET", params={"dataset": dataset, "limit": 200})
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["items"]
        return found

    def commits(self, dataset: str) -> list[Commit]:
        """All that the log says of a dataset."""
        return [commit for commit in self.log.since(0) if dataset in commit.datasets]

    def disagreements(self, data_dir: Path | None = None) -> list[str]:
        """What log, graph and checkpoint do not agree about."""
        settings = self.settings.model_copy(update={"data_dir": data_dir or self.settings.data_dir})
        found = check_all(self.log, store_folder(settings), settings.base_iri)
        return [f"{one.what}: {one.detail}" for one in found if not one.good]


def count(server: RunningServer, graph: str) -> int:
    """How many statements a graph has."""
    return int(
        server.select(f"SELECT (COUNT(*) AS ?n) {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}")[0]["n"]
    )


def until(true: Callable[[], bool], otherwise: str) -> None:
    """Return as soon as it is so."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def at_once(works: Sequence[Callable[[], _Found]]) -> list[_Found]:
    """What each comes to; all begin in the same moment, in threads of their own."""
    barrier = threading.Barrier(len(works))

    def begun(work: Callable[[], _Found]) -> _Found:
        barrier.wait(SECONDS)
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return [one.result() for one in [threads.submit(begun, work) for work in works]]
