"""The commands of the README and of the reference, as a newcomer runs them."""

from __future__ import annotations

from pathlib import Path

from docs import blocks
from tests.server.running import ROOT, RunningServer
from tests.server.walking import walk


def test_readme_walk(tmp_path: Path) -> None:
    with RunningServer(tmp_path / "var", example="on") as server:
        walk("README.md", server, tmp_path)


def test_reconciliation_walk(seeded: RunningServer, tmp_path: Path) -> None:
    walk("docs/reconciliation.md", seeded, tmp_path)


def test_api_walk(seeded: RunningServer, tmp_path: Path) -> None:
    walk("docs/api.md", seeded, tmp_path)


def test_every_example_of_the_interface_is_run() -> None:
    text = (ROOT / "docs/api.md").read_text("utf-8")
    assert len(blocks.runnable(text)) == text.count("\n```") / 2


def test_validation_walk(seeded: RunningServer, tmp_path: Path) -> None:
    walk("docs/validation.md", seeded, tmp_path)
