"""The desk: takes submissions in for whoever has a key, sees them through, and has them decided."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from app.accounts import Accounts, Act, Dataset, Principal, Role
from app.errors import (
    AppError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    Overloaded,
    PreconditionFailed,
    WorkerDied,
)
from app.failpoints import failpoint
from app.jobs import Job, Jobs, Progress
from app.log import Commit, Log
from app.submissions.catalogue import description
from app.submissions.gate import Change, File, Gate, Prepared
from app.submissions.register import NewSubmission, Register, Submission
from app.submissions.states import Mode, State

WORK: Final = "submission"
"""Name of the job that sees a submission through."""

SPARQL_UPDATE: Final = "application/sparql-update"
_N_QUADS: Final = "application/n-quads"
_LONGEST_REASON: Final = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for, as one of the doors has read it.

    `dataset` is the IRI of the one that changes; of an update None, and `graphs` are those that it
    may change, None for all. `expects` is the generation that the dataset must be of, 0 for one
    that must not have been published yet, and `exists` that it must have been.
    """

    mode: Mode
    files: tuple[File, ...]
    dataset: str | None = None
    graphs: tuple[str, ...] | None = ()
    force: bool = False
    expects: int | None = None
    exists: bool = False
    idempotency: str | None = None
    reverts: str | None = None

    @property
    def data(self) -> bytes:
        """One file after the other."""
        return b"".join(file.data for file in self.files)

    @property
    def fingerprint(self) -> str:
        """Equal for equal requests."""
        facts = [self.mode, self.dataset, self.graphs, self.force, self.expects, self.exists]
        text = json.dumps([*facts, [file.facts() for file in self.files]])
        return hashlib.sha256(text.encode() + self.data).hexdigest()


class Desk:
    """Receives, validates, publishes or puts to review, and has reviewed.

    `wait_bytes` is the size up to which `receive` waits for the outcome; what is larger goes on as
    a job. `plain` says whether there is a default graph to write to.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        register: Register,
        jobs: Jobs,
        accounts: Accounts,
        log: Log,
        base_iri: str,
        plain: bool,
        wait_bytes: int,
        wait_seconds: float,
    ) -> None:
        self._gate = gate
        self._register = register
        self._jobs = jobs
        self._accounts = accounts
        self._log = log
        self._base = base_iri
        self._default_graph = f"{base_iri}graph/default"
        self._plain = plain
        self._wait_bytes = wait_bytes
        self._wait_seconds = wait_seconds
        jobs.register(WORK, self._work, at_once=4)

    async def resume(self) -> None:
        """See to what a crash left between the register and the jobs."""
        for state in (State.RECEIVED, State.VALIDATED):
            _, left = await asyncio.to_thread(self._register.find, state=state, limit=None)
            for one in left:
                await self._begin(one)
                await self._settle(one, await self._jobs.get(one.id))
        await asyncio.to_thread(self._register.forget_sources)

    # sending

    async def receive(self, who: Principal, asked: Asked) -> Submission:
        """Keep a submission, and return it as soon as it is published, in review or refused.

        One that takes longer than is waited for is returned as it is; its job has its id. Raises
        what `Gate.publish` raises, Forbidden, NotFound and KeyReused; what it raises changed
        nothing.
        """
        new = await asyncio.to_thread(self._new, who, asked)
        one = await asyncio.to_thread(self._register.sent_before, new)
        if one is None:
            one = await asyncio.to_thread(self._register.add, new, asked.data)
        return await self._seen_through(one)

    async def was_sent(self, who: Principal, asked: Asked) -> bool:
        """Whether this has been received before, with the same Idempotency-Key."""
        new = await asyncio.to_thread(self._new, who, asked)
        return await asyncio.to_thread(self._register.sent_before, new) is not None

    async def refuse(self, who: Principal, dataset: str) -> None:
        """Raise what `receive` would for a dataset that may not be written; nothing is sent yet."""
        who.require(Role.PARTNER)
        await asyncio.to_thread(self._target, who, dataset)

    async def preview(self, who: Principal, asked: Asked) -> Prepared:
        """What a submission would come to; nothing is kept."""
        new = await asyncio.to_thread(self._new, who, asked)
        change = await asyncio.to_thread(self._change, new, asked.data, None)
        return await self._gate.prepare(change)

    async def revert(self, who: Principal, submission: str, *, force: bool = False) -> Submission:
        """Undo a published submission by another one, which takes the same way."""
        return await self.receive(who, await self.reversal(who, submission, force=force))

    async def reversal(self, who: Principal, submission: str, *, force: bool = False) -> Asked:
        """What would undo a published submission, to be received or previewed."""
        one = await self.submission(who, submission)
        if one.state is not State.PUBLISHED or one.generation is None:
            raise Conflict(
                f"Only what was published and changed something can be reverted; this submission "
                f"is {one.state}.",
                state=one.state.value,
            )
        commit = await asyncio.to_thread(self._log.commit, one.generation)
        if commit is None:
            raise NotFound(f"There is no commit {one.generation}.")
        add, remove = await asyncio.to_thread(self._inverse, commit)
        files = (File("added", _N_QUADS, add), File("removed", _N_QUADS, remove))
        return Asked(
            Mode.REVERT,
            files,
            commit.datasets[0],
            tuple(commit.datasets),
            force=force,
            reverts=one.id,
        )

    def _inverse(self, commit: Commit) -> tuple[bytes, bytes]:
        """What to add and to remove; what the service said of the commit stays."""
        ours = f" <{self._gate.rules.reserved_graph}> .".encode()

        def of_datasets(n_quads: bytes) -> bytes:
            lines = n_quads.splitlines(keepends=True)
            return b"".join(line for line in lines if not line.rstrip().endswith(ours))

        return of_datasets(commit.removed), of_datasets(commit.added)

    # reading

    async def submission(self, who: Principal, submission: str) -> Submission:
        """One submission; raises NotFound also for what the principal may not see."""
        who.require(Role.PARTNER)
        one = await asyncio.to_thread(self._register.get, submission)
        own = who.partner.slug if who.partner else None
        if not who.may(Act.WRITE_ALL) and one.partner != own:
            raise NotFound(f"There is no submission {submission[:40]!r}.")
        return one

    async def submissions(
        self,
        who: Principal,
        *,
        dataset: str | None = None,
        state: State | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> tuple[int, list[Submission]]:
        """How many the principal may see, and a page of them, the newest first."""
        who.require(Role.PARTNER)
        partner = None
        if not who.may(Act.WRITE_ALL):
            partner = who.partner.slug if who.partner else ""
        return await asyncio.to_thread(
            self._register.find,
            partner=partner,
            dataset=dataset,
            state=state,
            before=before,
            limit=limit,
        )

    async def report(self, one: Submission) -> dict[str, Any]:
        """The validation report in all languages; raises NotFound as long as there is none."""
        found = await asyncio.to_thread(self._register.report, one)
        if found is None:
            raise NotFound(f"The submission is {one.state} and has no report.")
        return found

    async def diff(self, one: Submission) -> tuple[bytes, bytes]:
        """Added and removed statements (N-Quads); raises NotFound as long as there are none."""
        found = await asyncio.to_thread(self._register.diff, one)
        if found is None:
            raise NotFound(f"The submission is {one.state} and was not compared.")
        return found

    # deciding

    async def accept(self, who: Principal, submission: str) -> Submission:
        """Publish what is in review, validated and compared anew with what is there now."""
        who.require(Role.CURATOR)
        one = await self._in_review(who, submission)
        job = f"{one.id}.{secrets.token_hex(4)}"
        await self._jobs.submit(
            WORK, {"submission": one.id, "by": self._signed(who)}, job=job, owner=one.partner
        )
        decided = await self._outcome(one.id, job)
        if decided.state in {State.REJECTED, State.WITHDRAWN}:
            raise Conflict(
                f"The submission is {decided.state}: somebody was faster.",
                state=decided.state.value,
            )
        return decided

    async def reject(self, who: Principal, submission: str, reason: str) -> Submission:
        """Refuse what is in review; the sender is told the reason."""
        who.require(Role.CURATOR)
        one = await self._in_review(who, submission)
        control = any(unicodedata.category(c) == "Cc" and not c.isspace() for c in reason)
        if not reason.strip() or len(reason) > _LONGEST_REASON or control:
            raise InvalidRequest(
                f"Give a reason of 1 to {_LONGEST_REASON} characters of text; the sender reads it.",
                field="reason",
            )
        return await self._decide(one, State.REJECTED, who, reason=reason)

    async def withdraw(self, who: Principal, submission: str) -> Submission:
        """Take back what is not decided yet."""
        return await self._decide(await self.submission(who, submission), State.WITHDRAWN, who)

    async def _in_review(self, who: Principal, submission: str) -> Submission:
        one = await self.submission(who, submission)
        if one.state is not State.IN_REVIEW:
            raise Conflict(
                f"Only what is in review can be decided; this submission is {one.state}.",
                state=one.state.value,
            )
        return one

    async def _decide(self, one: Submission, to: State, who: Principal, **facts: Any) -> Submission:
        move = partial(self._register.move, one.id, to, decided_by=self._signed(who), **facts)
        moved = await asyncio.to_thread(move)
        await asyncio.to_thread(self._register.forget_sources)
        return moved

    def _signed(self, who: Principal) -> str:
        """Who decides: the partner that the key acts for, else the service."""
        return who.partner.iri if who.partner else f"{self._base}id/partner/service"

    # the way of a submission

    async def _seen_through(self, one: Submission) -> Submission:
        await self._begin(one)
        if one.size > self._wait_bytes and not one.state.final:
            return one
        return await self._outcome(one.id, one.id)

    async def _begin(self, one: Submission) -> None:
        """Doing so again is harmless: the job has the submission's id."""
        await self._jobs.submit(WORK, {"submission": one.id}, job=one.id, owner=one.partner)

    async def _outcome(self, submission: str, job: str) -> Submission:
        ended = await self._jobs.wait(job, self._wait_seconds)
        one = await asyncio.to_thread(self._register.get, submission)
        if ended is None or ended.error is None:
            return one
        await self._settle(one, ended)
        error = AppError.from_dict(dict(ended.error))
        error.facts["submission"] = submission
        raise error

    async def _settle(self, one: Submission, job: Job) -> None:
        """A job that was given up leaves no submission on the way."""
        if job.error and one.state in {State.RECEIVED, State.VALIDATED}:
            await self._refuse(one, job.error)

    async def _refuse(self, one: Submission, problem: Mapping[str, Any]) -> None:
        move = partial(self._register.move, one.id, State.REJECTED, problem=dict(problem))
        with contextlib.suppress(Conflict):  # it was withdrawn meanwhile
            await asyncio.to_thread(move)
        await asyncio.to_thread(self._register.forget_sources)

    async def _work(self, args: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
        """The job; it may have been begun before and died at any moment."""
        one = await asyncio.to_thread(self._register.get, args["submission"])
        by: str | None = args.get("by")
        if one.state.final or (one.state is State.IN_REVIEW and by is None):
            return {"state": one.state.value}
        try:
            one, seconds = await self._advanced(one, by, progress)
        except (Overloaded, WorkerDied):
            raise  # no fault of the submission: it is tried again
        except AppError as error:
            if one.state is State.IN_REVIEW:
                note = partial(self._register.note, one.id, problem=error.as_dict())
                with contextlib.suppress(Conflict):  # it was decided meanwhile
                    await asyncio.to_thread(note)
            else:
                await self._refuse(one, error.as_dict())
            raise
        if one.state.final:
            await asyncio.to_thread(self._register.forget_sources)
        return {"state": one.state.value, "generation": one.generation, "seconds": dict(seconds)}

    async def _advanced(
        self, one: Submission, by: str | None, progress: Progress
    ) -> tuple[Submission, Mapping[str, float]]:
        """The submission after its next steps, and how long each of these took."""
        source = await asyncio.to_thread(self._register.source, one)
        change = await asyncio.to_thread(self._change, one, source, one.id)
        keep = partial(self._keep, one.id)
        if not one.direct and by is None:
            prepared = await self._gate.prepare(change, progress)
            await asyncio.to_thread(keep, prepared)
            prepared.refuse_violations()
            waiting = State.IN_REVIEW if prepared else State.PUBLISHED  # nothing to review
            moved = await asyncio.to_thread(self._register.move, one.id, waiting)
            failpoint("submission.waiting")
            return moved, prepared.seconds
        decided = {"decided_by": by} if by else {}
        outcome = await self._gate.publish(
            change,
            on_prepared=keep,
            also=lambda session, generation: self._register.move_within(
                session, one.id, State.PUBLISHED, generation=generation, **decided
            ),
            on_progress=progress,
        )
        if outcome.commit is None:
            move = partial(self._register.move, one.id, State.PUBLISHED, **decided)
            await asyncio.to_thread(move)
        failpoint("submission.published")
        return await asyncio.to_thread(self._register.get, one.id), outcome.seconds

    def _keep(self, submission: str, prepared: Prepared) -> None:
        facts = {
            "statements": prepared.statements,
            "counts": prepared.report["counts"],
            "compared_with": prepared.generation,
            "added": prepared.added.count(b"\n"),
            "removed": prepared.removed.count(b"\n"),
            "problem": None,  # it may have been refused before, on other grounds
            **self._register.keep_results(prepared.report, prepared.added, prepared.removed),
        }
        if self._register.get(submission).state is State.RECEIVED:
            self._register.move(submission, State.VALIDATED, **facts)
        else:
            self._register.note(submission, **facts)
        failpoint("submission.validated")

    # what a principal may send

    def _new(self, who: Principal, asked: Asked) -> NewSubmission:
        """What is asked for as the register takes it; raises Forbidden and NotFound."""
        targets = self._targets(who, asked)
        owners = {dataset.partner for dataset in targets.values() if dataset}
        first = next((dataset for dataset in targets.values() if dataset), None)
        own = who.partner.slug if who.partner else None
        author = self._signed(who)
        if who.partner is None and first is not None:
            author = f"{self._base}id/partner/{first.partner}"
        if asked.force and not who.may(Act.WRITE_ALL):
            raise Forbidden(
                "Only a curator may remove what others refer to; change their references first, or "
                "ask one.",
                needed=Role.CURATOR.value,
                role=who.role.value,
            )
        dataset = asked.dataset or next(iter(targets), self._default_graph)
        return NewSubmission(
            key=who.key,
            idempotency=asked.idempotency,
            fingerprint=asked.fingerprint,
            partner=owners.pop() if len(owners) == 1 else own,
            author=author,
            licence=first.licence if first else None,
            mode=asked.mode,
            dataset=dataset,
            graphs=asked.graphs if asked.graphs is None else tuple(targets),
            names=who.naming.arguments(),
            force=asked.force,
            direct=who.trusted or who.may(Act.WRITE_ALL),
            expects=self._expectations(dataset, asked),
            reverts=asked.reverts,
            files=tuple(file.facts() for file in asked.files),
        )

    def _targets(self, who: Principal, asked: Asked) -> dict[str, Dataset | None]:
        """The graphs that are written, each with its account if it has one."""
        who.require(Role.PARTNER)
        if asked.graphs is None:
            if not who.may(Act.ADMINISTER):
                raise Forbidden(
                    "This may change any graph: it clears them all, or names one by a variable. "
                    "Name the graphs of your datasets instead; only administrators may do more.",
                    needed=Role.ADMIN.value,
                    role=who.role.value,
                )
            return {}
        names: Sequence[str] = asked.graphs or ((asked.dataset,) if asked.dataset else ())
        return {name: self._target(who, name) for name in names}

    def _target(self, who: Principal, name: str) -> Dataset | None:
        try:
            dataset = self._accounts.dataset_by_iri(name)
        except NotFound:
            dataset = None
        if dataset is not None and who.may_write(name):
            return dataset
        if who.may_write(name) and not who.may(Act.WRITE_ALL):
            raise NotFound(
                f"There is no dataset <{name}> yet; an administrator adds it: "
                "`lifetec dataset add`.",
            )
        if dataset is None and who.may(Act.ADMINISTER):
            if name == self._default_graph and not self._plain:
                raise InvalidRequest(
                    "The default graph is all graphs together here; name the graph that is to "
                    "change.",
                    field="graph",
                )
            return None
        own = f" of {who.partner.slug}" if who.partner else ""
        raise Forbidden(f"This key{own} may not write to <{name}>.", dataset=name)

    def _expectations(self, dataset: str, asked: Asked) -> dict[str, int]:
        if asked.exists and not self._log.generation_of(dataset):
            raise PreconditionFailed(dataset, expected=1, found=0)
        return {} if asked.expects is None else {dataset: asked.expects}

    def _change(
        self, one: NewSubmission | Submission, source: bytes, submission: str | None
    ) -> Change:
        """A submission as the gate takes it."""
        described: dict[str, str] = {}
        for name in one.graphs or (one.dataset,):
            try:
                dataset = self._accounts.dataset_by_iri(name)
            except NotFound:
                continue
            partner = self._accounts.partner(dataset.partner)
            described[dataset.iri] = described[partner.iri] = ""
            described[dataset.iri] = description(dataset, partner)
        return Change(
            dataset=one.dataset,
            author=one.author,
            licence=one.licence,
            data=source,
            files=one.files,
            mode=one.mode,
            added_bytes=int(one.files[0]["size"]) if one.mode is Mode.REVERT else 0,
            graphs=one.graphs,
            names=one.names,
            force=one.force,
            expects=one.expects,
            description="".join(described.values()),
            described=tuple(described),
            submission=submission,
        )
