"""The OpenAPI 3.1 description of the check."""

from __future__ import annotations

from collections.abc import Sequence

from app.api.openapi import PROBLEM, Json, list_, number, object_, or_null, query, rdf, text
from app.api.validate import ADDRESS, FORMAT_NAMES
from app.rdf import media
from app.sandbox.findings import SEVERITIES


def describe_validate(openapi: Json, languages: Sequence[str]) -> Json:
    """Add the path and its schemas to a document that has the Problem response; returns it."""
    openapi["components"]["schemas"].update(SCHEMAS)
    openapi.setdefault("tags", []).append(
        {"name": "validate", "description": "Check data against the shapes; nothing is published."}
    )
    openapi["paths"][ADDRESS] = {"post": _operation(languages)}
    return openapi


_SEVERITY: Json = {"type": "string", "enum": list(SEVERITIES)}

SCHEMAS: Json = {
    "ValidationReport": object_(
        "What the check found, in one language.",
        {
            "conforms": {
                "type": "boolean",
                "description": "Whether there is no violation. Warnings and infos do not "
                "block; the "
                "sh:conforms of the RDF forms is true only without any result.",
            },
            "counts": object_(
                "Results by severity", {name: number(name) for name in SEVERITIES}, {}
            ),
            "folded": number("Results left out because another one says the same"),
            "groups_total": number("Constraints that are not kept; groups may show fewer"),
            "groups": list_("ValidationGroup", "Results by constraint, worst first"),
            "language": text("Language of the texts"),
            "statements": number("Statements that were read"),
            "shapes": {
                "type": "string",
                "enum": ["service", "own"],
                "description": "Whose shapes were used",
            },
            "generation": number("State of the published data that references were checked with"),
        },
        {},
    ),
    "ValidationGroup": object_(
        "One constraint of one shape.",
        {
            "severity": _SEVERITY,
            "constraint": text("Constraint component of SHACL, for example MinCount"),
            "shape": text("IRI of the shape; empty where a value is not one of its datatype"),
            "path": or_null(text("IRI of the property, where the path is a single one")),
            "message": text("What is wrong"),
            "total": number("All results of this constraint"),
            "results": list_("ValidationResult", "The first of them"),
        },
        {"fix": text("How to mend it")},
    ),
    "ValidationResult": object_(
        "One thing that does not keep the constraint.",
        {
            "focus": text("The node: an IRI, or _:label"),
            "entity": text("The entity that the node is, or is a part of"),
            "value": or_null(text("The value in N-Triples form, cut when long")),
        },
        {
            "label": text("Name of the entity"),
            "type": text("Its type, as in the JSON API"),
            "type_label": text("Its type for people"),
            "field": text("The field, as in the JSON API; of a part as address.city"),
            "field_label": text("The field for people"),
            "line": {
                "type": "integer",
                "minimum": 1,
                "description": "Where the node, or else the entity, is first described",
            },
            "file": text("Name of the file with this line"),
            "nearest": object_(
                "The known thing most similar to the value",
                {"id": text("Its IRI"), "label": text("Its name; may be empty")},
                {},
            ),
        },
    ),
}


def _operation(languages: Sequence[str]) -> Json:
    report = {"$ref": "#/components/schemas/ValidationReport"}
    binary = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "properties": {
            "file": {
                "type": "array",
                "items": binary,
                "minItems": 1,
                "description": "Data; several are one graph",
            },
            "shapes": {**binary, "description": "Own shapes instead of ours"},
        },
        "required": ["file"],
    }
    bodies: Json = {name: rdf(name) for name in media.RDF_FORMATS}
    replies: Json = {
        name: rdf(name) for name in (media.TURTLE, media.JSON_LD, media.CSV, media.HTML)
    }
    return {
        "tags": ["validate"],
        "operationId": "validate",
        "summary": "Check data",
        "description": "Says what publishing would say, without publishing. Data may be compressed "
        "with gzip. With own shapes this is a validator for any SHACL Core shapes.",
        "parameters": [
            query("format", "Form of the report, instead of Accept", list(FORMAT_NAMES)),
            query("lang", "Language of the texts, instead of Accept-Language", list(languages)),
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
            **dict.fromkeys(("400", "406", "413", "415", "429", "503", "504"), PROBLEM),
        },
    }
