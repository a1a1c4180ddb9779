"""What the engine says against a query or an update, as an error that names the place."""

from __future__ import annotations

from app.errors import InvalidRequest, QueryRejected, SyntaxRejected
from app.rdf.tokens import undeclared_prefix

_MAX_MESSAGE = 400


def rejected(error: Exception, text: str) -> InvalidRequest:
    """SyntaxRejected with line and column where the text does not parse, else QueryRejected."""
    if not isinstance(error, SyntaxError):
        return QueryRejected(f"{error}."[:_MAX_MESSAGE])
    message = error.msg or str(error)
    place, _, rest = message.removeprefix("error at ").partition(": ")
    line, _, column = place.partition(":")
    known = line.isdigit() and column.isdigit()
    at = (int(line), int(column)) if known else (error.lineno, error.offset)
    if prefix := undeclared_prefix(text):
        message = f"The prefix {prefix} is used without a PREFIX declaration."
    elif known:
        message = _told(rest, *at)
    return SyntaxRejected(message[:_MAX_MESSAGE], line=at[0], column=at[1])


def _told(rest: str, line: int | None, column: int | None) -> str:
    """What the engine says, without its signs for kinds of characters.

    It names the farthest place that any rule came to, and what was tried there: a sentence when it
    is the sense that is wrong, else keywords.
    """
    if not rest.startswith("expected "):
        return rest
    wanted = rest.removeprefix("expected ").removeprefix("one of ").split(", ")
    for sentence in wanted:
        if " " in sentence and sentence[0].isalpha():
            return f"{sentence.rstrip('.')}."
    words = " or ".join(word for word in wanted if word.isalpha() and word.isupper())
    tried = f", where {words} was looked for" if words else ""
    return f"Read up to line {line}, column {column}{tried}; the mistake is there or before."
