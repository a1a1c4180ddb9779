"""The OpenAPI 3.0 definition of `/ogc` (OGC 17-069r4 §9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.profile import EntityType
from app.rdf import media
from app.records.listing import Filterable, filterable

OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000

Json = dict[str, Any]


def describe_features(kinds: Sequence[EntityType], url: str) -> Json:
    """The document, for collections of these types at `url`."""
    return {
        "openapi": "3.0.3",
        "info": {"title": "LifeTec Graph: features", "version": "1"},
        "servers": [{"url": url}],
        "paths": feature_paths(kinds),
        "components": {"schemas": SCHEMAS, "responses": {"Problem": _PROBLEM}},
    }


def feature_paths(kinds: Sequence[EntityType]) -> Json:
    """Path → what it offers."""
    paths: Json = {
        "/": {"get": _get("getLandingPage", "Where all begins", "Links")},
        "/conformance": {"get": _get("getConformance", "What it conforms to", "Conformance")},
        "/collections": {"get": _get("getCollections", "All collections", "Collections")},
    }
    for kind in kinds:
        name, path = _identifier(kind), f"/collections/{kind.collection}"
        paths[path] = {
            "get": _get(f"describe_{name}", kind.comment("en"), "Collection", missing=True)
        }
        paths[f"{path}/items"] = {"get": _items(kind)}
        paths[f"{path}/items/{{featureId}}"] = {"get": _item(kind)}
    return paths


def _items(kind: EntityType) -> Json:
    own = [_LIMIT, _BBOX, _DATETIME, _AFTER]
    filters = [_filter(name, what) for name, what in filterable(kind).items()]
    found = _get(
        f"getFeatures_{_identifier(kind)}",
        f"The {kind.collection} that have a place",
        "FeatureCollection",
        form=media.GEOJSON,
        missing=True,
    )
    return {**found, "parameters": [*own, *filters]}


def _item(kind: EntityType) -> Json:
    found = _get(
        f"getFeature_{_identifier(kind)}",
        f"One of the {kind.collection}",
        "Feature",
        form=media.GEOJSON,
        missing=True,
    )
    parameter = {
        "name": "featureId",
        "in": "path",
        "required": True,
        "description": "Slug, or IRI",
        "schema": {"type": "string", "minLength": 1},
    }
    return {**found, "parameters": [parameter]}


def _get(
    operation: str, summary: str, schema: str, *, form: str = media.JSON, missing: bool = False
) -> Json:
    problem = {"$ref": "#/components/responses/Problem"}
    found = {
        "operationId": operation,
        "summary": summary,
        "tags": ["features"],
        "responses": {
            "200": {
                "description": summary,
                "content": {form: {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
            },
            "400": problem,
            "406": problem,
            "503": problem,
        },
    }
    if missing:
        found["responses"]["404"] = problem  # type: ignore[index]
    return found


def _filter(name: str, what: Filterable) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": f"{what.field.label('en')}. {what.field.description('en')}".strip(),
        "schema": {"type": "array", "items": {"type": "string"}},
        "style": "form",
        "explode": True,
    }


def _identifier(kind: EntityType) -> str:
    return kind.collection.replace("-", "_")


_LIMIT: Json = {
    "name": "limit",
    "in": "query",
    "required": False,
    "description": f"Features on a page; {MAX_LIMIT} at most",
    # A larger number means the greatest page and is no error (/req/core/fc-limit-response-1).
    "schema": {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT},
    "style": "form",
    "explode": False,
}
_BBOX: Json = {
    "name": "bbox",
    "in": "query",
    "required": False,
    "description": "West, south, east, north in degrees of WGS 84; or with heights",
    "schema": {
        "type": "array",
        "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
        "items": {"type": "number"},
    },
    "style": "form",
    "explode": False,
}
_DATETIME: Json = {
    "name": "datetime",
    "in": "query",
    "required": False,
    "description": "A time, or an interval; features have none, so it matches all of them",
    "schema": {"type": "string"},
    "style": "form",
    "explode": False,
}
_AFTER: Json = {
    "name": "after",
    "in": "query",
    "required": False,
    "description": "Where the page before ended; follow the link `next`",
    "schema": {"type": "string"},
}
_LINKS: Json = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["href", "rel"],
        "properties": {
            "href": {"type": "string"},
            "rel": {"type": "string"},
            "type": {"type": "string"},
            "title": {"type": "string"},
        },
    },
}
_COLLECTION: Json = {
    "type": "object",
    "required": ["id", "links"],
    "properties": {
        "id": {"type": "string"},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "itemType": {"type": "string", "default": "feature"},
        "crs": {"type": "array", "items": {"type": "string"}},
        "extent": {"type": "object"},
        "links": _LINKS,
    },
}
_FEATURE: Json = {
    "type": "object",
    "required": ["type", "geometry", "properties"],
    "properties": {
        "type": {"type": "string", "enum": ["Feature"]},
        "id": {"type": "string"},
        "geometry": {
            "type": "object",
            "required": ["type", "coordinates"],
            "properties": {
                "type": {"type": "string"},
                "coordinates": {"type": "array", "items": {}},
            },
        },
        "properties": {"type": "object"},
        "links": _LINKS,
    },
}
SCHEMAS: Json = {
    "Links": {
        "type": "object",
        "required": ["links"],
        "properties": {
            "title": {"type": "string"},
            "description": {"type": "string"},
            "links": _LINKS,
        },
    },
    "Conformance": {
        "type": "object",
        "required": ["conformsTo"],
        "properties": {"conformsTo": {"type": "array", "items": {"type": "string"}}},
    },
    "Collections": {
        "type": "object",
        "required": ["links", "collections"],
        "properties": {
            "links": _LINKS,
            "collections": {"type": "array", "items": _COLLECTION},
        },
    },
    "Collection": _COLLECTION,
    "FeatureCollection": {
        "type": "object",
        "required": ["type", "features"],
        "properties": {
            "type": {"type": "string", "enum": ["FeatureCollection"]},
            "features": {"type": "array", "items": _FEATURE},
            "links": _LINKS,
            "timeStamp": {"type": "string", "format": "date-time"},
            "numberMatched": {"type": "integer", "minimum": 0},
            "numberReturned": {"type": "integer", "minimum": 0},
        },
    },
    "Feature": _FEATURE,
}
_PROBLEM: Json = {
    "description": "The request does not fit, or there is nothing here (RFC 9457)",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                },
            }
        }
    },
}
