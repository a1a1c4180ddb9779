"""The OpenAPI description of histories, and of records with their provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.api.history import MOST
from app.profile import EntityType, Profile
from app.profile.json_schema import schema_name
from app.records.history import MAX_LIMIT

Json = dict[str, Any]


def describe_history(openapi: Json, profile: Profile) -> Json:
    """Add histories and provenance to a document that describes the records; returns it."""
    schemas = openapi["components"]["schemas"]
    schemas.update(Provenance=_PROVENANCE, Assertion=_ASSERTION, Change=_CHANGE, History=_HISTORY)
    paths = openapi["paths"]
    records = {"AnyRecord": "/api/v1/resource"}
    for kind in profile.types:
        records[schema_name(kind)] = f"/api/v1/{kind.collection}/{{slug}}"
    for schema, path in records.items():
        schemas[schema]["properties"]["provenance"] = _MEMBER
        paths[path]["get"]["parameters"].append(_PARAMETER)
    for kind in profile.types:
        of_record = paths[f"/api/v1/{kind.collection}/{{slug}}"]["get"]
        paths[f"/api/v1/{kind.collection}/{{slug}}/history"] = {
            "get": _operation(
                of_record, f"get_{kind.name.replace('-', '_')}_history", _summary(kind)
            )
        }
    of_any = paths["/api/v1/resource"]["get"]
    paths["/api/v1/resource/history"] = {
        "get": _operation(of_any, "get_resource_history", "The history of any thing, by its IRI")
    }
    return openapi


def _summary(kind: EntityType) -> str:
    return f"What became of one of the {kind.collection}, commit by commit"


def _operation(of_record: Mapping[str, Any], name: str, summary: str) -> Json:
    """The history of what `of_record` shows, with the same parameters but one."""
    body = {"schema": {"$ref": "#/components/schemas/History"}}
    responses = {status: said for status, said in of_record["responses"].items() if status != "410"}
    return {
        "tags": of_record["tags"],
        "operationId": name,
        "summary": summary,
        "description": "Newest first. What was removed has a history too.",
        "parameters": [
            *(one for one in of_record["parameters"] if one is not _PARAMETER),
            *_PAGING,
        ],
        "responses": {
            **responses,
            "200": {
                "description": "A page of commits",
                "headers": {"Link": {"description": "next", "schema": {"type": "string"}}},
                "content": {"application/json": body, "application/ld+json": body},
            },
        },
    }


_PAGING: list[Json] = [
    {
        "name": "limit",
        "in": "query",
        "description": "Commits on a page",
        "schema": {"type": "integer", "minimum": 0, "maximum": MAX_LIMIT, "default": 10},
    },
    {
        "name": "before",
        "in": "query",
        "description": "Only commits before this generation",
        "schema": {"type": "integer", "minimum": 0, "maximum": MOST},
    },
]
_PARAMETER: Json = {
    "name": "provenance",
    "in": "query",
    "description": "Also tell which dataset says each value, since when, and where datasets differ",
    "schema": {"type": "boolean", "default": False},
}
_MEMBER: Json = {
    "$ref": "#/components/schemas/Provenance",
    "description": "Only with `?provenance=true`",
}
_REFERENCE: Json = {"$ref": "#/components/schemas/Reference"}
_NAMED: dict[str, Json] = {
    "field": {
        "type": "string",
        "description": "JSON name, of parts after a dot: `address.city`; or the predicate",
    },
    "label": {"type": "string", "description": "Its name in the language asked for"},
}
_SHOWN: Json = {"description": "The value as in the record; a text as `@value`, `@language`"}
_PROVENANCE: Json = {
    "type": "object",
    "title": "Provenance",
    "description": "Who says what of the entity, and since when.",
    "properties": {
        "fields": {
            "type": "array",
            "description": "Every field that somebody states; derived ones are no statements",
            "items": {
                "type": "object",
                "properties": {
                    **_NAMED,
                    "values": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "value": _SHOWN,
                                "of": {"type": "string", "description": "Which part, of a part"},
                                "asserted_by": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/Assertion"},
                                },
                            },
                            "required": ["value", "asserted_by"],
                        },
                    },
                },
                "required": ["field", "label", "values"],
            },
        },
        "conflicts": {
            "type": "array",
            "description": "Fields that may have one value, or one in each language, and for "
            "which datasets say different things",
            "items": {
                "type": "object",
                "properties": {
                    **_NAMED,
                    "language": {"type": "string", "description": "Of texts: in which language"},
                    "values": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "value": _SHOWN,
                                "datasets": {"type": "array", "items": _REFERENCE},
                            },
                            "required": ["value", "datasets"],
                        },
                    },
                },
                "required": ["field", "label", "values"],
            },
        },
    },
    "required": ["fields", "conflicts"],
}
_ASSERTION: Json = {
    "type": "object",
    "title": "Assertion",
    "properties": {
        "dataset": _REFERENCE,
        "partner": {"anyOf": [_REFERENCE, {"type": "null"}], "description": "Whose dataset it is"},
        "claim": {
            "type": "boolean",
            "description": "Whether the dataset speaks of an entity that another partner curates",
        },
        "since": {
            "type": ["object", "null"],
            "description": "The newest commit by which it says so; null where that is long ago",
            "properties": {
                "generation": {"type": "integer", "minimum": 1},
                "time": {"type": "string", "format": "date-time"},
            },
            "required": ["generation", "time"],
        },
    },
    "required": ["dataset", "partner", "claim", "since"],
}
_CHANGE: Json = {
    "type": "object",
    "title": "Change",
    "description": "What one commit changed of an entity.",
    "properties": {
        "generation": {"type": "integer", "minimum": 1, "description": "Number of the commit"},
        "commit": {"type": "string", "format": "iri"},
        "time": {"type": ["string", "null"], "format": "date-time"},
        "datasets": {"type": "array", "items": _REFERENCE},
        "partner": {"anyOf": [_REFERENCE, {"type": "null"}], "description": "Who published it"},
        "licence": {"type": ["string", "null"], "format": "iri"},
        "submission": {"type": ["string", "null"], "format": "iri"},
        "change": {"enum": ["added", "removed", "changed"]},
        "fields": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    **_NAMED,
                    "added": {"type": "array", "items": {"type": "string"}},
                    "removed": {"type": "array", "items": {"type": "string"}},
                    "added_total": {"type": "integer", "minimum": 0},
                    "removed_total": {"type": "integer", "minimum": 0},
                },
                "required": ["field", "label", "added", "removed"],
            },
        },
    },
    "required": ["generation", "commit", "time", "datasets", "partner", "change", "fields"],
}
_HISTORY: Json = {
    "type": "object",
    "title": "History",
    "properties": {
        "total": {"type": "integer", "minimum": 0, "description": "Commits that changed it"},
        "next": {"type": ["string", "null"], "format": "uri"},
        "items": {"type": "array", "items": {"$ref": "#/components/schemas/Change"}},
    },
    "required": ["total", "next", "items"],
}
