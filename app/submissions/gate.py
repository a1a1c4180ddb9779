"""The one way in: every change of public data passes here and ends as a commit, or as nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyoxigraph import Literal, NamedNode, Quad

from app.database import utc_now
from app.errors import Conflict, Invalid, InvalidRequest
from app.log import Commit, Draft, Log
from app.rdf.terms import DCTERMS, PROV, XSD, n_quad, string, type_
from app.sandbox.pool import Limits, Pool
from app.store.node import Node
from app.submissions.report import summary

_ATTEMPTS = 10
_TIME = "%Y-%m-%dT%H:%M:%SZ"

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
            "ontology_dir": str(self.ontology_dir) if self.ontology_dir else None,
            "shapes_dir": str(self.shapes_dir) if self.shapes_dir else None,
        }


@dataclass(frozen=True, slots=True)
class Submission:
    """Data that somebody wants to be the whole of a dataset."""

    dataset: str
    author: str
    licence: str | None
    data: bytes
    media_type: str
    kinds: Sequence[str] = ()

    @property
    def source_hash(self) -> str:
        """SHA-256 of the data as it was sent."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a submission; `commit` is None when it changed nothing."""

    report: dict[str, Any]
    statements: int
    commit: Commit | None


class Gate:
    """Parse, normalise, skolemise, validate and diff in the cage; then append to the log."""

    def __init__(self, pool: Pool, log: Log, node: Node, rules: Rules) -> None:
        self._pool = pool
        self._log = log
        self._node = node
        self._rules = rules

    async def describe(self, data: bytes, media_type: str) -> dict[str, Any]:
        """What a file with exactly one dcat:Dataset says of it: see `jobs.describe`."""
        header, _ = await self._job("submissions.describe", data, {"media_type": media_type})
        return header

    async def publish(
        self,
        submission: Submission,
        *,
        even_unchanged: bool = False,
        on_progress: Progress | None = None,
    ) -> Outcome:
        """Make `submission` the whole of its dataset.

        What changes nothing is no commit, unless `even_unchanged`: then one with an empty diff
        records the source that was last seen.

        Returns when the log has the commit and this node shows it. Raises Invalid with the report
        when a shape is violated, SyntaxRejected and the other refusals of the parser, and
        Conflict if others publish faster than this can be compared. What it raises changed
        nothing.
        """
        self._refuse_reserved(submission.dataset)
        for _ in range(_ATTEMPTS):
            await self._node.reach(await asyncio.to_thread(self._log.head))
            after = self._node.checkpoint().generation
            header, body = await self._prepare(submission, on_progress)
            report = header["report"]
            if not report["conforms"]:
                raise Invalid(
                    f"{report['counts']['violation']} violations of the shapes; the report says "
                    "what to change. Nothing was published.",
                    report=report,
                )
            diff = body[: header["added_bytes"] + header["removed_bytes"]]
            if not diff and not even_unchanged:
                return Outcome(report, header["statements"], None)
            draft = self._draft(submission, header, diff)
            try:
                commit = await asyncio.to_thread(self._log.append, draft, after=after)
            except Conflict:
                continue
            await self._node.reach(commit.generation)
            return Outcome(report, header["statements"], commit)
        raise Conflict("Others publish at the same time; try again in a moment.")

    def _refuse_reserved(self, dataset: str) -> None:
        """What a file says of its dataset lands in the reserved graph, so the name matters."""
        base, reserved = self._rules.base_iri, self._rules.reserved_graph
        ours = dataset.startswith(base) and not dataset.startswith(f"{base}graph/")
        if ours or dataset.split("#", maxsplit=1)[0] == reserved:
            raise InvalidRequest(
                f"<{dataset}> belongs to the service itself; a dataset's IRI begins with "
                f"{base}graph/ and the name of its partner.",
                field="dataset",
            )

    async def _prepare(
        self, submission: Submission, on_progress: Progress | None
    ) -> tuple[dict[str, Any], bytes]:
        file = {"name": None, "media_type": submission.media_type, "size": len(submission.data)}
        args = {
            "mode": "replace",
            "dataset": submission.dataset,
            "files": [file],
            "names": None,
            "force": True,
            "description": None,
            "time": utc_now().strftime(_TIME),
        }
        return await self._job("submissions.prepare", submission.data, args, on_progress)

    async def _job(
        self, job: str, data: bytes, args: dict[str, Any], on_progress: Progress | None = None
    ) -> tuple[dict[str, Any], bytes]:
        rules = self._rules
        async with self._pool.job(
            job, {**rules.arguments(), **args}, data, limits=rules.limits, on_progress=on_progress
        ) as result:
            body = b"".join([chunk async for chunk in result])
            return result.header, body

    def _draft(self, submission: Submission, header: Mapping[str, Any], diff: bytes) -> Draft:
        at, now = header["added_bytes"], utc_now()
        added, removed = diff[:at], diff[at:]
        if diff:
            counts = added.count(b"\n"), removed.count(b"\n")
            said = self._provenance(
                submission, header["generation"] + 1, now.strftime(_TIME), counts
            )
            added = b"".join(sorted([*added.splitlines(keepends=True), *said]))
        return Draft(
            dataset=submission.dataset,
            author=submission.author,
            licence=submission.licence,
            source_hash=submission.source_hash,
            report={**summary(header["report"]), "kinds": list(submission.kinds)},
            created_at=now,
            added=added,
            removed=removed,
        )

    def _provenance(
        self, submission: Submission, generation: int, time: str, counts: tuple[int, int]
    ) -> list[bytes]:
        """What the reserved graph will say of the commit, a line of N-Quads each."""
        commit = NamedNode(f"{self._rules.base_iri}commit/{generation}")
        text = "{} statements added, {} removed".format(*counts)
        said: list[tuple[NamedNode, NamedNode | Literal]] = [
            (type_, PROV["Activity"]),
            (PROV["endedAtTime"], Literal(time, datatype=XSD["dateTime"])),
            (PROV["generated"], NamedNode(submission.dataset)),
            (PROV["wasAssociatedWith"], NamedNode(submission.author)),
            (DCTERMS["description"], string(text, "en")),
        ]
        if submission.licence:
            said.append((DCTERMS["license"], NamedNode(submission.licence)))
        graph = NamedNode(self._rules.reserved_graph)
        return [f"{n_quad(Quad(commit, *one, graph))}\n".encode() for one in said]
