"""Words that mean the same in several languages, as `words.txt` beside the ontology has them."""

from __future__ import annotations

from pathlib import Path

from app.records.names import fold

FILE = "words.txt"
_SHORTEST_PART = 3

Words = tuple[str, ...]


class Equivalents:
    """Groups of words and phrases; folded, as everything that is searched for is."""

    def __init__(self, folder: Path) -> None:
        self._of: dict[str, dict[Words, None]] = {}
        path = folder / FILE
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        for line in lines:
            text = line.partition("#")[0]
            members = [words for one in text.split(",") if (words := _words(one))]
            for member in members:
                if len(member) == 1:
                    known = self._of.setdefault(member[0], {})
                    known.update((other, None) for other in members if other != member)

    def of(self, word: str) -> list[Words]:
        """The words and phrases that mean the same as a folded word."""
        return list(self._of.get(word, ()))

    def parts(self, word: str) -> tuple[str, str] | None:
        """A compound as what it is about and what it is: `hartziekten` is `hart` and `ziekten`.

        In Dutch and German the last part names the thing. The longest one known is taken.
        """
        for at in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
            first, last = word[:at], word[at:]
            if last in self._of and first in self._of:
                return first, last
        return None


def _words(text: str) -> Words:
    return tuple(fold(text).replace("-", " ").split())
