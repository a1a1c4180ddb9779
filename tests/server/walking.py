"""Every command of a document, run in its order by a newcomer in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from docs import blocks
from tests.server.running import ROOT, RunningServer, environment

_PROGRAMS = {
    "console": ("bash", "-e", "-o", "pipefail", "-c"),
    "python": ("python3", "-c"),
    "javascript": ("node", "--input-type=module", "--eval"),
}
"""What runs a block, by its language."""


def walk(document: str, server: RunningServer, tmp_path: Path) -> None:
    """Run all commands of a document beside a server."""
    folder, bin_ = tmp_path / "work", tmp_path / "bin"
    folder.mkdir()
    bin_.mkdir()
    for name, words in (("lifetec", "-m app"), ("python3", "")):  # those of the environment
        script = bin_ / name
        script.write_text(
            f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} {words} "$@"\n', encoding="utf-8"
        )
        script.chmod(0o755)
    commands = blocks.runnable((ROOT / document).read_text(encoding="utf-8"))
    assert len(commands) >= 5
    surroundings = {
        **environment(server.data_dir, **server.settings),
        "PATH": f"{bin_}:{os.environ['PATH']}:{Path(sys.executable).parent}",
    }
    for block in commands:
        done = subprocess.run(
            [*_PROGRAMS[block.language], block.text.replace(blocks.SERVER, server.url)],
            cwd=folder,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        told = done.stdout + done.stderr
        assert done.returncode == block.exit, (block.name, told)
        assert block.prints in " ".join(told.split()), (block.name, told)
