"""`/graphs`: the SPARQL 1.1 Graph Store HTTP Protocol as a raw ASGI application."""

from __future__ import annotations

import asyncio
import json
import uuid
from urllib.parse import quote

from pyoxigraph import NamedNode
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.accounts import Act, Principal, Role
from app.api.clients import Clients
from app.api.parameters import read_conditions
from app.api.problems import Problems
from app.api.streaming import (
    CORS,
    ClientGone,
    cancelled_by_disconnect,
    preflight,
    respond,
    send_result,
)
from app.api.submissions import SubmissionDoor
from app.api.uploads import read_parts
from app.errors import AppError, Forbidden, NotFound
from app.log import Log
from app.rdf import media
from app.sparql.endpoint import Endpoint
from app.sparql.graph_store import (
    METHODS,
    GraphCreation,
    GraphRead,
    GraphWrite,
    read_graph_request,
)
from app.sparql.guard import Client
from app.submissions.admission import Asked
from app.submissions.gate import File
from app.submissions.register import Submission
from app.submissions.states import Mode, State


class GraphStoreApp:
    """Reads whole graphs through an Endpoint, within its limits; writes them through the desk."""

    def __init__(
        self,
        endpoint: Endpoint,
        clients: Clients,
        log: Log,
        door: SubmissionDoor,
        *,
        address: str,
        union: bool,
        problems: Problems,
        max_bytes: int,
        max_result_bytes: int,
    ) -> None:
        self._endpoint = endpoint
        self._clients = clients
        self._log = log
        self._door = door
        self._address = address
        self._union = union
        self._problems = problems
        self._max_bytes = max_bytes
        self._max_result_bytes = max_result_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "OPTIONS":
            await respond(send, 204, preflight(METHODS))
            return
        request = HttpRequest(scope, receive)
        try:
            wanted = read_graph_request(
                scope["method"],
                scope["query_string"],
                request.headers.get("accept"),
                below=_below(scope),
                address=self._address,
            )
            if isinstance(wanted, GraphRead):
                with cancelled_by_disconnect(receive):
                    client = await self._clients.of(scope)
                    try:
                        await self._send_graph(wanted, request, client, send)
                    except AppError:
                        self._clients.tell(scope, client)
                        raise
                return
            reply = await self._write(request, wanted)
        except AppError as error:
            reply = self._problems.response(request, error)
        except (ClientGone, ClientDisconnect):
            return
        reply.raw_headers.extend(CORS)
        await reply(scope, receive, send)

    # reading

    async def _send_graph(
        self, wanted: GraphRead, request: HttpRequest, client: Client, send: Send
    ) -> None:
        exists, generation = await self._look(wanted, client)
        if wanted.graph and not exists:
            raise NotFound(f"There is no graph {wanted.graph}.")
        known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
        tag = await self._tag(wanted, generation)
        if tag in known or "*" in known:  # before a large graph is written for nothing
            await respond(send, 304, [*_caching(tag), *CORS])
            return
        async with self._endpoint.evaluate(wanted.content(), client, door="graphs") as answer:
            if answer.generation != generation:
                tag = await self._tag(wanted, answer.generation)
            await send_result(
                answer,
                send,
                head=request.method == "HEAD",
                max_bytes=self._max_result_bytes,
                extra=[*_caching(tag), *self._clients.fields(client)],
            )

    async def _look(self, wanted: GraphRead, client: Client | None = None) -> tuple[bool, int]:
        """Whether the graph holds anything, and as of which generation."""
        async with self._endpoint.evaluate(wanted.exists(), client, door="graphs") as found:
            answer = b"".join(
                [chunk async for chunk in found.chunks]
            )  # on a busy machine it may stream
            return json.loads(answer)["boolean"], found.generation

    async def _tag(self, wanted: GraphRead, generation: int) -> str:
        """The generation of the graph as it is shown, and the format: `If-Match` takes either."""
        if wanted.graph or not self._union:
            name = self._name(wanted.graph)
            # Not newer than what is sent: a follower may be behind the log.
            generation = await asyncio.to_thread(self._log.generation_of, name, until=generation)
        return f'"{generation}-{media.suffix(wanted.media_type)}"'

    def _name(self, graph: NamedNode | None) -> str:
        """What the log calls a graph."""
        return graph.value if graph else f"{self._door.base_iri}graph/default"

    # writing

    async def _write(self, request: HttpRequest, wanted: GraphWrite | GraphCreation) -> Response:
        """PUT (§5.3), DELETE (§5.4) and POST (§5.5) as submissions."""
        who = await self._door.principal(request)
        conditions = read_conditions(request.headers)
        created = isinstance(wanted, GraphCreation)
        if isinstance(wanted, GraphCreation):
            wanted = self._named(wanted, who, conditions.idempotency)
        name = self._name(wanted.graph)
        await self._door.desk.refuse(who, name)
        read = GraphRead(wanted.graph, media.N_TRIPLES)
        existed = not created and (await self._look(read))[0]
        asked = Asked(
            mode=Mode.MERGE if wanted.method == "POST" else Mode.REPLACE,
            files=await self._files(request, wanted),
            dataset=name,
            force=wanted.force,
            expects=conditions.expects,
            exists=conditions.exists,
            idempotency=conditions.idempotency,
        )
        # Who repeats a request, since the answer was lost, gets that answer.
        gone = wanted.method == "DELETE" and wanted.graph is not None and not existed
        if gone and not await self._door.desk.was_sent(who, asked):
            raise NotFound(f"There is no graph {wanted.graph}.")
        if wanted.dry_run:
            return await self._door.preview(request, who, asked, {})
        return self._answer(await self._door.send(request, who, asked, {}), wanted, existed)

    def _named(self, wanted: GraphCreation, who: Principal, idempotency: str | None) -> GraphWrite:
        """A name for a new graph, which is its address; the same for who repeats a request."""
        if not who.may(Act.ADMINISTER):
            raise Forbidden(
                "Only an administrator makes graphs without a name: have the dataset registered, "
                "then POST to ?graph= and its IRI.",
                needed=Role.ADMIN.value,
                role=who.role.value,
            )
        repeated = uuid.uuid5(uuid.NAMESPACE_URL, f"{self._address}/{who.key}/{idempotency}")
        name = f"{self._address}/{repeated if idempotency else uuid.uuid4()}"
        return GraphWrite(NamedNode(name), "POST", wanted.dry_run)

    async def _files(self, request: HttpRequest, wanted: GraphWrite) -> tuple[File, ...]:
        """What was sent; its base is the graph's own IRI (Graph Store Protocol §4.1, §4.2)."""
        if wanted.method == "DELETE":
            return (File(None, media.N_TRIPLES, b""),)
        base = wanted.graph.value if wanted.graph else None
        parts = await read_parts(request, self._max_bytes, "file")
        return tuple(File(part.name, part.media_type, part.data, base) for part in parts)

    def _answer(self, one: Submission, wanted: GraphWrite, existed: bool) -> Response:
        if one.state is not State.PUBLISHED:
            return self._door.answer(one, 202)
        headers = {"Link": f'<{self._door.address}/{one.id}>; rel="describedby"'}
        if one.generation is not None:
            headers["ETag"] = f'"{one.generation}"'
        if not existed and wanted.method != "DELETE":
            return Response(
                status_code=201, headers={**headers, "Location": self._location(wanted.graph)}
            )
        if wanted.method == "PUT":
            return Response(status_code=204, headers=headers)
        answer = self._door.answer(one, 200)
        answer.headers.update(headers)
        return answer

    def _location(self, graph: NamedNode | None) -> str:
        """Where a graph can be read from now on."""
        if graph is None:
            return f"{self._address}?default"
        if graph.value.startswith(f"{self._address}/"):
            return graph.value
        return f"{self._address}?graph={quote(graph.value, safe=':/')}"


def _below(scope: Scope) -> str:
    """What follows the graph store's address in the path, with its percent-encoding."""
    path: str = scope["raw_path"].decode("latin-1")
    return path.partition("/graphs")[2]


def _caching(tag: str) -> list[tuple[bytes, bytes]]:
    return [(b"etag", tag.encode()), (b"cache-control", b"no-cache")]
