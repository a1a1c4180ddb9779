"""Servers that the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.running import RunningServer


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with the whole seed and the example data; nobody may write to it."""
    with RunningServer(tmp_path_factory.mktemp("seeded") / "var", example="on") as server:
        yield server


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, Any]:
    """Settings of a service without any data, shapes or ontology of its own."""
    folders: dict[str, Any] = {}
    for name in ("ontology_dir", "shapes_dir", "seed_dir"):
        folders[name] = tmp_path / name
        folders[name].mkdir()
    return folders
