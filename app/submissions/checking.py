"""Validation of data that is not to be published: anybody's, with our shapes or their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import InvalidRequest, NotAcceptable
from app.rdf import media
from app.sandbox.pool import Pool
from app.submissions.gate import File, Rules

FORMATS = (media.JSON, media.HTML, media.TURTLE, media.JSON_LD, media.CSV)
"""What a report is offered in. The order is the server's preference."""

_WRITTEN = frozenset({media.JSON, media.TURTLE, media.JSON_LD, media.CSV})


@dataclass(frozen=True, slots=True)
class Checked:
    """A finished report: `body` in the format that was asked for, and its first facts."""

    conforms: bool
    counts: dict[str, int]
    generation: int
    body: bytes


class Checker:
    """Has data checked in the cage, within `rules`; it can change nothing."""

    def __init__(self, pool: Pool, rules: Rules) -> None:
        self._pool = pool
        self._rules = rules

    @property
    def max_bytes(self) -> int:
        """Bytes that all files together may have, packed and unpacked."""
        return self._rules.max_bytes

    async def check(
        self,
        files: Sequence[File],
        *,
        shapes: File | None = None,
        media_type: str = media.JSON,
        language: str = "en",
    ) -> Checked:
        """The report on all `files` as one data graph.

        `shapes` replaces ours. Raises SyntaxRejected and the other refusals of the parser,
        FederationRefused, PayloadTooLarge, and what the pool raises.
        """
        if not files:
            raise InvalidRequest("There is no data to check; send at least one file.")
        if media_type not in _WRITTEN:
            raise NotAcceptable(sorted(_WRITTEN))
        args = {
            **self._rules.arguments(),
            "files": [file.facts() for file in files],
            "shapes_file": shapes.facts() if shapes else None,
            "format": media_type,
            "language": language,
        }
        body = b"".join([*(file.data for file in files), shapes.data if shapes else b""])
        async with self._pool.job(
            "submissions.report", args, body, limits=self._rules.limits
        ) as result:
            report = b"".join([chunk async for chunk in result])
            facts = result.header
        return Checked(facts["conforms"], facts["counts"], facts["generation"], report)
