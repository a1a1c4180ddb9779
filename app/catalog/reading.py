"""What the reserved graph says of datasets, fetched by two queries that go through no dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyoxigraph import Literal, NamedNode, RdfFormat, Triple, parse

from app.catalog.house import House
from app.rdf.terms import DCAT, DCTERMS, FOAF, VCARD, VOID, VOID_EXT, Subject, Term, type_

_PARTITIONS = "|".join(
    str(one)
    for one in (
        *(VOID["classPartition"], VOID["propertyPartition"], VOID["subset"]),
        VOID_EXT["datatypePartition"],
    )
)
_TOLD = (
    type_,
    *(DCTERMS[name] for name in (
        "title", "description", "publisher", "license", "source", "type", "accrualPeriodicity",
        "temporal", "spatial", "language", "requires",
    )),
    *(DCAT[name] for name in ("keyword", "theme", "contactPoint", "landingPage", "version")),
    VOID["triples"], VOID["entities"],
)  # fmt: skip


def statistics_query(house: House, example: Sequence[NamedNode]) -> str:
    """CONSTRUCT of all statistics; and one thing of the classes `example` as an example."""
    classes = " ".join(map(str, example))
    return f"""
CONSTRUCT {{ ?s ?p ?o . {NamedNode(house.dataset)} {VOID["exampleResource"]} ?one }}
WHERE {{
  {{ GRAPH {NamedNode(house.reserved_graph)} {{
    {{ ?d a {VOID["Dataset"]} ; {VOID["triples"]} ?n ; ({_PARTITIONS})+ ?s . ?s ?p ?o }}
    UNION {{ VALUES ?p {{ {" ".join(map(str, _SUMS))} }} ?s a {VOID["Dataset"]} ; ?p ?o }}
    UNION {{ ?s a {VOID["Linkset"]} ; ?p ?o }}
    UNION {{ ?l a {VOID["Linkset"]} ; {VOID["objectsTarget"]} ?s . ?s ?p ?o }}
  }} }}
  UNION {{ SELECT ?one {{ VALUES ?c {{ {classes} }} GRAPH ?g {{ ?one a ?c }} }} LIMIT 1 }}
}}"""


def datasets_query(house: House) -> str:
    """CONSTRUCT of what is said of datasets, contacts, publishers, and since when they are here."""
    told = " ".join(map(str, _TOLD))
    prov = "http://www.w3.org/ns/prov#"
    return f"""
CONSTRUCT {{ ?s ?p ?o . ?d {DCTERMS["publisher"]} ?who . ?who {FOAF["name"]} ?name .
  ?record a {DCAT["CatalogRecord"]} ; {FOAF["primaryTopic"]} ?d ; {DCTERMS["issued"]} ?issued ;
    {DCTERMS["modified"]} ?modified }}
WHERE {{
  {{ GRAPH {NamedNode(house.reserved_graph)} {{
    VALUES ?kind {{ {DCAT["Dataset"]} {VOID["Dataset"]} }} VALUES ?p {{ {told} }}
    ?s a ?kind ; ?p ?o }} }}
  UNION {{ GRAPH {NamedNode(house.reserved_graph)} {{
    ?d a {DCAT["Dataset"]} ; {DCAT["contactPoint"]} ?s .
    VALUES ?p {{ {type_} {VCARD["fn"]} {VCARD["hasEmail"]} {VCARD["hasURL"]} }} ?s ?p ?o }} }}
  UNION {{
    {{ SELECT DISTINCT ?who {{ GRAPH {NamedNode(house.reserved_graph)} {{
      ?any a {DCAT["Dataset"]} ; {DCTERMS["publisher"]} ?who }} }} }}
    GRAPH ?g {{ ?who {FOAF["name"]} ?name }} }}
  UNION {{
    {{ SELECT ?d (MIN(?t) AS ?issued) (MAX(?t) AS ?modified) {{
      GRAPH {NamedNode(house.reserved_graph)} {{
        ?c <{prov}generated> ?d ; <{prov}endedAtTime> ?t }} }} GROUP BY ?d }}
    BIND(IRI(CONCAT(STR(?d), "#record")) AS ?record) }}
}}"""


_SUMS = (
    type_,
    *(VOID[name] for name in (
        "triples", "distinctSubjects", "distinctObjects", "entities", "classes", "properties",
        "classPartition", "propertyPartition",
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Described:
    """Triples by subject, as of a generation."""

    generation: int
    _about: Mapping[Subject, Mapping[NamedNode, Sequence[Term]]] = field(repr=False)

    @staticmethod
    def of(generation: int, *n_triples: bytes) -> Described:
        """Made from the answers to the queries above."""
        about: dict[Subject, dict[NamedNode, dict[Term, None]]] = {}
        for text in n_triples:
            for one in parse(input=text, format=RdfFormat.N_TRIPLES):
                about.setdefault(one.subject, {}).setdefault(one.predicate, {})[one.object] = None
        values = {
            subject: {p: sorted(found, key=str) for p, found in said.items()}
            for subject, said in about.items()
        }
        return Described(generation, values)

    def things(self, cls: NamedNode) -> list[NamedNode]:
        """The IRIs of a class, sorted."""
        found = (s for s, said in self._about.items() if cls in said.get(type_, ()))
        return sorted((s for s in found if isinstance(s, NamedNode)), key=str)

    def values(self, subject: Subject, predicate: NamedNode) -> Sequence[Term]:
        """The objects, sorted."""
        return self._about.get(subject, {}).get(predicate, ())

    def iris(self, subject: Subject, predicate: NamedNode) -> list[NamedNode]:
        """Those objects that are IRIs."""
        return [one for one in self.values(subject, predicate) if isinstance(one, NamedNode)]

    def number(self, subject: Subject, predicate: NamedNode) -> int:
        """A count; 0 where there is none."""
        found = self.values(subject, predicate)
        return int(found[0].value) if found and isinstance(found[0], Literal) else 0

    def text(self, subject: Subject, predicate: NamedNode, lang: str) -> str | None:
        """A literal in a language, else in English, in none, or in any."""
        texts = [one for one in self.values(subject, predicate) if isinstance(one, Literal)]
        wanted = (lang, "en", None)
        rank = {language: n for n, language in enumerate(wanted)}
        best = min(texts, key=lambda one: rank.get(one.language, len(rank)), default=None)
        return best.value if best else None

    def all(self, subject: Subject, *, without: Iterable[NamedNode] = ()) -> Iterator[Triple]:
        """All that is said of a subject."""
        for predicate, values in self._about.get(subject, {}).items():
            if predicate not in without:
                for value in values:
                    yield Triple(subject, predicate, value)

    def tree(self, root: NamedNode, prefix: str) -> Iterator[Triple]:
        """All that is said of a subject and of those things of a namespace that it leads to."""
        seen, pending = set[Subject](), [root]
        while pending:
            node = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            for triple in self.all(node):
                yield triple
                if isinstance(triple.object, NamedNode) and triple.object.value.startswith(prefix):
                    pending.append(triple.object)
