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
    if prefix := undeclared_prefix(text):
        rest = message = f"The prefix {prefix} is used without a PREFIX declaration."
    if known:
        return SyntaxRejected(rest[:_MAX_MESSAGE], line=int(line), column=int(column))
    return SyntaxRejected(message[:_MAX_MESSAGE], line=error.lineno, column=error.offset)
