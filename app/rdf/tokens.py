"""Just enough of SPARQL's tokens (SPARQL 1.1 §19.8) to see which keywords a text uses.

The engine has no switch that turns SERVICE off and shows no algebra, so the text is looked at
before it gets there. Strings, IRIs, comments, variables and prefixed names are passed over: a word
inside them is no keyword. Where the engine is laxer than the grammar (`SERVICESILENT<…>` and
`SERVICE:name{…}` are keywords to it), so is this. Linear in the text, whatever it is: no quantifier
gives back what it took, and after a string that never ends no other is looked for.

One thing cannot be told by tokens alone: to the grammar `(?a<'b>'…` holds an IRI, to the engine it
compares with a string. From such a place on nothing is taken for granted; see `tokens`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from app.errors import FederationRefused

PROLOGUE: Final = {"BASE": 1, "PREFIX": 2, "VERSION": 1}
"""The declarations before a query (SPARQL 1.1 §4.1, SPARQL 1.2 §4.1): tokens after the keyword."""

_CHARS = r"\w·\u0300-\u036F\u203F\u2040"
_RUN = rf"\w[{_CHARS}.\-]*+"
_CODEPOINT = r"\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}"
_LOCAL_ESCAPE = r"%[0-9A-Fa-f]{2}|\\[_~.\-!$&'()*+,;=/?\#@%]"
_STRINGS = r"""
      (?P<long>"{3}(?:[^"\\]++|\\.|"(?!""))*+"{3} | '{3}(?:[^'\\]++|\\.|'(?!''))*+'{3})
    | (?P<open_long>"{3} | '{3})
    | (?P<string>"(?:[^"\\\n\r]++|\\.)*+" | '(?:[^'\\\n\r]++|\\.)*+')
    | (?P<open>["'])
    | """
_REST = rf"""
      (?P<iri><(?:[^<>"{{}}|^`\\\x00-\x20]++|{_CODEPOINT})*+>)
    | (?P<comment>\#[^\n\r]*+)
    | (?P<variable>[?$][{_CHARS}]*+)
    | (?P<language>@[A-Za-z]++(?:-[A-Za-z0-9]++)*+)
    | (?P<blank>_:{_RUN})
    | (?P<name>(?P<prefix>{_RUN})?:
        (?:(?:[\w:]|{_LOCAL_ESCAPE})
           (?:[{_CHARS}:\-]++|\.++(?=[{_CHARS}:\-%\\])|{_LOCAL_ESCAPE})*+)?)
    | (?P<words>{_RUN})
    | (?P<other>[!<>]=|&&|\|\||\^\^|\S)
    """
_TOKEN = re.compile(_STRINGS + _REST, re.VERBOSE | re.DOTALL)
_TOKEN_AFTER_OPEN_STRING = re.compile(_REST, re.VERBOSE | re.DOTALL)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
# After `name:` nothing that begins with two slashes can follow, so this is an IRI in any reading.
_IN_TWO_WAYS = re.compile(r"<(?![A-Za-z][\w+.\-]*://).*['#()]", re.DOTALL)
_DOUBT = re.compile(r"(?P<doubt>.*)", re.DOTALL)
_OF_SELECT = frozenset({"DISTINCT", "REDUCED"})
# A subquery is the whole of its group; a full stop is wrong at the beginning, but right after that.
_NEVER_SECOND = frozenset({"SELECT", "."})
_OPEN = frozenset({"open", "open_long"})
_OPERAND_FOLLOWS = frozenset("(,=|&!+-*/^") | {"!=", "<=", ">=", "&&", "||", "^^"}


def used_keywords(text: str, *names: str) -> frozenset[str]:
    """Those of `names` (upper case) that a query or update uses as keywords.

    Codepoint escapes stand for their character anywhere in a text (§19.2), but the engine reads
    them in strings and IRIs only. A keyword counts if it is one in either reading.
    """
    readings = {text, _unescaped(text)} if "\\" in text else {text}
    found: set[str] = set()
    for reading in readings:
        upper = reading.upper()
        wanted = {*filter(upper.__contains__, names)} - found
        for name in _used(reading, sorted(wanted)) if wanted else ():
            found.add(name)
            if wanted <= found:
                break
    return frozenset(found)


def refuse_federation(text: str) -> None:
    """Raise FederationRefused if the text uses SERVICE or LOAD."""
    used = used_keywords(text, "SERVICE", "LOAD")
    if used:
        raise FederationRefused(
            f"{' and '.join(sorted(used))} would make this server call other addresses, which it "
            "does not. Run the federated part in a client of yours, or load the data as a "
            "submission."
        )


def undeclared_prefix(text: str) -> str | None:
    """The first prefix that a query or update uses without declaring it, with its colon.

    The engine says only what else it expected at that place.
    """
    declared, before = set(), ""
    for token in tokens(text):
        if token.lastgroup == "name":
            prefix = f"{token['prefix'] or ''}:"
            if before == "PREFIX":
                declared.add(prefix)
            elif prefix not in declared:
                return prefix
        if token.lastgroup != "comment":
            before = token.group().upper()
    return None


def _used(text: str, names: list[str]) -> Iterator[str]:
    depth, before, prefix_before = 0, "", ""
    for token in tokens(text):
        kind, word = token.lastgroup, token.group().upper()
        if kind == "comment":
            continue
        prefix = (token["prefix"] or "").upper() if kind == "name" else ""
        for name in names:
            if kind in {"words", "doubt"}:
                used = name in word  # the engine asks for no space around a keyword
            elif name == "SERVICE":
                used = word == "{" and name in prefix_before
            else:
                used = depth == 0 and before != "PREFIX" and name in prefix
            if used:
                yield name
        depth += (word == "{") - (word == "}")
        before, prefix_before = word, prefix


def tokens(text: str) -> Iterator[re.Match[str]]:
    """The tokens of a text; `lastgroup` is the kind of each.

    Where an IRI may be a less-than sign and what is compared, and the two readings would disagree
    on what follows, the last one is a `doubt`: all the rest of the text.
    """
    opened, before = [""], ""
    for token in _TOKEN.finditer(text):
        kind, word = token.lastgroup, token.group()
        if kind in _OPEN:
            yield from _TOKEN_AFTER_OPEN_STRING.finditer(text, token.end())
            return
        if kind == "iri" and _IN_TWO_WAYS.match(word):
            compares = opened[-1] == "(" and before not in _OPERAND_FOLLOWS
            if (compares or before == "<") and (rest := _DOUBT.match(text, token.start())):
                yield rest
                return
        yield token
        if kind != "comment":
            before = word
        if kind == "other" and word in "({":
            opened.append(word)
        elif kind == "other" and word in ")}" and len(opened) > 1:
            opened.pop()


class SelectStar(NamedTuple):
    """A query `SELECT *`: where its star is, and where the first pattern of a group begins.

    `names` are all variables, each once, as they come in the text, whether or not it shows them.
    """

    star: int
    pattern: int
    names: list[str]


def select_star(text: str) -> SelectStar | None:
    """What a query `SELECT *` has of it; None for any other text."""
    words = (token for token in tokens(text) if token.lastgroup != "comment")
    word = next(words, None)
    while word and (size := PROLOGUE.get(word.group().upper())):
        word = next(islice(words, size, None), None)
    if word is None or word.group().upper() != "SELECT":
        return None
    word = next(words, None)
    if word and word.group().upper() in _OF_SELECT:
        word = next(words, None)
    if word is None or word.group() != "*":
        return None
    pattern, before, names = None, word, dict[str, None]()
    for token in words:
        if pattern is None and before.group() == "{" and token.group().upper() not in _NEVER_SECOND:
            pattern = before.end()
        if token.lastgroup == "variable":
            names[token.group()[1:]] = None
        before = token
    return None if pattern is None else SelectStar(word.start(), pattern, [*names])


def unclosed_string(text: str) -> re.Match[str] | None:
    """The quote of a string that never ends."""
    found = (token for token in _TOKEN.finditer(text) if token.lastgroup in _OPEN)
    return next(found, None)


def values_blocks(text: str, name: str) -> Iterator[tuple[int, int]]:
    """Where the contents of the blocks `VALUES ?name { … }` begin and end.

    Of a text in which not every token is sure, nothing is said.
    """
    found = [token for token in tokens(text) if token.lastgroup != "comment"]
    if any(token.lastgroup == "doubt" for token in found):
        return
    for at, token in enumerate(found[:-3]):
        keyword, variable, opening = (one.group() for one in found[at : at + 3])
        is_block = keyword.upper() == "VALUES" and variable[1:] == name and opening == "{"
        if is_block and token.lastgroup == "words" and found[at + 1].lastgroup == "variable":
            closing = next((one for one in found[at + 3 :] if one.group() == "}"), None)
            if closing is not None:
                yield found[at + 2].end(), closing.start()


def _unescaped(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = int(match.group(1) or match.group(2), 16)
        return chr(code) if code <= sys.maxunicode else "\ufffd"

    return _ESCAPE.sub(character, text)
