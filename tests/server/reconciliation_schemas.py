"""What the Reconciliation Service API 0.2 and 1.0-draft ask of answers, as JSON Schema.

Written from the specifications' sections on each answer. Stricter than their own schemas where the
text is: nothing is allowed beside what it names.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
URL: Schema = {"type": "string", "pattern": "^https?://"}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}


def an_object(required: Schema, optional: Schema | None = None) -> Schema:
    """An object with these members and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def many(items: Schema) -> Schema:
    """An array."""
    return {"type": "array", "items": items}


def values_of(schema: Schema) -> Schema:
    """An object with any keys."""
    return {"type": "object", "additionalProperties": schema}


TYPE = an_object({"id": TEXT, "name": TEXT})
TYPES = {**many(TYPE), "uniqueItems": True}
SETTING = {"type": {"enum": ["number", "text", "checkbox", "select"]}}
SUGGESTING = an_object(
    {"service_url": URL, "service_path": {"type": "string", "pattern": "^/"}},
    {
        "flyout_service_url": URL,
        "flyout_service_path": {"type": "string", "pattern": r"^/.*\$\{id\}"},
    },
)

MANIFEST = an_object(
    {
        "versions": {**many(TEXT), "contains": {"const": "0.2"}},
        "name": TEXT,
        "identifierSpace": URL,
        "schemaSpace": URL,
    },
    {
        "documentation": URL,
        "view": an_object({"url": {"type": "string", "pattern": r"^https?://.*\{\{id\}\}"}}),
        "defaultTypes": TYPES,
        "preview": an_object(
            {
                "url": {"type": "string", "pattern": r"^https?://.*\{\{id\}\}"},
                "width": {"type": "integer"},
                "height": {"type": "integer"},
            }
        ),
        "suggest": an_object({}, dict.fromkeys(("entity", "property", "type"), SUGGESTING)),
        "extend": an_object(
            {},
            {
                "propose_properties": an_object({"service_url": URL, "service_path": TEXT}),
                "property_settings": many(
                    an_object(
                        {"name": TEXT, "label": TEXT, **SETTING},
                        {"default": {}, "help_text": TEXT},
                    )
                ),
            },
        ),
        "batchSize": {"type": "integer", "minimum": 1},
    },
)
DRAFT_MANIFEST = an_object(
    {
        "versions": {**many(TEXT), "contains": {"const": "1.0-draft"}},
        "name": TEXT,
        "view": an_object({"url": {"type": "string", "pattern": r"^https?://.*\{\+?id\}"}}),
    },
    {
        "documentation": URL,
        "defaultTypes": TYPES,
        "preview": an_object({"width": {"type": "integer"}, "height": {"type": "integer"}}),
        "suggest": an_object({"entity": FLAG, "property": FLAG, "type": FLAG}),
        "extend": an_object(
            {},
            {
                "proposeProperties": FLAG,
                "propertySettings": many(
                    an_object(
                        {"id": TEXT, "name": TEXT, **SETTING}, {"default": {}, "helpText": TEXT}
                    )
                ),
            },
        ),
        "batchSize": {"type": "integer", "minimum": 1},
        "lang": TEXT,
        "standardizedScore": FLAG,
    },
)


def candidates(feature: Schema) -> Schema:
    """Candidates with features of this form; scores from 0 to 100."""
    return many(
        an_object(
            {
                "id": TEXT,
                "name": TEXT,
                "type": many(TYPE),
                "score": {"type": "number", "minimum": 0, "maximum": 100},
                "match": FLAG,
            },
            {"description": TEXT, "features": many(feature)},
        )
    )


RESULTS = values_of(
    an_object(
        {"result": candidates(an_object({"id": TEXT, "value": {"type": ["boolean", "number"]}}))}
    )
)
DRAFT_RESULTS = an_object(
    {
        "results": many(
            an_object(
                {
                    "candidates": candidates(
                        an_object(
                            {"id": TEXT, "name": TEXT, "value": {"type": ["boolean", "number"]}}
                        )
                    )
                }
            )
        )
    }
)

SUGGESTED_ENTITIES = an_object(
    {"result": many(an_object({"id": TEXT, "name": TEXT}, {"description": TEXT, "notable": TYPES}))}
)
SUGGESTED = an_object(
    {"result": many(an_object({"id": TEXT, "name": TEXT}, {"description": TEXT}))}
)
FLYOUT = an_object({"id": TEXT, "html": TEXT})
PROPOSAL = an_object(
    {"properties": many(an_object({"id": TEXT, "name": TEXT}, {"description": TEXT}))},
    {"type": TEXT, "limit": {"type": "integer"}},
)


def property_value(text: Schema) -> Schema:
    """A value of a data extension, exactly one of the five kinds; `text` more members of a text."""
    moment = r"^-?\d{4,}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?$"
    return {
        "oneOf": [
            an_object({"id": TEXT, "name": {"type": "string"}}),
            an_object({"str": {"type": "string"}}, text),
            an_object({"float": NUMBER}),
            an_object({"int": {"type": "integer"}}),
            an_object({"date": {"type": "string", "pattern": moment}}),
        ]
    }


META = many(an_object({"id": TEXT, "name": TEXT}, {"type": TYPE, "service": URL}))
EXTENSION = an_object({"meta": META, "rows": values_of(values_of(many(property_value({}))))})
DRAFT_EXTENSION = an_object(
    {
        "meta": META,
        "rows": many(
            an_object(
                {
                    "id": TEXT,
                    "properties": many(
                        an_object({"id": TEXT, "values": many(property_value({"lang": TEXT}))})
                    ),
                }
            )
        ),
    }
)
