"""OGC API - Features - Part 1: Core (OGC 17-069r4), with GeoJSON, at `/ogc`.

Collections are the entity types whose shapes have a geometry; their features are the entities that
say where they are, in longitude and latitude of WGS 84 (CRS84). A feature's `id` is the
entity's slug, or its IRI where it was not minted here.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import tantivy
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api.ogc_openapi import DEFAULT_LIMIT, MAX_LIMIT, OPENAPI, describe_features
from app.api.parameters import read_parameters
from app.api.readings import Readings, not_modified, unchanged
from app.errors import InvalidRequest, NotAcceptable, NotFound
from app.profile import EntityType, Profile
from app.rdf import media
from app.records.exports.geojson import feature
from app.records.exports.geometry import Places, places
from app.records.finding import Found
from app.records.search import Box, Search, read_search
from app.records.service import Records
from app.records.values import number
from app.settings import Settings

CONFORMANCE = tuple(
    f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}"
    for name in ("core", "oas30", "geojson")
)
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"

_WORLD = Box(-180.0, -90.0, 180.0, 90.0)
_OWN = ("bbox", "limit", "datetime", "after")
_NOT_HERE = frozenset({"q", "near", "sort", "offset", "fields", "include", "facets"})
_WITH_HEIGHT = 6
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)|\d{4}-\d\d-\d\d", re.ASCII
)
Json = dict[str, Any]


def ogc_router(
    records: Records, readings: Readings, profile: Profile, settings: Settings
) -> APIRouter:
    """The routes; they answer HEAD as well as GET."""
    api = _Features(records, readings, profile, settings.public_url)
    router = APIRouter()

    def add(path: str, endpoint: Any) -> None:
        router.add_route(f"/ogc{path}", endpoint, methods=["GET"], include_in_schema=False)

    add("", api.landing_page)
    add("/api", api.definition)
    add("/conformance", api.conformance)
    add("/collections", api.collections)
    add("/collections/{collection}", api.collection)
    add("/collections/{collection}/items", api.items)
    add("/collections/{collection}/items/{feature:path}", api.item)
    return router


def located(profile: Profile) -> dict[str, tuple[EntityType, Places]]:
    """Collection → type and its geometry fields, of types that have any."""
    found = {kind.collection: (kind, places(kind)) for kind in profile.types}
    return {name: one for name, one in found.items() if one[1].paths}


@dataclass(frozen=True, slots=True)
class _Items:
    """A request for features, as a value; `kept` are its parameters without its place."""

    search: Search
    kept: Sequence[tuple[str, str]]


class _Features:
    def __init__(
        self, records: Records, readings: Readings, profile: Profile, public_url: str
    ) -> None:
        self._records = records
        self._readings = readings
        self._profile = profile
        self._url = f"{public_url}/ogc"
        self._site = public_url
        self._located = located(profile)
        kinds = [kind for kind, _ in self._located.values()]
        self._definition = _dump(describe_features(kinds, self._url))
        self._extents: tuple[int, dict[str, list[float]]] = (-1, {})

    async def landing_page(self, request: Request) -> Response:
        """§7.2."""
        read_parameters(request.query_params.multi_items(), ())
        document = {
            "title": "LifeTec Graph",
            "description": "The places of the LifeTec Graph as features.",
            "links": [
                _link(self._url, "self", media.JSON, "This document"),
                _link(f"{self._url}/api", "service-desc", OPENAPI, "The API as OpenAPI 3.0"),
                _link(f"{self._site}/api", "service-doc", media.HTML, "The API for people"),
                _link(f"{self._url}/conformance", "conformance", media.JSON, "What it conforms to"),
                _link(f"{self._url}/collections", "data", media.JSON, "The collections"),
            ],
        }
        return self._answer(request, document)

    async def definition(self, request: Request) -> Response:
        """§7.3."""
        read_parameters(request.query_params.multi_items(), ())
        return Response(self._definition, media_type=OPENAPI)

    async def conformance(self, request: Request) -> Response:
        """§7.4."""
        read_parameters(request.query_params.multi_items(), ())
        return self._answer(request, {"conformsTo": list(CONFORMANCE)})

    async def collections(self, request: Request) -> Response:
        """§7.13."""
        read_parameters(request.query_params.multi_items(), ())
        lang, headers = self._head(request)
        if unchanged(request, headers["ETag"]):
            return not_modified(headers)
        extents = await asyncio.to_thread(self._extents_now)
        url = f"{self._url}/collections"
        document = {
            "links": [_link(url, "self", media.JSON, "This document")],
            "collections": [
                self._described(kind, lang, extents) for kind, _ in self._located.values()
            ],
        }
        return self._answer(request, document, headers)

    async def collection(self, request: Request) -> Response:
        """§7.14."""
        read_parameters(request.query_params.multi_items(), ())
        kind, _ = self._of(request)
        lang, headers = self._head(request)
        if unchanged(request, headers["ETag"]):
            return not_modified(headers)
        extents = await asyncio.to_thread(self._extents_now)
        return self._answer(request, self._described(kind, lang, extents), headers)

    async def items(self, request: Request) -> Response:
        """§7.15."""
        kind, where = self._of(request)
        lang, headers = self._head(request, media.GEOJSON)
        pairs = request.query_params.multi_items()
        asked = self._read(pairs, kind, lang)
        if unchanged(request, headers["ETag"]):
            return not_modified(headers)
        found = await self._records.searching(self._records.finder().find, asked.search)
        url = self._items_url(kind)
        links = [
            _link(_with(url, pairs), "self", media.GEOJSON, "This document"),
            _link(f"{self._url}/collections/{kind.collection}", "collection", media.JSON, ""),
        ]
        if found.next is not None:
            following = _with(url, [*asked.kept, ("after", found.next)])
            links.append(_link(following, "next", media.GEOJSON, "The next page"))
            headers["Link"] = f'<{following}>; rel="next"'
        body = await asyncio.to_thread(self._page, found, kind, where, links)
        return Response(body, media_type=media.GEOJSON, headers=headers)

    async def item(self, request: Request) -> Response:
        """§7.16."""
        read_parameters(request.query_params.multi_items(), ())
        kind, where = self._of(request)
        lang, headers = self._head(request, media.GEOJSON)
        name = request.path_params["feature"]
        iri = name if ":" in name else self._profile.iri(kind.name, name)
        record = self._record(iri, kind, lang)
        shown = self._shown(json.loads(record), kind, where) if record else None
        if shown is None or shown["geometry"] is None:
            raise NotFound(f"None of the {kind.collection} that have a place is <{iri}>.")
        if unchanged(request, headers["ETag"]):
            return not_modified(headers)
        address = f"{self._items_url(kind)}/{quote(shown['id'], safe='')}"
        page = f"{self._site}{self._profile.local_path(iri)}"
        shown["links"] = [
            _link(address, "self", media.GEOJSON, "This document"),
            _link(page, "alternate", media.HTML, "Its page"),
            _link(f"{self._url}/collections/{kind.collection}", "collection", media.JSON, ""),
        ]
        return Response(_dump(shown), media_type=media.GEOJSON, headers=headers)

    # requests

    def _of(self, request: Request) -> tuple[EntityType, Places]:
        name = request.path_params["collection"]
        if name not in self._located:
            raise NotFound(f"The collections are: {', '.join(self._located)}.")
        return self._located[name]

    def _read(self, pairs: Sequence[tuple[str, str]], kind: EntityType, lang: str) -> _Items:
        """The parameters of §7.15.2 to §7.15.5 and filters; raises InvalidRequest (§7.6, §7.7)."""
        known = self._records.vocabularies[kind.name]
        for name, _ in pairs:
            if name in _NOT_HERE or name == "lang":
                own = [*_OWN, *known.filters]
                raise known.unknown(name, own, "parameter here")
        given = {name: value for name, value in pairs if name in {"bbox", "limit", "datetime"}}
        if "datetime" in given:
            read_interval(given["datetime"])
        rest = [pair for pair in pairs if pair[0] not in given]
        repeated = {name for name in given if [n for n, _ in pairs].count(name) > 1}
        if repeated:
            raise InvalidRequest(f"{min(repeated)} is given more than once.", field=min(repeated))
        listed = [*rest, ("limit", str(read_limit(given.get("limit"))))]
        if "bbox" in given:
            listed.append(("bbox", read_box(given["bbox"])))
        search = read_search(listed, known, self._profile.languages)
        whole = Search(
            types=search.types,
            conditions=search.conditions,
            box=search.box or _WORLD,
            after=search.after,
            limit=search.limit,
            lang=lang,
        )
        return _Items(whole, [pair for pair in pairs if pair[0] != "after"])

    def _head(self, request: Request, form: str = media.JSON) -> tuple[str, dict[str, str]]:
        """Language and headers; raises NotAcceptable."""
        if media.negotiate(request.headers.get("accept"), (form, media.JSON)) is None:
            raise NotAcceptable([form])
        lang = self._readings.language(request, None)
        generation = self._records.finder().index.generation
        return lang, self._readings.headers_in(request, lang, generation)

    # answers

    def _answer(
        self, request: Request, document: Json, headers: Mapping[str, str] | None = None
    ) -> Response:
        if media.negotiate(request.headers.get("accept"), (media.JSON,)) is None:
            raise NotAcceptable([media.JSON])
        return Response(_dump(document), media_type=media.JSON, headers=dict(headers or {}))

    def _described(self, kind: EntityType, lang: str, extents: Mapping[str, list[float]]) -> Json:
        url = f"{self._url}/collections/{kind.collection}"
        found: Json = {
            "id": kind.collection,
            "title": kind.label(lang),
            "description": kind.comment(lang),
            "itemType": "feature",
            "crs": [CRS84],
            "links": [
                _link(url, "self", media.JSON, "This document"),
                _link(f"{url}/items", "items", media.GEOJSON, kind.label(lang)),
            ],
        }
        if kind.name in extents:
            found["extent"] = {"spatial": {"bbox": [extents[kind.name]], "crs": CRS84}}
        return found

    def _page(self, found: Found, kind: EntityType, where: Places, links: Sequence[Json]) -> bytes:
        features = [self._shown(json.loads(record), kind, where) for record in found.records]
        return _dump(
            {
                "type": "FeatureCollection",
                "timeStamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                "numberMatched": found.total,
                "numberReturned": len(features),
                "links": list(links),
                "features": features,
            }
        )

    def _shown(self, record: Json, kind: EntityType, where: Places) -> Json:
        shown = feature(record, where)
        iri: str = shown["id"]
        minted = iri.startswith(self._profile.iri(kind.name, ""))
        shown["id"] = self._profile.slug(iri) if minted else iri
        shown["properties"] = {"iri": iri, **shown["properties"]}
        return shown

    def _items_url(self, kind: EntityType) -> str:
        return f"{self._url}/collections/{kind.collection}/items"

    # the index

    def _record(self, iri: str, kind: EntityType, lang: str) -> bytes | None:
        index = self._records.finder().index
        searcher = index.searcher()
        hits = searcher.search(_both(index.schema, id=iri, type=kind.name), 1, count=False).hits
        return index.record(searcher, hits[0][1], lang) if hits else None

    def _extents_now(self) -> dict[str, list[float]]:
        """Type → west, south, east, north of all its places; kept while the generation lasts."""
        index = self._records.finder().index
        generation, extents = self._extents
        if generation != index.generation:
            generation, searcher = index.generation, index.searcher()
            asked = {
                f"{way} {name}": {way: {"field": name}}
                for way in ("min", "max")
                for name in ("lon", "lat")
            }
            extents = {}
            for kind, _ in self._located.values():
                found = searcher.aggregate(_both(index.schema, type=kind.name), asked)
                box = [found[name]["value"] for name in asked]
                if None not in box:
                    extents[kind.name] = box
            self._extents = generation, extents
        return extents


def read_limit(text: str | None) -> int:
    """From 1 up; more than the most is the most (§7.15.2, response)."""
    if text is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) < 1:
        raise InvalidRequest("limit must be a number from 1.", field="limit")
    return min(int(text), MAX_LIMIT)


def read_box(text: str) -> str:
    """Four numbers, or six with heights, which do not matter here (§7.15.3); as four."""
    parts = text[:300].split(",")
    if len(parts) != _WITH_HEIGHT:
        return text
    if any(number(part) is None for part in parts):
        raise InvalidRequest(
            "bbox is west,south,lowest,east,north,highest in degrees and metres.", field="bbox"
        )
    return ",".join(parts[n] for n in (0, 1, 3, 4))


def read_interval(text: str) -> tuple[str | None, str | None]:
    """A moment or an interval of RFC 3339, open where `..` or nothing stands (§7.15.4).

    Raises InvalidRequest. No type here has a temporal geometry, so whatever is asked matches all
    features, as the standard has it for those without one.
    """
    ends = text.split("/")
    opened = [None if end in {"", ".."} and len(ends) > 1 else end for end in ends]
    closed = [end for end in opened if end is not None]
    if len(ends) > 2 or not closed or not all(_is_moment(end) for end in closed):  # noqa: PLR2004
        raise InvalidRequest(
            "datetime is a time as in 2026-05-31T12:00:00Z, or two with a slash between them; .. "
            "stands for an open end.",
            field="datetime",
        )
    begin, end = (opened[0], opened[-1])
    if len(closed) > 1 and closed[0] > closed[1]:
        raise InvalidRequest("datetime ends before it begins.", field="datetime")
    return begin, end


def _is_moment(text: str) -> bool:
    if not _MOMENT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text.upper().replace(" ", "T"))
    except ValueError:
        return False
    return True


def _both(schema: tantivy.Schema, **terms: str) -> tantivy.Query:
    must = [
        (tantivy.Occur.Must, tantivy.Query.term_query(schema, name, value))
        for name, value in terms.items()
    ]
    return tantivy.Query.boolean_query(must)


def _link(href: str, rel: str, form: str, title: str) -> Json:
    return {"href": href, "rel": rel, "type": form, **({"title": title} if title else {})}


def _with(url: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{url}?{urlencode(pairs)}" if pairs else url


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
