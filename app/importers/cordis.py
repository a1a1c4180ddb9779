"""CORDIS: projects, their funding and whole consortia, facts only.

Participants are recognised by their participant identification code (PIC). A participant is the
organisation of a ROR record where the source names its ROR id and both are in the same town or
NUTS 3 region; then CORDIS adds what ROR does not say and contradicts nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pyoxigraph import Literal, NamedNode, Triple

from app.importers import organisations, regions
from app.importers.dataset import ID, SCHEME
from app.importers.organisations import folded, part
from app.importers.persons import is_natural_person
from app.importers.report import Report
from app.importers.ror import Place
from app.importers.rows import Row, day, decimal, is_damaged, parts, text, web_address
from app.rdf.terms import DCTERMS, EURIO, FOAF, FRAPO, ORG, SKOS, XSD, integer, string, type_

ROLES = ("coordinator", "participant", "partner", "thirdParty", "associatedPartner")

ACTIVITY_TYPES: Mapping[str, str] = {
    "HES": "higher-education",
    "PRC": "company",
    "PUB": "public-body",
    "REC": "research",
    "OTH": "other",
}
"""CORDIS activity types and our organisation types."""

METHODS: Mapping[str, str] = {
    "same organisation as in ROR": "the source names the ROR id, and town or NUTS 3 region agree",
    "same organisation within CORDIS": "equal PIC; or equal VAT number, name and town",
    "natural persons": "two to four words of letters, none of them a legal form or a word for an "
    "organisation, and a given name, a title, or a short name of the same words in another order; "
    "dropped with their participation and stored nowhere",
    "participants without a name": "their participation is dropped and counted",
    "damaged names": "characters lost in a wrong character set; the short name is taken instead, "
    "nothing is repaired",
}

_AGENCY = "European Commission"
_NUTS_3 = 5

_PARTS_OF_HORIZON_2020: Mapping[str, str] = {
    "SC1": "H2020-EU.3.1",
    "LEIT": "H2020-EU.2.1",
    "Innovation in SMEs": "H2020-EU.2.3",
}
"""Short names of programme parts in the source, and their codes."""

_PROGRAMME_NAMES: Mapping[str, str] = {
    "H2020": "Horizon 2020",
    "H2020-EU.2": "Industrial leadership",
    "H2020-EU.2.1": "Leadership in enabling and industrial technologies",
    "H2020-EU.2.3": "Innovation in SMEs",
    "H2020-EU.2.3.1": "Mainstreaming SME support",
    "H2020-EU.3": "Societal challenges",
    "H2020-EU.3.1": "Health, demographic change and well-being",
    "H2020-EU.3.1.1": "Understanding health, well-being and disease",
    "H2020-EU.3.1.2": "Preventing disease",
}

_ACTION_NAMES: Mapping[str, str] = {
    "COFUND-PPI": "Public procurement of innovative solutions, co-funded",
    "CSA": "Coordination and support action",
    "ERA-NET-Cofund": "ERA-NET Cofund",
    "IA": "Innovation action",
    "RIA": "Research and innovation action",
    "SME-1": "SME instrument phase 1",
    "SME-2": "SME instrument phase 2",
}


def is_health_project(row: Row) -> bool:
    """Whether a project belongs to the health part of Horizon 2020."""
    return row["framework"] == "H2020" and row["health"] == "1"


@dataclass(frozen=True)
class Source:
    """The rows of one CORDIS extract, and the ROR records that participants may be."""

    projects: Iterable[Row]
    participations: Iterable[Row]
    organisations: Iterable[Row]
    ror: Mapping[str, Place] = field(default_factory=dict)


def triples(
    source: Source, report: Report, selected: Callable[[Row], bool] = is_health_project
) -> Iterator[Triple]:
    """Statements about the selected projects and all that takes part in them."""
    for what, how in METHODS.items():
        report.method(what, how)
    projects = {row["rcn"]: row for row in _counted(source.projects, "projects read", report)}
    projects = {rcn: row for rcn, row in projects.items() if selected(row)}
    report.count("projects kept", len(projects))
    frameworks = {(row["framework"], rcn) for rcn, row in projects.items()}
    rows = [
        row
        for row in _counted(source.participations, "participations read", report)
        if (row["fp"], row["rcn"]) in frameworks
    ]
    report.count("participations of these projects", len(rows))
    people = _Participants(source, {row["org_key"] for row in rows}, report)
    kept = [row for row in rows if people.may_stay(row)]
    report.count("participations kept", len(kept))
    yield from people.triples(kept)
    yield from _programmes(projects.values(), report)
    for row in projects.values():
        yield from _project(row, report)
    for row in kept:
        yield from _participation(row, people.iris[row["org_key"]], report)


def _counted(rows: Iterable[Row], what: str, report: Report) -> Iterator[Row]:
    for row in rows:
        report.count(what)
        yield row


class _Participants:
    """Who the participants are: which rows stay, and which IRI each of them has."""

    def __init__(self, source: Source, keys: set[str], report: Report) -> None:
        self._report = report
        self._ror = source.ror
        self._rows = {row["org_key"]: row for row in source.organisations if row["org_key"] in keys}
        self._persons = {
            key
            for key, row in self._rows.items()
            if is_natural_person(row["name"], row["shortName"])
        }
        self.iris = self._resolved()

    def may_stay(self, row: Row) -> bool:
        """Whether this participation can be published; counts why not."""
        key = row["org_key"]
        if key in self._persons or is_natural_person(row["name"]):
            self._report.count("participations dropped: natural person")
        elif key not in self.iris:
            self._report.count("participations dropped: participant without a name")
        else:
            return True
        return False

    def triples(self, kept: Iterable[Row]) -> Iterator[Triple]:
        """Statements about each organisation that takes part in something."""
        kinds: dict[str, set[str]] = defaultdict(set)
        for row in kept:
            kinds[row["org_key"]].add(row["activityType"])
        self._report.count("natural persons dropped", len(self._persons))
        self._report.count("organisations kept", len({self.iris[key].value for key in kinds}))
        seen: dict[NamedNode, int] = defaultdict(int)
        for key in sorted(kinds):
            entity = self.iris[key]
            seen[entity] += 1
            suffix = "" if seen[entity] == 1 else f"-{seen[entity]}"
            row, place = self._rows[key], self._place(self._rows[key])
            yield from _identifiers(entity, row, suffix, self._report)
            if place is not None:
                yield from self._addition(row, place)
            elif not suffix:
                yield from self._description(row, kinds[key])

    def _resolved(self) -> dict[str, NamedNode]:
        iris: dict[str, NamedNode] = {}
        by_vat: dict[str, str] = {}
        for key, row in sorted(self._rows.items()):
            if key in self._persons or not _name(row):
                continue
            place = self._place(row)
            if place is not None:
                self._report.count("organisations that are a ROR record: ROR id and place agree")
                iris[key] = place.iri
            else:
                self._report_unmatched(row)
                iris[key] = organisations.organisation(_slug(row))
            vat = _vat(row)
            first = by_vat.setdefault(vat, key) if vat else key
            if first != key:
                iris[key] = self._same_vat(first, key, iris)
        return iris

    def _same_vat(self, first: str, second: str, iris: Mapping[str, NamedNode]) -> NamedNode:
        one, other = self._rows[first], self._rows[second]
        if all(folded(one[column]) == folded(other[column]) for column in ("name", "city")):
            self._report.count("organisations merged: VAT number, name and town agree")
            return iris[first]
        self._report.case("VAT number of two PICs, not merged", f"{first} {second}")
        return iris[second]

    def _place(self, row: Row) -> Place | None:
        """The ROR record that this participant is, if id and place agree."""
        place = self._ror.get(row["ror_id"])
        if place is None:
            return None
        if folded(place.town) == folded(row["city"]):
            return place
        region = _region(row)
        fine = region is not None and len(region.value.rsplit("/", 1)[-1]) == _NUTS_3
        return place if fine and region == place.region else None

    def _report_unmatched(self, row: Row) -> None:
        if row["ror_id"] in self._ror:
            self._report.case(
                "ROR id not followed: place differs", f"{row['org_key']} {row['ror_id']}"
            )
        elif row["ror_id"]:
            self._report.count("ROR id not followed: record not in the ROR file")

    def _description(self, row: Row, kinds: set[str]) -> Iterator[Triple]:
        entity = self.iris[row["org_key"]]
        yield Triple(entity, type_, ORG["Organization"])
        name = _name(row)
        if is_damaged(row["name"]):
            self._report.count("names left out: damaged characters, short name instead")
        yield from organisations.labels(entity, name, _short_names(row))
        for kind in sorted(kinds & ACTIVITY_TYPES.keys()):
            concept = NamedNode(organisations.ORGANISATION_TYPE + ACTIVITY_TYPES[kind])
            yield Triple(entity, ORG["classification"], concept)
        yield from self._site(row)
        if region := _region(row):
            yield Triple(entity, DCTERMS["spatial"], region)
        if homepage := self._homepage(row):
            yield Triple(entity, FOAF["homepage"], NamedNode(homepage))

    def _site(self, row: Row) -> Iterator[Triple]:
        own = _is_of_cordis(row)
        if not own:
            self._report.count("organisations of a secondary source: name, town, country only")
        yield from organisations.site(
            self.iris[row["org_key"]],
            country_code=row["country"],
            town=_town(row),
            street=_street(row) if own else "",
            post_code=text(row["postCode"]) if own else "",
            latitude=decimal(row["lat"]) if own else None,
            longitude=decimal(row["lng"]) if own else None,
        )

    def _addition(self, row: Row, place: Place) -> Iterator[Triple]:
        """What CORDIS adds to a ROR record: other names; street and homepage if they are new."""
        names = [_sound(row["name"]), *_short_names(row)]
        for name in (name for name in names if name and name not in place.names):
            yield Triple(place.iri, SKOS["altLabel"], string(name))
        if _is_of_cordis(row) and folded(place.town) == folded(row["city"]):
            yield from organisations.street_lines(place.iri, _street(row), text(row["postCode"]))
        homepage = self._homepage(row)
        if homepage and not place.has_homepage:
            yield Triple(place.iri, FOAF["homepage"], NamedNode(homepage))

    def _homepage(self, row: Row) -> str | None:
        if not _is_of_cordis(row):
            return None
        homepage = web_address(row["url"])
        if row["url"] and homepage is None:
            self._report.count("homepages left out: no web address")
        return homepage


def _is_of_cordis(row: Row) -> bool:
    """Rows that were completed from elsewhere say so; only their bare facts are taken."""
    return row["source"].startswith("cordis")


def _slug(row: Row) -> str:
    scheme, _, value = row["org_key"].partition(":")
    return f"{'pic' if scheme == 'pic' else f'cordis-{scheme}'}-{value}"


def _sound(value: str) -> str:
    return "" if is_damaged(value) else text(value)


def _street(row: Row) -> str:
    """The street; not where it goes on with the name of somebody who receives the post."""
    return "" if re.search(r"\bc/o\b", row["street"], re.IGNORECASE) else _sound(row["street"])


def _short_names(row: Row) -> list[str]:
    short = _sound(row["shortName"])
    return [short] if short and not is_natural_person(short) else []


def _name(row: Row) -> str:
    """The name, or the short name where the name is damaged; empty when there is neither."""
    if not is_damaged(row["name"]):
        return text(row["name"])
    return _sound(row["shortName"])


def _vat(row: Row) -> str:
    """The VAT number; what Swiss ones add for the language of the tax is no part of it."""
    vat = re.sub(r"[\s.\-]", "", row["vatNumber"]).upper()
    vat = re.sub(r"^(CHE\d{9})(?:MWST|TVA|IVA)$", r"\1", vat)
    return vat if re.fullmatch(r"[A-Z]{2}[0-9A-Z+*]{2,13}", vat) else ""


def _town(row: Row) -> str:
    return organisations.town_name(_sound(row["city"]))


def _region(row: Row) -> NamedNode | None:
    return regions.region_of(
        row["country"], _town(row), row["nuts_cordis"], row["nuts3"], row["nuts2"]
    )


def _identifiers(entity: NamedNode, row: Row, suffix: str, report: Report) -> Iterator[Triple]:
    if row["pic"]:
        yield from organisations.identifier(entity, f"pic{suffix}", row["pic"], "Pic", _AGENCY)
    if vat := _vat(row):
        yield from organisations.identifier(
            entity, f"vat{suffix}", vat, "VatNumber", "Tax authority"
        )
    elif row["vatNumber"]:
        report.count("VAT numbers left out: not in the form of one")


def _project(row: Row, report: Report) -> Iterator[Triple]:
    project = _project_iri(row["rcn"])
    yield Triple(project, type_, EURIO["Project"])
    acronym = _sound(row["acronym"])
    yield Triple(project, SKOS["prefLabel"], string(acronym or f"CORDIS {row['rcn']}"))
    if row["id"]:
        yield Triple(project, EURIO["identifier"], string(row["id"]))
    if row["rcn"].isdecimal():
        yield Triple(project, EURIO["rcn"], integer(int(row["rcn"])))
    report.count("projects with acronym" if acronym else "projects known by number only")
    if acronym:
        node = part(project, "acronym")
        yield Triple(project, EURIO["hasAcronym"], node)
        yield Triple(node, type_, EURIO["Acronym"])
        yield Triple(node, EURIO["shortForm"], string(acronym))
    for column, predicate in (("startDate", "startDate"), ("endDate", "endDate")):
        if date := day(row[column]):
            value = Literal(date.isoformat(), datatype=XSD["date"])
            yield Triple(project, EURIO[predicate], value)
    if address := web_address(row["cordis_url"]):
        yield Triple(project, EURIO["url"], Literal(address, datatype=XSD["anyURI"]))
    yield from _money(project, EURIO["hasTotalCost"], part(project, "total-cost"), row["totalCost"])
    yield from _grant(project, row)


def _grant(project: NamedNode, row: Row) -> Iterator[Triple]:
    grant = part(project, "grant")
    yield Triple(project, EURIO["isFundedBy"], grant)
    yield Triple(grant, type_, EURIO["Grant"])
    yield from _money(
        grant, EURIO["hasFundingAmount"], part(project, "grant-amount"), row["ecMaxContribution"]
    )
    for code in _programme_codes(row):
        yield Triple(project, EURIO["hasFundingSchemeProgramme"], _scheme("programme", code))
    for column, kind, predicate in _LEVELS:
        if row[column]:
            yield Triple(project, EURIO[predicate], _scheme(kind, row[column]))


_LEVELS = (
    ("call", "call", "hasFundingSchemeCall"),
    ("topic", "topic", "hasFundingSchemeTopic"),
    ("fundingScheme", "type", "hasFundingSchemeType"),
)


def _money(
    subject: NamedNode, predicate: NamedNode, node: NamedNode, value: str
) -> Iterator[Triple]:
    amount = decimal(value)
    if amount is None:
        return
    yield Triple(subject, predicate, node)
    yield Triple(node, type_, EURIO["MonetaryAmount"])
    yield Triple(node, EURIO["value"], organisations.number(amount))
    yield Triple(node, EURIO["currency"], string("EUR"))


def _participation(row: Row, member: NamedNode, report: Report) -> Iterator[Triple]:
    project = _project_iri(row["rcn"])
    key = row["org_key"].replace(":", "-").removeprefix("pic-")
    role = ID[f"participation/cordis-{row['rcn']}-{key}"]
    yield Triple(role, type_, EURIO["OrganisationRole"])
    yield Triple(role, EURIO["isInvolvedIn"], project)
    yield Triple(role, EURIO["isRoleOf"], member)
    yield Triple(project, EURIO["hasInvolvedParty"], role)
    if row["role"] in ROLES:
        yield Triple(role, EURIO["roleLabel"], string(row["role"]))
    else:
        report.count(f"roles left out: {row['role'] or 'empty'}")
    if decimal(row["ecContribution"]) is None:
        report.count("participations without an amount")
        return
    payment = part(role, "payment")
    yield Triple(role, EURIO["isRecipientOf"], payment)
    yield Triple(payment, type_, EURIO["GrantPayment"])
    yield from _money(
        payment, EURIO["hasPaymentAmount"], part(role, "payment-amount"), row["ecContribution"]
    )


def _project_iri(rcn: str) -> NamedNode:
    return ID[f"project/cordis-{rcn}"]


def _programme_codes(row: Row) -> list[str]:
    codes = [code.rstrip(".") for code in parts(row["programme"], ";")]
    if not codes:
        named = parts(row["programme_parts"])
        codes = [_PARTS_OF_HORIZON_2020[name] for name in named if name in _PARTS_OF_HORIZON_2020]
    return codes


def _scheme(kind: str, code: str) -> NamedNode:
    """The IRI of a programme, call, topic or type of action of Horizon 2020."""
    bare = re.sub(r"[^a-z0-9]+", "-", code.lower()).strip("-").removeprefix("h2020")
    slug = "-".join(filter(None, ("h2020", "" if not bare else kind, bare.strip("-"))))
    return ID[f"programme/{slug}"]


def _programmes(projects: Iterable[Row], report: Report) -> Iterator[Triple]:
    """Every level of funding that the projects name, each below the next higher one."""
    codes: set[str] = set()
    levels: dict[tuple[str, str], str] = {}
    calls: dict[str, set[str]] = defaultdict(set)
    for row in projects:
        codes.update(_programme_codes(row))
        for column, kind, _ in _LEVELS:
            if row[column]:
                levels[kind, row[column]] = _ACTION_NAMES.get(row[column], "")
        if row["topic"]:
            levels["topic", row["topic"]] = _sound(row["topic_title"])
            if not levels["topic", row["topic"]]:
                report.count("projects whose topic title is left out: damaged characters")
            calls[row["topic"]].add(row["call"])
    for code in sorted(_with_ancestors(codes)):
        yield from _level("programme", code, _PROGRAMME_NAMES.get(code, ""))
        if "." in code or "-" in code:
            yield Triple(
                _scheme("programme", code), EURIO["isSubSchemeOf"], _scheme("programme", _up(code))
            )
    for (kind, code), name in sorted(levels.items()):
        yield from _level(kind, code, name)
        above = [_scheme("call", call) for call in sorted(calls[code])] if kind == "topic" else []
        for other in above or [_scheme("programme", "H2020")]:
            yield Triple(_scheme(kind, code), EURIO["isSubSchemeOf"], other)


def _level(kind: str, code: str, name: str) -> Iterator[Triple]:
    iri = _scheme(kind, code)
    yield Triple(iri, type_, EURIO["FundingScheme"])
    yield Triple(iri, DCTERMS["type"], SCHEME[f"programme-level/{_KIND_CODES[kind]}"])
    yield Triple(iri, EURIO["code"], string(code))
    if kind == "call":
        yield Triple(iri, FRAPO["hasCallIdentifier"], string(code))
    yield Triple(iri, SKOS["prefLabel"], string(name, "en") if name else string(code))
    if name and name != code:
        yield Triple(iri, SKOS["altLabel"], string(code))


_KIND_CODES = {"programme": "programme", "call": "call", "topic": "topic", "type": "type-of-action"}


def _up(code: str) -> str:
    return code.rpartition("." if "." in code else "-")[0].removesuffix("-EU")


def _with_ancestors(codes: Iterable[str]) -> set[str]:
    found: set[str] = {"H2020"}
    for code in codes:
        above = code
        while above and above not in found:
            found.add(above)
            above = _up(above)
    return found
