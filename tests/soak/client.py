"""A client that knows what its dataset must say, and repeats whatever it got no answer for."""

from __future__ import annotations

import random
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Thread
from typing import Any

import httpx

BASE = "https://w3id.org/lifetec/"
SHARED = f"{BASE}graph/ada/shared"
"""A dataset to which all clients add, so that they meet."""

_TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://example.org/Thing>"
_VALUE = "<http://example.org/value>"
_COUNT = "<http://example.org/count>"
_INTEGER = "<http://www.w3.org/2001/XMLSchema#integer>"
_THINGS = 20
_MANY = 11_000
"""Things whose statements are more than a transaction of the store takes, and a row of the log."""

_SUBMISSIONS = "/api/v1/submissions"
_ON_THE_WAY = {"received", "validated"}
_PATIENCE_SECONDS = 600


@dataclass
class Seen:
    """What all clients have seen.

    `published` is what an answer said to be so: ids of submissions, each with its generation, None
    for what changed nothing.
    """

    published: dict[str, int | None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    repeated: int = 0


class Client(Thread):
    """Sends one submission after the other until `stop` is set.

    `facts` is what its dataset must say (N-Triples): it changes when an answer says that a
    submission is published, and nobody else writes there. `shared` is what it has added to the
    dataset that is everybody's.
    """

    def __init__(
        self, partner: str, *, url: str, key: str, curator: str, seen: Seen, seed: int
    ) -> None:
        super().__init__(name=partner, daemon=True)
        self.facts: set[str] = set()
        self.shared: set[str] = set()
        self.stop = Event()
        self._partner = partner
        self._dataset = f"{BASE}graph/{partner}/own"
        self._key = key
        self._curator = curator
        self._seen = seen
        self._random = random.Random(f"{partner}-{seed}")
        self._numbers = count(1)
        self._last: deque[str] = deque(maxlen=5)
        self._undo: tuple[str, set[str]] | None = None
        self._http = httpx.Client(base_url=url, timeout=90)

    def run(self) -> None:
        """Send until told to stop; what should not happen is written down."""
        acts = (
            self._replace,
            self._put,
            self._delete,
            self._merge,
            self._remove,
            self._count,
            self._add_shared,
            self._revert,
            self.compare,
        )
        try:
            while not self.stop.is_set():
                self._random.choice(acts)()
        except Exception as error:  # whatever it is, the soak has failed
            self._seen.faults.append(f"{self._partner}: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Let go of the connections; it has come to its end."""
        self._http.close()

    def compare(self) -> None:
        """Write down where the datasets are not what they must be.

        Nothing of this client is on its way when it does so.
        """
        own, shared = self._graph(self._dataset), self._graph(SHARED)
        lost, odd = (self.facts - own) | (self.shared - shared), own - self.facts
        if lost or odd:
            self._seen.faults.append(
                f"{self._partner}: {len(lost)} statements lost, {len(odd)} too many, "
                f"for example {sorted(lost | odd)[:2]}, after {list(self._last)}"
            )

    # what it does

    def _replace(self) -> None:
        things = self._things(range(_MANY) if self._random.random() < 0.1 else None)
        self._change("POST", self._to("replace"), things, things)

    def _put(self) -> None:
        things = self._things()
        self._change("PUT", f"/graphs?graph={self._dataset}", things, things)

    def _delete(self) -> None:
        """Of what is not there nothing would be known."""
        if self.facts:
            self._change("DELETE", f"/graphs?graph={self._dataset}", "", set())

    def _merge(self) -> None:
        things = self._things()
        self._change("POST", self._to("merge"), things, self.facts | things)

    def _remove(self) -> None:
        some = {fact for fact in sorted(self.facts) if self._random.random() < 0.3}
        self._change("POST", self._to("remove"), some, self.facts - some)

    def _count(self) -> None:
        """What would show if it were done twice."""
        counter = f"<{BASE}id/thing/{self._partner}-counter> {_COUNT}"
        update = (
            f"WITH <{self._dataset}> DELETE {{ {counter} ?n }} INSERT {{ {counter} ?m }} "
            f"WHERE {{ OPTIONAL {{ {counter} ?n }} BIND(COALESCE(?n, 0) + 1 AS ?m) }}"
        )
        before = {fact for fact in self.facts if fact.startswith(counter)}
        number = int(next(iter(before)).split('"')[1]) if before else 0
        after = {f'{counter} "{number + 1}"^^{_INTEGER} .'}
        self._change("POST", "/sparql/update", update, self.facts - before | after)

    def _add_shared(self) -> None:
        thing = f"<{BASE}id/thing/ada-{self._partner}{next(self._numbers)}>"
        facts = {f"{thing} {_TYPE} ."}
        path = f"{_SUBMISSIONS}?dataset={SHARED}&mode=merge"
        if self._publish("POST", path, facts, self._curator):
            self.shared |= facts

    def _revert(self) -> None:
        if self._undo:
            submission, before = self._undo
            self._change("POST", f"{_SUBMISSIONS}/{submission}/revert", "", before)

    def _change(self, method: str, path: str, data: set[str] | str, after: set[str]) -> None:
        before = self.facts
        if one := self._publish(method, path, data, self._key):
            self.facts = after
            self._undo = (one["id"], before) if one["generation"] else None

    def _to(self, mode: str) -> str:
        return f"{_SUBMISSIONS}?dataset={self._dataset}&mode={mode}"

    def _things(self, numbers: range | None = None) -> set[str]:
        """Some things with new values; without `numbers` the same few names come again."""
        found: set[str] = set()
        for number in numbers or self._random.sample(range(_THINGS), 5):
            name = f"<{BASE}id/thing/{self._partner}-{number}>"
            value = f"{self._random.getrandbits(64):016x}"
            found |= {f"{name} {_TYPE} .", f'{name} {_VALUE} "{value}" .'}
        return found

    # how it does it

    def _publish(
        self, method: str, path: str, data: set[str] | str, key: str
    ) -> dict[str, Any] | None:
        """The submission if it was published; what waits for review is reviewed."""
        update = isinstance(data, str)
        reply = self._answer(
            method,
            path,
            key,
            content="\n".join(sorted(data)) if not isinstance(data, str) else data,
            headers={
                "content-type": "application/sparql-update" if update else "application/n-triples",
                "idempotency-key": secrets.token_hex(8),
            },
        )
        said = f"{method} {path}: {reply.status_code}"
        if reply.status_code not in {200, 201, 202, 204}:
            raise AssertionError(f"{said} {reply.text[:1000]}")
        address = reply.headers.get("location", "")
        if _SUBMISSIONS not in address:  # the Graph Store Protocol says it otherwise
            address = reply.headers["link"].partition(">")[0].removeprefix("<")
        one = self._settled(address.rpartition("/")[2])
        if one["state"] == "in-review":
            one = self._reviewed(one["id"])
        self._last.append(f"{said} {one['id']} {one['state']} {one['generation']}")
        if one["state"] != "published":
            return None
        self._seen.published[one["id"]] = one["generation"]
        return one

    def _settled(self, submission: str, waiting: str = "") -> dict[str, Any]:
        """The submission as soon as it is neither on its way nor in the state `waiting`."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            reply = self._answer("GET", f"{_SUBMISSIONS}/{submission}", self._curator)
            one: dict[str, Any] = reply.json()
            if reply.status_code != 200:
                raise AssertionError(f"{submission}: {reply.status_code} {reply.text[:500]}")
            if one["state"] not in {*_ON_THE_WAY, waiting}:
                return one
            time.sleep(0.05)
        raise AssertionError(f"{submission} is {one['state']} for good")

    def _reviewed(self, submission: str) -> dict[str, Any]:
        """The submission after a decision; of one that was made before, the server is sure."""
        path, chance = f"{_SUBMISSIONS}/{submission}", self._random.random()
        if chance < 0.1:
            self._answer("POST", f"{path}/withdraw", self._key)
        elif chance < 0.2:
            self._answer("POST", f"{path}/reject", self._curator, json={"reason": "No."})
        else:
            self._answer("POST", f"{path}/accept", self._curator)
        return self._settled(submission, "in-review")

    def _graph(self, name: str) -> set[str]:
        reply = self._answer("GET", f"/graphs?graph={name}", headers={"accept": "text/plain"})
        return set(reply.text.splitlines()) if reply.status_code == 200 else set()

    def _answer(
        self,
        method: str,
        path: str,
        key: str | None = None,
        *,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """The answer to a request, which is repeated as it is until there is one."""
        named = {**(headers or {}), **({"authorization": f"Bearer {key}"} if key else {})}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                reply = self._http.request(method, path, headers=named, **more)
            except httpx.TransportError:
                self._seen.repeated += 1
                time.sleep(0.1)
            else:
                if reply.status_code not in {429, 503}:
                    return reply
                time.sleep(min(1.0, float(reply.headers.get("retry-after", 1))))
        raise AssertionError(f"{method} {path}: no answer in {_PATIENCE_SECONDS} s")
