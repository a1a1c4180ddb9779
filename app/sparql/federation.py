"""SPARQL 1.1 Federated Query for endpoints of a list.

Workers have no network, so SERVICE is evaluated before they begin: each block is sent to its
endpoint as a SELECT of its own, and what comes back stands in its place as VALUES. That is what
the recommendation says a block means (§2.1, §4): its solutions, joined with the rest. It is also
why a block cannot see what is bound outside of it.

Blocks are found by tokens. What cannot be told for certain is refused: an endpoint that is not
written out, a block inside a block, an escape of a codepoint, a string that never ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from app.errors import AppError, FederationRefused, ServiceFailed
from app.rdf.tokens import PROLOGUE, tokens, used_keywords
from app.sandbox.pool import Limits, Pool
from app.sparql.evaluation import Answer, Evaluator
from app.sparql.operation import Query

MAX_CALLS: Final = 8
"""Blocks in one query."""

Select = Callable[[str, str], Awaitable[bytes]]
"""Sends a query to an endpoint: SPARQL Results JSON. Raises ServiceFailed."""

_CALLING: Final = ("SERVICE", "LOAD")


@dataclass(frozen=True, slots=True)
class Call:
    """One SERVICE block: where it stands in the text, and what to ask whom."""

    start: int
    end: int
    endpoint: str
    silent: bool
    query: str


def read_calls(text: str, *, base_iri: str, endpoints: frozenset[str]) -> list[Call]:
    """The outermost SERVICE blocks of a query; raises FederationRefused.

    Without them the text uses neither SERVICE nor LOAD.
    """
    if not endpoints:
        raise _refused("This service calls no others.")
    words = _certain(text)
    prologue, declared = _declarations(words)
    head = f"BASE <{base_iri}>\n{prologue}"
    calls: list[Call] = []
    for at, word in enumerate(words):
        if calls and word.start() < calls[-1].end:
            continue
        if word.lastgroup == "words" and word.group().upper() == "SERVICE":
            calls.append(_call(text, words, at, head, declared))
    if len(calls) > MAX_CALLS:
        raise _refused(f"There are more than {MAX_CALLS} SERVICE blocks.")
    for call in calls:
        if call.endpoint not in endpoints:
            raise _refused(f"<{call.endpoint[:200]}> is not on the list.")
    if used_keywords(inlined(text, calls, ["{}"] * len(calls)), *_CALLING):
        raise _refused("There is a SERVICE or LOAD that cannot be read for certain.")
    return calls


def inlined(text: str, calls: Sequence[Call], blocks: Sequence[str]) -> str:
    """The query with each call replaced by its block."""
    parts, at = [], 0
    for call, block in zip(calls, blocks, strict=True):
        parts += [text[at : call.start], " ", block, " "]
        at = call.end
    return "".join([*parts, text[at:]])


def _refused(why: str) -> FederationRefused:
    return FederationRefused(
        f"{why} SERVICE works with endpoints on a list that docs/sparql.md describes, written out "
        "and not inside each other. Run the federated part in a client of yours, or load the data "
        "as a submission."
    )


def _certain(text: str) -> list[re.Match[str]]:
    """The tokens without comments, if they are all of the text in any reading."""
    if re.search(r"\\[uU]", text):
        raise _refused("Escapes of codepoints do not go with SERVICE.")
    found, at = list(tokens(text)), 0
    for token in found:
        if token.lastgroup == "doubt" or text[at : token.start()].strip():
            raise _refused("Where strings begin and end is not certain here.")
        at = token.end()
    return [token for token in found if token.lastgroup != "comment"]


def _declarations(words: Sequence[re.Match[str]]) -> tuple[str, dict[str, str]]:
    """What gives IRIs their meaning in the prologue, as text, and the prefixes declared in it."""
    lines, declared, at = [], dict[str, str](), 0
    while at < len(words) and (size := PROLOGUE.get(words[at].group().upper())):
        parts = [word.group() for word in words[at : at + size + 1]]
        at += size + 1
        if parts[-1].startswith("<"):
            lines.append(" ".join(parts) + "\n")
            if len(parts) > PROLOGUE["PREFIX"]:
                declared[parts[1].removesuffix(":")] = parts[2][1:-1]
    return "".join(lines), declared


def _call(
    text: str,
    words: Sequence[re.Match[str]],
    at: int,
    head: str,
    declared: dict[str, str],
) -> Call:
    rest = iter(words[at + 1 :])
    word = next(rest, None)
    silent = word is not None and word.group().upper() == "SILENT"
    if silent:
        word = next(rest, None)
    endpoint = _written_out(word, declared)
    opening = next(rest, None)
    if endpoint is None or opening is None or opening.group() != "{":
        raise _refused("The endpoint of a SERVICE must be written out.")
    depth = 1
    for word in rest:
        depth += (word.group() == "{") - (word.group() == "}")
        if depth == 0:
            inner = text[opening.end() : word.start()]
            if used_keywords(inner, *_CALLING):
                raise _refused("There is a SERVICE inside a SERVICE.")
            query = f"{head}SELECT * WHERE {{{inner}\n}}"
            return Call(words[at].start(), word.end(), endpoint, silent, query)
    raise _refused("A SERVICE block is not closed.")


def _written_out(word: re.Match[str] | None, declared: dict[str, str]) -> str | None:
    if word is None:
        return None
    if word.lastgroup == "iri":
        return word.group()[1:-1]
    prefix, _, local = word.group().partition(":")
    if word.lastgroup != "name" or prefix not in declared or re.search(r"[\\%]", local):
        return None
    return declared[prefix] + local


class FederatedEvaluator:
    """An Evaluator that has SERVICE blocks evaluated by others first, then asks another one.

    Answers are parsed in the cage. Blank nodes in them become IRIs that are new for each answer
    (RDF 1.1 Concepts §3.5), since VALUES has none: equal to nothing else, as it must be.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        pool: Pool,
        select: Select,
        *,
        endpoints: frozenset[str],
        base_iri: str,
        limits: Limits,
        max_rows: int,
    ) -> None:
        self._evaluator = evaluator
        self._pool = pool
        self._select = select
        self._endpoints = endpoints
        self._base_iri = base_iri
        self._limits = limits
        self._max_rows = max_rows

    def generation(self) -> int:
        """See `Evaluator.generation`."""
        return self._evaluator.generation()

    def evaluate(self, query: Query) -> AbstractAsyncContextManager[Answer]:
        """See `Evaluator.evaluate`; also raises FederationRefused and ServiceFailed."""
        return self._federated(query) if query.federated else self._evaluator.evaluate(query)

    @contextlib.asynccontextmanager
    async def _federated(self, query: Query) -> AsyncIterator[Answer]:
        async with self._evaluator.evaluate(await self._without_calls(query)) as answer:
            yield answer

    async def _without_calls(self, query: Query) -> Query:
        calls = read_calls(query.text, base_iri=self._base_iri, endpoints=self._endpoints)
        await self._read_rest(query.text, calls)
        asked = [asyncio.ensure_future(self._block(call)) for call in calls]
        try:
            blocks = await asyncio.gather(*asked)
        finally:
            for one in asked:
                one.cancel()
        return query.with_text(inlined(query.text, calls, blocks))

    async def _read_rest(self, text: str, calls: Sequence[Call]) -> None:
        """Raise SyntaxRejected, with the line that is meant, before anybody is called for nothing.

        What stands inside a call is for its endpoint to read.
        """
        lines = ["\n" * text.count("\n", call.start, call.end) for call in calls]
        rest = inlined(text, calls, [f"{{{empty}}}" for empty in lines])
        args = {"base_iri": self._base_iri}
        await self._pool.run("sparql.form", args, rest.encode(), limits=self._limits)

    async def _block(self, call: Call) -> str:
        """What stands in place of a call. A silent one that fails is one empty solution (§2.3)."""
        try:
            return await self._values(call)
        except AppError:
            if call.silent:
                return "{}"
            raise

    async def _values(self, call: Call) -> str:
        results = await self._select(call.endpoint, call.query)
        args = {
            "max_rows": self._max_rows,
            "genid": f"{self._base_iri}.well-known/genid/{secrets.token_hex(16)}/",
        }
        try:
            values = await self._pool.run("sparql.values", args, results, limits=self._limits)
        except AppError as error:
            raise ServiceFailed(
                call.endpoint, f"sent an answer that cannot be used: {error.detail.rstrip('.')}"
            ) from None
        return f"{{ {values.decode()} }}"
