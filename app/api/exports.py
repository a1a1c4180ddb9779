"""Whole lists as files: `/api/v1/organisations.csv`, by suffix, by `format=`, by Accept.

An export has all records that the list with the same parameters would have, page after page. It is
streamed: XLSX and Parquet, which are made in a file, begin when the file is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from app.api.parameters import read_flag
from app.api.rate_limits import RateLimits
from app.api.readings import Readings, not_modified, unchanged
from app.api.streaming import ClientGone, CutOff, cancelled_by_disconnect
from app.errors import AppError, DeadlineExceeded, InvalidRequest, NotFound, Overloaded, RateLimited
from app.profile import EntityType, Profile
from app.rdf import media
from app.records.exports.columns import Table
from app.records.exports.csvw import MEDIA_TYPE as CSVW
from app.records.exports.csvw import describe_csv
from app.records.exports.formats import FORMATS, Export, Format, export
from app.records.exports.source import Source
from app.records.search import Search, nearest
from app.settings import Settings

METADATA = "csv-metadata.json"
"""The suffix of what says what the columns of the CSV mean (CSV on the Web §5.3)."""

_BY_MEDIA_TYPE = {
    **{one.media_type: one for one in FORMATS.values()},
    "application/ndjson": FORMATS["ndjson"],
    "application/jsonl": FORMATS["ndjson"],
}
_PAGES = (media.JSON, media.JSON_LD)
"""What a list itself is: under these names it is asked for page by page."""

_OFFERED = (*_PAGES, *(name for name in _BY_MEDIA_TYPE if name not in _PAGES))
_RETRY_AFTER = 10
_OF_ONE_CLIENT = 2
"""The part of all places that one client may hold: a half."""


class Places:
    """How many exports are made at one time, by all and by one client."""

    def __init__(self, places: int, limits: RateLimits) -> None:
        self._places = places
        self._each = max(1, places // _OF_ONE_CLIENT)
        self._limits = limits
        self._held: Counter[str] = Counter()

    @contextlib.contextmanager
    def held(self, request: Request) -> Iterator[None]:
        """A place, while the block runs; raises RateLimited and Overloaded."""
        client = self._limits.client(request)
        if self._limits.on and self._held[client] >= self._each:
            raise RateLimited("exports", quota=self._each, retry_after=_RETRY_AFTER, unit="exports")
        if self._held.total() >= self._places:
            raise Overloaded(_RETRY_AFTER)
        self._held[client] += 1
        try:
            yield
        finally:
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]


@dataclass(frozen=True, slots=True)
class _Asked:
    """An export as a value."""

    format: Format
    kind: EntityType
    search: Search
    bom: bool


def add_exports(
    router: APIRouter,
    source: Source,
    readings: Readings,
    profile: Profile,
    *,
    settings: Settings,
    limits: RateLimits,
) -> None:
    """Add the addresses of all types, before the routes of lists, some of whose requests they take.

    They answer HEAD as well as GET.
    """
    api = _ExportsApi(source, readings, profile, settings, Places(settings.export_places, limits))
    for kind in profile.types:
        path = f"/api/v1/{kind.collection}"
        # Not by `include_router`, which makes plain routes of all that it includes.
        router.routes.append(
            _ByNegotiation(path, api.by_negotiation(kind), include_in_schema=False)
        )
        router.add_route(f"{path}.{{suffix}}", api.by_suffix(kind), include_in_schema=False)


class _ByNegotiation(Route):
    """A list's address, where `format=` or Accept asks for more than pages of it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Pass over what the list itself answers."""
        match, found = super().matches(scope)
        if match is Match.FULL and not _wants_export(Request(scope)):
            return Match.NONE, {}
        return (match, found) if match is Match.FULL else (Match.NONE, {})


def _wants_export(request: Request) -> bool:
    if "format" in request.query_params:
        return True
    chosen = media.negotiate(request.headers.get("accept"), _OFFERED)
    return chosen is not None and chosen not in _PAGES


class _ExportsApi:
    def __init__(
        self,
        source: Source,
        readings: Readings,
        profile: Profile,
        settings: Settings,
        places: Places,
    ) -> None:
        self._source = source
        self._readings = readings
        self._profile = profile
        self._settings = settings
        self._places = places

    def by_negotiation(self, kind: EntityType) -> Any:
        """The endpoint of a type's list as a file, in the format of `format=` or of Accept."""

        async def endpoint(request: Request) -> Response:
            pairs = request.query_params.multi_items()
            given = [value for name, value in pairs if name == "format"]
            if len(given) > 1:
                raise InvalidRequest("format is given more than once.", field="format")
            if given:
                return self._answer(request, kind, _format(given[0]), pairs)
            chosen = media.negotiate(request.headers.get("accept"), _OFFERED) or media.JSON
            return self._answer(request, kind, _BY_MEDIA_TYPE[chosen], pairs)

        return endpoint

    def by_suffix(self, kind: EntityType) -> Any:
        """The endpoint of a type's list as a file, in the format of its suffix."""

        async def endpoint(request: Request) -> Response:
            suffix = request.path_params["suffix"]
            pairs = request.query_params.multi_items()
            if suffix == METADATA:
                return self._metadata(request, kind, pairs)
            if suffix not in FORMATS:
                offered = ", ".join(f".{name}" for name in FORMATS)
                raise NotFound(f"The formats of this list are: {offered}.")
            return self._answer(request, kind, FORMATS[suffix], pairs)

        return endpoint

    def _answer(
        self,
        request: Request,
        kind: EntityType,
        wanted: Format,
        pairs: Sequence[tuple[str, str]],
    ) -> Response:
        asked, lang = self._read(request, kind, wanted, pairs)
        headers = self._readings.headers_in(request, lang, self._source.generation, wanted.suffix)
        if unchanged(request, headers["ETag"]):
            return not_modified(headers)
        name = f"{kind.collection}.{wanted.suffix}"
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
        if wanted.suffix == "csv":
            of = [(n, v) for n, v in pairs if n != "format"]
            headers["Link"] = f'<{self._url(kind, METADATA, of)}>; rel="describedby"; type="{CSVW}"'
        if request.method == "HEAD":
            return _without_length(Response(media_type=wanted.media_type, headers=headers))
        return _Download(
            self._pieces(asked),
            wanted,
            headers,
            self._places.held(request),
            self._settings.export_seconds,
        )

    def _read(
        self,
        request: Request,
        kind: EntityType,
        wanted: Format,
        pairs: Sequence[tuple[str, str]],
    ) -> tuple[_Asked, str]:
        own = {"format", "bom"} if wanted.suffix == "csv" else {"format"}
        given = {name: value for name, value in pairs if name in own}
        of_list = [(name, value) for name, value in pairs if name not in own]
        lang = self._readings.language(request, dict(of_list).get("lang"))
        search = self._source.select(kind, of_list, lang)
        return _Asked(wanted, kind, search, read_flag(given, "bom")), lang

    def _pieces(self, asked: _Asked) -> AsyncGenerator[bytes, None]:
        writer = asked.format.writer(
            Export(
                asked.kind,
                self._profile,
                asked.search.fields,
                f"{self._settings.public_url}/context.jsonld",
                bom=asked.bom,
                max_bytes=self._settings.export_mb << 20,
            )
        )
        return export(writer, self._source.batches(asked.search))

    def _metadata(
        self, request: Request, kind: EntityType, pairs: Sequence[tuple[str, str]]
    ) -> Response:
        asked, lang = self._read(request, kind, FORMATS["csv"], pairs)
        headers = self._readings.headers_in(request, lang, self._source.generation, METADATA)
        if unchanged(request, headers["ETag"]):
            return not_modified(headers)
        table = Table(kind, self._profile, asked.search.fields)
        document = describe_csv(table, self._url(kind, "csv", pairs))
        body = json.dumps(document, ensure_ascii=False).encode()
        return Response(body, media_type=CSVW, headers=headers)

    def _url(self, kind: EntityType, suffix: str, pairs: Sequence[tuple[str, str]]) -> str:
        """Relative to another file of the same list, so that it holds wherever they are served."""
        return f"{kind.collection}.{suffix}" + (f"?{urlencode(pairs)}" if pairs else "")


class _Download(Response):
    """Sends an export. What fails before the first piece is answered with a problem."""

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        form: Format,
        headers: Mapping[str, str],
        place: contextlib.AbstractContextManager[None],
        seconds: float,
    ) -> None:
        super().__init__(media_type=form.media_type, headers=headers)
        _without_length(self)
        self._pieces = pieces
        self._place = place
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it as it comes, until the client goes or the time is up."""
        with self._place, contextlib.suppress(ClientGone), cancelled_by_disconnect(receive):
            async with contextlib.aclosing(self._pieces):
                await self._send(send)

    async def _send(self, send: Send) -> None:
        begun = False
        try:
            async with asyncio.timeout(self._seconds):
                async for piece in self._pieces:
                    if not begun:
                        await self._begin(send)
                        begun = True
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                if not begun:
                    await self._begin(send)
        except TimeoutError:
            late = DeadlineExceeded(self._seconds, advice="Filter the list, or read it by pages.")
            if begun:
                raise CutOff(late.detail) from None
            raise late from None
        except AppError as error:
            if begun:
                raise CutOff(error.detail) from None
            raise
        await send({"type": "http.response.body", "body": b""})

    async def _begin(self, send: Send) -> None:
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": 200, "headers": headers})


def _without_length(response: Response) -> Response:
    """What has no known length has no Content-Length (RFC 9110 §9.3.2)."""
    del response.headers["content-length"]
    return response


def _format(name: str) -> Format:
    """The format of a `format=`; raises InvalidRequest."""
    found = FORMATS.get(name.lower())
    if found is None:
        near = nearest(name[:20], list(FORMATS))
        raise InvalidRequest(
            f"format must be one of {', '.join(FORMATS)}.", field="format", nearest=near
        )
    return found
