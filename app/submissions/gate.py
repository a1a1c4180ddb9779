"""The one way in: every change of public data passes here and ends as a commit, or as nothing."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy.orm import Session

from app.database import utc_now
from app.errors import Conflict, Invalid, InvalidRequest, PreconditionFailed
from app.log import Commit, Draft, Log, MovedOn
from app.rdf.naming import may_name_graph
from app.sandbox.pool import Limits, Pool
from app.store.node import Node
from app.submissions.laps import Laps
from app.submissions.provenance import Provenance
from app.submissions.report import summary
from app.submissions.states import Mode

_ATTEMPTS = 20

Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the gate holds submissions to."""

    base_iri: str
    reserved_graph: str
    shapes: tuple[Path, ...]
    skolemize: bool
    max_bytes: int
    limits: Limits
    union: bool = True
    ontology_dir: Path | None = None
    shapes_dir: Path | None = None

    def arguments(self) -> dict[str, Any]:
        """What every job of this room is told."""
        return {
            "base_iri": self.base_iri,
            "reserved": self.reserved_graph,
            "shapes": [str(path) for path in self.shapes],
            "skolemize": self.skolemize,
            "max_bytes": self.max_bytes,
            "union": self.union,
            "ontology_dir": str(self.ontology_dir) if self.ontology_dir else None,
            "shapes_dir": str(self.shapes_dir) if self.shapes_dir else None,
        }


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was sent; its content may be compressed with gzip.

    Relative IRIs in it are relative to `base`, or, without one, to the service's own.
    """

    name: str | None
    media_type: str
    data: bytes
    base: str | None = None

    def facts(self) -> dict[str, Any]:
        """What a job is told of it."""
        facts = {"name": self.name, "media_type": self.media_type, "size": len(self.data)}
        return facts if self.base is None else {**facts, "base": self.base}


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody wants to be done to a dataset.

    `data` holds the `files` one after the other; of an update it is the text, of a revert the
    statements to add and then those to remove (N-Quads), `added_bytes` of the first. `graphs` are
    the only ones that an update may change, None for all. `names` says what may be minted, None
    for the operator, who may everything. `expects` are the generations that datasets must be of.
    `description` (N-Triples) is all that the service shall say of `described`; None if the data
    itself describes its dataset.
    """

    dataset: str
    author: str
    licence: str | None
    data: bytes
    files: Sequence[Mapping[str, Any]] = ()
    mode: Mode = Mode.REPLACE
    added_bytes: int = 0
    graphs: Sequence[str] | None = None
    names: Mapping[str, Any] | None = None
    force: bool = False
    expects: Mapping[str, int] = field(default_factory=dict)
    description: str | None = None
    described: Sequence[str] = ()
    kinds: Sequence[str] = ()
    submission: str | None = None

    @staticmethod
    def of_file(dataset: str, author: str, licence: str | None, file: File, **more: Any) -> Change:
        """The wish that a file be the whole of a dataset, unless `more` says otherwise."""
        return Change(dataset, author, licence, file.data, (file.facts(),), **more)

    @property
    def source_hash(self) -> str:
        """SHA-256 of the data as it was sent."""
        return hashlib.sha256(self.data).hexdigest()

    def arguments(self) -> dict[str, Any]:
        """What the job is told of it; see `preparing.prepare`."""
        patch = self.mode is Mode.REVERT
        return {
            "mode": "patch" if patch else self.mode.value,
            "dataset": self.dataset,
            "files": [dict(file) for file in self.files],
            "added_bytes": self.added_bytes,
            "datasets": list(self.graphs or (self.dataset,)),
            "graphs": None if self.graphs is None else list(self.graphs),
            "names": None if self.names is None else dict(self.names),
            "force": self.force,
            "description": self.description,
            "described": list(self.described),
        }


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a change comes to, compared with the graph as of `generation`.

    `datasets` are the graphs whose statements change, `entities` the IRIs of what is changed in
    them; `withdrawn` entities are no longer described by anybody. `counted` is how the statistics
    of the datasets change with it, added and removed: the service's own, and in no other count.
    `seconds` is how long each stage took so far.
    """

    report: dict[str, Any]
    statements: int
    added: bytes
    removed: bytes
    entities: tuple[str, ...]
    datasets: tuple[str, ...]
    withdrawn: int
    generation: int
    counted: tuple[bytes, bytes] = (b"", b"")
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def refuse_violations(self) -> None:
        """Raise Invalid with the report if a shape is violated."""
        if not self.report["conforms"]:
            count = self.report["counts"]["violation"]
            raise Invalid(
                f"{count} violation{'' if count == 1 else 's'} of the shapes; the report says what "
                "to change. Nothing was published.",
                report=self.report,
            )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change; `commit` is None when it changed nothing.

    `seconds` is how long each stage took.
    """

    report: dict[str, Any]
    statements: int
    commit: Commit | None
    seconds: Mapping[str, float] = field(default_factory=dict)


class Gate:
    """Parse, normalise, skolemise, validate and diff in the cage; then append to the log."""

    def __init__(self, pool: Pool, log: Log, node: Node, rules: Rules) -> None:
        self._pool = pool
        self._log = log
        self._node = node
        self._rules = rules
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def rules(self) -> Rules:
        """What submissions are held to."""
        return self._rules

    async def show(self, generation: int) -> None:
        """Return when this node shows what was published up to here, by whichever node."""
        await self._node.reach(generation)

    async def describe(self, data: bytes, media_type: str) -> dict[str, Any]:
        """What a file with exactly one dcat:Dataset says of it: see `jobs.describe`."""
        header, _ = await self._job("submissions.describe", data, {"media_type": media_type})
        return header

    async def explain(self, added: bytes, removed: bytes, **args: Any) -> dict[str, Any]:
        """A difference in plain words, by entity and field: see `jobs.explain_diff`."""
        _, body = await self._job(
            "submissions.explain_diff", added + removed, {"added_bytes": len(added), **args}
        )
        found: dict[str, Any] = json.loads(body)
        return found

    async def publish(
        self,
        change: Change,
        *,
        even_unchanged: bool = False,
        on_prepared: Callable[[Prepared], None] | None = None,
        also: Callable[[Session, int], None] | None = None,
        on_progress: Progress | None = None,
    ) -> Outcome:
        """Make a change, all of it or nothing.

        What changes nothing is no commit, unless `even_unchanged`: then one with an empty diff
        records the source that was last seen. `on_prepared` hears, in a thread, what the change
        comes to, each time that it is compared; `also` is done in the transaction of the commit,
        with its generation, if there is one.

        Returns when the log has the commit and this node shows it. Raises Invalid with the report
        when a shape is violated, SyntaxRejected and the other refusals of the parser, NotYours,
        StillReferenced, PreconditionFailed, and Conflict if others publish faster than this can be
        compared. What it raises changed nothing.
        """
        async with self._alone(change):
            for _ in range(_ATTEMPTS):
                prepared = await self.prepare(change, on_progress)
                if on_prepared:
                    await asyncio.to_thread(on_prepared, prepared)
                prepared.refuse_violations()
                with contextlib.suppress(MovedOn):
                    laps = Laps()
                    commit = await self._append(change, prepared, even_unchanged, also, laps)
                    seconds = {**prepared.seconds, **laps.seconds}
                    return Outcome(prepared.report, prepared.statements, commit, seconds)
        raise Conflict("Others publish at the same time; try again in a moment.")

    @contextlib.asynccontextmanager
    async def _alone(self, change: Change) -> AsyncIterator[None]:
        """Wait for those who change the same datasets: comparing side by side, all but one lose."""
        async with contextlib.AsyncExitStack() as locks:
            for dataset in sorted({change.dataset, *(change.graphs or ())}):
                await locks.enter_async_context(self._locks.setdefault(dataset, asyncio.Lock()))
            yield

    async def prepare(self, change: Change, on_progress: Progress | None = None) -> Prepared:
        """Validate a change and compare it with the newest graph; nothing is published."""
        self._refuse_names((change.dataset, *(change.graphs or ())))
        head = await asyncio.to_thread(self._log.head)
        await asyncio.to_thread(self._refuse_unexpected, change)
        await self._node.reach(head)
        args = {**change.arguments(), "time": utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")}
        header, body = await self._job("submissions.prepare", change.data, args, on_progress)
        self._refuse_names(header["datasets"])  # an update makes up names while it runs
        added, removed = header["added_bytes"], header["removed_bytes"]
        at = added + removed + header["changed_bytes"]
        entities = body[added + removed : at].decode()
        of_added, of_removed = header["counted_bytes"]
        counted = body[at : at + of_added], body[at + of_added : at + of_added + of_removed]
        return Prepared(
            report=header["report"],
            statements=header["statements"],
            added=body[:added],
            removed=body[added : added + removed],
            entities=tuple(entities.split("\n")[:-1]) if entities else (),
            datasets=tuple(header["datasets"]) or (change.dataset,),
            withdrawn=header["withdrawn"],
            generation=header["generation"],
            counted=counted,
            seconds=header["seconds"],
        )

    async def _append(
        self,
        change: Change,
        prepared: Prepared,
        even_unchanged: bool,
        also: Callable[[Session, int], None] | None,
        laps: Laps,
    ) -> Commit | None:
        """Append a change as it was prepared; raises MovedOn if what it rests on has moved on."""
        for _ in range(_ATTEMPTS):
            head = await asyncio.to_thread(self._log.head)
            await asyncio.to_thread(self._refuse_unexpected, change)
            if await asyncio.to_thread(self._disturbed, prepared):
                break
            if not prepared and not even_unchanged:
                return None
            draft = self._draft(change, prepared, head + 1)
            within = None if also is None else partial(_with_generation, also, head + 1)
            try:
                commit = await asyncio.to_thread(self._log.append, draft, after=head, also=within)
            except MovedOn:
                continue  # by a commit that disturbs nobody, perhaps
            laps.lap("append")
            await self._node.reach(commit.generation)
            laps.lap("follow")
            return commit
        raise MovedOn

    def _refuse_unexpected(self, change: Change) -> None:
        for dataset, generation in change.expects.items():
            found = self._log.generation_of(dataset)
            if found != generation:
                raise PreconditionFailed(dataset, expected=generation, found=found)

    def _disturbed(self, prepared: Prepared) -> bool:
        """Whether a commit since then touches the same datasets, or an entity is taken away.

        What another dataset adds disturbs only who takes away what it may refer to; what it takes
        away may be referred to here.
        """
        return any(
            prepared.withdrawn
            or commit.report.get("withdrawn")
            or not set(commit.datasets).isdisjoint(prepared.datasets)
            for commit in self._log.since(prepared.generation)
        )

    def _draft(self, change: Change, prepared: Prepared, generation: int) -> Draft:
        now = utc_now()
        provenance = Provenance(
            base_iri=self._rules.base_iri,
            graph=self._rules.reserved_graph,
            generation=generation,
            time=now,
            datasets=prepared.datasets,
            author=change.author,
            licence=change.licence,
            source_hash=change.source_hash,
            submission=change.submission,
            counts=prepared.report["counts"],
            added=prepared.added.count(b"\n"),
            removed=prepared.removed.count(b"\n"),
            entities=prepared.entities,
        )
        # A source that changed nothing leaves no trace in the graph.
        said = provenance.n_quads() if prepared else b""
        return Draft(
            datasets=prepared.datasets,
            author=change.author,
            licence=change.licence,
            source_hash=change.source_hash,
            report={
                **summary(prepared.report),
                "kinds": list(change.kinds),
                "withdrawn": prepared.withdrawn,
            },
            created_at=now,
            added=_sorted(prepared.added, prepared.counted[0], said),
            removed=_sorted(prepared.removed, prepared.counted[1]),
            submission=change.submission,
        )

    def _refuse_names(self, graphs: Iterable[str]) -> None:
        """What the service says of itself is written by the service, under any spelling."""
        base, reserved = self._rules.base_iri, self._rules.reserved_graph
        for name in graphs:
            if name == reserved or not may_name_graph(name, base):
                raise InvalidRequest(
                    f"<{name[:200]}> cannot be a dataset. The name of one is {base}graph/ and "
                    "those of its partner and itself, in small letters, digits and hyphens; other "
                    "names here belong to the service itself.",
                    field="dataset",
                )

    async def _job(
        self, job: str, data: bytes, args: dict[str, Any], on_progress: Progress | None = None
    ) -> tuple[dict[str, Any], bytes]:
        rules = self._rules
        async with self._pool.job(
            job, {**rules.arguments(), **args}, data, limits=rules.limits, on_progress=on_progress
        ) as result:
            body = b"".join([chunk async for chunk in result])
            return result.header, body


def _with_generation(
    also: Callable[[Session, int], None], generation: int, session: Session
) -> None:
    also(session, generation)


def _sorted(*documents: bytes) -> bytes:
    """N-Quads documents as one, a line per quad in order."""
    lines: Iterable[bytes] = b"".join(documents).splitlines(keepends=True)
    return b"".join(sorted(lines))
