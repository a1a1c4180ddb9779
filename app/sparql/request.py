"""What the protocols of this room look at in an HTTP request, and how its parameters are read."""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from pyoxigraph import NamedNode

from app.errors import InvalidRequest, UnsupportedMediaType
from app.rdf import media

QUERY_TYPE = "application/sparql-query"
UPDATE_TYPE = "application/sparql-update"
FORM_TYPE = "application/x-www-form-urlencoded"
_MAX_GRAPHS = 1_000

Parameters = Sequence[tuple[str, str]]


class Request(NamedTuple):
    """What the protocol looks at."""

    method: str
    query_string: bytes = b""
    content_type: str | None = None
    accept: str | None = None
    body: bytes = b""


def decoded(form: bytes) -> list[tuple[str, str]]:
    """Percent-decoded once, `+` is a space; bytes that are not UTF-8 are refused."""
    parts = form.split(b"&", 2 * _MAX_GRAPHS)
    if len(parts) > 2 * _MAX_GRAPHS:
        raise InvalidRequest(f"The parameters do not parse: there are more than {2 * _MAX_GRAPHS}.")
    if not form.isascii():
        raise InvalidRequest("The parameters must be percent-encoded UTF-8.")
    found = []
    try:
        for part in parts:
            if part:
                name, _, value = part.partition(b"=")
                found.append((_unquoted(name), _unquoted(value)))
    except UnicodeDecodeError:
        raise InvalidRequest("The parameters must be percent-encoded UTF-8.") from None
    return found


def _unquoted(data: bytes) -> str:
    """Like `urllib.parse.unquote_plus`, which takes 0.1 s for what may be sent here.

    Each step is one of C: an escape of percent-encoding is one of quoted-printable, but for the
    sign that begins it. What is none is left as it is, and does not get shorter; only the ends of
    lines mean something else there.
    """
    if b"+" in data:
        data = data.replace(b"+", b" ")
    if escapes := data.count(b"%"):
        read = a2b_qp(data.replace(b"=", b"=3D").replace(b"%", b"="))
        regular = len(read) == len(data) - 2 * escapes and b"\n" not in data and b"\r" not in data
        data = read if regular else unquote_to_bytes(data)
    return data.decode()


def utf8_body(request: Request, kind: str) -> str:
    """The body as text; both protocols allow no other charset (§2.1.3, §2.2.2)."""
    for parameter in (request.content_type or "").split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset" and value.strip('"').lower() not in {"utf-8", "utf8"}:
            bare = media.bare(request.content_type)
            raise UnsupportedMediaType(request.content_type, [f"{bare}; charset=utf-8"])
    try:
        return request.body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The {kind} is not UTF-8 (byte {error.start}).") from None


def graph_iris(parameters: Parameters, name: str) -> tuple[str, ...]:
    """The graphs that the parameter `name` names, each once."""
    iris = tuple(dict.fromkeys(value for key, value in parameters if key == name))
    if len(iris) > _MAX_GRAPHS:
        raise InvalidRequest(f"More than {_MAX_GRAPHS} times {name}.", field=name)
    for iri in iris:
        try:
            NamedNode(iri)
        except ValueError:
            raise InvalidRequest(f"{name} must be an absolute IRI: {iri!r}.", field=name) from None
    return iris


def check_version(parameters: Parameters) -> None:
    """A version of SPARQL is announced once at most (SPARQL 1.2 Protocol §2.2, §2.3).

    Nothing follows from it: the engine reads every version.
    """
    if sum(name == "version" for name, _ in parameters) > 1:
        raise InvalidRequest("The parameter 'version' must be given once only.", field="version")


def switch(parameters: Parameters, name: str) -> bool:
    """Whether `name` is switched on; a misspelt one is refused, lest a trial be the real thing."""
    for key, _ in parameters:
        if key != name and re.sub("[-_]", "", key).lower() == name.replace("_", ""):
            raise InvalidRequest(f"Unknown parameter {key!r}.", field=key[:40], nearest=name)
    values = {value.lower() for key, value in parameters if key == name}
    if not values:
        return False
    if len(values) > 1 or not values <= {"true", "false", "1", "0"}:
        raise InvalidRequest(f"{name} must be true or false.", field=name)
    return values <= {"true", "1"}
