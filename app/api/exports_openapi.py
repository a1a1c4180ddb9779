"""The OpenAPI description of exports and of `/ogc`, made from that of the lists."""

from __future__ import annotations

from typing import Any

from app.api.ogc import located
from app.api.ogc_openapi import SCHEMAS, feature_paths
from app.profile import Profile
from app.records.exports.formats import FORMATS

Json = dict[str, Any]

_OF_PAGES = frozenset({"limit", "offset", "after", "facets", "include"})
_ALL_ON_ONE = {"description": "All records, in the format of the suffix"}
_BUSY = {"$ref": "#/components/responses/Problem"}


def describe_exports(openapi: Json, profile: Profile) -> Json:
    """Add the files of all lists to a document that has the lists; returns it."""
    paths = openapi["paths"]
    for kind in profile.types:
        of_list: Json = paths[f"/api/v1/{kind.collection}"]["get"]
        paths[f"/api/v1/{kind.collection}.{{suffix}}"] = {
            "get": {
                "tags": of_list["tags"],
                "operationId": f"export_{kind.collection.replace('-', '_')}",
                "summary": f"All {kind.collection} as a file",
                "description": "All records that the list with the same parameters would have.",
                "parameters": [_SUFFIX, *filter(_is_kept, of_list["parameters"])],
                "responses": {
                    **of_list["responses"],
                    "200": {**_ALL_ON_ONE, "content": _CONTENT},
                    "404": _BUSY,
                    "429": _BUSY,
                    "503": _BUSY,
                },
            }
        }
    return openapi


def describe_ogc(openapi: Json, profile: Profile) -> Json:
    """Add `/ogc`; returns the document."""
    kinds = [kind for kind, _ in located(profile).values()]
    for path, offered in feature_paths(kinds).items():
        openapi["paths"][f"/ogc{path}".rstrip("/")] = _renamed(offered)
    for name, schema in SCHEMAS.items():
        openapi["components"]["schemas"][f"Ogc{name}"] = _renamed(schema)
    return openapi


def _renamed(value: Any) -> Any:
    """The same, with schemas under names that are free in the whole document."""
    if isinstance(value, dict):
        return {
            name: one.replace("/schemas/", "/schemas/Ogc") if name == "$ref" else _renamed(one)
            for name, one in value.items()
        }
    return [_renamed(one) for one in value] if isinstance(value, list) else value


def _is_kept(parameter: Json) -> bool:
    name = parameter.get("name") or parameter["$ref"].rpartition("/")[2]
    return name not in _OF_PAGES


_SUFFIX: Json = {
    "name": "suffix",
    "in": "path",
    "required": True,
    "description": "The format",
    "schema": {"type": "string", "enum": list(FORMATS)},
}
_CONTENT: Json = {
    one.media_type: {"schema": {"type": "string", "contentEncoding": "binary"}}
    if one.suffix in {"xlsx", "parquet"}
    else {"schema": {}}
    for one in FORMATS.values()
}
