"""Named queries: a text with defaults that runs as it stands, and values in their place. Pure.

A parameter is a variable whose default stands in a block of its own, `VALUES ?name { … }`. A value
that is given is checked, serialised as a term, and takes the place of what the block holds; only
tokens are looked at, so no text of a client can become a part of the query's grammar.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pyoxigraph import Literal, NamedNode

from app.errors import InvalidRequest
from app.rdf.terms import RDF, XSD
from app.rdf.tokens import values_blocks

FORMAT_PARAMETERS = ("format", "output")
"""What says in which form the result is wanted; no parameter of a query has these names."""

MOST_VALUES = 100
"""As many as an address can hold, at their longest."""
_LONGEST_VALUE = 500
_LANGUAGE = re.compile(r"(?P<text>.+)@(?P<language>[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)", re.DOTALL)

_DECIMAL = r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})"

Term = NamedNode | Literal


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of parameter: what a value must look like, and its JSON Schema."""

    name: str
    hint: str
    read: Callable[[str], Term | None]
    schema: Mapping[str, str | int]


def _iri(text: str) -> Term | None:
    try:
        return NamedNode(text) if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text) else None
    except ValueError:
        return None


def _in_language(text: str) -> Term | None:
    found = _LANGUAGE.fullmatch(text)
    try:
        return Literal(found["text"], language=found["language"]) if found else None
    except ValueError:
        return None


def _typed(datatype: str, pattern: str) -> Callable[[str], Term | None]:
    def read(text: str) -> Term | None:
        return Literal(text, datatype=XSD[datatype]) if re.fullmatch(pattern, text) else None

    return read


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "iri",
            "an absolute IRI",
            _iri,
            {"type": "string", "format": "iri", "maxLength": _LONGEST_VALUE},
        ),
        Kind("string", "a text", Literal, {"type": "string", "maxLength": _LONGEST_VALUE}),
        Kind(
            "text",
            "a text and its language, as in imaging@en",
            _in_language,
            {"type": "string", "pattern": r"^[^@]{1,400}@[A-Za-z]{2,3}(-[A-Za-z]{2})?$"},
        ),
        Kind(
            "date",
            "a date like 2018-07-01",
            _typed("date", r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"),
            {"type": "string", "format": "date"},
        ),
        Kind(
            "integer",
            "a whole number",
            _typed("integer", "[+-]?[0-9]{1,18}"),
            {"type": "integer", "minimum": 1 - 10**18, "maximum": 10**18 - 1},
        ),
        Kind(
            "decimal",
            "a number like 2.5",
            _typed("decimal", _DECIMAL),
            {"type": "string", "pattern": f"^{_DECIMAL}$"},
        ),
        Kind("boolean", "true or false", _typed("boolean", "true|false"), {"type": "boolean"}),
    )
}

DATATYPES = {
    XSD["string"]: "string",
    RDF["langString"]: "text",
    **{XSD[name]: name for name in ("date", "integer", "decimal", "boolean")},
}
"""sh:datatype of a declaration → the kind of parameter; without one it is an IRI."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter; its default stands in the text."""

    name: str
    kind: Kind
    description: str = ""


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A query with a name; `titles` by language."""

    name: str
    iri: str
    titles: Mapping[str, str]
    text: str
    keywords: Sequence[str] = ()
    parameters: Sequence[Parameter] = ()

    def defaults(self, parameter: Parameter) -> str:
        """What stands in a parameter's block."""
        start, end = next(values_blocks(self.text, parameter.name))
        return self.text[start:end].strip()

    def bound(self, given: Iterable[tuple[str, str]]) -> str:
        """The text with the given values in place of defaults; a name may be given repeatedly.

        Raises InvalidRequest for an unknown name and for a value that is not of its type.
        """
        terms: dict[str, list[Term]] = {}
        known = {one.name: one for one in self.parameters}
        for name, text in given:
            if name not in known:
                raise _unknown(name, [*known, *FORMAT_PARAMETERS])
            found = terms.setdefault(name, [])
            found.append(_read(known[name], text))
            if len(found) > MOST_VALUES:
                raise InvalidRequest(f"{name} is given more than {MOST_VALUES} times.", field=name)
        edits = [
            (start, end, " ".join(map(str, found)))
            for name, found in terms.items()
            for start, end in values_blocks(self.text, name)
        ]
        text = self.text
        for start, end, content in sorted(edits, reverse=True):
            text = f"{text[:start]} {content} {text[end:]}"
        return text


def usable(parameters: Iterable[Parameter], text: str) -> list[Parameter]:
    """Those parameters that have a block in the text, and a name that means nothing else."""
    return [
        one
        for one in parameters
        if one.name not in FORMAT_PARAMETERS and next(values_blocks(text, one.name), None)
    ]


def _read(parameter: Parameter, text: str) -> Term:
    term = parameter.kind.read(text) if len(text) <= _LONGEST_VALUE else None
    if term is None:
        raise InvalidRequest(
            f"{parameter.name} must be {parameter.kind.hint}, of at most {_LONGEST_VALUE:,} "
            f"characters: {text[:60]!r} is not.",
            field=parameter.name,
        )
    return term


def _unknown(name: str, known: Sequence[str]) -> InvalidRequest:
    near = next(iter(difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)), None)
    hint = f"did you mean {near!r}?" if near else f"there is {', '.join(known)}."
    return InvalidRequest(f"No parameter {name[:60]!r} here; {hint}", field=name[:60], nearest=near)
