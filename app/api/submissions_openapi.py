"""The OpenAPI 3.1 description of submissions."""

from __future__ import annotations

from collections.abc import Sequence

from app.api.bearer import SCHEME
from app.api.openapi import PROBLEM, Json, list_, number, object_, or_null, query, rdf, text
from app.api.submissions import (
    ADDRESS,
    DIFF_FORMATS,
    MOST_ENTITIES,
    MOST_LISTED,
    MOST_OFFSET,
    PATCH,
    REPORT_FORMATS,
    SENT_MODES,
)
from app.rdf import media
from app.sandbox.findings import SEVERITIES
from app.submissions.states import Mode, State


def describe_submissions(openapi: Json, languages: Sequence[str]) -> Json:
    """Add paths and schemas to a document that has the Problem response; returns it."""
    openapi["components"]["schemas"].update(SCHEMAS)
    openapi.setdefault("tags", []).append(
        {"name": "submissions", "description": "Send data, and see what becomes of it."}
    )
    lang = query("lang", "Language of the texts, instead of Accept-Language", list(languages))
    one = f"{ADDRESS}/{{id}}"
    openapi["paths"].update(
        {
            ADDRESS: {"post": _send(lang), "get": _list()},
            one: {"get": _act("show_submission", "Show a submission", "Submission")},
            f"{one}/report": {"get": _report(lang)},
            f"{one}/diff": {"get": _diff(lang)},
            f"{one}/accept": {
                "post": _act(
                    "accept_submission", "Publish what is in review", "Submission", [lang], "202"
                )
            },
            f"{one}/reject": {"post": _reject()},
            f"{one}/withdraw": {
                "post": _act("withdraw_submission", "Take back what is not decided", "Submission")
            },
            f"{one}/revert": {"post": _revert(lang)},
        }
    )
    return openapi


def _member(schema: Json, description: str) -> Json:
    return {**schema, "description": description}


_MOMENT: Json = {"type": "string", "format": "date-time"}
_IRI: Json = {"type": "string", "format": "iri"}
_TEXTS = {"type": "array", "items": {"type": "string"}}

SCHEMAS: Json = {
    "Submission": object_(
        "What was sent, and what became of it.",
        {
            "id": text("Its id; ids sort by time"),
            "url": text("Where it is shown"),
            "iri": _member(_IRI, "What the graph calls it"),
            "state": {"type": "string", "enum": [state.value for state in State]},
            "mode": {"type": "string", "enum": [mode.value for mode in Mode]},
            "dataset": _member(_IRI, "The dataset that changes"),
            "graphs": {
                "type": ["array", "null"],
                "items": _IRI,
                "description": "The graphs that an update may change, null for all",
            },
            "partner": or_null(text("Slug of the partner whose dataset it is")),
            "author": _member(_IRI, "The partner in whose name it was sent"),
            "licence": or_null(text("IRI of the licence")),
            "created_at": _MOMENT,
            "changed_at": _MOMENT,
            "size": number("Bytes that were sent"),
            "source_hash": text("SHA-256 of what was sent"),
            "statements": or_null(number("Statements that were read")),
            "counts": {
                "type": ["object", "null"],
                "description": "Results of the validation by severity",
                "properties": {name: number(name) for name in SEVERITIES},
                "required": list(SEVERITIES),
                "additionalProperties": False,
            },
            "compared_with": or_null(number("Generation that the difference was made against")),
            "added": or_null(number("Statements that it adds")),
            "removed": or_null(number("Statements that it removes")),
            "generation": or_null(number("Commit that published it; null if nothing changed")),
            "commit": or_null(text("IRI of that commit")),
            "reverts": or_null(text("Id of the submission that this one undoes")),
            "reason": or_null(text("Why a curator rejected it")),
            "decided_by": or_null(text("IRI of the partner whose curator decided")),
            "problem": {
                "type": ["object", "null"],
                "description": "Why it could not go on: a problem document without the report",
            },
            "report": or_null(text("Where the report is")),
            "diff": or_null(text("Where the difference is")),
            "job": text("Where its progress is shown"),
        },
        {},
    ),
    "SubmissionList": object_(
        "Submissions, the newest first.",
        {
            "total": number("All that fit"),
            "items": list_("Submission", "A page of them"),
            "next": or_null(text("Where the next page is")),
        },
        {},
    ),
    "Difference": object_(
        "What is added and removed, in plain words.",
        {
            "added": number("Statements added"),
            "removed": number("Statements removed"),
            "entities_total": number("Entities that change"),
            "entities": list_("ChangedEntity", "A page of them"),
        },
        {},
    ),
    "ChangedEntity": {
        "type": "object",
        "description": "What changes of one entity.",
        "properties": {
            "id": _IRI,
            "label": or_null(text("Its name")),
            "type": or_null(text("Its type, as in the JSON API")),
            "type_label": or_null(text("Its type for people")),
            "change": {"type": "string", "enum": ["added", "removed", "changed"]},
            "fields": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "field": text("The field, as in the JSON API, or the IRI of the property"),
                        "label": text("The field for people"),
                        "added": _TEXTS,
                        "removed": _TEXTS,
                    },
                },
            },
        },
        "required": ["id", "change", "fields"],
    },
    "Preview": object_(
        "What a submission would come to. Nothing of it is kept.",
        {
            "dry_run": {"const": True},
            "conforms": {"type": "boolean", "description": "Whether it could be published"},
            "statements": number("Statements that were read"),
            "compared_with": number("Generation that the difference was made against"),
            "datasets": {"type": "array", "items": _IRI},
            "report": {"type": "object", "description": "As of the check"},
            "diff": {"$ref": "#/components/schemas/Difference"},
        },
        {},
    ),
}


def _schema(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(name: str, description: str) -> Json:
    return {"description": description, "content": {media.JSON: {"schema": _schema(name)}}}


def _flag(name: str, description: str) -> Json:
    return query(name, description, ["true", "false"])


def _problems(*statuses: str) -> Json:
    return dict.fromkeys(("401", "403", "404", *statuses), PROBLEM)


def _act(
    operation: str, summary: str, shown: str, more: Sequence[Json] = (), other: str | None = None
) -> Json:
    answers = {"200": _json(shown, "The submission as it is now")}
    if other:
        answers[other] = _json(shown, "The submission, still on its way")
    has_id = operation not in {"list_submissions", "send_submission"}
    name = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "tags": ["submissions"],
        "operationId": operation,
        "summary": summary,
        "security": [{SCHEME: []}],
        "parameters": [*([name] if has_id else []), *more],
        "responses": {**answers, **_problems("400", "409")},
    }


def _header(name: str, description: str, pattern: str) -> Json:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "description": description, "schema": schema}


_ONCE = _header(
    "Idempotency-Key", "Sending the same again with this key is harmless", "^[!-~]{1,255}$"
)
_UNCHANGED = _header(
    "If-Match", "Generation that the dataset must be of, or *", r'^(\*|"[0-9]{1,9}")$'
)
_DATASET: Json = {
    "name": "dataset",
    "in": "query",
    "required": True,
    "description": "IRI of the dataset, or partner/dataset for short",
    "schema": {"type": "string"},
    "example": "demo/technologies",
}


def _send(lang: Json) -> Json:
    binary = {"type": "string", "format": "binary"}
    files = {
        "type": "array",
        "items": binary,
        "minItems": 1,
        "description": "Data; several are one graph",
    }
    form = {"type": "object", "properties": {"file": files}, "required": ["file"]}
    bodies: Json = {name: rdf(name) for name in media.RDF_FORMATS}
    modes = [mode.value for mode in SENT_MODES]
    return {
        **_act("send_submission", "Send data for a dataset", "Submission"),
        "description": "Published at once if the partner is trusted and no shape is violated; "
        "otherwise it waits for a curator. Nothing is ever published in part.",
        "parameters": [
            _DATASET,
            query("mode", "Whether it is the whole of the dataset, or a change of it", modes),
            _flag("dry_run", "Only say what it would come to"),
            _flag("force", "Curators: remove what others refer to"),
            lang,
            _ONCE,
            _UNCHANGED,
            _header("If-None-Match", "*: only if the dataset was never published", r"^\*$"),
        ],
        "requestBody": {
            "required": True,
            "content": {**bodies, "multipart/form-data": {"schema": form}},
        },
        "responses": {
            "200": _json("Preview", "Of a dry run: what it would come to"),
            "201": _json("Submission", "It is published"),
            "202": _json("Submission", "It is in review, or still on its way"),
            **_problems("400", "409", "412", "413", "415", "422", "503", "504"),
        },
    }


def _list() -> Json:
    limit = {"type": "integer", "minimum": 0, "maximum": MOST_LISTED, "default": 50}
    return {
        **_act("list_submissions", "List submissions", "SubmissionList"),
        "parameters": [
            {**_DATASET, "required": False},
            query("state", "Only those in this state", [state.value for state in State]),
            {"name": "before", "in": "query", "schema": {"type": "string"}},
            {"name": "limit", "in": "query", "schema": limit},
        ],
    }


def _report(lang: Json) -> Json:
    act = _act("show_submission_report", "Show the validation report", "ValidationReport", [lang])
    act["parameters"].append(query("format", "Instead of Accept", list(REPORT_FORMATS)))
    for name in (media.CSV, media.HTML):
        act["responses"]["200"]["content"][name] = {"schema": {"type": "string"}}
    act["responses"]["406"] = PROBLEM
    return act


def _diff(lang: Json) -> Json:
    act = _act("show_submission_diff", "Show what it adds and removes", "Difference", [lang])
    limit, offset = (
        {"type": "integer", "minimum": 0, "maximum": most} for most in (MOST_ENTITIES, MOST_OFFSET)
    )
    act["parameters"] += [
        query("format", "Instead of Accept", list(DIFF_FORMATS)),
        {"name": "limit", "in": "query", "schema": limit},
        {"name": "offset", "in": "query", "schema": offset},
    ]
    act["responses"]["200"]["content"][PATCH] = {"schema": {"type": "string"}}
    act["responses"]["406"] = PROBLEM
    return act


def _reject() -> Json:
    act = _act("reject_submission", "Reject what is in review", "Submission")
    body = object_("Why", {"reason": text("What the sender is told")}, {})
    act["requestBody"] = {"required": True, "content": {media.JSON: {"schema": body}}}
    return act


def _revert(lang: Json) -> Json:
    act = _act(
        "revert_submission",
        "Undo a published submission by another one",
        "Preview",
        [
            _flag("dry_run", "Only say what it would come to"),
            _flag("force", "Curators: remove what others refer to"),
            lang,
            _ONCE,
            _UNCHANGED,
        ],
        "201",
    )
    act["responses"]["201"] = _json("Submission", "The one that undoes it is published")
    act["responses"]["202"] = _json("Submission", "The one that undoes it is in review")
    act["responses"].update(_problems("412", "422"))
    return act
