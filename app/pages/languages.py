"""The languages of the interface: which one a request wants, and its texts.

The texts lie in ``texts/{language}.toml``, one flat table each, all with the same keys.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

LANGUAGES = {"en": "English", "nl": "Nederlands", "de": "Deutsch", "fr": "Français"}
DEFAULT = "en"
_FOLDER = Path(__file__).resolve().parent / "texts"


def choose_language(asked: str | None, accept_language: str | None) -> str:
    """Return the language of a reply: what the address asks, else Accept-Language, else English.

    Follows RFC 9110 §12.5.4 with the "lookup" of RFC 4647: ``de-AT`` gets ``de``.
    """
    if asked in LANGUAGES:
        return asked
    best, best_q = DEFAULT, 0.0
    for item in (accept_language or "").split(","):
        tag, _, parameters = item.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        quality = _quality(parameters)
        if primary in LANGUAGES and quality > best_q:
            best, best_q = primary, quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0


def preferred(texts: Mapping[str, str], lang: str, otherwise: str = "") -> str:
    """Return the text in `lang`, else in English, else any, else `otherwise`."""
    for key in (lang, DEFAULT):
        if texts.get(key):
            return texts[key]
    return next(iter(texts.values()), otherwise)


class Texts:
    """The interface texts of every language; a key that is missing raises KeyError."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._tables: dict[str, dict[str, str]] = {
            lang: tomllib.loads((folder / f"{lang}.toml").read_text("utf-8")) for lang in LANGUAGES
        }

    def get(self, lang: str, key: str, **values: object) -> str:
        """Return one text, its ``{placeholders}`` filled."""
        text = self._tables[lang][key]
        return text.format(**values) if values else text

    def find(self, lang: str, key: str) -> str | None:
        """Return one text as it stands, None where there is none."""
        return self._tables[lang].get(key)

    def keys(self, lang: str) -> set[str]:
        """Return the keys of one language."""
        return set(self._tables[lang])

    def months(self, lang: str) -> list[str]:
        """Return the names of the twelve months."""
        return self._tables[lang]["months"].split()
