"""From zero to published, as a data partner does it by curl, `lifetec submit` and rdflib."""

from __future__ import annotations

import shutil
from pathlib import Path

from docs import blocks
from tests.server.running import ROOT, RunningServer
from tests.server.walking import walk

DOCUMENT = "docs/partners.md"


def test_every_command_of_the_walk_is_run() -> None:
    text = (ROOT / DOCUMENT).read_text("utf-8")
    assert len(blocks.runnable(text)) == text.count("\n```") / 2


def test_partners_walk(tmp_path: Path) -> None:
    seed = tmp_path / "seed"
    seed.mkdir()
    shutil.copy(ROOT / "data/partners.ttl", seed)
    with RunningServer(tmp_path / "var", seed_dir=seed) as server:
        walk(DOCUMENT, server, tmp_path)
