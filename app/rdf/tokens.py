"""Just enough of SPARQL's tokens (SPARQL 1.1 §19.8) to see which keywords a text uses.

The engine has no switch that turns SERVICE off and shows no algebra, so the text is looked at
before it gets there. Strings, IRIs, comments, variables and prefixed names are passed over: a word
inside them is no keyword. Linear in the text, whatever it is.
"""

from __future__ import annotations

import re
import sys

from app.errors import FederationRefused

_TOKEN = re.compile(
    r"""
      (?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
    | (?P<string>\"\"\"(?:[^"\\]|\\.|"(?!""))*\"\"\" | '''(?:[^'\\]|\\.|'(?!''))*'''
        | "(?:[^"\\\n\r]|\\.)*" | '(?:[^'\\\n\r]|\\.)*')
    | (?P<comment>\#[^\n\r]*)
    | (?P<variable>[?$]\w*)
    | (?P<language>@[A-Za-z]+(?:-[A-Za-z0-9]+)*)
    | (?P<name>(?:\w(?:[\w.\-·]*[\w\-·])?)?:(?:[\w:%\-.·~]|\\.)*)
    | (?P<blank>_:[\w.\-·]*)
    | (?P<word>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")


def keywords(text: str) -> frozenset[str]:
    """Upper-case words of a query or update that stand where a keyword may stand."""
    return frozenset(
        match.group().upper()
        for match in _TOKEN.finditer(_unescaped(text))
        if match.lastgroup == "word"
    )


def refuse_federation(text: str) -> None:
    """Raise FederationRefused if the text uses SERVICE or LOAD."""
    used = keywords(text) & {"SERVICE", "LOAD"}
    if used:
        raise FederationRefused(
            f"{' and '.join(sorted(used))} would make this server call other addresses, which it "
            "does not. Run the federated part in a client of yours, or load the data as a "
            "submission."
        )


def _unescaped(text: str) -> str:
    """Codepoint escapes stand for their character anywhere in a text (§19.2)."""

    def character(match: re.Match[str]) -> str:
        code = int(match.group(1) or match.group(2), 16)
        return chr(code) if code <= sys.maxunicode else "\ufffd"

    return _ESCAPE.sub(character, text) if "\\" in text else text
