"""The commands of the README and of the reference, as a newcomer runs them."""

from __future__ import annotations

from pathlib import Path

from tests.server.running import RunningServer
from tests.server.walking import walk


def test_readme_walk(tmp_path: Path) -> None:
    with RunningServer(tmp_path / "var", example="on") as server:
        walk("README.md", server, tmp_path)


def test_reconciliation_walk(seeded: RunningServer, tmp_path: Path) -> None:
    walk("docs/reconciliation.md", seeded, tmp_path)


def test_validation_walk(seeded: RunningServer, tmp_path: Path) -> None:
    walk("docs/validation.md", seeded, tmp_path)
