"""After any commits the index is what it would be if it were built anew."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pyoxigraph as ox
from hypothesis import given, settings
from hypothesis import strategies as st

from app.database import Database
from app.log import Draft, Log
from app.rdf.diff import to_n_quads
from tests.profile.samples import sample_profile
from tests.records.indexing import DirectPool, assert_as_if_built_anew, indexer_of
from tests.records.past import BASE, PREFIXES

PROFILE = sample_profile()
GRAPHS = [ox.NamedNode(f"{BASE}graph/a/one"), ox.NamedNode(f"{BASE}graph/b/two")]
_STATEMENTS = """
:organisation\\/a-x a org:Organization ; skos:prefLabel "Ex"@en , "Iks"@nl ; skos:altLabel "X" ;
  org:classification <{b}scheme/kind/small> , <{b}scheme/kind/any> ; schema:foundingDate "1425" ;
  dcterms:spatial :region\\/lower , :region\\/upper ; schema:numberOfEmployees 7 ;
  org:hasPrimarySite <{b}id/organisation/a-x#site> , <{b}.well-known/genid/site> ;
  foaf:homepage <https://x.example/> ; adms:identifier <{b}id/organisation/a-x#id> .
<{b}id/organisation/a-x#id> a adms:Identifier ; skos:notation "05f950310" .
<{b}id/organisation/a-x#site> org:siteAddress <{b}id/organisation/a-x#address> .
<{b}id/organisation/a-x#address> locn:postName "Leuven" ; locn:adminUnitL1 :region\\/upper .
<{b}.well-known/genid/site> org:siteAddress <{b}.well-known/genid/address> .
<{b}.well-known/genid/address> locn:postName "Gent" ; locn:adminUnitL1 :region\\/lower .
:organisation\\/b-y a org:Organization ; skos:prefLabel "Why"@en ;
  org:hasPrimarySite <{b}.well-known/genid/site> ; org:classification <{b}scheme/kind/small> .
:project\\/a-p a eurio:Project ; skos:prefLabel "Project"@en , "Vorhaben"@de .
:project\\/a-q a eurio:Project ; skos:altLabel "Q"@en .
:participation\\/a-r a eurio:OrganisationRole ; eurio:isRoleOf :organisation\\/a-x ;
  eurio:isInvolvedIn :project\\/a-p , :project\\/a-q .
:participation\\/a-s a eurio:OrganisationRole ; eurio:isRoleOf :organisation\\/b-y ;
  eurio:isInvolvedIn :project\\/a-p ; skos:prefLabel "Named"@en .
:region\\/lower a dcterms:Location ; skos:prefLabel "Lower"@en , "Onder"@nl ;
  geo:sfWithin :region\\/upper . :region\\/upper a dcterms:Location ; skos:prefLabel "Upper"@en ;
  skos:notation "UP" ; geo:sfContains :region\\/lower ; geo:sfWithin :region\\/top .
:region\\/top a dcterms:Location .
<{b}scheme/kind/small> a skos:Concept ; skos:prefLabel "Small"@en , "Klein"@nl ;
  skos:broader <{b}scheme/kind/any> . <{b}scheme/kind/any> skos:narrower <{b}scheme/kind/small> ;
  a skos:Concept ; skos:prefLabel "Any"@en ; skos:broader <{b}scheme/kind/all> .
<{b}scheme/kind/all> a skos:Concept ; skos:broader <{b}scheme/kind/small> .
<{b}graph/a/one> a dcat:Dataset ; dcterms:title "One"@en ;
  dcterms:type <{b}scheme/dataset-type/example> .
"""


def _triples() -> list[ox.Triple]:
    more = {"eurio": "http://data.europa.eu/s66#", "geo": "http://www.opengis.net/ont/geosparql#"}
    prefixes = {**PREFIXES, **more}
    head = "".join(f"@prefix {name}: <{iri}> .\n" for name, iri in prefixes.items())
    quads = ox.parse(head + _STATEMENTS.replace("{b}", BASE), format=ox.RdfFormat.TURTLE)
    return [quad.triple for quad in quads]


TRIPLES = _triples()
_DESCRIBED = f"{BASE}graph/service"
"""The catalogue says there what is fictional."""

_quads = st.builds(
    lambda triple, graph: ox.Quad(triple.subject, triple.predicate, triple.object, graph),
    st.sampled_from(TRIPLES),
    st.sampled_from([*GRAPHS, ox.NamedNode(_DESCRIBED)]),
)
_changes = st.lists(st.frozensets(_quads, min_size=1, max_size=12), min_size=1, max_size=6)


class House:
    """A log, a graph that follows it, and an indexer of that graph."""

    def __init__(self, folder: Path) -> None:
        self.store = ox.Store()
        self.database = Database(f"sqlite:///{folder / 'lifetec.db'}")
        self.log = Log(self.database, self.database.blobs("diffs", folder / "diffs"))
        self.indexer = indexer_of(self.log, self.store, PROFILE, folder / "index")
        self.pool = cast(DirectPool, self.indexer._pool)

    def toggle(self, quads: Iterable[ox.Quad]) -> None:
        """Commit a change: what is there goes, what is not comes."""
        removed = {quad for quad in quads if quad in self.store}
        added = set(quads) - removed
        for quad in removed:
            self.store.remove(quad)
        self.store.extend(added)
        self.log.append(
            Draft(
                datasets=(GRAPHS[0].value,),
                author=f"{BASE}id/partner/a",
                licence=None,
                source_hash=None,
                report={},
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
                added=to_n_quads(added),
                removed=to_n_quads(removed),
            ),
            after=self.pool.generation,
        )
        self.pool.generation += 1

    def close(self) -> None:
        self.indexer.index.close()
        self.database.close()


@settings(max_examples=60, deadline=None)
@given(begin=st.sets(st.sampled_from(TRIPLES)), changes=_changes, together=st.booleans())
def test_after_any_commits_the_index_is_as_if_built_anew(
    begin: set[ox.Triple], changes: list[frozenset[ox.Quad]], together: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        try:
            asyncio.run(_follows(house, begin, changes, together=together))
        finally:
            house.close()


async def _follows(
    house: House, begin: set[ox.Triple], changes: list[frozenset[ox.Quad]], *, together: bool
) -> None:
    first = [ox.Quad(one.subject, one.predicate, one.object, GRAPHS[0]) for one in begin]
    house.toggle(first)
    await house.indexer.step()
    for number, change in enumerate(changes):
        house.toggle(change)
        if not together or number == len(changes) - 1:
            await house.indexer.step()
            assert house.indexer.index.generation == house.pool.generation
            assert_as_if_built_anew(house.indexer.index, house.store, PROFILE)
    # it is built once only: what came then were updates
    everything = [name for name in house.pool.jobs if name == "records.touched"]
    assert len(everything) == (1 if together else len(changes))
