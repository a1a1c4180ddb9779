"""Who may send what: what a principal asks for becomes a submission for the register."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from app.accounts import Accounts, Act, Dataset, Principal, Role
from app.errors import Forbidden, InvalidRequest, NotFound, PreconditionFailed
from app.log import Log
from app.submissions.catalogue import description
from app.submissions.gate import Change, File
from app.submissions.register import NewSubmission
from app.submissions.states import Mode


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


class Admission:
    """Asks the accounts; `plain` says whether there is a default graph to write to."""

    def __init__(self, accounts: Accounts, log: Log, *, base_iri: str, plain: bool) -> None:
        self._accounts = accounts
        self._log = log
        self._base = base_iri
        self._default_graph = f"{base_iri}graph/default"
        self._plain = plain

    def signature(self, who: Principal) -> str:
        """IRI of the one who acts: the partner that the key is of, else the service."""
        return who.partner.iri if who.partner else f"{self._base}id/partner/service"

    def admit(self, who: Principal, asked: Asked) -> NewSubmission:
        """What is asked for as the register takes it.

        Raises Forbidden, NotFound, InvalidRequest and PreconditionFailed.
        """
        targets = self._targets(who, asked)
        owners = {dataset.partner for dataset in targets.values() if dataset}
        first = next((dataset for dataset in targets.values() if dataset), None)
        own = who.partner.slug if who.partner else None
        author = self.signature(who)
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
        return {name: self.target(who, name) for name in names}

    def target(self, who: Principal, name: str) -> Dataset | None:
        """The account of a graph that the principal may write to, None if it has none.

        Raises Forbidden, NotFound and InvalidRequest.
        """
        who.require(Role.PARTNER)
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

    def change(self, one: NewSubmission, source: bytes, submission: str | None) -> Change:
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
