"""Single records, straight from the index: what applications ask for most."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.readings import Readings, answer, not_modified
from app.api.streaming import CORS
from app.errors import NotAcceptable
from app.profile import Profile
from app.records.service import Records

_METHODS = frozenset({"GET", "HEAD"})


class HotRecords:
    """Answers `/api/v1/{types}/{slug}` without parameters, as a raw ASGI application.

    Whatever is not there at once, or is asked for in another way, is for the framework, which
    answers the same more slowly, and has the words for what is wrong.
    """

    def __init__(
        self, records: Records, readings: Readings, profile: Profile, framework: ASGIApp
    ) -> None:
        self._records = records
        self._readings = readings
        self._profile = profile
        self._framework = framework

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        plain = scope["method"] in _METHODS and not scope["query_string"]
        response = self._response(Request(scope)) if plain else None
        await (response or self._framework)(scope, receive, send)

    def _response(self, request: Request) -> Response | None:
        folder, _, slug = request.scope["path"].rpartition("/")
        iri = self._profile.locate(folder.rpartition("/")[2], slug)
        if iri is None:
            return None
        lang = self._readings.language(request, None)
        try:
            headers, fresh = self._readings.headers(request, lang)
        except NotAcceptable:
            return None
        record = self._records.at_hand(iri, lang=lang)
        if record is None:
            return None
        response = not_modified(headers) if fresh else answer(request, record, headers)
        response.raw_headers.extend(CORS)
        return response
