"""The Research Organization Registry: active organisations of the region, facts only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pyoxigraph import Literal, NamedNode, Triple

from app.importers import organisations, regions
from app.importers.report import Report
from app.importers.rows import Row, decimal, is_damaged, parts, text, web_address
from app.rdf.terms import DCTERMS, FOAF, ORG, OWL, SCHEMA, XSD, type_

TYPES: Mapping[str, str] = {
    "archive": "archive",
    "company": "company",
    "education": "education",
    "facility": "facility",
    "funder": "funder",
    "government": "government",
    "healthcare": "healthcare",
    "nonprofit": "nonprofit",
    "other": "other",
}
"""ROR's organisation types and our concepts for them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Name and place of a ROR organisation, to compare with what other sources say."""

    iri: NamedNode
    names: frozenset[str]
    town: str
    region: NamedNode | None
    has_homepage: bool


def iri(ror_id: str) -> NamedNode:
    """The IRI of the organisation with this ROR id."""
    return organisations.organisation(f"ror-{ror_id.rsplit('/', 1)[-1]}")


def active(rows: Iterable[Row], report: Report) -> list[Row]:
    """Rows of organisations that exist; withdrawn and inactive ones are counted."""
    kept = []
    for row in rows:
        report.count("organisations read")
        if row["status"] == "active":
            kept.append(row)
        else:
            report.count(f"organisations dropped: {row['status'] or 'without status'}")
    report.count("organisations kept", len(kept))
    return kept


def places(rows: Iterable[Row]) -> dict[str, Place]:
    """Place by ROR id."""
    return {
        row["ror_id"]: Place(
            iri(row["ror_id"]),
            frozenset(_names(row)),
            text(row["city"]),
            _region(row),
            web_address(row["website"]) is not None,
        )
        for row in rows
    }


def triples(rows: Iterable[Row], report: Report) -> Iterator[Triple]:
    """All statements about these (active) organisations."""
    records = list(rows)
    known = {row["ror_id"] for row in records}
    for row in records:
        yield from _organisation(row, report)
        yield from _relations(row, known, report)


def _organisation(row: Row, report: Report) -> Iterator[Triple]:
    subject = iri(row["ror_id"])
    yield Triple(subject, type_, ORG["Organization"])
    others = [name for column in ("labels", "aliases", "acronyms") for name in parts(row[column])]
    sound = [name for name in others if not is_damaged(name)]
    report.count("names left out: damaged characters", len(others) - len(sound))
    yield from organisations.labels(subject, text(row["name"]), sound)
    for kind in parts(row["types"]):
        yield Triple(
            subject,
            ORG["classification"],
            NamedNode(organisations.ORGANISATION_TYPE + TYPES[kind]),
        )
    yield from _identifiers(subject, row)
    yield from organisations.site(
        subject,
        country_code=row["country"],
        town=text(row["city"]),
        latitude=decimal(row["lat"]),
        longitude=decimal(row["lng"]),
    )
    if region := _region(row):
        yield Triple(subject, DCTERMS["spatial"], region)
    if homepage := web_address(row["website"]):
        yield Triple(subject, FOAF["homepage"], NamedNode(homepage))
    if row["established"].isdecimal():
        year = Literal(row["established"].zfill(4), datatype=XSD["gYear"])
        yield Triple(subject, SCHEMA["foundingDate"], year)


def _names(row: Row) -> list[str]:
    """The name, then labels, aliases and acronyms."""
    others = (parts(row[column]) for column in ("labels", "aliases", "acronyms"))
    return [text(row["name"]), *(name for names in others for name in names)]


def _identifiers(subject: NamedNode, row: Row) -> Iterator[Triple]:
    yield from organisations.identifier(subject, "ror", row["ror_id"], "RorId", "ROR")
    yield Triple(subject, OWL["sameAs"], NamedNode(row["ror_id"]))
    for wikidata in parts(row["wikidata"])[:1]:
        yield from organisations.identifier(subject, "wikidata", wikidata, "WikidataId", "Wikidata")
        same = NamedNode(f"http://www.wikidata.org/entity/{wikidata}")
        yield Triple(subject, OWL["sameAs"], same)
    for column, datatype, agency in (
        ("grid", "GridId", "GRID"),
        ("isni", "Isni", "ISNI"),
        ("fundref", "FunderId", "Crossref"),
    ):
        for notation in parts(row[column])[:1]:
            yield from organisations.identifier(subject, column, notation, datatype, agency)


def _relations(row: Row, known: set[str], report: Report) -> Iterator[Triple]:
    """Parents, children and related organisations as far as they are in the same dataset."""
    subject = iri(row["ror_id"])
    for column in ("parent_ids", "child_ids", "related_ids"):
        for other in parts(row[column]):
            if other not in known:
                report.count("relations left out: to organisations outside the dataset")
            elif column == "parent_ids":
                yield Triple(subject, ORG["subOrganizationOf"], iri(other))
            elif column == "child_ids":
                yield Triple(iri(other), ORG["subOrganizationOf"], subject)
            else:
                yield Triple(subject, ORG["linkedTo"], iri(other))


def _region(row: Row) -> NamedNode | None:
    return regions.region_of(row["country"], text(row["city"]), row["nuts3"], row["nuts2"])
