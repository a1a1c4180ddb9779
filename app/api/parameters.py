"""Query parameters and conditional headers as values, the same way at every door."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers

from app.errors import InvalidRequest
from app.records.search import nearest

_LONGEST_KEY = 255


def read_parameters(pairs: Iterable[tuple[str, str]], known: Collection[str]) -> dict[str, str]:
    """Parameters by name, each at most once; raises InvalidRequest naming the nearest known one."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            near = nearest(name, list(known))
            hint = f"; did you mean {near!r}?" if near else f"; there is {', '.join(known)}."
            raise InvalidRequest(f"No parameter {name[:60]!r} here{hint}", field=name, nearest=near)
        if name in given:
            raise InvalidRequest(f"{name} is given more than once.", field=name)
        given[name] = value
    return given


def read_choice(given: dict[str, str], name: str, choices: Collection[str], default: str) -> str:
    """A parameter with few values, case ignored."""
    value = given.get(name, default).lower()
    if value not in choices:
        raise InvalidRequest(
            f"{name} must be one of {', '.join(choices)}.",
            field=name,
            nearest=nearest(value, list(choices)),
        )
    return value


def read_flag(given: dict[str, str], name: str) -> bool:
    """A parameter that is `true` or `false`; false unless given."""
    return read_choice(given, name, ("true", "false"), "false") == "true"


def read_number(given: dict[str, str], name: str, default: int, most: int) -> int:
    """A parameter that is a number from 0 to `most`."""
    text = given.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) > most:
        raise InvalidRequest(f"{name} must be a number from 0 to {most}.", field=name)
    return int(text)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a client makes its change depend on (RFC 9110 §13), and the name of its attempt.

    `expects` is the generation that the dataset must be of, 0 for none yet; `exists` that it must
    have been published. `idempotency` is the Idempotency-Key.
    """

    expects: int | None = None
    exists: bool = False
    idempotency: str | None = None


def read_conditions(headers: Headers) -> Conditions:
    """`If-Match`, `If-None-Match: *` and `Idempotency-Key`; raises InvalidRequest."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if match is not None and none_match is not None:
        raise InvalidRequest("Send If-Match or If-None-Match, not both.", field="If-Match")
    key = headers.get("idempotency-key")
    if key is not None:
        key = key.strip().removeprefix('"').removesuffix('"')
        if not 1 <= len(key) <= _LONGEST_KEY or not key.isprintable():
            raise InvalidRequest(
                f"An Idempotency-Key has 1 to {_LONGEST_KEY} printable characters; a UUID is a "
                "good one.",
                field="Idempotency-Key",
            )
    if none_match is not None:
        if none_match.strip() != "*":
            raise InvalidRequest(
                "If-None-Match can only be * here: publish if there is nothing yet.",
                field="If-None-Match",
            )
        return Conditions(expects=0, idempotency=key)
    if match is None or match.strip() == "*":
        return Conditions(exists=match is not None, idempotency=key)
    found = re.fullmatch(r'"?([0-9]{1,9})(?:-[a-z0-9+]+)?"?', match.strip())
    if not found:
        raise InvalidRequest(
            'If-Match must be * or one ETag of the dataset: its generation, as in "12".',
            field="If-Match",
        )
    return Conditions(expects=int(found[1]), idempotency=key)
