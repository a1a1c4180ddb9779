"""Bring the datasets that come with the software through the gate, each once per version."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import InvalidRequest
from app.log import Log
from app.rdf import media
from app.submissions.gate import Change, File, Gate, Outcome

EXAMPLE_KIND = "scheme/dataset-type/example"

Step = Callable[[str, dict[str, Any]], None]
"""Called with a file's name and what is happening to it: its `stage`, and facts about it."""


@dataclass(frozen=True, slots=True)
class SeedFile:
    """A file with what it says of the one dataset in it."""

    path: Path
    data: bytes
    facts: dict[str, Any]

    @property
    def dataset(self) -> str:
        """IRI of the dataset, which is the name of its graph."""
        dataset: str = self.facts["dataset"]
        return dataset


class Seed:
    """The Turtle files of some folders; `load` publishes what is new or has changed."""

    def __init__(
        self, gate: Gate, log: Log, *, base_iri: str, folders: Iterable[Path], example: bool
    ) -> None:
        self._gate = gate
        self._log = log
        self._example_kind = f"{base_iri}{EXAMPLE_KIND}"
        self._paths = [path for folder in folders for path in sorted(folder.glob("*.ttl"))]
        self._example = example

    async def load(self, on_step: Step) -> list[Outcome]:
        """Publish what is new, each file after those it requires; `on_step` hears of each step."""
        known = await asyncio.to_thread(self._log.sources)
        current = {source.hash for source in known if source.hash}
        fresh = []
        for path in self._paths:
            data = await asyncio.to_thread(path.read_bytes)
            if hashlib.sha256(data).hexdigest() not in current:
                facts = await self._gate.describe(data, media.TURTLE)
                fresh.append(SeedFile(path, data, facts))
        outcomes = [
            await self._publish(file, on_step)
            for file in in_order(fresh)
            if self._example or self._example_kind not in file.facts["types"]
        ]
        unwanted = [s for s in known if self._example_kind in s.kinds and not self._example]
        return outcomes + [await self._withdraw(s.dataset, s.author) for s in unwanted]

    async def _publish(self, file: SeedFile, on_step: Step) -> Outcome:
        name = file.path.name
        on_step(name, {"stage": "parse"})
        change = Change.of_file(
            file.dataset,
            file.facts["publisher"] or file.dataset,
            file.facts["licence"],
            File(name, media.TURTLE, file.data),
            kinds=file.facts["types"],
            force=True,  # a new edition may leave out what others still refer to
        )
        # A file that only looks different is committed too, or every start would read it again.
        outcome = await self._gate.publish(
            change, even_unchanged=True, on_progress=lambda facts: on_step(name, facts)
        )
        on_step(name, {"stage": "published", "outcome": outcome})
        return outcome

    async def _withdraw(self, dataset: str, author: str) -> Outcome:
        """The example data goes as it came: by a commit that empties its dataset."""
        nothing = File(None, media.TURTLE, b"")
        return await self._gate.publish(Change.of_file(dataset, author, None, nothing, force=True))


def in_order(files: Sequence[SeedFile]) -> list[SeedFile]:
    """Files after those that describe what they require: other datasets, and their publisher.

    Requirements that none of the files meets are left to the shapes to judge.
    """
    provider = {file.dataset: file for file in files}
    if len(provider) < len(files):
        raise InvalidRequest("Two seed files describe the same dataset.")
    for file in files:
        provider.update(dict.fromkeys(file.facts["agents"], file))
    ordered: dict[str, SeedFile] = {}

    def place(file: SeedFile, behind: tuple[str, ...]) -> None:
        for required in (*file.facts["requires"], file.facts["publisher"]):
            needed = provider.get(required)
            if needed is None or needed is file or needed.dataset in ordered:
                continue
            if needed.dataset in behind:
                raise InvalidRequest(f"{needed.path.name} requires itself by way of others.")
            place(needed, (*behind, file.dataset))
        ordered[file.dataset] = file

    for file in files:
        if file.dataset not in ordered:
            place(file, (file.dataset,))
    return list(ordered.values())
