"""JSON Schema 2020-12 of records, as OpenAPI 3.1 components, in the profile's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyoxigraph as ox

from app.profile.model import EntityType, Field, Part, Profile
from app.rdf.terms import GEO, XSD

Schema = dict[str, Any]

_INTEGERS = ("integer", "int", "long", "short", "nonNegativeInteger", "positiveInteger")
_NUMBERS = {XSD[name] for name in _INTEGERS}
_FORMATS: Mapping[ox.NamedNode, str] = {
    XSD["date"]: "date",
    XSD["dateTime"]: "date-time",
    XSD["time"]: "time",
    XSD["duration"]: "duration",
    XSD["anyURI"]: "uri",
    XSD["decimal"]: "decimal",
    XSD["double"]: "double",
    XSD["float"]: "float",
    XSD["gYear"]: "year",
    XSD["gYearMonth"]: "year-month",
    GEO["wktLiteral"]: "wkt",
}


def json_schemas(profile: Profile) -> dict[str, Schema]:
    """Schema name → schema: one for each entity type and part, and those they share."""
    schemas = _shared(profile)
    for part in profile.parts:
        schemas[schema_name(part)] = _part_schema(part, profile)
    for kind in profile.types:
        schemas[schema_name(kind)] = _type_schema(kind, profile)
        schemas[f"{schema_name(kind)}Page"] = _page_schema(kind.collection, schema_name(kind))
    schemas["AnyPage"] = _page_schema("records of any type", "AnyRecord")
    return schemas


def schema_name(shape: EntityType | Part) -> str:
    """The component's name: ``Organisation``; parts end in ``Part``: ``AddressPart``."""
    words = re.split(r"[^A-Za-z0-9]+", shape.name)
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return name if isinstance(shape, EntityType) else f"{name.removesuffix('Shape')}Part"


def example_record(kind: EntityType, profile: Profile) -> dict[str, Any]:
    """A record made of the example values of the shapes."""
    slug = "example"
    label = kind.field("label")
    texts = _example(label, profile) if label else {"en": "Example"}
    return {
        "id": profile.iri(kind.name, slug),
        "type": [profile.class_terms.get(kind.classes[0].value, kind.classes[0].value)],
        "name": next(iter(texts.values()), "") if isinstance(texts, dict) else str(texts),
        "url": f"/{kind.collection}/{slug}",
        **_examples(kind.fields, profile),
    }


def _shared(profile: Profile) -> dict[str, Schema]:
    return {
        "Reference": {
            "type": "object",
            "title": "Reference",
            "description": "Another thing: its IRI, its best label, and where it is shown.",
            "properties": {
                "id": {"type": "string", "format": "iri", "description": "IRI of the thing"},
                "name": {"type": "string", "description": "Best label in the language asked for"},
                "url": {
                    "type": "string",
                    "format": "uri-reference",
                    "description": "Its page here, or the IRI of a thing this graph only links to",
                },
            },
            "required": ["id", "name", "url"],
        },
        "LanguageMap": {
            "type": "object",
            "title": "Text by language",
            "description": "Language tag → text; '@none' holds text without a known language. "
            "Keys are BCP 47 tags in lower case.",
            "additionalProperties": {"type": "string"},
            "examples": [{"en": "Example", "nl": "Voorbeeld"}],
        },
        "LanguageMapOfLists": {
            "type": "object",
            "title": "Texts by language",
            "description": "Language tag → texts; '@none' holds texts without a known language.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "examples": [{"en": ["Example"]}],
        },
        "TypedValue": {
            "type": "object",
            "title": "Value with its datatype",
            "description": "A value whose datatype is not the usual one of its field.",
            "properties": {
                "@value": {"type": "string"},
                "@type": {"type": "string", "format": "iri"},
            },
            "required": ["@value", "@type"],
        },
        "Facet": {
            "type": "object",
            "title": "Facet value",
            "properties": {
                "value": {"type": "string", "description": "Use it as the filter's value"},
                "name": {"type": "string", "description": "Label in the language asked for"},
                "count": {"type": "integer", "minimum": 0},
            },
            "required": ["value", "name", "count"],
        },
        "AnyRecord": {
            "type": "object",
            "title": "Record",
            "description": "A record of any type.",
            "properties": _head(None),
            "required": ["id", "type", "name", "url"],
            "examples": [example_record(profile.types[0], profile)] if profile.types else [],
        },
    }


def _head(kind: EntityType | None) -> dict[str, Schema]:
    return {
        "@context": {"type": "string", "format": "uri", "description": "JSON-LD context"},
        "id": {"type": "string", "format": "iri", "description": "IRI; it never changes"},
        "type": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Short names of the profile's classes; other classes as full IRIs",
        },
        "name": {"type": "string", "description": "Best label in the language asked for"},
        "url": {
            "type": "string",
            "format": "uri-reference",
            "description": "Page of the record" if kind is None else f"/{kind.collection}/{{slug}}",
        },
        "example": {"type": "boolean", "const": True, "description": "Present on fictional data"},
        "distance": {
            "type": "number",
            "minimum": 0,
            "description": "Kilometres, where it was searched near a place",
        },
        "asserted_by": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Reference"},
            "description": "The datasets that speak of it",
        },
        "also": {
            "type": "object",
            "description": "Further values of fields that hold one value each, where datasets "
            "differ: field → list of values",
        },
        "truncated": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Derived fields that hold more values than are shown",
        },
    }


def _type_schema(kind: EntityType, profile: Profile) -> Schema:
    return {
        "type": "object",
        "title": kind.label("en"),
        "description": kind.comment("en"),
        "properties": {**_head(kind), **_properties(kind.fields, profile)},
        # A record shows what the sources say. What the shapes require is marked in each
        # description, because data may come in before a stricter shape does.
        "required": ["id", "type", "name", "url"],
        "examples": [example_record(kind, profile)],
    }


def _part_schema(part: Part, profile: Profile) -> Schema:
    return {
        "type": "object",
        "title": _text(part.labels) or part.name,
        "description": _text(part.comments),
        "properties": {
            "id": {"type": "string", "format": "iri"},
            "type": {"type": "array", "items": {"type": "string"}},
            **_properties(part.fields, profile),
        },
        "required": ["id"],
    }


def _page_schema(title: str, name: str) -> Schema:
    return {
        "type": "object",
        "title": f"Page of {title}",
        "properties": {
            "@context": {"type": "string", "format": "uri"},
            "total": {"type": "integer", "minimum": 0, "description": "Records that match"},
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}},
            "next": {
                "type": ["string", "null"],
                "format": "uri",
                "description": "The next page; null on the last",
            },
            "facets": {
                "type": "object",
                "additionalProperties": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Facet"},
                },
            },
            "included": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/AnyRecord"},
                "description": "The records that the fields of `include` refer to, each once",
            },
        },
        "required": ["total", "items", "next"],
    }


def _properties(fields: Sequence[Field], profile: Profile) -> dict[str, Schema]:
    return {field.name: _field_schema(field, profile) for field in fields}


def _field_schema(field: Field, profile: Profile) -> Schema:
    value = _value_schema(field)
    words = [field.description("en")]
    if field.derived:
        words.append("Derived from other records; never written.")
    elif field.min:
        words.append("Required.")
    head: Schema = {"title": field.label("en")}
    description = " ".join(word for word in words if word)
    if description:
        head["description"] = description
    if field.derived:
        head["readOnly"] = True
    if field.examples:
        head["examples"] = [_example(field, profile)]
    if field.kind == "text" or not field.many:
        return {**head, **value}
    if field.max is not None and not field.derived:
        head["maxItems"] = max(field.max, 1)
    return {**head, "type": "array", "items": value}


def _value_schema(field: Field) -> Schema:
    if field.kind == "part" and field.part is not None:
        return {"$ref": f"#/components/schemas/{schema_name(field.part)}"}
    if field.kind == "reference":
        return _reference_schema(field)
    if field.kind == "text":
        lists = field.many and not field.unique_lang
        return {"$ref": f"#/components/schemas/LanguageMap{'OfLists' if lists else ''}"}
    plain = _literal_schema(field)
    if len(field.datatypes) > 1 or not field.datatypes:
        return {"anyOf": [plain, {"$ref": "#/components/schemas/TypedValue"}]}
    return plain


def _reference_schema(field: Field) -> Schema:
    values = [value.value for value in field.values if isinstance(value, ox.NamedNode)]
    if not values or field.advisory:
        return {"$ref": "#/components/schemas/Reference"}
    return {
        "allOf": [{"$ref": "#/components/schemas/Reference"}],
        "properties": {"id": {"enum": values}},
    }


def _literal_schema(field: Field) -> Schema:
    datatype = field.datatype
    schema: Schema
    if datatype == XSD["boolean"]:
        schema = {"type": "boolean"}
    elif datatype in _NUMBERS:
        schema = {"type": "integer"}
        if field.minimum is not None and not field.advisory:
            schema["minimum"] = int(field.minimum.value)
        if field.maximum is not None and not field.advisory:
            schema["maximum"] = int(field.maximum.value)
    else:
        schema = {"type": "string"}
        if datatype is not None and datatype in _FORMATS:
            schema["format"] = _FORMATS[datatype]
        if not field.advisory:
            _limit_text(field, schema)
    literals = [value for value in field.values if isinstance(value, ox.Literal)]
    if literals and not field.advisory:
        schema["enum"] = [json_value(value) for value in literals]
    return schema


def _limit_text(field: Field, schema: Schema) -> None:
    if field.pattern is not None and len(field.datatypes) <= 1:
        schema["pattern"] = field.pattern
    if field.min_length is not None:
        schema["minLength"] = field.min_length
    if field.max_length is not None:
        schema["maxLength"] = field.max_length


_MAX_SAFE_INTEGER = 2**53 - 1


def json_value(literal: ox.Literal) -> str | int | bool:
    """The plain JSON value of a literal.

    Integers that every JSON reader keeps exact are numbers and booleans are booleans. All else is
    text, decimals too: JSON-LD reads a JSON number with a fraction as xsd:double, so money would
    not survive.
    """
    text = literal.value
    if literal.datatype == XSD["integer"]:
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) < 17:  # noqa: PLR2004 2**53
            number = int(text)
            if str(number) == text and abs(number) <= _MAX_SAFE_INTEGER:
                return number
    elif literal.datatype == XSD["boolean"] and text in {"true", "false"}:
        return text == "true"
    return text


def _examples(fields: Sequence[Field], profile: Profile) -> dict[str, Any]:
    found = {}
    for field in fields:
        if field.kind == "part" and field.part is not None:
            inner = _examples(field.part.fields, profile)
            if inner:
                part = {"id": f"{profile.base_iri}id/example#{field.name}", **inner}
                found[field.name] = [part] if field.many else part
        elif field.examples:
            found[field.name] = _example(field, profile)
    return found


def _example(field: Field, profile: Profile) -> Any:
    values = field.examples or (ox.Literal("Example", language="en"),)
    if field.kind == "text":
        lists = field.many and not field.unique_lang
        texts: dict[str, Any] = {}
        for value in values:
            lang = (value.language if isinstance(value, ox.Literal) else None) or "@none"
            texts[lang] = [value.value] if lists else value.value
        return texts
    shown: list[Any] = []
    for value in values if field.many else values[:1]:
        if isinstance(value, ox.Literal):
            shown.append(_example_literal(field, value))
        else:
            name = re.split(r"[#/]", value.value.rstrip("/"))[-1]
            url = profile.local_path(value.value)
            shown.append({"id": value.value, "name": name, "url": url})
    return shown if field.many else shown[0]


def _example_literal(field: Field, value: ox.Literal) -> Any:
    """As a record shows it; a number in Turtle may have another type than the field's."""
    if field.datatype is not None:
        return json_value(ox.Literal(value.value, datatype=field.datatype))
    if value.datatype == XSD["string"]:
        return value.value
    return {"@value": value.value, "@type": value.datatype.value}


def _text(texts: Mapping[str, str]) -> str:
    return texts.get("en") or next(iter(texts.values()), "")
