"""The fictional example dataset, made from the tables in data/example.

The tables are the source: each has a comment that says what its columns mean. Nothing in them is
real except regions, countries and concepts. All slugs begin with `example-`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyoxigraph import Literal, NamedNode, Triple

from app.importers import countries, emdn, euroscivoc, organisations, regions
from app.importers.dataset import ID, SCHEME
from app.importers.organisations import ORGANISATION_TYPE, part
from app.rdf.terms import (
    DCAT,
    DCTERMS,
    EURIO,
    FOAF,
    FRAPO,
    GEO,
    LOCN,
    LT,
    M8G,
    ORG,
    PROV,
    SCHEMA,
    SKOS,
    XSD,
    Namespace,
    integer,
    string,
    type_,
)

BUSINESS_SIZE = NamedNode("http://data.europa.eu/a4g/ontology#hasBusinessSize")
FUNCTIONS = Namespace("http://purl.org/goodrelations/v1#")
PARTNER = ID["partner/example"]

Entry = Mapping[str, Any]
Table = Mapping[str, Entry]

_KINDS = {"p": "product", "t": "technology", "f": "facility", "o": "organisation"}

_PARTNER_NAMES = {
    "en": "Example partner network (fictional)",
    "nl": "Voorbeeldnetwerk (fictief)",
    "de": "Beispielnetzwerk (erfunden)",
    "fr": "Réseau d'exemple (fictif)",
}

_FREE = {
    "en": "{percent} % of the capacity is free.",
    "nl": "{percent} % van de capaciteit is vrij.",
    "de": "{percent} % der Kapazität sind frei.",
    "fr": "{percent} % de la capacité sont libres.",
}
_FREE_UNTIL = date(2027, 12, 31)


def triples(folder: Path) -> Iterator[Triple]:
    """All statements of the example dataset from the tables in `folder`."""
    tables = {
        path.stem: tomllib.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.toml"))
    }
    yield from Example(tables).triples()


def iri(kind: str, key: str) -> NamedNode:
    """The IRI of an entity of the example."""
    return ID[f"{kind}/example-{key}"]


@dataclass(frozen=True)
class Example:
    """The tables by name; each method makes the triples of one entry of one table."""

    tables: Mapping[str, Mapping[str, Any]]

    def triples(self) -> Iterator[Triple]:
        """Statements about every entry of every table, and the partner that publishes them."""
        yield Triple(PARTNER, type_, PROV["Agent"])
        for lang, name in _PARTNER_NAMES.items():
            yield Triple(PARTNER, SKOS["prefLabel"], string(name, lang))
        yield Triple(PARTNER, FOAF["name"], string(_PARTNER_NAMES["en"], "en"))
        yield Triple(PARTNER, FOAF["homepage"], NamedNode("https://network.example/"))
        makers: dict[str, Callable[[str, Entry], Iterator[Triple]]] = {
            "organisations": self.organisation,
            "technologies": self.technology,
            "facilities": self.facility,
            "products": self.product,
            "offers": self.offer,
            "needs": self.need,
            "certificates": self.certificate,
            "networks": self.network,
            "projects": self.project,
        }
        for table, make in makers.items():
            for key, entry in self.tables[table].items():
                yield from make(key, entry)

    def organisation(self, key: str, entry: Entry) -> Iterator[Triple]:
        """A company, hospital, institute, investor or association."""
        subject = iri("organisation", key)
        country, town, post_code, street, latitude, longitude, nuts = entry["place"]
        yield Triple(subject, type_, ORG["Organization"])
        yield from _texts(subject, entry)
        for kind in entry["types"]:
            yield Triple(subject, ORG["classification"], NamedNode(ORGANISATION_TYPE + kind))
        if kind := entry.get("investor"):
            yield Triple(subject, ORG["classification"], SCHEME[f"investor-type/{kind}"])
        yield Triple(subject, BUSINESS_SIZE, SCHEME[f"partner-size/{entry['size']}"])
        yield from self._subjects(subject, SCHEMA["knowsAbout"], entry["knows"])
        yield from organisations.site(
            subject,
            country_code=country,
            town=town,
            street=street,
            post_code=post_code,
            latitude=Decimal(latitude),
            longitude=Decimal(longitude),
        )
        if region := regions.region_of(country, town, nuts):
            yield Triple(subject, DCTERMS["spatial"], region)
        founded = Literal(str(entry["founded"]), datatype=XSD["gYear"])
        yield Triple(subject, SCHEMA["foundingDate"], founded)
        yield Triple(subject, FOAF["homepage"], NamedNode(f"https://{key}.example/"))
        contact = part(subject, "contact")
        yield Triple(subject, M8G["contactPoint"], contact)
        yield Triple(contact, type_, M8G["ContactPoint"])
        yield Triple(contact, M8G["email"], string(f"info@{key}.example"))

    def technology(self, key: str, entry: Entry) -> Iterator[Triple]:
        """A technology with its readiness and protection."""
        subject = iri("technology", key)
        yield Triple(subject, type_, LT["Technology"])
        if entry.get("device"):
            yield Triple(subject, type_, SCHEMA["MedicalDevice"])
        yield from _texts(subject, entry)
        for maker in entry["by"]:
            yield Triple(subject, DCTERMS["creator"], iri("organisation", maker))
        owner = entry.get("owner", entry["by"][0])
        yield Triple(subject, DCTERMS["rightsHolder"], iri("organisation", owner))
        yield Triple(subject, LT["trl"], integer(entry["trl"]))
        yield Triple(subject, LT["ipStatus"], SCHEME[f"ip-status/{entry['ip']}"])
        yield from self._subjects(subject, DCTERMS["subject"], entry["topics"])
        yield from _risk(subject, entry)
        for code in entry.get("emdn", ()):
            yield Triple(subject, DCTERMS["subject"], emdn.concept(code))
        if project := entry.get("result_of"):
            yield Triple(subject, EURIO["isResultOf"], iri("project", project))

    def facility(self, key: str, entry: Entry) -> Iterator[Triple]:
        """A facility at the place of its owner, and an offer of the capacity that is free."""
        subject = iri("facility", key)
        owner = self.tables["organisations"][entry["owner"]]
        country, town, post_code, street, latitude, longitude, nuts = owner["place"]
        yield Triple(subject, type_, FRAPO["Facility"])
        yield from _texts(subject, entry)
        yield Triple(subject, FRAPO["isOwnedBy"], iri("organisation", entry["owner"]))
        yield Triple(subject, LT["accessMode"], SCHEME[f"access-mode/{entry['access']}"])
        yield Triple(subject, LT["freeCapacity"], Literal(entry["capacity"]))
        yield from self._subjects(subject, DCTERMS["subject"], entry["topics"])
        for service in entry.get("services", ()):
            yield Triple(subject, FRAPO["providesService"], iri("product", service))
        address, geometry = part(subject, "address"), part(subject, "geometry")
        yield Triple(subject, LOCN["address"], address)
        yield Triple(address, type_, LOCN["Address"])
        yield from organisations.street_lines(subject, street, post_code)
        yield Triple(address, LOCN["postName"], string(town))
        if iri_of_country := countries.country(country):
            yield Triple(address, LOCN["adminUnitL1"], iri_of_country)
        yield Triple(subject, GEO["hasDefaultGeometry"], geometry)
        yield Triple(geometry, type_, GEO["Geometry"])
        point = Literal(f"POINT({longitude} {latitude})", datatype=GEO["wktLiteral"])
        yield Triple(geometry, GEO["asWKT"], point)
        if region := regions.region_of(country, town, nuts):
            yield Triple(subject, DCTERMS["spatial"], region)
        yield from self._free_capacity(key, entry)

    def _free_capacity(self, key: str, entry: Entry) -> Iterator[Triple]:
        subject = iri("offer", f"{key}-capacity")
        yield Triple(subject, type_, SCHEMA["Offer"])
        for lang, name in _by_language(entry["name"]).items():
            yield Triple(subject, SKOS["prefLabel"], string(name, lang or None))
        for lang, sentence in _FREE.items():
            text = sentence.format(percent=entry["capacity"])
            yield Triple(subject, DCTERMS["abstract"], string(text, lang))
        yield Triple(subject, SCHEMA["itemOffered"], iri("facility", key))
        yield Triple(subject, SCHEMA["offeredBy"], iri("organisation", entry["owner"]))
        yield Triple(iri("organisation", entry["owner"]), SCHEMA["makesOffer"], subject)
        yield Triple(subject, SCHEMA["businessFunction"], FUNCTIONS["LeaseOut"])
        yield Triple(subject, SCHEMA["validThrough"], _date(_FREE_UNTIL))
        yield from _areas(subject, ["NL", "BE", "DE"])

    def product(self, key: str, entry: Entry) -> Iterator[Triple]:
        """A product or service, and what goes into it."""
        subject = iri("product", key)
        service = entry.get("service", False)
        yield Triple(subject, type_, SCHEMA["Service" if service else "Product"])
        if "risk" in entry:
            yield Triple(subject, type_, SCHEMA["MedicalDevice"])
        yield from _texts(subject, entry)
        maker = SCHEMA["provider" if service else "manufacturer"]
        yield Triple(subject, maker, iri("organisation", entry["by"]))
        yield from self._subjects(subject, DCTERMS["subject"], entry["topics"])
        yield from _risk(subject, entry)
        for code in entry.get("emdn", ()):
            yield Triple(subject, SCHEMA["category"], emdn.concept(code))
        for other in entry.get("parts", ()):
            yield Triple(subject, DCTERMS["hasPart"], iri("product", other))

    def offer(self, key: str, entry: Entry) -> Iterator[Triple]:
        """What an organisation offers, to whom and until when."""
        subject = iri("offer", key)
        yield Triple(subject, type_, SCHEMA["Offer"])
        yield from _texts(subject, entry, DCTERMS["abstract"])
        for lang, text in entry.get("gain", {}).items():
            yield Triple(subject, LT["advantages"], string(text, lang))
        item, owner = self._item(entry["item"])
        yield Triple(subject, SCHEMA["itemOffered"], item)
        yield Triple(subject, SCHEMA["offeredBy"], owner)
        yield Triple(owner, SCHEMA["makesOffer"], subject)
        yield Triple(subject, SCHEMA["businessFunction"], FUNCTIONS[entry["function"]])
        for code in self._entry(entry["item"]).get("emdn", ()):
            yield Triple(subject, SCHEMA["category"], emdn.concept(code))
        yield from self._subjects(subject, DCTERMS["subject"], self._entry(entry["item"])["topics"])
        yield from _terms(subject, entry)
        if "price" in entry:
            low, high, unit = entry["price"]
            yield from _price(subject, low, high)
            yield Triple(part(subject, "price"), SCHEMA["unitText"], string(unit))

    def need(self, key: str, entry: Entry) -> Iterator[Triple]:
        """What an organisation looks for; money too."""
        subject = iri("need", key.removeprefix("need-"))
        yield Triple(subject, type_, SCHEMA["Demand"])
        yield from _texts(subject, entry, DCTERMS["abstract"])
        yield Triple(iri("organisation", entry["by"]), SCHEMA["seeks"], subject)
        yield from self._subjects(subject, DCTERMS["subject"], entry["topics"])
        if "wants" in entry:
            yield Triple(subject, SCHEMA["itemOffered"], self._item(entry["wants"])[0])
        yield from _terms(subject, entry)
        if "budget" in entry:
            yield from _price(subject, *entry["budget"])

    def certificate(self, key: str, entry: Entry) -> Iterator[Triple]:
        """A certificate of an organisation or of a product."""
        subject = iri("certificate", key)
        yield Triple(subject, type_, SCHEMA["Certification"])
        if "product" in entry:
            holder = iri("product", entry["product"])
            name = self.tables["products"][entry["product"]]["name"]
        else:
            holder = iri("organisation", entry["of"])
            name = self.tables["organisations"][entry["of"]]["name"]
        standard = entry["standard"].upper().replace("-", " ")
        for lang, text in _by_language(name).items():
            yield Triple(subject, SKOS["prefLabel"], string(f"{standard}: {text}", lang or None))
        yield Triple(holder, SCHEMA["hasCertification"], subject)
        number = string(f"EX-{key.upper()}-{entry['from'].year}")
        yield Triple(subject, SCHEMA["certificationIdentification"], number)
        yield Triple(subject, SCHEMA["about"], SCHEME[f"certificate-type/{entry['standard']}"])
        yield Triple(subject, SCHEMA["issuedBy"], iri("organisation", entry["by"]))
        yield Triple(subject, SCHEMA["validFrom"], _date(entry["from"]))
        yield Triple(subject, SCHEMA["expires"], _date(entry["to"]))
        status = "CertificationInactive" if "status" in entry else "CertificationActive"
        yield Triple(subject, SCHEMA["certificationStatus"], SCHEMA[status])

    def network(self, key: str, entry: Entry) -> Iterator[Triple]:
        """A network or cluster, and its memberships."""
        subject = iri("network", key)
        yield Triple(subject, type_, ORG["OrganizationalCollaboration"])
        yield from _texts(subject, entry)
        region = entry["region"]
        place = regions.ELAT if region == "elat" else regions.NUTS[region]
        yield Triple(subject, DCTERMS["spatial"], place)
        founded = Literal(str(entry["founded"]), datatype=XSD["gYear"])
        yield Triple(subject, SCHEMA["foundingDate"], founded)
        yield Triple(subject, FOAF["homepage"], NamedNode(f"https://{key}.example/"))
        yield from self._subjects(subject, DCTERMS["subject"], entry["topics"])
        for member, role, year in entry["members"]:
            membership = iri("membership", f"{key}-{member}")
            period = part(membership, "period")
            yield Triple(membership, type_, ORG["Membership"])
            yield Triple(membership, ORG["member"], iri("organisation", member))
            yield Triple(membership, ORG["organization"], subject)
            yield Triple(membership, ORG["role"], SCHEME[f"partner-role/{role}"])
            yield Triple(membership, ORG["memberDuring"], period)
            yield Triple(period, type_, DCTERMS["PeriodOfTime"])
            yield Triple(period, DCAT["startDate"], _date(date(year, 1, 1)))

    def project(self, key: str, entry: Entry) -> Iterator[Triple]:
        """A project with its participations and payments."""
        subject = iri("project", key)
        yield Triple(subject, type_, EURIO["Project"])
        yield from _texts(subject, entry)
        for lang, title in entry["title"].items():
            yield Triple(subject, EURIO["title"], string(title, lang))
        yield Triple(subject, EURIO["startDate"], _date(entry["from"]))
        yield Triple(subject, EURIO["endDate"], _date(entry["to"]))
        for topic in entry["topics"]:
            yield Triple(subject, EURIO["hasEuroSciVocClassification"], self._topic(topic))
        yield from _money(
            subject, EURIO["hasTotalCost"], part(subject, "total-cost"), entry["cost"]
        )
        for member, role, amount in entry["members"]:
            participation, payment = iri("participation", f"{key}-{member}"), "payment"
            yield Triple(participation, type_, EURIO["OrganisationRole"])
            yield Triple(participation, EURIO["isInvolvedIn"], subject)
            yield Triple(participation, EURIO["isRoleOf"], iri("organisation", member))
            yield Triple(participation, EURIO["roleLabel"], string(role))
            yield Triple(subject, EURIO["hasInvolvedParty"], participation)
            node = part(participation, payment)
            yield Triple(participation, EURIO["isRecipientOf"], node)
            yield Triple(node, type_, EURIO["GrantPayment"])
            yield from _money(
                node, EURIO["hasPaymentAmount"], part(participation, "payment-amount"), amount
            )

    def _topic(self, name: str) -> NamedNode:
        return NamedNode(euroscivoc.VOCABULARY + self.tables["topics"][name])

    def _subjects(
        self, subject: NamedNode, predicate: NamedNode, topics: Sequence[str]
    ) -> Iterator[Triple]:
        for name in topics:
            yield Triple(subject, predicate, self._topic(name))

    def _entry(self, reference: str) -> Entry:
        kind, _, key = reference.partition("/")
        table = {"p": "products", "t": "technologies", "f": "facilities"}[kind]
        entry: Entry = self.tables[table][key]
        return entry

    def _item(self, reference: str) -> tuple[NamedNode, NamedNode]:
        """An item and the organisation that offers it."""
        kind, _, key = reference.partition("/")
        entry = self._entry(reference)
        owner = entry.get("owner") or entry["by"]
        owner = owner if isinstance(owner, str) else owner[0]
        return iri(_KINDS[kind], key), iri("organisation", owner)


def _by_language(value: str | Mapping[str, str]) -> Mapping[str, str]:
    return {"": value} if isinstance(value, str) else value


def _texts(
    subject: NamedNode, entry: Entry, description: NamedNode = DCTERMS["description"]
) -> Iterator[Triple]:
    for lang, name in _by_language(entry["name"]).items():
        yield Triple(subject, SKOS["prefLabel"], string(name, lang or None))
    for lang, text in entry.get("text", {}).items():
        yield Triple(subject, description, string(text, lang))


def _risk(subject: NamedNode, entry: Entry) -> Iterator[Triple]:
    if "risk" in entry:
        risk = SCHEME[f"device-risk-class/{entry['risk']}"]
        yield Triple(subject, LT["deviceRiskClass"], risk)


def _areas(subject: NamedNode, codes: Sequence[str]) -> Iterator[Triple]:
    for code in codes:
        yield Triple(subject, SCHEMA["areaServed"], regions.NUTS[code])


def _terms(subject: NamedNode, entry: Entry) -> Iterator[Triple]:
    """Where and until when, and the fields of a partnering profile."""
    yield from _areas(subject, entry["area"])
    yield Triple(subject, SCHEMA["validThrough"], _date(entry["until"]))
    if "profile" in entry:
        yield Triple(subject, LT["profileType"], SCHEME[f"profile-type/{entry['profile']}"])
    for kind in entry.get("partnership", ()):
        yield Triple(subject, LT["partnershipType"], SCHEME[f"partnership-type/{kind}"])
    for kind in entry.get("sought", ()):
        yield Triple(subject, LT["partnerTypeSought"], NamedNode(ORGANISATION_TYPE + kind))
    if "role" in entry:
        yield Triple(subject, LT["partnerRoleSought"], SCHEME[f"partner-role/{entry['role']}"])


def _price(subject: NamedNode, low: str, high: str) -> Iterator[Triple]:
    price = part(subject, "price")
    yield Triple(subject, SCHEMA["priceSpecification"], price)
    yield Triple(price, type_, SCHEMA["PriceSpecification"])
    yield Triple(price, SCHEMA["minPrice"], organisations.number(Decimal(low)))
    yield Triple(price, SCHEMA["maxPrice"], organisations.number(Decimal(high)))
    yield Triple(price, SCHEMA["priceCurrency"], string("EUR"))


def _money(
    subject: NamedNode, predicate: NamedNode, node: NamedNode, value: str
) -> Iterator[Triple]:
    yield Triple(subject, predicate, node)
    yield Triple(node, type_, EURIO["MonetaryAmount"])
    yield Triple(node, EURIO["value"], organisations.number(Decimal(value)))
    yield Triple(node, EURIO["currency"], string("EUR"))


def _date(value: date) -> Literal:
    return Literal(value.isoformat(), datatype=XSD["date"])
