"""After any commits the index is what it would be if it were built anew."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pyoxigraph as ox
from hypothesis import given, settings
from hypothesis import strategies as st

from app.database import Database
from app.log import Draft, Log
from app.profile import load_profile
from app.rdf.diff import to_n_quads
from tests.profile.samples import PREFIXES as SHAPE_PREFIXES
from tests.profile.samples import SAMPLE
from tests.records.indexing import DirectPool, assert_as_if_built_anew, indexer_of
from tests.records.past import BASE, PREFIXES

_FOLDER = tempfile.TemporaryDirectory()
_SHAPES = Path(shutil.copytree(SAMPLE / "shapes", Path(_FOLDER.name, "shapes")))
(_SHAPES / "networks.ttl").write_text(
    SHAPE_PREFIXES
    + """
ltsh:Organisation sh:property
  [ sh:path ( [ sh:inversePath org:member ] org:organization ) ; pf:name "networks" ;
    sh:class org:Organization ] .
"""
)
PROFILE = load_profile(SAMPLE / "ontology", _SHAPES, BASE)
"""The sample's, with a way over things that are no entities."""

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
:region\\/lower a dcterms:Location ; skos:prefLabel "Lower"@en , "Onder"@nl .
:region\\/upper a dcterms:Location ; skos:prefLabel "Upper"@en ;
  skos:notation "UP" ; geo:sfContains :region\\/lower ; geo:sfWithin :region\\/top .
<https://x.example/> dcterms:description "Nothing else is said of it." .
<{b}.well-known/genid/site> geo:hasDefaultGeometry <{b}.well-known/genid/geometry> .
<{b}.well-known/genid/geometry> geo:asWKT "POINT(4.7 50.9)"^^geo:wktLiteral .
<{b}id/membership/a-m> org:member :organisation\\/a-x ; org:organization :organisation\\/b-y .
:region\\/top a dcterms:Location .
<{b}scheme/kind/small> a skos:Concept ; skos:prefLabel "Small"@en , "Klein"@nl .
<{b}scheme/kind/any> skos:narrower <{b}scheme/kind/small> ;
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
_changes = st.lists(st.frozensets(_quads, min_size=1, max_size=3), min_size=1, max_size=6)


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


@settings(max_examples=15, deadline=None)
@given(
    gone=st.sets(st.sampled_from(TRIPLES), max_size=20), changes=_changes, together=st.booleans()
)
def test_after_any_commits_the_index_is_as_if_built_anew(
    gone: set[ox.Triple], changes: list[frozenset[ox.Quad]], together: bool
) -> None:
    with _house() as house:
        asyncio.run(_follows(house, set(TRIPLES) - gone, changes, together=together))


def test_after_any_statement_goes_and_comes_the_index_is_as_if_built_anew() -> None:
    """Alone, so that nothing else which changes brings along what it concerns."""
    changes = [frozenset([_quad(triple)]) for triple in TRIPLES]
    with _house() as house:
        asyncio.run(_follows(house, set(TRIPLES), [one for one in changes for _ in "ab"]))


def _quad(triple: ox.Triple) -> ox.Quad:
    return ox.Quad(triple.subject, triple.predicate, triple.object, GRAPHS[0])


@contextmanager
def _house() -> Iterator[House]:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        try:
            yield house
        finally:
            house.close()


async def _follows(
    house: House,
    begin: set[ox.Triple],
    changes: list[frozenset[ox.Quad]],
    *,
    together: bool = False,
) -> None:
    house.toggle([_quad(triple) for triple in begin])
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
