"""The OpenAPI 3.1 description of the record routes, in the profile's words."""

from __future__ import annotations

import re
from typing import Any

from app.profile import EntityType, Profile
from app.profile.json_schema import example_record, json_schemas, schema_name
from app.records.listing import Filterable, filterable
from app.records.search import MAX_LIMIT

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


def _parameters(profile: Profile) -> Json:
    return {
        "limit": _query(
            "limit",
            "Records on a page",
            {"type": "integer", "minimum": 0, "maximum": MAX_LIMIT, "default": 25},
        ),
        "offset": _query(
            "offset", "Records to pass over", {"type": "integer", "minimum": 0, "default": 0}
        ),
        "q": _query(
            "q",
            "Words that the labels contain, whatever their case and accents",
            {"type": "string", "maxLength": 1000},
        ),
        "lang": _query(
            "lang",
            "Language of `name`; without it the Accept-Language header decides",
            {"type": "string", "enum": list(profile.languages)},
        ),
        "facets": _query(
            "facets",
            "Also count the values of the facet fields",
            {"type": "boolean", "default": False},
        ),
    }


def _query(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _list(kind: EntityType, profile: Profile) -> Json:
    shared = ("limit", "offset", "q", "lang", "facets")
    common = [{"$ref": f"#/components/parameters/{name}"} for name in shared]
    filters = [_filter(name, what) for name, what in filterable(kind).items()]
    name = schema_name(kind)
    return {
        "tags": [kind.collection],
        "operationId": f"list_{_identifier(kind.collection)}",
        "summary": f"List {kind.collection}",
        "description": f"{kind.comment('en')} Sorted by name. Repeating a filter means *or*, "
        "different filters mean *and*; a region or concept also finds what lies below it.".strip(),
        "parameters": [*common, *filters],
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


def _filter(name: str, what: Filterable) -> Json:
    field = what.field
    hint = (
        " IRI, slug, notation or exact label of the thing meant."
        if field.kind == "reference"
        else ""
    )
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
