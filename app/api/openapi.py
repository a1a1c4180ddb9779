"""Parts of OpenAPI 3.1 descriptions."""

from __future__ import annotations

from typing import Any

from app.rdf import media

Json = dict[str, Any]

PROBLEM: Json = {"$ref": "#/components/responses/Problem"}
"""The answer of every request that fails."""


def object_(description: str, required: dict[str, Json], optional: dict[str, Json]) -> Json:
    """An object with these members and no others."""
    return {
        "type": "object",
        "description": description,
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def text(description: str) -> Json:
    """A string."""
    return {"type": "string", "description": description}


def number(description: str) -> Json:
    """A number of things."""
    return {"type": "integer", "minimum": 0, "description": description}


def or_null(schema: Json) -> Json:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def list_(name: str, description: str) -> Json:
    """A list of a named schema."""
    return {
        "type": "array",
        "description": description,
        "items": {"$ref": f"#/components/schemas/{name}"},
    }


def rdf(media_type: str) -> Json:
    """A document: text to a reader of JSON Schema, unless it is JSON."""
    if media_type == media.JSON_LD:
        return {"schema": {}}
    return {"schema": {"type": "string"}}


def query(name: str, description: str, values: list[str]) -> Json:
    """A parameter with few values."""
    schema = {"type": "string", "enum": values}
    return {"name": name, "in": "query", "description": description, "schema": schema}
