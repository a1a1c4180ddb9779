"""How a service and the store elsewhere meet: who may come in, who leaves, how many wait."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED as ONE
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.conftest import bare_in
from tests.server.door import HELD, Door
from tests.server.peers import OxigraphServer, Peer
from tests.server.running import RunningServer, lifetec
from tests.server.senders import statements, until

SECRET = "open-sesame"
BASIC = "Basic " + base64.b64encode(f"lifetec:{SECRET}".encode()).decode()
LOAD = ("load", "--dataset", "urn:d")


def _loaded(tmp_path: Path, settings: dict[str, Any]) -> Path:
    """A data directory with one published statement, which the store has been brought."""
    file = tmp_path / "a.nt"
    file.write_bytes(statements("a", 1))
    done = lifetec(tmp_path / "var", *LOAD, file, **settings)
    assert done.returncode == 0, done.stderr
    return tmp_path / "var"


@pytest.mark.parametrize(
    ("lets_in", "asks", "given"),
    [
        (BASIC, 'Basic realm="store"', {"store_user": "lifetec", "store_password": SECRET}),
        (f"Bearer {SECRET}", "Bearer", {"store_token": SECRET}),
    ],
    ids=["basic", "bearer"],
)
def test_who_shows_what_the_store_asks_for_is_let_in(
    lets_in: str, asks: str, given: dict[str, Any], tmp_path: Path, oxigraph: Peer
) -> None:
    oxigraph.clear()
    with Door(oxigraph.url, lets_in=lets_in, asks=asks) as door:
        settings = {**bare_in(tmp_path), **door.settings, **given}
        var = _loaded(tmp_path, settings)
        with RunningServer(var, **settings) as server:
            assert server.select("SELECT ?o { GRAPH <urn:d> { ?s ?p ?o } }") == [{"o": "0"}]
            log = server.log.read_text()
        assert SECRET not in log
        assert lets_in in door.shown
        # A password is shown to who has asked for it; a token at once.
        assert (door.shown[0] is None) == ("store_user" in given)
        wrong = {**settings, **dict.fromkeys(given.keys() - {"store_user"}, "shut")}
        refused = lifetec(var, "check", **wrong)
        assert refused.returncode == 1
        assert "401" in refused.stdout + refused.stderr
        assert "shut" not in refused.stdout + refused.stderr


class House:
    """A service that asks its store one query at one time, and lets one wait."""

    def __init__(self, folder: Path, door: Door) -> None:
        self.door = door
        limits = {"store_connections": 1, "queue": 1, "query_seconds": 120}
        self.server = RunningServer(
            folder / "var", **bare_in(folder), **door.settings, **limits, cache_mb=0
        )

    def ask(self, query: str) -> httpx.Response:
        return httpx.post(f"{self.server.url}/sparql", data={"query": query}, timeout=60)


@pytest.fixture
def house(tmp_path: Path, oxigraph: Peer) -> Iterator[House]:
    oxigraph.clear()
    with Door(oxigraph.url) as door:
        made = House(tmp_path, door)
        with made.server:
            yield made


def _rows(number: int) -> str:
    """A query with as many rows as its cube, which are being written while they are read."""
    values = " ".join(map(str, range(number)))
    blocks = " ".join(f"VALUES ?{name} {{ {values} }}" for name in "abc")
    return f"SELECT * {{ {blocks} }}"


def _gives_up_waiting(url: str) -> None:
    with contextlib.suppress(httpx.ReadTimeout):
        httpx.post(url, data={"query": f"ASK {{}} {HELD}"}, timeout=2)


def _leaves_in_the_middle(url: str) -> None:
    with httpx.stream("POST", url, data={"query": _rows(300)}, timeout=60) as reply:
        assert reply.status_code == 200
        next(reply.iter_bytes())


@pytest.mark.parametrize("leave", [_gives_up_waiting, _leaves_in_the_middle])
def test_with_a_client_that_leaves_the_connection_to_the_store_is_closed(
    leave: Callable[[str], None], house: House
) -> None:
    """Long before the deadline; the place is free for the next one."""
    leave(f"{house.server.url}/sparql")
    until(lambda: house.door.abandoned > 0, "the store goes on answering nobody")
    assert house.ask("ASK {}").status_code == 200


def test_who_finds_the_line_to_the_store_full_is_told_when_to_come_again(house: House) -> None:
    with ThreadPoolExecutor(3) as threads:
        asked = {threads.submit(house.ask, f"ASK {{}} {HELD}")}
        until(lambda: house.door.inside == 1, "the first query does not arrive")
        asked |= {threads.submit(house.ask, f"ASK {{ VALUES ?x {{ {n} }} }}") for n in (1, 2)}
        done, waiting = wait(asked, timeout=60, return_when=ONE)
        house.door.release()
        (refused,) = (one.result() for one in done)
        assert refused.status_code == 503
        assert refused.json()["type"].endswith("/overloaded")
        assert int(refused.headers["retry-after"]) > 0
        assert [one.result().status_code for one in waiting] == [200, 200]


def test_a_store_that_cannot_show_the_union_is_refused_with_what_to_do(
    tmp_path: Path, oxigraph: Peer
) -> None:
    oxigraph.clear()
    with Door(oxigraph.url, drops="union-default-graph") as door:
        settings = {**bare_in(tmp_path), **door.settings}
        refused = lifetec(_loaded(tmp_path, settings), "serve", **settings, port=0)
    assert refused.returncode == 1
    assert "LIFETEC_DEFAULT_GRAPH=plain" in refused.stderr


def test_a_store_that_shows_nothing_but_the_union_is_refused_where_it_must_not(
    tmp_path: Path,
) -> None:
    with OxigraphServer(union=True) as union:
        settings = {**bare_in(tmp_path), **union.settings, "default_graph": "plain"}
        refused = lifetec(_loaded(tmp_path, settings), "serve", **settings, port=0)
    assert refused.returncode == 1
    assert "LIFETEC_DEFAULT_GRAPH=union" in refused.stderr


@pytest.mark.parametrize("default_graph", ["union", "plain"])
def test_the_default_graph_is_what_the_setting_says(
    default_graph: str, tmp_path: Path, oxigraph: Peer
) -> None:
    oxigraph.clear()
    settings = {**bare_in(tmp_path), **oxigraph.settings, "default_graph": default_graph}
    with RunningServer(_loaded(tmp_path, settings), **settings) as server:
        shown = server.select("SELECT ?o { <urn:a:0> ?p ?o }")
        assert shown == ([{"o": "0"}] if default_graph == "union" else [])
