"""Accounts over HTTP: `/api/v1/me` for every key, `/api/v1/admin` for administrators.

Partners may read what concerns themselves. The key is judged before the body is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.accounts import Accounts, Dataset, Key, Partner, Principal, Rhythm, Role
from app.accounts.model import LONGEST_TEXT
from app.accounts.registry import MOST_DAYS
from app.api.bearer import SCHEME, principal_of
from app.database import utc_now
from app.errors import Forbidden, InvalidRequest, PayloadTooLarge, UnsupportedMediaType
from app.rdf import media
from app.rdf.naming import DATASET_SLUG, PARTNER_SLUG

MAX_BODY_KB = 64

Texts = dict[str, str]
_Body = TypeVar("_Body", bound=BaseModel)
_Action = Callable[[Request, Principal], Awaitable[Response]]
_LICENCE = "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0"


# What JSON Schema can say of the rules in `app.accounts.model`, which judges, and in better words.
_PARTNER_SLUG: dict[str, Any] = {"pattern": f"^{PARTNER_SLUG}$"}
_DATASET_SLUG: dict[str, Any] = {"pattern": f"^{DATASET_SLUG}$"}
_WEB_ADDRESS: dict[str, Any] = {
    "type": "string",
    "pattern": r"^https?://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(/[A-Za-z0-9._~/-]*)?$",
    "maxLength": LONGEST_TEXT,
}
_CONTACT: dict[str, Any] = {
    "type": "string",
    "anyOf": [
        {"pattern": r"^[A-Za-z0-9-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"},
        {"pattern": _WEB_ADDRESS["pattern"]},
    ],
    "maxLength": LONGEST_TEXT,
}
_TEXTS: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": "^[a-z]{2,3}$"},
    "additionalProperties": {
        "type": "string",
        "pattern": r"\S",
        "maxLength": LONGEST_TEXT,
    },
}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PartnerAsked(_Asked):
    """A partner to add."""

    slug: str = Field(examples=["demo"], json_schema_extra=_PARTNER_SLUG)
    names: Texts = Field(
        description="By language", examples=[{"en": "Demo"}], json_schema_extra=_TEXTS
    )
    contact: str = Field(
        description="Of an office, never of a person",
        examples=["data@demo.org"],
        json_schema_extra=_CONTACT,
    )


class PartnerChange(_Asked):
    """What is to change of a partner; what is left out stays."""

    names: Texts | None = Field(None, json_schema_extra=_or_null(_TEXTS))
    contact: str | None = Field(None, json_schema_extra=_or_null(_CONTACT))
    trusted: bool | None = Field(None, description="What it sends needs no review")


class DatasetAsked(_Asked):
    """A dataset to add."""

    partner: str = Field(description="Slug of the partner", examples=["demo"])
    slug: str = Field(examples=["technologies"], json_schema_extra=_DATASET_SLUG)
    titles: Texts = Field(
        description="By language", examples=[{"en": "Technologies"}], json_schema_extra=_TEXTS
    )
    licence: str = Field(
        description="IRI of the licence", examples=[_LICENCE], json_schema_extra=_WEB_ADDRESS
    )
    contact: str | None = Field(
        None, description="The partner's unless given", json_schema_extra=_or_null(_CONTACT)
    )
    rhythm: Rhythm = Field(Rhythm.UNKNOWN, description="How often it is renewed (EU codes)")


class DatasetChange(_Asked):
    """What is to change of a dataset; what is left out stays."""

    titles: Texts | None = Field(None, json_schema_extra=_or_null(_TEXTS))
    licence: str | None = Field(None, json_schema_extra=_or_null(_WEB_ADDRESS))
    contact: str | None = Field(None, json_schema_extra=_or_null(_CONTACT))
    rhythm: Rhythm | None = None


class KeyAsked(_Asked):
    """A key to issue."""

    role: Role
    partner: str | None = Field(None, description="Slug of the partner it acts for")
    datasets: list[str] = Field([], description="Slugs of the only datasets it may write to")
    days: int | None = Field(
        None,
        description="Days until it expires; never unless given",
        json_schema_extra=_or_null({"type": "integer", "minimum": 1, "maximum": MOST_DAYS}),
    )


class PartnerShown(BaseModel):
    """A partner."""

    slug: str
    iri: str
    names: Texts
    contact: str
    trusted: bool
    created_at: datetime


class DatasetShown(BaseModel):
    """A dataset; its IRI is the name of its graph."""

    partner: str
    slug: str
    iri: str
    titles: Texts
    licence: str
    contact: str
    rhythm: str
    rhythm_iri: str
    created_at: datetime


class KeyShown(BaseModel):
    """A key without its secret."""

    id: str
    role: str
    partner: str | None
    datasets: list[str] | None = Field(description="IRIs of the only datasets it may write to")
    state: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute")
    revoked_at: datetime | None


class KeyIssued(KeyShown):
    """A new key; `key` is shown this once."""

    key: str


class Me(BaseModel):
    """What the key that was sent stands for."""

    key: str = Field(description="Its id")
    role: str
    may: list[str] = Field(description="What the role may do")
    partner: PartnerShown | None
    datasets: list[str] | None = Field(description="IRIs of the only datasets it may write to")


class PartnerList(BaseModel):
    """Partners, by slug."""

    total: int
    items: list[PartnerShown]


class DatasetList(BaseModel):
    """Datasets, by partner and slug."""

    total: int
    items: list[DatasetShown]


class KeyList(BaseModel):
    """Keys, the newest first."""

    total: int
    items: list[KeyShown]


def accounts_router(accounts: Accounts, public_url: str) -> APIRouter:
    """The routes of accounts; all need a key."""
    router = APIRouter()
    api = _AccountsApi(accounts, f"{public_url}/api/v1/admin")

    def add(
        path: str,
        method: str,
        action: _Action,
        shown: type[BaseModel] | None,
        *,
        asked: type[BaseModel] | None = None,
        status: int = 200,
    ) -> None:
        async def endpoint(request: Request) -> Response:
            return await action(request, await principal_of(request, accounts))

        name = action.__name__
        extra: dict[str, Any] = {"security": [{SCHEME: []}]}
        if asked:
            schema = {"$ref": f"#/components/schemas/{asked.__name__}"}
            extra["requestBody"] = {"required": True, "content": {media.JSON: {"schema": schema}}}
        extra["parameters"] = [
            {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
            for part in path.split("/")
            if part.startswith("{")
        ]
        answer: dict[str, Any] = {"description": (shown or _Nothing).__doc__}
        if shown:
            answer["model"] = shown
        problem = {"$ref": "#/components/responses/Problem"}
        problems: dict[int | str, dict[str, Any]] = dict.fromkeys(
            (400, 401, 403, 404, 409, 413, 415) if asked else (401, 403, 404), problem
        )
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            name=name,
            operation_id=name,
            summary=(action.__doc__ or "").strip().rstrip("."),
            status_code=status,
            responses={status: answer, **problems},
            response_class=JSONResponse if shown else Response,
            response_model=None,
            openapi_extra=extra,
            tags=["accounts"],
        )

    add("/api/v1/me", "GET", api.show_me, Me)
    partners, datasets, keys = (
        f"/api/v1/admin/{name}" for name in ("partners", "datasets", "keys")
    )
    add(partners, "GET", api.list_partners, PartnerList)
    add(partners, "POST", api.add_partner, PartnerShown, asked=PartnerAsked, status=201)
    add(f"{partners}/{{slug}}", "GET", api.show_partner, PartnerShown)
    add(f"{partners}/{{slug}}", "PATCH", api.change_partner, PartnerShown, asked=PartnerChange)
    add(datasets, "GET", api.list_datasets, DatasetList)
    add(datasets, "POST", api.add_dataset, DatasetShown, asked=DatasetAsked, status=201)
    one = f"{datasets}/{{partner}}/{{slug}}"
    add(one, "GET", api.show_dataset, DatasetShown)
    add(one, "PATCH", api.change_dataset, DatasetShown, asked=DatasetChange)
    add(keys, "GET", api.list_keys, KeyList)
    add(keys, "POST", api.issue_key, KeyIssued, asked=KeyAsked, status=201)
    add(f"{keys}/{{id}}", "DELETE", api.revoke_key, None, status=204)
    return router


def describe_accounts(openapi: dict[str, Any]) -> dict[str, Any]:
    """Add to an OpenAPI document how keys are sent, and what the bodies are; returns it."""
    openapi.setdefault("tags", []).append(
        {
            "name": "accounts",
            "description": "Partners, their datasets, and keys. Every use needs one.",
        }
    )
    components = openapi.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for model in (PartnerAsked, PartnerChange, DatasetAsked, DatasetChange, KeyAsked):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    components.setdefault("securitySchemes", {})[SCHEME] = {
        "type": "http",
        "scheme": "bearer",
        "description": "A key (`ltg_…`) that an administrator has issued.",
    }
    return openapi


class _Nothing:
    """Done; there is nothing to say."""


class _AccountsApi:
    def __init__(self, accounts: Accounts, address: str) -> None:
        self._accounts = accounts
        self._address = address

    async def show_me(self, request: Request, who: Principal) -> Response:
        """What this key stands for."""
        del request
        me = Me(
            key=who.key,
            role=who.role,
            may=[act.value for act in who.acts],
            partner=_partner(who.partner) if who.partner else None,
            datasets=sorted(who.scope) if who.scope is not None else None,
        )
        return _answer(me)

    async def list_partners(self, request: Request, who: Principal) -> Response:
        """All partners; for a partner, itself."""
        del request
        own = _visible(who)
        if own is None:
            found = await asyncio.to_thread(self._accounts.partners)
        else:
            found = [await asyncio.to_thread(self._accounts.partner, own)]
        return _answer(PartnerList(total=len(found), items=[_partner(one) for one in found]))

    async def add_partner(self, request: Request, who: Principal) -> Response:
        """Add a partner."""
        who.require(Role.ADMIN)
        asked = await _read(request, PartnerAsked)
        one = await asyncio.to_thread(
            self._accounts.add_partner, asked.slug, names=asked.names, contact=asked.contact
        )
        return _answer(_partner(one), 201, location=f"{self._address}/partners/{one.slug}")

    async def show_partner(self, request: Request, who: Principal) -> Response:
        """One partner."""
        slug = _about(who, request.path_params["slug"])
        return _answer(_partner(await asyncio.to_thread(self._accounts.partner, slug)))

    async def change_partner(self, request: Request, who: Principal) -> Response:
        """Change a partner."""
        who.require(Role.ADMIN)
        asked = await _read(request, PartnerChange)
        one = await asyncio.to_thread(
            self._accounts.change_partner, request.path_params["slug"], **asked.model_dump()
        )
        return _answer(_partner(one))

    async def list_datasets(self, request: Request, who: Principal) -> Response:
        """All datasets; for a partner, its own."""
        del request
        found = await asyncio.to_thread(self._accounts.datasets, _visible(who))
        return _answer(DatasetList(total=len(found), items=[_dataset(one) for one in found]))

    async def add_dataset(self, request: Request, who: Principal) -> Response:
        """Add a dataset."""
        who.require(Role.ADMIN)
        asked = await _read(request, DatasetAsked)
        one = await asyncio.to_thread(
            self._accounts.add_dataset,
            asked.partner,
            asked.slug,
            titles=asked.titles,
            licence=asked.licence,
            contact=asked.contact,
            rhythm=asked.rhythm,
        )
        where = f"{self._address}/datasets/{one.partner}/{one.slug}"
        return _answer(_dataset(one), 201, location=where)

    async def show_dataset(self, request: Request, who: Principal) -> Response:
        """One dataset."""
        partner = _about(who, request.path_params["partner"])
        one = await asyncio.to_thread(self._accounts.dataset, partner, request.path_params["slug"])
        return _answer(_dataset(one))

    async def change_dataset(self, request: Request, who: Principal) -> Response:
        """Change a dataset."""
        who.require(Role.ADMIN)
        asked = await _read(request, DatasetChange)
        one = await asyncio.to_thread(
            self._accounts.change_dataset,
            request.path_params["partner"],
            request.path_params["slug"],
            titles=asked.titles,
            licence=asked.licence,
            contact=asked.contact,
            rhythm=asked.rhythm,
        )
        return _answer(_dataset(one))

    async def list_keys(self, request: Request, who: Principal) -> Response:
        """All keys without their secrets; for a partner, its own."""
        del request
        found = await asyncio.to_thread(self._accounts.keys, _visible(who))
        return _answer(KeyList(total=len(found), items=[_key(one) for one in found]))

    async def issue_key(self, request: Request, who: Principal) -> Response:
        """Issue a key, which is shown this once."""
        who.require(Role.ADMIN)
        asked = await _read(request, KeyAsked)
        issued = await asyncio.to_thread(
            self._accounts.issue_key,
            asked.role,
            partner=asked.partner,
            datasets=asked.datasets,
            days=asked.days,
        )
        shown = _key(issued.key).model_dump()
        return _answer(KeyIssued(**shown, key=issued.text), 201)

    async def revoke_key(self, request: Request, who: Principal) -> Response:
        """End a key at once and for good."""
        who.require(Role.ADMIN)
        await asyncio.to_thread(self._accounts.revoke_key, request.path_params["id"])
        return Response(status_code=204, headers=_PRIVATE)


_PRIVATE = {"cache-control": "no-store"}


def _visible(who: Principal) -> str | None:
    """The one partner whose accounts the principal may see; None when it may see all."""
    if who.role.includes(Role.ADMIN):
        return None
    who.require(Role.PARTNER)
    if who.partner is None:
        raise Forbidden("This key acts for no partner; only administrators see all partners.")
    return who.partner.slug


def _about(who: Principal, partner: str) -> str:
    """The partner that is asked for. Who may not see it does not learn whether it exists."""
    own = _visible(who)
    if own is not None and own != partner:
        raise Forbidden(f"This key acts for {own} and sees nothing of other partners.")
    return partner


async def _read(request: Request, model: type[_Body]) -> _Body:
    """The body as a value; raises InvalidRequest naming the first field that does not fit."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != media.JSON:
        raise UnsupportedMediaType(sent or None, [media.JSON])
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_KB << 10:
            raise PayloadTooLarge(f"The body is longer than {MAX_BODY_KB} kB.")
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in fault["loc"])
        raise InvalidRequest(f"{field or 'body'}: {fault['msg']}.", field=field or None) from None


def _answer(shown: BaseModel, status: int = 200, *, location: str | None = None) -> Response:
    headers = _PRIVATE if location is None else {**_PRIVATE, "location": location}
    return JSONResponse(shown.model_dump(mode="json"), status, headers)


def _partner(one: Partner) -> PartnerShown:
    return PartnerShown(
        slug=one.slug,
        iri=one.iri,
        names=dict(one.names),
        contact=one.contact,
        trusted=one.trusted,
        created_at=one.created_at,
    )


def _dataset(one: Dataset) -> DatasetShown:
    return DatasetShown(
        partner=one.partner,
        slug=one.slug,
        iri=one.iri,
        titles=dict(one.titles),
        licence=one.licence,
        contact=one.contact,
        rhythm=one.rhythm.value,
        rhythm_iri=one.rhythm.iri,
        created_at=one.created_at,
    )


def _key(one: Key) -> KeyShown:
    scope: Sequence[str] | None = one.scope
    return KeyShown(
        id=one.id,
        role=one.role,
        partner=one.partner,
        datasets=None if scope is None else list(scope),
        state=one.state(utc_now()),
        created_at=one.created_at,
        expires_at=one.expires_at,
        last_used_at=one.last_used_at,
        revoked_at=one.revoked_at,
    )
