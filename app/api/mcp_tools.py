"""What a language model may ask at `/mcp`: each tool a method, described by its signature."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, Sequence
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from mcp.server.mcpserver import Context
from pydantic import Field
from starlette.requests import Request

from app.api.mcp_answers import (
    Examples,
    Found,
    Hit,
    QueryExample,
    QueryResult,
    RecordFound,
    Schema,
    TypeDescription,
)
from app.api.queries import Queries, described
from app.api.records import describe_types
from app.errors import InvalidRequest, NotFound, PayloadTooLarge
from app.profile import EntityType, Profile
from app.rdf import media
from app.rdf.terms import PREFIXES
from app.records.listing import filterable
from app.records.search import nearest, read_language, read_search
from app.records.service import Records
from app.sparql.endpoint import Endpoint
from app.sparql.guard import Client
from app.sparql.operation import Query, read_operation
from app.sparql.request import QUERY_TYPE
from app.sparql.request import Request as QueryRequest

MAX_HITS: Final = 50
MAX_ROWS: Final = 500
MAX_RESULT_BYTES: Final = 256 << 10
"""What a model can still read; programs ask `/sparql`, which gives more."""

_PLACES: Final = ("after", "offset")
"""Parameters by which a list goes on."""

Language = Annotated[str, Field(description="Code of the language of names, as en")]


class Tools:
    """What a model may ask; each method's docstring and signature are what it is told."""

    def __init__(
        self,
        records: Records,
        endpoint: Endpoint,
        queries: Queries,
        profile: Profile,
        *,
        public_url: str,
        max_query_bytes: int,
    ) -> None:
        self._records = records
        self._endpoint = endpoint
        self._queries = queries
        self._profile = profile
        self._public_url = public_url
        self._max_query_bytes = max_query_bytes
        self._filters = {kind.name: filterable(kind) for kind in profile.types}

    async def search(
        self,
        *,
        type: Annotated[  # noqa: A002
            str, Field(description="Name of a type, from describe_schema; empty for all")
        ] = "",
        text: Annotated[str, Field(description="Words of names and texts; may be empty")] = "",
        filters: Annotated[
            list[str],
            Field(
                description="Conditions on fields, from describe_schema: country=BE, trl>=6, "
                "country!=NL, start_date<2025; also near=LATITUDE,LONGITUDE,KILOMETRES, "
                "bbox=WEST,SOUTH,EAST,NORTH, sort=-FIELD. Conditions on one field are "
                "alternatives, all fields must hold. A region or concept finds what lies below it.",
                max_length=50,
            ),
        ] = [],  # noqa: B006 -- never changed; the protocol shows it as the default
        fields: Annotated[
            list[str], Field(description="Fields to show of each hit", max_length=50)
        ] = [],  # noqa: B006
        facets: Annotated[
            list[str],
            Field(description="Fields whose values are to be counted", max_length=20),
        ] = [],  # noqa: B006
        limit: Annotated[int, Field(ge=1, le=MAX_HITS)] = 10,
        cursor: Annotated[
            str, Field(description="`next` of the answer before, to go on from there")
        ] = "",
        language: Language = "en",
    ) -> Found:
        """Find things by words, of any language and with typing errors too, and by conditions.

        The best come first, or without words the first by name.
        """
        kind = self._kind(type) if type else None
        known = self._records.vocabularies[kind.name] if kind else self._records.vocabulary
        for name in fields:
            if name not in known.fields:
                raise unknown("field", name, sorted(known.fields))
        # As in the address of a list, which is read by the same rules.
        pairs = [_pair(condition) for condition in filters]
        pairs += [("limit", str(limit)), ("lang", language)]
        pairs += [("q", text)] if text.strip() else []
        pairs += [("facets", ",".join(facets))] if facets else []
        pairs += [_read_cursor(cursor)] if cursor else []
        asked = read_search(pairs, known, self._profile.languages)
        page = await self._records.page_json(asked, address=self._public_url)
        found = json.loads(page.json)
        return Found(
            total=page.total,
            hits=[self._hit(record, fields) for record in found["items"]],
            next=_cursor(page.next) if page.next else None,
            facets=found.get("facets", {}),
        )

    async def get_record(
        self,
        id: Annotated[str, Field(description="IRI, or the address of its page here")],  # noqa: A002
        language: Language = "en",
    ) -> RecordFound:
        """All that is known about one thing, with the names of what it refers to."""
        record = await self._records.get(self._iri(id), lang=self._language(language))
        return RecordFound(url=self._address(record["url"]), record=record)

    async def describe_schema(
        self,
        type: Annotated[str, Field(description="Name of a type; empty for all, in short")] = "",  # noqa: A002
        language: Language = "en",
    ) -> Schema:
        """The types of things; for one type its fields, filters and predicates for SPARQL."""
        types = describe_types(self._profile, self._language(language))
        counts = await self._records.counts()
        if type:
            wanted = self._kind(type).name
            shown = [
                TypeDescription(
                    **one, count=counts[wanted], filters=sorted(self._filters[one["name"]])
                )
                for one in types
                if one["name"] == wanted
            ]
        else:
            shown = [
                TypeDescription(**{**one, "fields": []}, count=counts[one["name"]]) for one in types
            ]
        return Schema(types=shown, prefixes={name: str(iri) for name, iri in PREFIXES.items()})

    async def sparql(
        self,
        context: Context[Any, Any],
        query: Annotated[str, Field(description="SELECT, ASK, CONSTRUCT or DESCRIBE")],
    ) -> QueryResult:
        """Run a SPARQL 1.1 query that only reads; declare all prefixes, and write a LIMIT.

        The default graph holds everything; GRAPH ?dataset tells who says it.
        """
        request = QueryRequest(
            method="POST",
            content_type=QUERY_TYPE,
            accept=f"{media.RESULTS_JSON}, {media.TURTLE}",
            body=query.encode("utf-8", "surrogatepass"),
        )
        operation = await asyncio.to_thread(
            read_operation, request, max_query_bytes=self._max_query_bytes
        )
        if not isinstance(operation, Query):
            raise InvalidRequest("Send a query.", field="query")
        async with self._endpoint.evaluate(operation, client_of(context), door="mcp") as answer:
            body = await _bounded(answer.chunks)
        if answer.media_type == media.TURTLE:
            return QueryResult(generation=answer.generation, graph=body.decode())
        found = json.loads(body)
        if "boolean" in found:
            return QueryResult(generation=answer.generation, boolean=found["boolean"])
        rows = found["results"]["bindings"]
        if len(rows) > MAX_ROWS:
            raise PayloadTooLarge(
                f"The result has {len(rows)} rows, and {MAX_ROWS} can be shown; write LIMIT "
                f"{MAX_ROWS} with ORDER BY and OFFSET, or count and group instead."
            )
        return QueryResult(generation=answer.generation, variables=found["head"]["vars"], rows=rows)

    async def example_queries(
        self,
        name: Annotated[
            str, Field(description="Name of one, to see its text; empty for the list")
        ] = "",
    ) -> Examples:
        """Example queries of this graph, to run or change: names and titles, or the text of one."""
        _, queries = await self._queries()
        if name and name not in queries:
            raise unknown("query", name, list(queries))
        chosen = [queries[name]] if name else list(queries.values())
        shown = [described(one, self._public_url) for one in chosen]
        return Examples(
            queries=[QueryExample(**one if name else {**one, "query": ""}) for one in shown]
        )

    def _kind(self, name: str) -> EntityType:
        kind = self._profile.find(name) or self._profile.by_collection(name)
        if kind is None:
            raise unknown("type", name, [kind.name for kind in self._profile.types])
        return kind

    def _language(self, asked: str) -> str:
        return read_language(asked, self._profile.languages) or asked

    def _iri(self, name: str) -> str:
        """The IRI that is meant by an IRI, or by the address or path of a page."""
        page = urlsplit(name.removeprefix(self._public_url))
        collection, _, slug = page.path.strip("/").partition("/")
        if collection == "resource" and not slug:
            return next(iter(parse_qs(page.query).get("iri", ())), name)
        return self._profile.locate(collection, unquote(slug)) or name

    def _hit(self, record: dict[str, Any], fields: Sequence[str]) -> Hit:
        return Hit(
            id=record["id"],
            name=record["name"],
            type=record["type"],
            url=self._address(record["url"]),
            fields={name: record[name] for name in fields if name in record},
        )

    def _address(self, url: str) -> str:
        return f"{self._public_url}{url}" if url.startswith("/") else url


def _pair(condition: str) -> tuple[str, str]:
    name, _, value = condition.partition("=")
    return name, value


def _cursor(address: str) -> str:
    given = parse_qsl(urlsplit(address).query)
    return next(f"{name}={value}" for name, value in given if name in _PLACES)


def _read_cursor(text: str) -> tuple[str, str]:
    name, value = _pair(text)
    if name not in _PLACES:
        raise InvalidRequest("cursor must be `next` of an answer before.", field="cursor")
    return name, value


def unknown(what: str, name: str, known: Sequence[str]) -> NotFound:
    """The refusal of a name, with the nearest one that there is."""
    near = nearest(name, known)
    hint = f"did you mean {near!r}?" if near else f"there is {', '.join(known)}."
    return NotFound(f"There is no {what} {name[:60]!r}; {hint}")


def client_of(context: Context[Any, Any]) -> Client:
    """Whom a call counts for; the application has noted it on its way in."""
    request: Request = context.request_context.request  # type: ignore[assignment]  # by HTTP only
    client: Client = request.state.client
    return client


async def _bounded(chunks: AsyncIterable[bytes]) -> bytes:
    body = b""
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_RESULT_BYTES:
            raise PayloadTooLarge(
                f"The result is longer than {MAX_RESULT_BYTES >> 10} kB; write a smaller LIMIT, or "
                "ask for fewer variables."
            )
    return body
