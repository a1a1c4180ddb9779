"""The OpenAPI 3.1 description of the record routes, in the profile's words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from app.profile import EntityType, Profile
from app.profile.json_schema import example_record, json_schemas, schema_name
from app.records.listing import Filterable, filterable
from app.records.search import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    MAX_OFFSET,
    MAX_SUGGESTIONS,
    MAX_TEXT,
    Vocabulary,
    vocabulary,
)

Json = dict[str, Any]


def describe_records(openapi: Json, profile: Profile) -> Json:
    """Add paths and schemas of all entity types to an OpenAPI document; returns it."""
    components = openapi.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(json_schemas(profile))
    schemas.setdefault("Problem", _PROBLEM)
    components.setdefault("responses", {}).setdefault("Problem", _PROBLEM_RESPONSE)
    components.setdefault("parameters", {}).update(_parameters(profile))
    paths = openapi.setdefault("paths", {})
    tags = openapi.setdefault("tags", [])
    for kind in profile.types:
        tags.append({"name": kind.collection, "description": kind.comment("en")})
        paths[f"/api/v1/{kind.collection}"] = {"get": _list(kind, profile)}
        paths[f"/api/v1/{kind.collection}/{{slug}}"] = {"get": _one(kind, profile)}
    paths["/api/v1/search"] = {"get": _search(profile)}
    paths["/api/v1/suggest"] = {"get": _suggest(profile)}
    paths["/api/v1/resource"] = {"get": _resource()}
    paths["/api/v1/types"] = {"get": _types()}
    paths["/context.jsonld"] = {"get": _context()}
    return openapi


_PROBLEM: Json = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened and what to do"},
    },
    "required": ["type", "title", "status"],
}
_PROBLEM_RESPONSE: Json = {
    "description": "The request does not fit, or there is nothing here",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


_DEGREES = r"-?[0-9]{1,2}(\.[0-9]{1,9})?"


def _parameters(profile: Profile) -> Json:
    return {
        "limit": _query(
            "limit",
            "Records on a page",
            {
                "type": "integer",
                "minimum": 0,
                "maximum": MAX_LIMIT,
                "default": DEFAULT_LIMIT,
            },
        ),
        "offset": _query(
            "offset",
            "Records to pass over. `next` goes on without end; it takes the place of a number.",
            {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
        ),
        "after": _query(
            "after",
            "Where the page before ended: part of its `next`. It keeps its place when data change "
            "meanwhile.",
            {"type": "string"},
        ),
        "q": _query(
            "q",
            "Words to find in any text, names first, whatever their case, accents and endings; the "
            "last may be a beginning. Identifiers find what they identify. Where nothing has the "
            "words as they are written, typing errors are forgiven.",
            {"type": "string", "maxLength": MAX_TEXT},
        ),
        "lang": _query(
            "lang",
            "Language of `name`; without it the Accept-Language header decides",
            {"type": "string", "enum": list(profile.languages)},
        ),
        "bbox": _query(
            "bbox",
            "west,south,east,north in degrees (WGS 84): what has a place in this box",
            {"type": "string", "pattern": f"^{_DEGREES},{_DEGREES},{_DEGREES},{_DEGREES}$"},
            "4,50,7,52",
        ),
        "near": _query(
            "near",
            "lat,lon,km: what is not farther than so many kilometres from a place, the nearest "
            "first; each record has its `distance`",
            {"type": "string", "pattern": f"^{_DEGREES},{_DEGREES},[1-9][0-9]{{0,3}}$"},
            "50.88,4.70,25",
        ),
    }


def _chosen(known: Vocabulary) -> list[Json]:
    """The parameters whose values are names of fields."""
    orders = [sort for sort in known.sorts if sort not in {"relevance", "distance"}]
    found = [
        _query(
            "sort",
            "A field of numbers or dates, or name; from the largest with a minus before it. "
            "Without it: relevance with `q`, distance with `near`, else name",
            {"type": "string", "enum": [*orders, *(f"-{order}" for order in orders)]},
        ),
        _names("fields", "Show these fields only, besides what names a record", known.fields),
    ]
    if known.references:
        found.append(
            _names("include", "Send along the records that these fields refer to", known.references)
        )
    choices = ["true", "false", *known.facets]
    found.append(_names("facets", "Count the values of these fields, or `true` for all", choices))
    return found


def _names(name: str, description: str, choices: Iterable[str]) -> Json:
    schema = {"type": "array", "items": {"type": "string", "enum": sorted(choices)}, "minItems": 1}
    return {**_query(name, description, schema), "style": "form", "explode": False}


def _query(name: str, description: str, schema: Json, example: str | None = None) -> Json:
    found = {"name": name, "in": "query", "description": description, "schema": schema}
    return {**found, "example": example} if example else found


_SHARED = ("q", "bbox", "near", "limit", "after", "offset", "lang")


def _list(kind: EntityType, profile: Profile) -> Json:
    known = vocabulary(profile, kind)
    common = [{"$ref": f"#/components/parameters/{name}"} for name in _SHARED]
    filters = [
        _filter(name, what, ordered=known.is_ordered(name))
        for name, what in filterable(kind).items()
    ]
    name = schema_name(kind)
    return {
        "tags": [kind.collection],
        "operationId": f"list_{_identifier(kind.collection)}",
        "summary": f"List {kind.collection}",
        "description": f"{kind.comment('en')} {_FILTERS}".strip(),
        "parameters": [*common, *_chosen(known), *filters],
        "responses": {
            "200": {
                "description": f"A page of {kind.collection}",
                "headers": {"Link": {"description": "next, prev", "schema": {"type": "string"}}},
                "content": _content(
                    f"{name}Page",
                    {"total": 1, "next": None, "items": [example_record(kind, profile)]},
                ),
            },
            **_OTHERS,
        },
    }


_FILTERS = (
    "Sorted by name unless `q`, `near` or `sort` say otherwise. Repeating a filter means *or*, "
    "different filters mean *and*; a region or concept also finds what lies below it. `!=` leaves "
    "out; numbers and dates can be compared: `trl>=6`, `start_date<2025`."
)


def _search(profile: Profile) -> Json:
    known = vocabulary(profile)
    types = {"type": "array", "items": {"type": "string", "enum": list(known.types)}}
    parameters = [{"$ref": f"#/components/parameters/{name}"} for name in _SHARED]
    return {
        "tags": ["any type"],
        "operationId": "search",
        "summary": "Search records of all types",
        "description": f"{_FILTERS} Any field of any type is a filter.",
        "parameters": [
            *parameters,
            {**_query("type", "Of these types only", types), "style": "form", "explode": True},
            *_chosen(known),
        ],
        "responses": {
            "200": {
                "description": "A page of records of any type",
                "headers": {"Link": {"description": "next, prev", "schema": {"type": "string"}}},
                "content": _content("AnyPage"),
            },
            **_OTHERS,
        },
    }


def _suggest(profile: Profile) -> Json:
    names = [kind.name for kind in profile.types]
    types = {"type": "array", "items": {"type": "string", "enum": names}, "minItems": 1}
    items = {"type": "array", "items": {"$ref": "#/components/schemas/AnyRecord"}}
    schema = {"type": "object", "properties": {"items": items}, "required": ["items"]}
    typed = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": r"\S"}
    limit = {"type": "integer", "minimum": 0, "maximum": MAX_SUGGESTIONS, "default": 10}
    return {
        "tags": ["any type"],
        "operationId": "suggest",
        "summary": "What may be meant while somebody types",
        "parameters": [
            {**_query("q", "What has been typed", typed), "required": True},
            {**_query("type", "Of these types only", types), "style": "form", "explode": False},
            _query("limit", "Suggestions at most", limit),
            {"$ref": "#/components/parameters/lang"},
        ],
        "responses": {
            "200": {
                "description": "id, name, type and url of each",
                "content": {"application/json": {"schema": schema}},
            },
            **_OTHERS,
        },
    }


def _filter(name: str, what: Filterable, *, ordered: bool) -> Json:
    field = what.field
    hint = " Can be compared: `>`, `>=`, `<`, `<=`." if ordered else ""
    if field.kind == "reference":
        hint = " IRI, slug, notation or exact label of the thing meant."
    parameter = _query(
        name,
        f"{field.label('en')}. {field.description('en')}{hint}".strip(),
        {"type": "array", "items": {"type": "string"}},
    )
    return {**parameter, "style": "form", "explode": True}


def _one(kind: EntityType, profile: Profile) -> Json:
    return {
        "tags": [kind.collection],
        "operationId": f"get_{_identifier(kind.name)}",
        "summary": f"One of the {kind.collection}",
        "description": kind.comment("en"),
        "parameters": [
            {
                "name": "slug",
                "in": "path",
                "required": True,
                "description": f"The end of its IRI, after {profile.iri(kind.name, '')}",
                "schema": {"type": "string", "minLength": 1},
            },
            {"$ref": "#/components/parameters/lang"},
        ],
        "responses": {
            "200": {
                "description": kind.label("en"),
                "content": _content(schema_name(kind), example_record(kind, profile)),
            },
            **_OTHERS,
            **_MISSING,
        },
    }


def _resource() -> Json:
    return {
        "tags": ["any type"],
        "operationId": "get_resource",
        "summary": "The record of any thing, by its IRI",
        "parameters": [
            {
                "name": "iri",
                "in": "query",
                "required": True,
                "description": "IRI of the thing, minted here or elsewhere",
                "schema": {"type": "string", "format": "iri"},
            },
            {"$ref": "#/components/parameters/lang"},
        ],
        "responses": {
            "200": {"description": "A record", "content": _content("AnyRecord")},
            **_OTHERS,
            **_MISSING,
        },
    }


def _types() -> Json:
    schema = {
        "type": "object",
        "properties": {"types": {"type": "array", "items": {"type": "object"}}},
        "required": ["types"],
    }
    return {
        "tags": ["any type"],
        "operationId": "list_types",
        "summary": "What types there are: labels, fields, counts",
        "parameters": [{"$ref": "#/components/parameters/lang"}],
        "responses": {
            "200": {
                "description": "All entity types",
                "content": {"application/json": {"schema": schema}},
            },
            **_OTHERS,
        },
    }


def _context() -> Json:
    return {
        "tags": ["any type"],
        "operationId": "get_context",
        "summary": "The JSON-LD context of all records",
        "responses": {
            "200": {
                "description": "JSON-LD 1.1 context",
                "content": {"application/ld+json": {"schema": {"type": "object"}}},
            },
            "304": {"description": "Not modified"},
        },
    }


def _content(schema: str, example: Json | None = None) -> Json:
    body: Json = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    if example is not None:
        body = {**body, "example": example}
    return {"application/json": body, "application/ld+json": body}


_REFERENCE = {"$ref": "#/components/responses/Problem"}
_OTHERS: Json = {
    "304": {"description": "Not modified"},
    "400": _REFERENCE,
    "406": _REFERENCE,
    "503": _REFERENCE,
}
_MISSING: Json = {"404": _REFERENCE, "410": _REFERENCE}


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)
