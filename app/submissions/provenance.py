"""What the reserved graph says of a commit (PROV-O), so that SPARQL can ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyoxigraph import Literal, NamedNode, Quad

from app.rdf.diff import to_n_quads
from app.rdf.terms import DCTERMS, LT, PROV, SH, SPDX, XSD, integer, string, type_


@dataclass(frozen=True, slots=True)
class Provenance:
    """A commit: who changed what, when, by which source, and how the shapes judged it.

    It is written when the commit gets its number, which is only in the moment of appending.
    """

    base_iri: str
    graph: str
    generation: int
    time: datetime
    datasets: Sequence[str]
    author: str
    licence: str | None
    source_hash: str
    submission: str | None
    counts: Mapping[str, int]
    added: int
    removed: int
    entities: Sequence[str]

    @property
    def commit(self) -> str:
        """IRI of the commit."""
        return f"{self.base_iri}commit/{self.generation}"

    def n_quads(self) -> bytes:
        """All statements, a line for each; in no order."""
        # By far the most are these, so they are written as text; the cage has checked the IRIs.
        head = f"<{self.commit}> {PROV['influenced']} <"
        tail = f"> <{self.graph}> .\n"
        influenced = "".join(f"{head}{entity}{tail}" for entity in self.entities)
        return to_n_quads(self._facts()) + influenced.encode()

    def _facts(self) -> Iterator[Quad]:
        graph, commit = NamedNode(self.graph), NamedNode(self.commit)
        source, checksum, report = (
            NamedNode(f"{self.commit}#{part}") for part in ("source", "checksum", "report")
        )
        when = Literal(self.time.strftime("%Y-%m-%dT%H:%M:%SZ"), datatype=XSD["dateTime"])
        yield Quad(commit, type_, PROV["Activity"], graph)
        yield Quad(commit, PROV["endedAtTime"], when, graph)
        yield Quad(commit, PROV["wasAssociatedWith"], NamedNode(self.author), graph)
        for dataset in self.datasets:
            yield Quad(commit, PROV["generated"], NamedNode(dataset), graph)
        if self.licence:
            yield Quad(commit, DCTERMS["license"], NamedNode(self.licence), graph)
        if self.submission:
            of = NamedNode(f"{self.base_iri}submission/{self.submission}")
            yield Quad(commit, PROV["wasInformedBy"], of, graph)
        in_words = f"{self.added} statements added, {self.removed} removed"
        yield Quad(commit, DCTERMS["description"], string(in_words, "en"), graph)
        yield Quad(commit, LT["statementsAdded"], integer(self.added), graph)
        yield Quad(commit, LT["statementsRemoved"], integer(self.removed), graph)
        yield Quad(commit, PROV["used"], source, graph)
        yield Quad(source, type_, PROV["Entity"], graph)
        yield Quad(source, SPDX["checksum"], checksum, graph)
        yield Quad(checksum, type_, SPDX["Checksum"], graph)
        yield Quad(checksum, SPDX["algorithm"], SPDX["checksumAlgorithm_sha256"], graph)
        value = Literal(self.source_hash, datatype=XSD["hexBinary"])
        yield Quad(checksum, SPDX["checksumValue"], value, graph)
        yield Quad(report, type_, SH["ValidationReport"], graph)
        yield Quad(report, PROV["wasGeneratedBy"], commit, graph)
        yield Quad(report, SH["conforms"], Literal(True), graph)
        yield Quad(report, LT["warnings"], integer(self.counts.get("warning", 0)), graph)
