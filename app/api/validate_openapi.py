"""The OpenAPI 3.1 description of the check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.api.validate import ADDRESS, FORMAT_NAMES
from app.rdf import media
from app.sandbox.findings import SEVERITIES

Json = dict[str, Any]


def describe_validate(openapi: Json, languages: Sequence[str]) -> Json:
    """Add the path and its schemas to a document that has the Problem response; returns it."""
    openapi["components"]["schemas"].update(SCHEMAS)
    openapi.setdefault("tags", []).append(
        {"name": "validate", "description": "Check data against the shapes; nothing is published."}
    )
    openapi["paths"][ADDRESS] = {"post": _operation(languages)}
    return openapi


def _object(description: str, required: dict[str, Json], optional: dict[str, Json]) -> Json:
    return {
        "type": "object",
        "description": description,
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def _text(description: str) -> Json:
    return {"type": "string", "description": description}


def _number(description: str) -> Json:
    return {"type": "integer", "minimum": 0, "description": description}


def _or_null(schema: Json) -> Json:
    return {**schema, "type": [schema["type"], "null"]}


def _list(name: str, description: str) -> Json:
    return {
        "type": "array",
        "description": description,
        "items": {"$ref": f"#/components/schemas/{name}"},
    }


_SEVERITY: Json = {"type": "string", "enum": list(SEVERITIES)}

SCHEMAS: Json = {
    "ValidationReport": _object(
        "What the check found, in one language.",
        {
            "conforms": {
                "type": "boolean",
                "description": "Whether there is no violation. Warnings and infos do not "
                "block; the "
                "sh:conforms of the RDF forms is true only without any result.",
            },
            "counts": _object(
                "Results by severity", {name: _number(name) for name in SEVERITIES}, {}
            ),
            "folded": _number("Results left out because another one says the same"),
            "groups_total": _number("Constraints that are not kept; groups may show fewer"),
            "groups": _list("ValidationGroup", "Results by constraint, worst first"),
            "language": _text("Language of the texts"),
            "statements": _number("Statements that were read"),
            "shapes": {
                "type": "string",
                "enum": ["service", "own"],
                "description": "Whose shapes were used",
            },
            "generation": _number("State of the published data that references were checked with"),
        },
        {},
    ),
    "ValidationGroup": _object(
        "One constraint of one shape.",
        {
            "severity": _SEVERITY,
            "constraint": _text("Constraint component of SHACL, for example MinCount"),
            "shape": _text("IRI of the shape; empty where a value is not one of its datatype"),
            "path": _or_null(_text("IRI of the property, where the path is a single one")),
            "message": _text("What is wrong"),
            "total": _number("All results of this constraint"),
            "results": _list("ValidationResult", "The first of them"),
        },
        {"fix": _text("How to mend it")},
    ),
    "ValidationResult": _object(
        "One thing that does not keep the constraint.",
        {
            "focus": _text("The node: an IRI, or _:label"),
            "entity": _text("The entity that the node is, or is a part of"),
            "value": _or_null(_text("The value in N-Triples form, cut when long")),
        },
        {
            "label": _text("Name of the entity"),
            "type": _text("Its type, as in the JSON API"),
            "type_label": _text("Its type for people"),
            "field": _text("The field, as in the JSON API; of a part as address.city"),
            "field_label": _text("The field for people"),
            "line": {
                "type": "integer",
                "minimum": 1,
                "description": "Where the node, or else the entity, is first described",
            },
            "file": _text("Name of the file with this line"),
            "nearest": _object(
                "The known thing most similar to the value",
                {"id": _text("Its IRI"), "label": _text("Its name; may be empty")},
                {},
            ),
        },
    ),
}

_PROBLEM = {"$ref": "#/components/responses/Problem"}


def _operation(languages: Sequence[str]) -> Json:
    report = {"$ref": "#/components/schemas/ValidationReport"}
    binary = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "properties": {
            "file": {
                "type": "array",
                "items": binary,
                "description": "Data; several are one graph",
            },
            "shapes": {**binary, "description": "Own shapes instead of ours"},
        },
        "required": ["file"],
    }
    bodies: Json = {name: {"schema": {"type": "string"}} for name in media.RDF_FORMATS}
    replies: Json = {
        name: {"schema": {"type": "string"}}
        for name in (media.TURTLE, media.JSON_LD, media.CSV, media.HTML)
    }
    return {
        "tags": ["validate"],
        "operationId": "validate",
        "summary": "Check data",
        "description": "Says what publishing would say, without publishing. Data may be compressed "
        "with gzip. With own shapes this is a validator for any SHACL Core shapes.",
        "parameters": [
            _query("format", "Form of the report, instead of Accept", list(FORMAT_NAMES)),
            _query("lang", "Language of the texts, instead of Accept-Language", list(languages)),
        ],
        "requestBody": {
            "required": True,
            "content": {**bodies, "multipart/form-data": {"schema": form}},
        },
        "responses": {
            "200": {
                "description": "The report, whether or not the data conforms",
                "headers": {
                    name: {
                        "schema": {"type": "string"},
                        "description": "As its Internet-Draft says",
                    }
                    for name in ("RateLimit", "RateLimit-Policy")
                },
                "content": {media.JSON: {"schema": report}, **replies},
            },
            **dict.fromkeys(("400", "406", "413", "415", "429", "503", "504"), _PROBLEM),
        },
    }


def _query(name: str, description: str, values: list[str]) -> Json:
    schema = {"type": "string", "enum": values}
    return {"name": name, "in": "query", "description": description, "schema": schema}
