"""What the columns of a CSV mean: Metadata Vocabulary for Tabular Data (W3C, 17 December 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from app.rdf.terms import XSD
from app.records.exports.columns import Column, Table
from app.records.exports.comma_separated import SEPARATOR

MEDIA_TYPE = "application/csvm+json"

_BUILT_IN = frozenset(
    (
        *("anyURI", "boolean", "date", "dateTime", "decimal", "double", "duration", "float"),
        *("integer", "long", "int", "short", "byte", "nonNegativeInteger", "positiveInteger"),
        *("gDay", "gMonth", "gMonthDay", "gYear", "gYearMonth", "string", "time"),
    )
)
"""Datatypes of XML Schema that the vocabulary knows (§5.11.1)."""


def describe_csv(table: Table, url: str) -> Mapping[str, Any]:
    """The metadata document of the table whose file is at `url`, relative to the document.

    A column that says what the graph says of the entity itself has `propertyUrl`; all others have
    `suppressOutput`, so that whoever makes RDF of the file makes only true statements.
    """
    kind = table.kind
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": url,
        "dc:title": _texts(kind.labels),
        "dc:description": _texts(kind.comments),
        "dialect": {"header": True, "encoding": "utf-8", "lineTerminators": ["\r\n"]},
        "tableSchema": {
            "aboutUrl": "{+id}",
            "primaryKey": "id",
            "columns": [_column(column) for column in table.columns],
        },
        "notes": [
            "Several values of a cell are separated by ' | '; | and \\ inside a value have a "
            "backslash before them. A text that a spreadsheet could take for a formula has an "
            "apostrophe before it."
        ],
    }


def _column(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": variable(column.name),
        # A header must be one of the titles (§5.6 and Tabular Data Model §6.2).
        "titles": {"und": column.name, **column.titles},
        "datatype": datatype(column),
    }
    if column.descriptions:
        found["dc:description"] = _texts(column.descriptions)
    if column.many:
        found["separator"] = SEPARATOR
    if column.lang:
        found["lang"] = column.lang
    if column.required:
        found["required"] = True
    if column.predicate is not None:
        found["propertyUrl"] = column.predicate.value
    if not _is_statement(column):
        found["suppressOutput"] = True
    return found


def _is_statement(column: Column) -> bool:
    """Whether the graph says, of the entity, by the predicate, just what stands in the cell."""
    if not column.own or column.predicate is None:
        return False
    return column.shows in {"value", "id"} or column.lang is not None


def variable(name: str) -> str:
    """A column's name as a variable of a URI template (RFC 6570 §2.3)."""
    return quote(name, safe="").replace("-", "%2D").replace("~", "%7E")


def datatype(column: Column) -> str:
    """The vocabulary's name of what a cell holds; `string` for what it has no name for."""
    iri = column.datatype.value
    name = iri.removeprefix(XSD)
    return name if iri.startswith(XSD) and name in _BUILT_IN else "string"


def _texts(texts: Mapping[str, str]) -> Any:
    """Texts by language (JSON-LD language values, §5.5 common properties)."""
    return [{"@value": text, "@language": lang} for lang, text in texts.items()]
