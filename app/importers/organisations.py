"""What all sources say about organisations, in one shape: names, identifiers, places."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from decimal import Decimal

from pyoxigraph import Literal, NamedNode, Triple

from app.importers import countries
from app.importers.dataset import ID, SCHEME
from app.rdf.terms import ADMS, GEO, LOCN, LT, ORG, SKOS, XSD, string, type_

ORGANISATION_TYPE = SCHEME["organisation-type/"].value

_MAX_LATITUDE = Decimal(90)
_MAX_LONGITUDE = Decimal(180)

# Small words inside the names of towns, in the languages of the region and its neighbours.
_SMALL_WORDS = (
    "a am an auf aan de del della den der des di do du e en i im in la las le les lez los na ob op "
    "sur und upon van y z"
)
_SMALL = frozenset(_SMALL_WORDS.split())


def organisation(slug: str) -> NamedNode:
    """The IRI of an organisation."""
    return ID[f"organisation/{slug}"]


def part(entity: NamedNode, name: str) -> NamedNode:
    """The IRI of a part of an entity, such as its address."""
    return NamedNode(f"{entity.value}#{name}")


def labels(entity: NamedNode, name: str, others: Iterable[str] = ()) -> Iterator[Triple]:
    """A preferred name, and others that differ from it. The language is not known."""
    yield Triple(entity, SKOS["prefLabel"], string(name))
    for other in others:
        if other and other != name:
            yield Triple(entity, SKOS["altLabel"], string(other))


def identifier(
    entity: NamedNode, fragment: str, notation: str, datatype: str, agency: str
) -> Iterator[Triple]:
    """An identifier with its typed notation and the agency that gives it."""
    node = part(entity, fragment)
    yield Triple(entity, ADMS["identifier"], node)
    yield Triple(node, type_, ADMS["Identifier"])
    yield Triple(node, SKOS["notation"], Literal(notation, datatype=LT[datatype]))
    yield Triple(node, ADMS["schemaAgency"], string(agency))


def site(
    entity: NamedNode,
    *,
    country_code: str,
    town: str = "",
    street: str = "",
    post_code: str = "",
    latitude: Decimal | None = None,
    longitude: Decimal | None = None,
) -> Iterator[Triple]:
    """The primary site with its address, and its point when both coordinates make sense."""
    node, address = part(entity, "site"), part(entity, "address")
    yield Triple(entity, ORG["hasPrimarySite"], node)
    yield Triple(node, type_, ORG["Site"])
    yield Triple(node, ORG["siteAddress"], address)
    yield Triple(address, type_, LOCN["Address"])
    yield from street_lines(entity, street, post_code)
    if town:
        yield Triple(address, LOCN["postName"], string(town))
    if country := countries.country(country_code):
        yield Triple(address, LOCN["adminUnitL1"], country)
    if latitude is None or longitude is None or not _on_earth(latitude, longitude):
        return
    geometry = part(entity, "geometry")
    point = f"POINT({_degrees(longitude)} {_degrees(latitude)})"
    yield Triple(node, GEO["hasDefaultGeometry"], geometry)
    yield Triple(geometry, type_, GEO["Geometry"])
    yield Triple(geometry, GEO["asWKT"], Literal(point, datatype=GEO["wktLiteral"]))


def street_lines(entity: NamedNode, street: str, post_code: str) -> Iterator[Triple]:
    """Street and post code, where they say something."""
    address = part(entity, "address")
    if re.search(r"\w{2}", street):
        yield Triple(address, LOCN["thoroughfare"], string(street))
    post_code = post_code.lstrip(" -.")
    if re.search(r"\w{2}", post_code):
        yield Triple(address, LOCN["postCode"], string(post_code))


def number(value: Decimal) -> Literal:
    """An xsd:decimal without trailing zeros."""
    return Literal(format(value.normalize(), "f"), datatype=XSD["decimal"])


def _on_earth(latitude: Decimal, longitude: Decimal) -> bool:
    if latitude == 0 and longitude == 0:  # what sources write for "not known"
        return False
    return abs(latitude) <= _MAX_LATITUDE and abs(longitude) <= _MAX_LONGITUDE


def _degrees(value: Decimal) -> str:
    """Five decimals are about a metre; more would pretend to know the door."""
    return format(round(value, 5).normalize(), "f")


def town_name(value: str) -> str:
    """A town in ordinary spelling when the source has it in capitals; empty when it is none."""
    if not any(character.isalpha() for character in value):
        return ""
    if value != value.upper():
        return value
    words = re.split(r"([\s\-/(),]+)", value.lower())
    return "".join(
        word if word in _SMALL and position else _capitalised(word)
        for position, word in enumerate(words)
    )


def _capitalised(word: str) -> str:
    if prefix := re.match(r"([dl]|'s)(['’])(?=\w)", word):
        return word[: prefix.end()] + word[prefix.end() :].capitalize()
    return word.capitalize()


def folded(value: str) -> str:
    """Letters and digits only, without case and accents: for comparing names."""
    plain = unicodedata.normalize("NFKD", value.casefold())
    return "".join(character for character in plain if character.isalnum())
