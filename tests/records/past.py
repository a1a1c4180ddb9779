"""A small past: a log and a graph that follows it, written as the gate writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyoxigraph as ox

from app.database import Database
from app.log import Draft, Log
from app.rdf.diff import Diff, from_n_quads, to_n_quads
from app.rdf.skolem import skolemise
from app.submissions.provenance import Provenance

BASE = "https://w3id.org/lifetec/"
SERVICE = f"{BASE}graph/service"
BEGINNING = datetime(2026, 1, 1, 12, tzinfo=UTC)
PREFIXES = {
    "": f"{BASE}id/",
    "adms": "http://www.w3.org/ns/adms#",
    "as": "https://www.w3.org/ns/activitystreams#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "ex": "http://example.org/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "graph": f"{BASE}graph/",
    "locn": "http://www.w3.org/ns/locn#",
    "lt": "https://w3id.org/lifetec/ontology#",
    "org": "http://www.w3.org/ns/org#",
    "schema": "https://schema.org/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
}


class Past:
    """Datasets that are replaced one after the other, a commit an hour."""

    def __init__(self, database: Database, folder: Path, store: ox.Store | None = None) -> None:
        self.log = Log(database, database.blobs("diffs", folder / "diffs"))
        self.store = store or ox.Store()
        self.generation = 0

    def replace(self, dataset: str, turtle: str, *, said: str = "") -> int:
        """A commit that makes `turtle` the whole of a dataset `partner/name`; its generation.

        `said` (Turtle) is added to the reserved graph in the same commit.
        """
        return self.replace_all({dataset: turtle}, said=said)

    def replace_all(self, datasets: Mapping[str, str], *, said: str = "") -> int:
        """The same for several datasets at once."""
        before: set[ox.Quad] = set()
        after: set[ox.Quad] = set()
        for dataset, turtle in datasets.items():
            graph = ox.NamedNode(f"{BASE}graph/{dataset}")
            before |= set(self.store.quads_for_pattern(None, None, None, graph))
            after |= set(_quads(turtle, graph))
        diff = Diff.between(before, after)
        names = tuple(f"{BASE}graph/{dataset}" for dataset in datasets)
        self._append(names, diff, to_n_quads(_quads(said, ox.NamedNode(SERVICE))))
        return self.generation

    def _append(self, datasets: tuple[str, ...], diff: Diff, said: bytes) -> None:
        partner = datasets[0].removeprefix(f"{BASE}graph/").partition("/")[0]
        time = BEGINNING + timedelta(hours=self.generation)
        changed = {
            quad.subject.value.partition("#")[0]
            for quad in diff.added | diff.removed
            if isinstance(quad.subject, ox.NamedNode) and "genid" not in quad.subject.value
        }
        provenance = Provenance(
            base_iri=BASE,
            graph=SERVICE,
            generation=self.generation + 1,
            time=time,
            datasets=datasets,
            author=f"{BASE}id/partner/{partner}",
            licence="http://creativecommons.org/licenses/by/4.0/",
            source_hash="0" * 64,
            submission=f"s{self.generation + 1}",
            counts={},
            added=len(diff.added),
            removed=len(diff.removed),
            entities=sorted(changed),
        )
        lines = to_n_quads(diff.added) + said + provenance.n_quads()
        added = b"".join(sorted(lines.splitlines(keepends=True)))
        draft = Draft(
            datasets=datasets,
            author=provenance.author,
            licence=provenance.licence,
            source_hash=provenance.source_hash,
            report={},
            created_at=time,
            added=added,
            removed=to_n_quads(diff.removed),
            submission=provenance.submission,
        )
        self.generation = self.log.append(draft, after=self.generation).generation
        for quad in diff.removed:
            self.store.remove(quad)
        self.store.extend(from_n_quads(added))


def _quads(turtle: str, graph: ox.NamedNode) -> Iterable[ox.Quad]:
    head = "".join(f"@prefix {prefix}: <{iri}> .\n" for prefix, iri in PREFIXES.items())
    quads = ox.parse(input=head + turtle, format=ox.RdfFormat.TURTLE)
    for quad in skolemise(quads, base_iri=BASE, scope=graph.value):
        yield ox.Quad(quad.subject, quad.predicate, quad.object, graph)
