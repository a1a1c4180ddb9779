"""`/api/v1/submissions`: data partners send data, and see what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from app.accounts import Accounts, Principal
from app.api.bearer import principal_of
from app.api.parameters import (
    read_choice,
    read_conditions,
    read_flag,
    read_number,
    read_parameters,
)
from app.api.problems import problem_document
from app.api.readings import preferred_language
from app.api.uploads import read_parts
from app.errors import AppError, Invalid, InvalidRequest, NotAcceptable, PayloadTooLarge
from app.rdf import media
from app.submissions.admission import Asked
from app.submissions.desk import Desk
from app.submissions.exports import table
from app.submissions.gate import File, Gate, Prepared
from app.submissions.register import Submission
from app.submissions.report import localised
from app.submissions.states import Mode, State

ADDRESS = "/api/v1/submissions"
"""Where data is sent."""

SENT_MODES = (Mode.REPLACE, Mode.MERGE, Mode.REMOVE)
"""What can be asked for here; the other modes have doors of their own."""

REPORT_FORMATS = {"json": media.JSON, "csv": media.CSV, "html": media.HTML}
"""Values of `format` for a report."""

PATCH = "application/rdf-patch"
DIFF_FORMATS = {"json": media.JSON, "patch": PATCH}
"""Values of `format` for a difference."""

MOST_LISTED = 200
MOST_ENTITIES = 1000
MOST_OFFSET = 10**8
_MAX_BODY = 16 << 10
_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Page = Callable[[Request, dict[str, Any]], Response]
_Action = Callable[[Request, Principal], Awaitable[Response]]


class SubmissionDoor:
    """What all doors to the desk do alike: preview or send, and answer."""

    def __init__(
        self,
        desk: Desk,
        gate: Gate,
        accounts: Accounts,
        *,
        base_iri: str,
        public_url: str,
        languages: Sequence[str],
    ) -> None:
        self.desk = desk
        self.gate = gate
        self.accounts = accounts
        self.base_iri = base_iri
        self.address = f"{public_url}{ADDRESS}"
        self.job_address = f"{public_url}/api/v1/jobs"
        self.languages = languages

    async def principal(self, request: Request) -> Principal:
        """Who sends a request; raises Unauthenticated."""
        return await principal_of(request, self.accounts)

    def language(self, request: Request, given: dict[str, str]) -> str:
        """The language that is asked for."""
        preferred = preferred_language(request.headers.get("accept-language"), self.languages)
        return read_choice(given, "lang", self.languages, preferred)

    async def send(
        self, request: Request, who: Principal, asked: Asked, given: dict[str, str]
    ) -> Submission:
        """Have a submission seen through; a refusal speaks the language of the request."""
        with self.speaking(self.language(request, given)):
            return await self.desk.receive(who, asked)

    @contextlib.contextmanager
    def speaking(self, language: str) -> Iterator[None]:
        """What the shapes refuse here is told in this language."""
        try:
            yield
        except Invalid as error:
            error.facts["report"] = localised(error.facts["report"], language)
            raise

    async def preview(
        self, request: Request, who: Principal, asked: Asked, given: dict[str, str]
    ) -> Response:
        """200 with report and difference of what is not sent; it conforms or not."""
        language = self.language(request, given)
        prepared = await self.desk.preview(who, asked)
        return JSONResponse(
            {
                "dry_run": True,
                "conforms": prepared.report["conforms"],
                "statements": prepared.statements,
                "compared_with": prepared.generation,
                "datasets": list(prepared.datasets),
                "report": localised(prepared.report, language),
                "diff": await self._explained(prepared, language),
            },
            headers={**_PRIVATE, "Content-Language": language},
        )

    async def _explained(self, prepared: Prepared, language: str) -> dict[str, Any]:
        return await self.gate.explain(
            prepared.added, prepared.removed, language=language, limit=MOST_ENTITIES, offset=0
        )

    def shown(self, one: Submission) -> dict[str, Any]:
        """A submission as JSON."""
        address = f"{self.address}/{one.id}"
        commit = None if one.generation is None else f"{self.base_iri}commit/{one.generation}"
        return {
            "id": one.id,
            "url": address,
            "iri": f"{self.base_iri}submission/{one.id}",
            "state": one.state.value,
            "mode": one.mode.value,
            "dataset": one.dataset,
            "graphs": None if one.graphs is None else list(one.graphs),
            "partner": one.partner,
            "author": one.author,
            "licence": one.licence,
            "created_at": one.created_at.isoformat(),
            "changed_at": one.changed_at.isoformat(),
            "size": one.size,
            "source_hash": one.source_hash,
            "statements": one.statements,
            "counts": one.counts and dict(one.counts),
            "compared_with": one.compared_with,
            "added": one.added,
            "removed": one.removed,
            "generation": one.generation,
            "commit": commit,
            "reverts": one.reverts,
            "reason": one.reason,
            "decided_by": one.decided_by,
            "problem": one.problem and self._problem(one.problem),
            "report": f"{address}/report" if one.report else None,
            "diff": f"{address}/diff" if one.diff else None,
            "job": f"{self.job_address}/{one.id}",
        }

    def _problem(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """What the sender would have been answered; the report has an address of its own."""
        shown = problem_document(AppError.from_dict(dict(kept)), f"{self.base_iri}problem/")
        shown.pop("report", None)
        return shown

    def answer(self, one: Submission, status: int) -> Response:
        """A submission with its address."""
        headers = {**_PRIVATE, "Location": f"{self.address}/{one.id}"}
        if one.state in {State.RECEIVED, State.VALIDATED}:
            headers["Link"] = f'<{self.job_address}/{one.id}>; rel="monitor"'
        return JSONResponse(self.shown(one), status, headers)


def status_of_sent(one: Submission) -> int:
    """201 for what is published, 202 for what is on its way or waits for review."""
    return 201 if one.state.final else 202


def submissions_router(door: SubmissionDoor, *, max_bytes: int, page: Page) -> APIRouter:
    """The routes; all need a key. `page` shows a report to people."""
    router = APIRouter()
    api = _SubmissionsApi(door, max_bytes, page)

    def add(path: str, method: str, action: _Action) -> None:
        async def endpoint(request: Request) -> Response:
            who = await door.principal(request)
            try:
                return await action(request, who)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it

        router.add_route(path, endpoint, methods=[method], include_in_schema=False)

    one = f"{ADDRESS}/{{id}}"
    add(ADDRESS, "POST", api.send)
    add(ADDRESS, "GET", api.list)
    add(one, "GET", api.show)
    add(f"{one}/report", "GET", api.report)
    add(f"{one}/diff", "GET", api.diff)
    for name in ("accept", "reject", "withdraw", "revert"):
        add(f"{one}/{name}", "POST", getattr(api, name))
    return router


class _SubmissionsApi:
    def __init__(self, door: SubmissionDoor, max_bytes: int, page: Page) -> None:
        self._door = door
        self._desk = door.desk
        self._max_bytes = max_bytes
        self._page = page

    async def send(self, request: Request, who: Principal) -> Response:
        given = read_parameters(
            request.query_params.multi_items(), ("dataset", "mode", "dry_run", "force", "lang")
        )
        mode = Mode(read_choice(given, "mode", [mode.value for mode in SENT_MODES], "replace"))
        conditions = read_conditions(request.headers)
        dataset, dry_run = self._dataset(given), read_flag(given, "dry_run")
        force = read_flag(given, "force")
        await self._desk.refuse(who, dataset)  # before a large body is read for nothing
        parts = await read_parts(request, self._max_bytes, "file")
        if not parts:
            raise InvalidRequest(
                "There is no data; send it as the body, or as a file of a form, for example by "
                "curl -F file=@data.ttl.",
                field="file",
            )
        asked = Asked(
            mode=mode,
            files=tuple(File(part.name, part.media_type, part.data) for part in parts),
            dataset=dataset,
            force=force,
            expects=conditions.expects,
            exists=conditions.exists,
            idempotency=conditions.idempotency,
        )
        if dry_run:
            return await self._door.preview(request, who, asked, given)
        one = await self._door.send(request, who, asked, given)
        return self._door.answer(one, status_of_sent(one))

    def _dataset(self, given: dict[str, str]) -> str:
        """The dataset's IRI; `demo/technologies` is short for that of one of ours."""
        text = given.get("dataset", "")
        if not text:
            raise InvalidRequest(
                "Name the dataset: ?dataset= and its IRI, or partner/dataset for short.",
                field="dataset",
            )
        return text if ":" in text else f"{self._door.base_iri}graph/{text}"

    async def list(self, request: Request, who: Principal) -> Response:
        given = read_parameters(
            request.query_params.multi_items(), ("dataset", "state", "before", "limit")
        )
        state = None
        if "state" in given:
            state = State(read_choice(given, "state", [state.value for state in State], ""))
        limit = read_number(given, "limit", 50, MOST_LISTED)
        total, found = await self._desk.submissions(
            who,
            dataset=self._dataset(given) if "dataset" in given else None,
            state=state,
            before=given.get("before"),
            limit=limit,
        )
        following = None
        if limit and len(found) == limit:
            url = request.url.include_query_params(before=found[-1].id)
            following = f"{self._door.address}?{url.query}"
        return JSONResponse(
            {
                "total": total,
                "items": [self._door.shown(one) for one in found],
                "next": following,
            },
            headers=_PRIVATE,
        )

    async def show(self, request: Request, who: Principal) -> Response:
        one = await self._asked_for(request, who)
        return JSONResponse(self._door.shown(one), headers=_PRIVATE)

    async def report(self, request: Request, who: Principal) -> Response:
        given = read_parameters(request.query_params.multi_items(), ("format", "lang"))
        kind = _format(request, given, REPORT_FORMATS)
        language = self._door.language(request, given)
        one = await self._asked_for(request, who)
        report = localised(await self._desk.report(one), language)
        facts = {"statements": one.statements, "generation": one.compared_with}
        shown = {**facts, "shapes": "service", **report}
        headers = {**_PRIVATE, "Content-Language": language, "Vary": "Accept, Accept-Language"}
        if kind == media.HTML:
            reply = self._page(request, shown)
            reply.headers.update(headers)
            return reply
        if kind == media.CSV:
            headers["Content-Disposition"] = 'attachment; filename="report.csv"'
            return Response(
                table(shown).encode("utf-8", "replace"), media_type=kind, headers=headers
            )
        return JSONResponse(shown, headers=headers)

    async def diff(self, request: Request, who: Principal) -> Response:
        given = read_parameters(
            request.query_params.multi_items(), ("format", "lang", "limit", "offset")
        )
        kind = _format(request, given, DIFF_FORMATS)
        language = self._door.language(request, given)
        limit = read_number(given, "limit", 100, MOST_ENTITIES)
        offset = read_number(given, "offset", 0, MOST_OFFSET)
        one = await self._asked_for(request, who)
        added, removed = await self._desk.diff(one)
        headers = {**_PRIVATE, "Content-Language": language, "Vary": "Accept, Accept-Language"}
        if kind == PATCH:
            text = await asyncio.to_thread(_rdf_patch, added, removed)
            return Response(text, media_type=PATCH, headers=headers)
        found = await self._door.gate.explain(
            added, removed, language=language, limit=limit, offset=offset
        )
        return JSONResponse(found, headers=headers)

    async def accept(self, request: Request, who: Principal) -> Response:
        given = read_parameters(request.query_params.multi_items(), ("lang",))
        with self._door.speaking(self._door.language(request, given)):
            one = await self._desk.accept(who, request.path_params["id"])
        return self._door.answer(one, 200 if one.state.final else 202)

    async def reject(self, request: Request, who: Principal) -> Response:
        read_parameters(request.query_params.multi_items(), ())
        reason = (await _json_object(request, ("reason",))).get("reason")
        if not isinstance(reason, str):
            raise InvalidRequest('Say why: {"reason": "…"}. The sender reads it.', field="reason")
        return self._door.answer(
            await self._desk.reject(who, request.path_params["id"], reason), 200
        )

    async def withdraw(self, request: Request, who: Principal) -> Response:
        read_parameters(request.query_params.multi_items(), ())
        return self._door.answer(await self._desk.withdraw(who, request.path_params["id"]), 200)

    async def revert(self, request: Request, who: Principal) -> Response:
        given = read_parameters(request.query_params.multi_items(), ("dry_run", "force", "lang"))
        conditions = read_conditions(request.headers)
        undoing = await self._desk.reversal(
            who, request.path_params["id"], force=read_flag(given, "force")
        )
        asked = replace(
            undoing,
            expects=conditions.expects,
            exists=conditions.exists,
            idempotency=conditions.idempotency,
        )
        if read_flag(given, "dry_run"):
            return await self._door.preview(request, who, asked, given)
        one = await self._door.send(request, who, asked, given)
        return self._door.answer(one, status_of_sent(one))

    async def _asked_for(self, request: Request, who: Principal) -> Submission:
        return await self._desk.submission(who, request.path_params["id"])


def _format(request: Request, given: dict[str, str], formats: dict[str, str]) -> str:
    if "format" in given:
        return formats[read_choice(given, "format", list(formats), "json")]
    found = media.negotiate(request.headers.get("accept"), tuple(formats.values()))
    if found is None:
        raise NotAcceptable(list(formats.values()))
    return found


def _rdf_patch(added: bytes, removed: bytes) -> bytes:
    lines = [b"D " + line for line in removed.splitlines(keepends=True)]
    return b"".join([*lines, *(b"A " + line for line in added.splitlines(keepends=True))])


async def _json_object(request: Request, known: Sequence[str]) -> dict[str, Any]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise PayloadTooLarge(f"The body is longer than {_MAX_BODY >> 10} kB.")
    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False).encode()  # half of a character pair is no text
    except (ValueError, RecursionError):
        raise InvalidRequest("The body must be JSON.", field="body") from None
    if not isinstance(found, dict) or set(found) - set(known):
        raise InvalidRequest(
            f"The body must be a JSON object with {', '.join(known)}.", field="body"
        )
    return found
