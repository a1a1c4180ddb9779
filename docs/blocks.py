"""The code blocks of the documentation that can be run or read, as values.

A block is announced by a comment on the line before its fence:

    <!-- run: NAME -->                      a block of commands; must end with status 0
    <!-- run: NAME exit=1 prints="words" -->  must end with status 1 and print the words
    <!-- read: NAME -->                     a block in another language that a test reads

The blocks of one document are one story: they are run in their order in one empty folder, in Bash,
Python or JavaScript, with `lifetec` on the PATH, beside a server that `make serve` has started and
that uses the same LIFETEC_DATA_DIR. They speak to the address SERVER, which a test replaces by its
own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SERVER = "http://127.0.0.1:8000"

_BLOCK = re.compile(
    r"^<!-- (?P<how>run|read): (?P<name>[a-z-]+)"
    r'(?: exit=(?P<exit>\d+))?(?: prints="(?P<prints>[^"]*)")?'
    r" -->\n\s*```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: `text` as it stands, the exit status and the words that it must give."""

    name: str
    language: str
    text: str
    exit: int
    prints: str


def runnable(markdown: str) -> list[Block]:
    """Blocks to run, in their order."""
    return [block for how, block in _blocks(markdown) if how == "run"]


def readable(markdown: str) -> dict[str, Block]:
    """Blocks that a test reads, by name."""
    return {block.name: block for how, block in _blocks(markdown) if how == "read"}


def _blocks(markdown: str) -> list[tuple[str, Block]]:
    return [
        (
            found["how"],
            Block(
                found["name"],
                found["language"],
                found["text"],
                int(found["exit"] or 0),
                found["prints"] or "",
            ),
        )
        for found in _BLOCK.finditer(markdown)
    ]
