"""The desk: takes submissions in for whoever has a key, sees them through, and has them decided."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import unicodedata
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from app.accounts import Act, Principal, Role
from app.errors import (
    AppError,
    Conflict,
    InvalidRequest,
    NotFound,
    Overloaded,
    WorkerDied,
)
from app.failpoints import failpoint
from app.jobs import Job, Jobs, Progress
from app.log import Commit, Log
from app.submissions.admission import Admission, Asked
from app.submissions.gate import File, Gate, Prepared
from app.submissions.register import Register, Submission
from app.submissions.states import Mode, State

WORK: Final = "submission"
"""Name of the job that sees a submission through."""

SPARQL_UPDATE: Final = "application/sparql-update"
_N_QUADS: Final = "application/n-quads"
_LONGEST_REASON: Final = 2000
_ON_THE_WAY: Final = (State.RECEIVED, State.VALIDATED)


class Desk:
    """Receives, validates, publishes or puts to review, and has reviewed.

    `wait_bytes` is the size up to which `receive` waits for the outcome; what is larger goes on as
    a job.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        register: Register,
        jobs: Jobs,
        admission: Admission,
        log: Log,
        wait_bytes: int,
        wait_seconds: float,
    ) -> None:
        self._gate = gate
        self._register = register
        self._jobs = jobs
        self._admission = admission
        self._log = log
        self._wait_bytes = wait_bytes
        self._wait_seconds = wait_seconds
        jobs.register(WORK, self._work, at_once=4)

    async def resume(self) -> None:
        """See to what a crash left between the register and the jobs."""
        for state in _ON_THE_WAY:
            _, left = await asyncio.to_thread(self._register.find, state=state, limit=None)
            for one in left:
                await self._settled(one, await self._begin(one))
        await asyncio.to_thread(self._register.forget_sources)

    # sending

    async def receive(self, who: Principal, asked: Asked) -> Submission:
        """Keep a submission, and return it as soon as it is published, in review or refused.

        One that takes longer than is waited for is returned as it is; its job has its id. Raises
        what `Gate.publish` raises, Forbidden, NotFound and KeyReused; what it raises changed
        nothing.
        """
        new = await asyncio.to_thread(self._admission.admit, who, asked)
        one = await asyncio.to_thread(self._register.sent_before, new)
        if one is None:
            one = await asyncio.to_thread(self._register.add, new, asked.data)
        return await self._seen_through(one)

    async def was_sent(self, who: Principal, asked: Asked) -> bool:
        """Whether this has been received before, with the same Idempotency-Key."""
        new = await asyncio.to_thread(self._admission.admit, who, asked)
        return await asyncio.to_thread(self._register.sent_before, new) is not None

    async def refuse(self, who: Principal, dataset: str) -> None:
        """Raise what `receive` would for a dataset that may not be written; nothing is sent yet."""
        await asyncio.to_thread(self._admission.target, who, dataset)

    async def preview(self, who: Principal, asked: Asked) -> Prepared:
        """What a submission would come to; nothing is kept."""
        new = await asyncio.to_thread(self._admission.admit, who, asked)
        change = await asyncio.to_thread(self._admission.change, new, asked.data, None)
        return await self._gate.prepare(change)

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
        if one.state in _ON_THE_WAY:
            with contextlib.suppress(NotFound):  # its job begins in this moment
                one = await self._settled(one, await self._jobs.get(one.id))
        await self._gate.show(one.generation or 0)  # who is told that it is published, can read it
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
        total, found = await asyncio.to_thread(
            self._register.find,
            partner=partner,
            dataset=dataset,
            state=state,
            before=before,
            limit=limit,
        )
        await self._gate.show(max((one.generation or 0 for one in found), default=0))
        return total, found

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
            WORK,
            {"submission": one.id, "by": self._admission.signature(who)},
            job=job,
            owner=one.partner,
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
        move = partial(
            self._register.move, one.id, to, decided_by=self._admission.signature(who), **facts
        )
        moved = await asyncio.to_thread(move)
        await asyncio.to_thread(self._register.forget_source, one.id)
        return moved

    # the way of a submission

    async def _seen_through(self, one: Submission) -> Submission:
        one = await self._settled(one, await self._begin(one))
        if one.size > self._wait_bytes and not one.state.final:
            return one
        return await self._outcome(one.id, one.id)

    async def _begin(self, one: Submission) -> Job:
        """Doing so again is harmless: the job has the submission's id."""
        return await self._jobs.submit(WORK, {"submission": one.id}, job=one.id, owner=one.partner)

    async def _outcome(self, submission: str, job: str) -> Submission:
        ended = await self._jobs.wait(job, self._wait_seconds)
        one = await asyncio.to_thread(self._register.get, submission)
        await self._gate.show(one.generation or 0)  # another node may have published it
        if ended is None or ended.error is None:
            return one
        await self._settled(one, ended)
        error = AppError.from_dict(dict(ended.error))
        error.facts["submission"] = submission
        raise error

    async def _settled(self, one: Submission, job: Job) -> Submission:
        """A job that was given up leaves no submission on the way."""
        if job.error is None or one.state not in _ON_THE_WAY:
            return one
        await self._refuse(one, job.error)
        return await asyncio.to_thread(self._register.get, one.id)

    async def _refuse(self, one: Submission, problem: Mapping[str, Any]) -> None:
        move = partial(self._register.move, one.id, State.REJECTED, problem=dict(problem))
        with contextlib.suppress(Conflict):  # it was withdrawn meanwhile
            await asyncio.to_thread(move)
        await asyncio.to_thread(self._register.forget_source, one.id)

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
        await asyncio.to_thread(self._register.forget_source, one.id)
        return {"state": one.state.value, "generation": one.generation, "seconds": dict(seconds)}

    async def _advanced(
        self, one: Submission, by: str | None, progress: Progress
    ) -> tuple[Submission, Mapping[str, float]]:
        """The submission after its next steps, and how long each of these took."""
        source = await asyncio.to_thread(self._register.source, one)
        change = await asyncio.to_thread(self._admission.change, one, source, one.id)
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
