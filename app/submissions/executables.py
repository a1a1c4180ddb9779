"""Named queries are run as they stand: what does not parse, or has no defaults, is refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from pyoxigraph import Literal, NamedNode, Quad, Store

from app.errors import InvalidRequest
from app.rdf.rejection import rejected
from app.rdf.terms import SH, SPEX, Subject, Term, type_
from app.rdf.tokens import values_blocks
from app.sandbox.findings import Finding, Rule

_SHAPES: Final = "https://w3id.org/lifetec/shapes#"
_FORMS: Final = (
    *(SH[form] for form in ("select", "ask", "construct", "describe")),
    SPEX["describe"],
)
_SYNTAX: Final = {
    "en": "The query does not parse{place}: {fault}",
    "nl": "De query is niet te lezen{place}: {fault}",
    "de": "Die Abfrage lässt sich nicht lesen{place}: {fault}",
    "fr": "La requête ne peut pas être lue{place} : {fault}",
}
_PLACE: Final = {
    "en": " (line {line}, column {column})",
    "nl": " (regel {line}, kolom {column})",
    "de": " (Zeile {line}, Spalte {column})",
    "fr": " (ligne {line}, colonne {column})",
}
_NO_BLOCK: Final = {
    "en": "The query has no default for this parameter: write VALUES ?{name} {{ … }} in it.",
    "nl": "De query heeft geen standaardwaarde voor deze parameter: schrijf er "
    "VALUES ?{name} {{ … }} in.",
    "de": "Die Abfrage hat keinen Vorgabewert für diesen Parameter: schreiben Sie "
    "VALUES ?{name} {{ … }} hinein.",
    "fr": "La requête n'a pas de valeur par défaut pour ce paramètre : écrivez-y "
    "VALUES ?{name} {{ … }}.",
}

Describe = Callable[[Subject, NamedNode], Iterable[Quad]]


def faults(data: Iterable[Quad], look_up: Describe, base_iri: str) -> list[Finding]:
    """What is wrong with each `sh:SPARQLExecutable` in the data that is not one of its shape.

    Parameters that the data only refers to are looked up.
    """
    queries: set[Subject] = set()
    said: dict[tuple[Subject, NamedNode], list[Term]] = defaultdict(list)
    told = {*_FORMS, SH["parameter"], SH["name"]}
    for quad in data:
        if quad.predicate in told:
            said[quad.subject, quad.predicate].append(quad.object)
        elif quad.predicate == type_ and quad.object == SH["SPARQLExecutable"]:
            queries.add(quad.subject)

    def values(node: Subject, predicate: NamedNode) -> list[Term]:
        return said.get((node, predicate)) or [one.object for one in look_up(node, predicate)]

    return [
        finding
        for query in sorted(queries, key=str)
        for form in _FORMS
        for text in said.get((query, form), ())
        if isinstance(text, Literal)
        for finding in _faults(query, form, text, values, base_iri)
    ]


def _faults(
    query: Subject,
    form: NamedNode,
    text: Literal,
    values: Callable[[Subject, NamedNode], list[Term]],
    base_iri: str,
) -> Iterator[Finding]:
    error = _rejection(text.value, base_iri)
    if error is not None:
        yield Finding(_rule("Query-text", form, _in_words(error)), query, None)
        return
    for node in values(query, SH["parameter"]):
        for name in values(node, SH["name"]) if not isinstance(node, Literal) else ():
            if not isinstance(name, Literal) or next(values_blocks(text.value, name.value), None):
                continue
            messages = {lang: said.format(name=name.value) for lang, said in _NO_BLOCK.items()}
            yield Finding(_rule("QueryParameter-name", SH["name"], messages), node, name)


def _rejection(text: str, base_iri: str) -> InvalidRequest | None:
    """What the engine says against a text; it reads all of it before it asks anything."""
    read = partial(Store().query, base_iri=base_iri)
    try:
        read(text)
    except (SyntaxError, RuntimeError, ValueError) as error:
        return rejected(error, text, read)
    return None


def _in_words(error: InvalidRequest) -> dict[str, str]:
    place = {key: error.facts.get(key) for key in ("line", "column")}
    return {
        lang: said.format(
            fault=error.detail,
            place=_PLACE[lang].format(**place) if None not in place.values() else "",
        )
        for lang, said in _SYNTAX.items()
    }


def _rule(shape: str, path: NamedNode, messages: Mapping[str, str]) -> Rule:
    return Rule("violation", f"{_SHAPES}{shape}", path, "SPARQL", messages)
