"""Queries answered by a SPARQL 1.1 server elsewhere, within limits of our own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, Protocol

import httpx

from app.errors import (
    AppError,
    DeadlineExceeded,
    PayloadTooLarge,
    QueryRejected,
    StoreAway,
    SyntaxRejected,
)
from app.rdf import media
from app.rdf.tokens import used_keywords
from app.sandbox.lanes import Lane
from app.sandbox.pool import Limits, Pool
from app.sparql.evaluation import Answer
from app.sparql.operation import Query
from app.store.address import SHOW_UNION, Address

_HOLD_BYTES: Final = 1 << 16
_MAX_WORDS: Final = 300
_OF_VIRTUOSO: Final = frozenset({media.RESULTS_JSON, media.RESULTS_XML, media.N_TRIPLES})
"""What it writes as the recommendations have it; its CSV, TSV and Turtle it does not."""


class Shown(Protocol):
    """What is known of the store that is asked."""

    @property
    def generation(self) -> int:
        """What it shows, or an older one; never a newer one."""

    @property
    def unreadable(self) -> AppError | None:
        """Why it must not be asked now, if so."""


class RemoteEvaluator:
    """See `app.sparql.evaluation.Evaluator`.

    The cage reads each query first, with our own engine and without data: what is not a query of
    SPARQL 1.1, such as an update or a pragma by which a server would call others, goes nowhere.
    Formats that the server does not write, or not well, are converted in the cage, up to
    `max_bytes`. `places` queries are asked at one time, and `queue` wait.
    """

    def __init__(
        self,
        address: Address,
        pool: Pool,
        shown: Shown,
        *,
        base_iri: str,
        union: bool,
        limits: Limits,
        places: int,
        queue: int,
        max_bytes: int,
    ) -> None:
        self._address = address
        self._pool = pool
        self._shown = shown
        self._base_iri = base_iri
        self._union = union
        self._limits = limits
        self._lane = Lane(places, queue)
        self._max_bytes = max_bytes
        self._server: str | None = None
        self._http = httpx.AsyncClient(
            auth=address.auth(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(limits.seconds, connect=5.0),
            limits=httpx.Limits(max_connections=places, max_keepalive_connections=places),
        )

    def generation(self) -> int:
        """See `Evaluator.generation`."""
        return self._shown.generation

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    @contextlib.asynccontextmanager
    async def evaluate(self, query: Query) -> AsyncIterator[Answer]:
        """See `Evaluator.evaluate`; raises StoreAway and StoreUnfit, too."""
        deadline = asyncio.get_running_loop().time() + self._limits.seconds
        async with contextlib.AsyncExitStack() as stack:
            async with self._until(deadline):
                wanted, text = await self._read(query)
                await self._lane.enter()
                stack.callback(self._lane.leave)
                if fault := self._shown.unreadable:
                    raise fault
                generation = self._shown.generation
                reply = await stack.enter_async_context(self._sent(query, text, wanted))
                given = media.bare(reply.headers.get("content-type"))
                if given == wanted:
                    held, chunks = await self._held(reply.aiter_bytes(), deadline)
                else:
                    held = await self._converted(reply, given, wanted)
                    chunks = _only(held)
            asked_for = query.graphs if wanted in media.RDF_FORMATS else query.results
            yield Answer(generation, asked_for, held, chunks)

    async def _read(self, query: Query) -> tuple[str, str]:
        """The media type to answer with, and the text to send; raises what is wrong with it."""
        args = {"base_iri": self._base_iri}
        read = await self._pool.run("sparql.form", args, query.text.encode(), limits=self._limits)
        kind, _, text = read.decode().partition(" ")
        if kind == "graph":
            return media.rdf_media_type(query.graphs) or media.TURTLE, text
        return media.RESULT_ALIASES.get(query.results, query.results), text

    @contextlib.asynccontextmanager
    async def _sent(self, query: Query, text: str, wanted: str) -> AsyncIterator[httpx.Response]:
        form: dict[str, str | list[str]] = {"query": text}
        if query.default_graphs is not None:
            form["default-graph-uri"] = list(query.default_graphs)
            form["named-graph-uri"] = list(query.named_graphs or ())
        elif self._union and not used_keywords(text, "FROM"):
            form |= SHOW_UNION
        if self._is_virtuoso:
            form["timeout"] = str(round(self._limits.seconds * 1000))
        request = self._http.build_request(
            "POST", self._address.query, data=form, headers={"accept": self._accept(wanted)}
        )
        try:
            reply = await self._http.send(request, stream=True)
        except httpx.TimeoutException:
            raise DeadlineExceeded(self._limits.seconds) from None
        except httpx.HTTPError as error:
            raise StoreAway(f"The store does not answer ({type(error).__name__}).") from None
        try:
            self._server = reply.headers.get("server", "")
            await self._refuse(reply)
            yield reply
        finally:
            await reply.aclose()

    @property
    def _is_virtuoso(self) -> bool:
        return "virtuoso" in (self._server or "").lower()

    def _accept(self, wanted: str) -> str:
        """What to ask for: until the server is known, only what every server writes well."""
        careful = self._server is None or self._is_virtuoso
        if careful and wanted not in _OF_VIRTUOSO:
            return media.N_TRIPLES if wanted in media.RDF_FORMATS else media.RESULTS_JSON
        return wanted

    async def _refuse(self, reply: httpx.Response) -> None:
        """Raise what the server says against the query, also where it only gives a part of it."""
        state = reply.headers.get("x-sql-state", "")
        if state.startswith("S1T"):  # Virtuoso's half answers are well formed
            raise DeadlineExceeded(self._limits.seconds)
        if "x-sparql-maxrows" in reply.headers:
            raise PayloadTooLarge(
                f"The store gives no more than {reply.headers['x-sparql-maxrows']} rows: ask for "
                "less, or in parts."
            )
        if reply.status_code == httpx.codes.OK:
            return
        words = await _words(reply)
        if " S1T00 " in words or reply.status_code == httpx.codes.GATEWAY_TIMEOUT:
            raise DeadlineExceeded(self._limits.seconds)
        if reply.status_code == httpx.codes.BAD_REQUEST:
            syntax = "syntax" in words.lower() or "SP03" in words
            raise (SyntaxRejected if syntax else QueryRejected)(f"The store says: {words}")
        raise StoreAway(f"The store answers {reply.status_code}: {words}")

    async def _held(
        self, pieces: AsyncIterator[bytes], deadline: float
    ) -> tuple[bytes | None, AsyncIterator[bytes]]:
        """The whole of a short answer; of a longer one its beginning and the rest as it comes."""
        held, size, guarded = [], 0, _guarded(pieces)
        async for piece in guarded:
            held.append(piece)
            size += len(piece)
            if size > _HOLD_BYTES:
                return None, self._rest(b"".join(held), guarded, deadline)
        whole = b"".join(held)
        return whole, _only(whole)

    async def _rest(
        self, first: bytes, more: AsyncIterator[bytes], deadline: float
    ) -> AsyncIterator[bytes]:
        yield first
        while True:
            async with self._until(deadline):
                piece = await anext(more, None)
            if piece is None:
                return
            yield piece

    async def _converted(self, reply: httpx.Response, given: str, wanted: str) -> bytes:
        body: list[bytes] = []
        size = 0
        async for piece in _guarded(reply.aiter_bytes()):
            size += len(piece)
            if size > self._max_bytes:
                raise PayloadTooLarge(
                    f"The store does not write {wanted}, and the result is too long to be "
                    "converted: ask for JSON, or N-Triples."
                )
            body.append(piece)
        args = {"given": given, "wanted": wanted}
        return await self._pool.run("sparql.convert", args, b"".join(body), limits=self._limits)

    @contextlib.asynccontextmanager
    async def _until(self, deadline: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(deadline):
                yield
        except TimeoutError:
            raise DeadlineExceeded(self._limits.seconds) from None


async def _guarded(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A broken answer ends in an error, so that nobody takes it for a whole one."""
    try:
        async for piece in pieces:
            yield piece
    except httpx.HTTPError as error:
        raise StoreAway(f"The store broke off its answer ({type(error).__name__}).") from None


async def _only(whole: bytes) -> AsyncIterator[bytes]:
    if whole:
        yield whole


async def _words(reply: httpx.Response) -> str:
    """What a server says against a query, without the query that it repeats."""
    said = b""
    async for piece in _guarded(reply.aiter_bytes()):
        said += piece
        if len(said) > 4 * _MAX_WORDS:
            break
    text = said.decode("utf-8", "replace").partition("SPARQL query:")[0]
    return " ".join(text.split())[:_MAX_WORDS]
