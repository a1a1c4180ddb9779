"""The search index of a real server: kept up, killed, damaged, thrown away, built anew."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyoxigraph as ox
import pytest

from app.failpoints import FAILPOINTS
from app.profile import load_profile
from app.records.index import SearchIndex
from tests.profile.samples import BASE, SAMPLE
from tests.records.indexing import CONTEXT, assert_as_if_built_anew
from tests.server.mortal import MortalServer
from tests.server.running import RunningServer, environment, lifetec

DATASET = f"{BASE}graph/a/one"
LOAD = ("load", "--dataset", DATASET)
PROFILE = load_profile(SAMPLE / "ontology", SAMPLE / "shapes", BASE)
_MOMENTS = [name for name in FAILPOINTS if name.startswith("index.")]
_HEAD = """
@prefix : <https://w3id.org/lifetec/id/organisation/> .
@prefix org: <http://www.w3.org/ns/org#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The sample's profile, and no seed."""
    none = tmp_path_factory.mktemp("none")
    return {
        "ontology_dir": none,
        "shapes_dir": SAMPLE / "shapes",
        "seed_dir": none,
        "default_graph": "union",
    }


@pytest.fixture(scope="module")
def begun(settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with twenty organisations and their index."""
    folder = tmp_path_factory.mktemp("begun")
    _loaded(folder / "var", folder / "first.ttl", 20, "First", settings)
    with RunningServer(folder / "var", **settings):
        pass
    return folder / "var"


@pytest.fixture
def var(begun: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(begun, tmp_path / "var"))


def _file(path: Path, count: int, name: str) -> Path:
    said = (f':a-{n} a org:Organization ; skos:prefLabel "{name} {n}"@en .' for n in range(count))
    path.write_text(_HEAD + "\n".join(said))
    return path


def _loaded(var: Path, path: Path, count: int, name: str, settings: dict[str, Any]) -> None:
    done = lifetec(var, *LOAD, _file(path, count, name), **settings)
    assert done.returncode == 0, done.stderr


def _agrees(var: Path, settings: dict[str, Any], *, organisations: int) -> None:
    """Start a server, and compare its index with its graph when it is ready, and has ended."""
    with RunningServer(var, **settings) as server:
        facts = server.get("/health/ready").json()
        assert facts["index"]["status"] == "ready"
        assert facts["index"]["generation"] == facts["generation"] == facts["published"]
    with _index(var, settings) as index:
        store = ox.Store.read_only(str(max((var / "store" / "checkpoints").iterdir())))
        assert_as_if_built_anew(index, store, _profile(settings))
        assert f"{BASE}id/organisation/a-{organisations - 1}" in _names(index)
        assert f"{BASE}id/organisation/a-{organisations}" not in _names(index)
    left = [path.name for path in (var / "index").iterdir()]
    assert len(left) == 1, left


def _profile(settings: dict[str, Any]) -> Any:
    return load_profile(settings["ontology_dir"], settings["shapes_dir"], BASE)


@contextmanager
def _index(var: Path, settings: dict[str, Any]) -> Iterator[SearchIndex]:
    with closing(SearchIndex(var / "index", _profile(settings), CONTEXT)) as index:
        assert index.usable
        yield index


def _names(index: SearchIndex) -> dict[str, str]:
    found = {}
    for number in range(100):
        iri = f"{BASE}id/organisation/a-{number}"
        if record := index.get(iri, "en"):
            found[iri] = json.loads(record)["name"]
    return found


def test_who_heard_that_it_is_published_finds_it(
    var: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    """Also what the CLI publishes beside the server; no restart, no second look."""
    with RunningServer(var, **settings) as server:
        before = server.get("/health/ready").json()["index"]
        _loaded(var, tmp_path / "b.ttl", 25, "Second", settings)
        while (after := server.get("/health/ready").json())["index"]["status"] != "ready":
            pass
        assert after["index"]["generation"] == before["generation"] + 1
        assert after["index"]["entities"] > before["entities"]
    _agrees(var, settings, organisations=25)


@pytest.mark.parametrize("failpoint", [name for name in _MOMENTS if "buil" not in name])
def test_a_server_killed_while_it_updates_its_index_has_it_right_after_the_next_start(
    failpoint: str, var: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    server = MortalServer(var, **settings)
    with server:
        server.arm(failpoint)
        file = _file(tmp_path / "b.ttl", 10, "Second")
        with subprocess.Popen(
            [sys.executable, "-m", "app", *map(str, (*LOAD, file))],
            env=environment(var, **settings),
            stderr=subprocess.DEVNULL,
        ) as publishing:
            server.await_death()
            publishing.kill()
    _agrees(var, settings, organisations=10)


@pytest.mark.parametrize("failpoint", [name for name in _MOMENTS if "buil" in name])
def test_who_is_killed_while_building_leaves_the_index_as_it_was(
    failpoint: str, var: Path, settings: dict[str, Any]
) -> None:
    killed = lifetec(var, "reindex", **settings, failpoint=failpoint)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with _index(var, settings) as index:
        assert len(_names(index)) == 20
    _agrees(var, settings, organisations=20)


@pytest.mark.parametrize("harm", ["removed", "garbled", "truncated", "older", "another profile"])
def test_an_index_that_is_damaged_or_of_another_profile_is_built_anew(
    harm: str, var: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    folder = var / "index"
    largest = max(folder.glob("*/*.store"), key=lambda path: path.stat().st_size)
    if harm == "removed":
        shutil.rmtree(folder)
    elif harm == "garbled":
        data = bytearray(largest.read_bytes())
        data[20] ^= 255
        largest.write_bytes(data)
    elif harm == "truncated":
        largest.write_bytes(largest.read_bytes()[:30])
    elif harm == "older":
        kept = shutil.copytree(folder, tmp_path / "kept")
        _loaded(var, tmp_path / "b.ttl", 10, "Second", settings)
        with RunningServer(var, **settings):
            pass
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
    else:
        shapes = shutil.copytree(SAMPLE / "shapes", tmp_path / "shapes")
        file = Path(shapes, "entities.ttl")
        file.write_text(file.read_text().replace('"alt_label"', '"other_label"'))
        settings = {**settings, "shapes_dir": shapes}
    _agrees(var, settings, organisations=10 if harm == "older" else 20)


def test_reindex_beside_a_running_server_which_turns_to_the_new_index(
    var: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    with RunningServer(var, **settings) as server:
        (before,) = (var / "index").iterdir()
        done = lifetec(var, "reindex", **settings)
        assert done.returncode == 0, done.stderr
        assert "entities, generation" in done.stderr
        with httpx.Client() as client:
            while before.exists():  # until it has turned
                assert client.get(f"{server.url}/health/ready").status_code == 200
        _loaded(var, tmp_path / "b.ttl", 22, "Second", settings)
    _agrees(var, settings, organisations=22)
