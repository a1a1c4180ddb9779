"""What the engine says against a query or an update, as an error that names the place.

The engine says how far any of its rules came, which may be far behind the mistake. What it knows
exactly is whether a text is the beginning of another that parses, so it is asked that of longer and
shorter beginnings, until the token is found that ends it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from app.errors import InvalidRequest, QueryRejected, SyntaxRejected
from app.rdf.tokens import tokens, unclosed_string, undeclared_prefix, used_keywords

_MAX_MESSAGE = 400
_MAX_SHOWN = 30

_LONGEST = 10_000
"""Characters of a text in which the place is looked for; the engine reads it a dozen times."""

_PADDING = "\n" + " " * 64 + "\0"
"""Put after a beginning. No text goes on with the last character, so nothing is evaluated."""

_BEYOND = 40
"""A column of the padding. The engine places an error behind the longest keyword that it tried,
which begins in what stands before and reaches less far."""

_NO_PREFIX = "Prefix not found"
_NO_GROUPS = "SELECT * is not authorized with GROUP BY"

_WORDS = """
    ADD ALL AS ASC ASK BASE BIND BY CLEAR CONSTRUCT COPY CREATE DATA DEFAULT DELETE DESC
    DESCRIBE DISTINCT DROP EXISTS FILTER FROM GRAPH GROUP HAVING IN INSERT INTO LIMIT LOAD
    MINUS MOVE NAMED NOT OFFSET OPTIONAL ORDER PREFIX REDUCED SELECT SEPARATOR SERVICE SILENT
    TO UNDEF UNION USING VALUES WHERE WITH AVG COUNT GROUP_CONCAT MAX MIN SAMPLE SUM ABS BNODE
    BOUND CEIL COALESCE CONCAT CONTAINS DATATYPE DAY ENCODE_FOR_URI FLOOR HOURS IF IRI ISBLANK
    ISIRI ISLITERAL ISNUMERIC ISURI LANG LANGMATCHES LCASE MD5 MINUTES MONTH NOW RAND REGEX
    REPLACE ROUND SAMETERM SECONDS SHA1 SHA256 SHA384 SHA512 STR STRAFTER STRBEFORE STRDT
    STRENDS STRLANG STRLEN STRSTARTS STRUUID SUBSTR TIMEZONE TZ UCASE URI UUID YEAR
"""
_KEYWORDS = _WORDS.split()

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^>]*\Z")
_OPENING = {"}": "{", ")": "(", "]": "["}

Token = re.Match[str]


def rejected(error: Exception, text: str, read: Callable[[str], object]) -> InvalidRequest:
    """SyntaxRejected with line and column where the text does not parse, else QueryRejected.

    `read` has the engine read a beginning of the text in the same way, without data.
    """
    if not isinstance(error, SyntaxError):
        return QueryRejected(f"{error}."[:_MAX_MESSAGE])
    sentence = _sentence(error, text)
    if len(text) > _LONGEST:
        line, column = _place(error) or (None, None)
        if prefix := undeclared_prefix(text):
            sentence = _undeclared(prefix)
        known = f"Read up to line {line}, column {column}; the mistake is there or before."
        return SyntaxRejected((sentence or known)[:_MAX_MESSAGE], line=line, column=column)
    found = [token for token in tokens(text) if token.lastgroup != "comment"]
    fitting = _fitting(text, found, read)
    detail, at = _explained(text, found[: fitting + 1], fitting < len(found), sentence)
    line, column = _counted(text, at)
    return SyntaxRejected(detail[:_MAX_MESSAGE], line=line, column=column)


def _fitting(text: str, found: Sequence[Token], read: Callable[[str], object]) -> int:
    """How many tokens a text may begin with that parses.

    Between the name of a function and its bracket the engine lets no padding be.
    """
    cuts = [
        number
        for number, token in enumerate(found, 1)
        if token.lastgroup != "words" or text[token.end() : token.end() + 1] != "("
    ]
    fitting = bisect_left(cuts, True, key=lambda cut: not _fits(text[: found[cut - 1].end()], read))
    return cuts[fitting - 1] if fitting else 0


def _fits(beginning: str, read: Callable[[str], object]) -> bool:
    """Whether a text may begin so."""
    try:
        read(beginning + _PADDING)
    except SyntaxError as error:
        place = _place(error)
        return place is None or place >= (beginning.count("\n") + 2, _BEYOND)
    except (RuntimeError, ValueError):
        return True
    return True


def _place(error: SyntaxError) -> tuple[int, int] | None:
    """Line and column that the engine names."""
    place = re.match(r"error at (\d+):(\d+): ", error.msg or str(error))
    return (int(place[1]), int(place[2])) if place else None


def _sentence(error: SyntaxError, text: str) -> str | None:
    """What the engine says when it is the sense that is wrong; else it lists what it looked for."""
    said = re.sub(r"^error at \d+:\d+: ", "", error.msg or str(error))
    if not said.startswith("expected "):
        return said
    for wanted in said.removeprefix("expected ").removeprefix("one of ").split(", "):
        if " " in wanted and wanted[0].isalpha() and wanted != _NO_PREFIX:
            if wanted == _NO_GROUPS and not used_keywords(text, "SELECT"):
                return "Only a SELECT can have GROUP BY or aggregates; put one in as a subquery."
            return f"{wanted.rstrip('.')}."
    return None


def _undeclared(prefix: str) -> str:
    return f"The prefix {prefix} is used without a PREFIX declaration."


def _explained(
    text: str, found: Sequence[Token], misfits: bool, sentence: str | None
) -> tuple[str, int]:
    """What is wrong, and where; `found` are the tokens so far, of which the last may misfit."""
    quote = unclosed_string(text)
    if quote and not (misfits and found[-1].start() < quote.start()):
        return f"The string that begins at {_where(text, quote)} is not closed.", quote.start()
    if not misfits:
        return _unfinished(text, found, sentence)
    *before, fault = found
    prefix = undeclared_prefix(text)
    if sentence:
        detail = sentence
    elif fault.lastgroup == "name" and prefix == f"{fault['prefix'] or ''}:":
        detail = _undeclared(prefix)
    else:
        word = fault.group()
        shown = word if len(word) <= _MAX_SHOWN else f"{word[:_MAX_SHOWN]}…"
        detail = (
            f"'{shown}' at {_where(text, fault)} does not fit there{_hint(text, before, fault)}"
        )
    return detail, fault.start()


def _hint(text: str, before: Sequence[Token], fault: Token) -> str:
    """The rest of a sentence: what may help against a token that does not fit."""
    word, opened = fault.group(), _opened(before)
    if fault.lastgroup == "words" and word.upper() not in _KEYWORDS:
        near = get_close_matches(word.upper(), _KEYWORDS, 1, 0.7)
        return f". Did you mean {near[0]}?" if near else "."
    if word not in _OPENING:
        return "."
    if not opened:
        return "; it closes nothing."
    if opened[-1].group() != _OPENING[word]:
        return f": the {opened[-1].group()} at {_where(text, opened[-1])} is not closed yet."
    return "; something before it may be missing."


def _unfinished(text: str, found: Sequence[Token], sentence: str | None) -> tuple[str, int]:
    """Of a text that may go on, or has a wrong sense as a whole."""
    end = len(text.rstrip())
    if sentence:
        return sentence, end
    for token in found:
        if token.group() == "<" and _SCHEME.match(text, token.end()):
            return f"The IRI that begins at {_where(text, token)} is not closed.", token.start()
    if opened := _opened(found):
        last = opened[-1]
        return f"The {last.group()} at {_where(text, last)} is not closed.", end
    return "The text ends before it is whole.", end


def _opened(found: Sequence[Token]) -> list[Token]:
    """The brackets that are open after these tokens."""
    opened: list[Token] = []
    for token in found:
        if token.lastgroup == "other" and token.group() in _OPENING.values():
            opened.append(token)
        elif token.lastgroup == "other" and token.group() in _OPENING and opened:
            opened.pop()
    return opened


def _counted(text: str, at: int) -> tuple[int, int]:
    """Line and column, from 1."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _where(text: str, token: Token) -> str:
    return "line {}, column {}".format(*_counted(text, token.start()))
