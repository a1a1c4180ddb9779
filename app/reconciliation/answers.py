"""Answers of the Reconciliation Service API, of version 0.2 and of the draft of 1.0. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from app.profile import EntityType, Profile
from app.rdf.terms import XSD
from app.reconciliation.names import Facts
from app.reconciliation.protocol import MOST_QUERIES, Extension, Vocabulary
from app.reconciliation.scoring import Feature
from app.reconciliation.service import Match

Json = dict[str, Any]

PREVIEW_WIDTH: Final = 430
PREVIEW_HEIGHT: Final = 300
DRAFT: Final = "1.0-draft"

_PLACES_TOLD = 2
_NAMES_TOLD = 3

_INTEGERS = {XSD[name].value for name in ("integer", "int", "long", "nonNegativeInteger")} | {
    XSD["positiveInteger"].value
}
_FLOATS = {XSD[name].value for name in ("decimal", "double", "float")}
_DATES = {XSD["date"].value, XSD["dateTime"].value}
_DATE_TIME = re.compile(
    r"-?(?:[1-9][0-9]*)?[0-9]{4}-(?:1[0-2]|0[1-9])-(?:3[01]|0[1-9]|[12][0-9])"
    r"T(?:2[0-3]|[01][0-9]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:Z|[+-](?:2[0-3]|[01][0-9]):[0-5][0-9])?"
)
_SMALL = re.compile(r"[+-]?[0-9]{1,15}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")

_FEATURES = {
    "name": "likeness of the name, 0 to 100",
    "identifier": "an identifier is equal",
    "type": "it is of a type that was asked for",
}


def manifest(profile: Profile, name: str, public_url: str, lang: str) -> Json:
    """The service manifest of version 0.2 (§3.1)."""
    endpoint = f"{public_url}/reconcile"

    def suggest(what: str) -> Json:
        return {
            "service_url": endpoint,
            "service_path": f"/suggest/{what}",
            "flyout_service_url": endpoint,
            "flyout_service_path": f"/flyout/{what}?id=${{id}}",
        }

    return {
        "versions": ["0.2"],
        "name": name,
        "identifierSpace": profile.base_iri,
        "schemaSpace": _schema_space(profile),
        "documentation": f"{public_url}/docs",
        "view": {"url": f"{public_url}/resource?iri={{{{id}}}}"},
        "defaultTypes": [_type(kind, lang) for kind in profile.types],
        "preview": {
            "url": f"{endpoint}/preview?id={{{{id}}}}",
            "width": PREVIEW_WIDTH,
            "height": PREVIEW_HEIGHT,
        },
        "suggest": {what: suggest(what) for what in ("entity", "property", "type")},
        "extend": {
            "propose_properties": {"service_url": endpoint, "service_path": "/extend/propose"},
            "property_settings": [
                {
                    "name": "limit",
                    "label": "Values",
                    "type": "number",
                    "default": 0,
                    "help_text": "At most so many values of each entity; 0 for all",
                }
            ],
        },
        "batchSize": MOST_QUERIES,
    }


def draft_manifest(profile: Profile, name: str, public_url: str, lang: str) -> Json:
    """The service manifest of the draft."""
    return {
        "versions": [DRAFT],
        "name": name,
        "documentation": f"{public_url}/docs",
        "view": {"url": f"{public_url}/resource?iri={{id}}"},
        "defaultTypes": [_type(kind, lang) for kind in profile.types],
        "preview": {"width": PREVIEW_WIDTH, "height": PREVIEW_HEIGHT},
        "suggest": {"entity": True, "property": True, "type": True},
        "extend": {
            "proposeProperties": True,
            "propertySettings": [
                {
                    "id": "limit",
                    "name": "Values",
                    "type": "number",
                    "default": 0,
                    "helpText": "At most so many values of each entity; 0 for all",
                }
            ],
        },
        "batchSize": MOST_QUERIES,
        "lang": lang,
        "standardizedScore": True,
    }


def _schema_space(profile: Profile) -> str:
    """The namespace of the shapes, which types and properties are named after."""
    if not profile.types:
        return profile.base_iri
    shape = profile.types[0].shape
    return shape[: max(shape.rfind("#"), shape.rfind("/")) + 1]


def _type(kind: EntityType, lang: str) -> Json:
    return {"id": kind.name, "name": kind.label(lang)}


def candidate(match: Match, profile: Profile, lang: str, *, draft: bool) -> Json:
    """A reconciliation candidate (§4.2): both versions name its members alike."""
    facts = match.facts
    return {
        "id": facts.iri,
        "name": facts.label(lang),
        **description(facts, lang),
        "type": [_type(profile.type(facts.type), lang)],
        "score": match.scored.score,
        "features": [_feature(one, draft=draft) for one in match.scored.features],
        "match": match.match,
    }


def _feature(feature: Feature, *, draft: bool) -> Json:
    found: Json = {"id": feature.id, "value": feature.value}
    if draft:
        kind, _, name = feature.id.partition(":")
        found["name"] = _FEATURES.get(kind) or f"likeness of {name}, 0 to 100"
    return found


def description(facts: Facts, lang: str) -> Json:
    """What tells namesakes apart: where it is, and what else it is called."""
    words = facts.where(lang)[:_PLACES_TOLD]
    others = [name for name in facts.names if name not in facts.labels.values()][:_NAMES_TOLD]
    told = "; ".join(filter(None, (", ".join(dict.fromkeys(words)), " · ".join(others))))
    return {"description": told} if told else {}


def entity_suggestion(facts: Facts, profile: Profile, lang: str) -> Json:
    """An entity in a suggest response (§6.3)."""
    notable = [_type(profile.type(facts.type), lang)]
    return {
        "id": facts.iri,
        "name": facts.label(lang),
        **description(facts, lang),
        "notable": notable,
    }


def type_suggestion(kind: EntityType, lang: str) -> Json:
    """A type in a suggest response."""
    comment = kind.comment(lang)
    return {**_type(kind, lang), **({"description": comment} if comment else {})}


def property_suggestion(name: str, vocabulary: Vocabulary, lang: str) -> Json:
    """A property in a suggest response, or in a proposal."""
    field = vocabulary.properties[name][0].field
    found = {"id": name, "name": field.label(lang)}
    if text := field.description(lang):
        found["description"] = text
    return found


def extension(
    asked: Extension,
    rows: dict[str, dict[str, list[Any]]],
    vocabulary: Vocabulary,
    lang: str,
    *,
    draft: bool,
) -> Json:
    """A data extension response (§7.4)."""
    names = list(dict.fromkeys(wanted.property for wanted in asked.properties))
    meta = [_meta(name, vocabulary, lang) for name in names]
    given = {
        iri: {n: [_value(v, draft=draft) for v in rows.get(iri, {}).get(n, [])] for n in names}
        for iri in asked.ids
    }
    if not draft:
        return {"meta": meta, "rows": given}
    listed = [
        {"id": iri, "properties": [{"id": n, "values": v} for n, v in row.items()]}
        for iri, row in given.items()
    ]
    return {"meta": meta, "rows": listed}


def _meta(name: str, vocabulary: Vocabulary, lang: str) -> Json:
    field = vocabulary.properties[name][0].field
    kinds = {vocabulary.profile.of_classes([cls]) for cls in field.classes}
    found: Json = {"id": name, "name": field.label(lang)}
    if len(kinds) == 1 and (kind := kinds.pop()):
        found["type"] = _type(kind, lang)
    return found


def _value(value: Json, *, draft: bool) -> Json:
    """A property value; a number or date that the protocol cannot hold is a text."""
    if "id" in value:
        return {"id": value["id"], "name": value["name"] or value["id"]}
    if "text" in value:
        lang = {"lang": value["lang"]} if draft and value["lang"] else {}
        return {"str": value["text"], **lang}
    text, datatype = value["literal"], value["datatype"]
    if datatype in _INTEGERS and _SMALL.fullmatch(text):
        return {"int": int(text)}
    if datatype in _FLOATS and _DECIMAL.fullmatch(text) and abs(float(text)) < 1e300:  # noqa: PLR2004
        return {"float": float(text)}
    if datatype in _DATES:
        moment = text if "T" in text else f"{text[:10]}T00:00:00{text[10:]}"
        if _DATE_TIME.fullmatch(moment):
            return {"date": moment}
    return {"str": text}


def properties_of(kind: EntityType, vocabulary: Vocabulary, limit: int) -> Sequence[str]:
    """The properties that are proposed for a type: of single fields first, those of parts last."""
    names = list(vocabulary.fields[kind.name])
    names.sort(key=lambda name: "." in name)
    return names[:limit]
