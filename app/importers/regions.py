"""NUTS regions (2021) with their official names, and the ELAt region made of eight of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyoxigraph import NamedNode, Triple

from app.importers import countries
from app.importers.dataset import ID
from app.rdf.terms import DCTERMS, GEO, SKOS, Namespace, string, type_

NUTS = Namespace("http://data.europa.eu/nuts/code/")
ELAT = ID["region/elat"]
ELAT_PARTS = ("NL41", "NL42", "BE21", "BE22", "BE24", "BE33", "DEA1", "DEA2")

ELAT_NAMES = {
    "en": "Eindhoven-Leuven-Aachen triangle (ELAt)",
    "nl": "Eindhoven-Leuven-Akendriehoek (ELAt)",
    "de": "Dreieck Eindhoven-Löwen-Aachen (ELAt)",
    "fr": "triangle Eindhoven-Louvain-Aix-la-Chapelle (ELAt)",
}

# Levels 1 and 2 of the three countries, and level 3 of the region. Names are official in the
# language of the region; further languages follow as `lang=name`.
_TABLE = """
NL1 nl=Noord-Nederland
NL11 nl=Groningen
NL12 nl=Friesland
NL13 nl=Drenthe
NL2 nl=Oost-Nederland
NL21 nl=Overijssel
NL22 nl=Gelderland
NL23 nl=Flevoland
NL3 nl=West-Nederland
NL31 nl=Utrecht
NL32 nl=Noord-Holland
NL33 nl=Zuid-Holland
NL34 nl=Zeeland
NL4 nl=Zuid-Nederland
NL41 nl=Noord-Brabant | en=North Brabant | de=Nordbrabant | fr=Brabant-Septentrional
NL411 nl=West-Noord-Brabant
NL412 nl=Midden-Noord-Brabant
NL413 nl=Noordoost-Noord-Brabant
NL414 nl=Zuidoost-Noord-Brabant
NL42 nl=Limburg (NL) | en=Limburg (NL) | de=Limburg (NL) | fr=Limbourg (NL)
NL421 nl=Noord-Limburg
NL422 nl=Midden-Limburg
NL423 nl=Zuid-Limburg
BE1 nl=Brussels Hoofdstedelijk Gewest | fr=Région de Bruxelles-Capitale
 | en=Brussels-Capital Region | de=Region Brüssel-Hauptstadt
BE10 nl=Brussels Hoofdstedelijk Gewest | fr=Région de Bruxelles-Capitale
 | en=Brussels-Capital Region | de=Region Brüssel-Hauptstadt
BE100 nl=Arr. Brussel-Hoofdstad | fr=Arr. de Bruxelles-Capitale
BE2 nl=Vlaams Gewest | en=Flemish Region | de=Flämische Region | fr=Région flamande
BE21 nl=Prov. Antwerpen | en=Antwerp Province | de=Provinz Antwerpen | fr=Prov. d’Anvers
BE211 nl=Arr. Antwerpen
BE212 nl=Arr. Mechelen
BE213 nl=Arr. Turnhout
BE22 nl=Prov. Limburg (BE) | en=Limburg Province (BE)
 | de=Provinz Limburg (BE) | fr=Prov. de Limbourg (BE)
BE223 nl=Arr. Tongeren
BE224 nl=Arr. Hasselt
BE225 nl=Arr. Maaseik
BE23 nl=Prov. Oost-Vlaanderen
BE24 nl=Prov. Vlaams-Brabant | en=Flemish Brabant Province
 | de=Provinz Flämisch-Brabant | fr=Prov. de Brabant flamand
BE241 nl=Arr. Halle-Vilvoorde
BE242 nl=Arr. Leuven
BE25 nl=Prov. West-Vlaanderen
BE3 fr=Région wallonne | en=Walloon Region | nl=Waals Gewest | de=Wallonische Region
BE31 fr=Prov. Brabant wallon
BE32 fr=Prov. Hainaut
BE33 fr=Prov. Liège | en=Liège Province | nl=Prov. Luik | de=Provinz Lüttich
BE331 fr=Arr. Huy
BE332 fr=Arr. Liège
BE334 fr=Arr. Waremme
BE335 fr=Arr. Verviers — communes francophones
BE336 de=Bezirk Verviers — Deutschsprachige Gemeinschaft
BE34 fr=Prov. Luxembourg (BE)
BE35 fr=Prov. Namur
DE1 de=Baden-Württemberg
DE11 de=Stuttgart
DE12 de=Karlsruhe
DE13 de=Freiburg
DE14 de=Tübingen
DE2 de=Bayern
DE21 de=Oberbayern
DE22 de=Niederbayern
DE23 de=Oberpfalz
DE24 de=Oberfranken
DE25 de=Mittelfranken
DE26 de=Unterfranken
DE27 de=Schwaben
DE3 de=Berlin
DE30 de=Berlin
DE4 de=Brandenburg
DE40 de=Brandenburg
DE5 de=Bremen
DE50 de=Bremen
DE6 de=Hamburg
DE60 de=Hamburg
DE7 de=Hessen
DE71 de=Darmstadt
DE72 de=Gießen
DE73 de=Kassel
DE8 de=Mecklenburg-Vorpommern
DE80 de=Mecklenburg-Vorpommern
DE9 de=Niedersachsen
DE91 de=Braunschweig
DE92 de=Hannover
DE93 de=Lüneburg
DE94 de=Weser-Ems
DEA de=Nordrhein-Westfalen | en=North Rhine-Westphalia
 | nl=Noordrijn-Westfalen | fr=Rhénanie-du-Nord-Westphalie
DEA1 de=Düsseldorf | en=Düsseldorf | nl=Düsseldorf | fr=Düsseldorf
DEA11 de=Düsseldorf, Kreisfreie Stadt
DEA12 de=Duisburg, Kreisfreie Stadt
DEA13 de=Essen, Kreisfreie Stadt
DEA14 de=Krefeld, Kreisfreie Stadt
DEA15 de=Mönchengladbach, Kreisfreie Stadt
DEA16 de=Mülheim an der Ruhr, Kreisfreie Stadt
DEA17 de=Oberhausen, Kreisfreie Stadt
DEA18 de=Remscheid, Kreisfreie Stadt
DEA19 de=Solingen, Kreisfreie Stadt
DEA1A de=Wuppertal, Kreisfreie Stadt
DEA1B de=Kleve
DEA1C de=Mettmann
DEA1D de=Rhein-Kreis Neuss
DEA1E de=Viersen
DEA1F de=Wesel
DEA2 de=Köln | en=Cologne | nl=Keulen | fr=Cologne
DEA22 de=Bonn, Kreisfreie Stadt
DEA23 de=Köln, Kreisfreie Stadt
DEA24 de=Leverkusen, Kreisfreie Stadt
DEA26 de=Düren
DEA27 de=Rhein-Erft-Kreis
DEA28 de=Euskirchen
DEA29 de=Heinsberg
DEA2A de=Oberbergischer Kreis
DEA2B de=Rheinisch-Bergischer Kreis
DEA2C de=Rhein-Sieg-Kreis
DEA2D de=Städteregion Aachen
DEA3 de=Münster
DEA4 de=Detmold
DEA5 de=Arnsberg
DEB de=Rheinland-Pfalz
DEB1 de=Koblenz
DEB2 de=Trier
DEB3 de=Rheinhessen-Pfalz
DEC de=Saarland
DEC0 de=Saarland
DED de=Sachsen
DED2 de=Dresden
DED4 de=Chemnitz
DED5 de=Leipzig
DEE de=Sachsen-Anhalt
DEE0 de=Sachsen-Anhalt
DEF de=Schleswig-Holstein
DEF0 de=Schleswig-Holstein
DEG de=Thüringen
DEG0 de=Thüringen
"""

# Countries that NUTS 2021 or its agreed extension divides, by their NUTS code.
_DIVIDED = (
    "AL AT BE BG CH CY CZ DE DK EE EL ES FI FR HR HU IE IS IT LI LT LU LV ME MK MT NL NO PL PT RO "
    "RS SE SI SK TR UK"
)
_NUTS_0 = frozenset(_DIVIDED.split())

_NUTS_0_OF_ISO = {"GR": "EL", "GB": "UK"}

# Districts of towns that a source's coarse outlines put on the wrong side of a border.
_DISTRICT_OF_TOWN = {
    ("BE", "Brussels"): "BE100",
    ("BE", "Bruxelles"): "BE100",
    ("BE", "Brussel"): "BE100",
    ("BE", "Braine-l'Alleud"): "BE31",
    ("BE", "Engis"): "BE331",
    ("BE", "Eupen"): "BE336",
    ("BE", "Herve"): "BE335",
    ("BE", "Kruibeke"): "BE23",
    ("BE", "Melsele"): "BE23",
    ("BE", "Niel"): "BE211",
    ("BE", "Ninove"): "BE23",
    ("DE", "Düsseldorf"): "DEA11",
    ("DE", "Krefeld"): "DEA14",
    ("DE", "Leverkusen"): "DEA24",
    ("DE", "Remscheid"): "DEA18",
    ("NL", "Alkmaar"): "NL32",
    ("NL", "Boxmeer"): "NL413",
    ("NL", "Breda"): "NL411",
    ("NL", "Eindhoven"): "NL414",
    ("NL", "Enschede"): "NL21",
    ("NL", "Gemert"): "NL414",
    ("NL", "Helmond"): "NL414",
    ("NL", "Oosterhout"): "NL411",
    ("NL", "Sint-Oedenrode"): "NL413",
    ("NL", "The Hague"): "NL33",
}
_DISTRICT = {(code, town.casefold()): nuts for (code, town), nuts in _DISTRICT_OF_TOWN.items()}


def _names_by_code() -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for line in _TABLE.replace("\n |", " |").strip().splitlines():
        code, _, labels = line.partition(" ")
        pairs = (label.strip().partition("=") for label in labels.split("|"))
        table[code] = {lang: name for lang, _, name in pairs}
    return table


_NAMES = _names_by_code()


def region_of(country_code: str, town: str = "", *nuts_codes: str) -> NamedNode | None:
    """The finest region known for a place: NUTS where it is known, else the country.

    `nuts_codes` are what the source says, finest first; a code that is not in the table stands
    for the nearest of its ancestors that is. None when not even the country is known.
    """
    alpha = countries.alpha_2(country_code) or ""
    corrected = _DISTRICT.get((alpha, town.casefold()))
    for given in (corrected, *nuts_codes):
        code = (given or "").strip().upper()
        while len(code) > 2:  # noqa: PLR2004  (two letters are the country)
            if code in _NAMES:
                return NUTS[code]
            code = code[:-1]
    nuts_0 = _NUTS_0_OF_ISO.get(alpha, alpha)
    return NUTS[nuts_0] if nuts_0 in _NUTS_0 else countries.country(alpha)


def triples(country_codes: Iterable[str]) -> Iterator[Triple]:
    """NUTS 0 of these countries, the table of finer regions, and ELAt."""
    for alpha in sorted({found for code in country_codes if (found := countries.alpha_2(code))}):
        yield from _nuts_0(alpha)
    for code, labels in _NAMES.items():
        yield from _location(NUTS[code], labels, code)
        yield Triple(NUTS[code], GEO["sfWithin"], NUTS[code[:-1]])
    yield from _location(ELAT, ELAT_NAMES, "ELAt")
    for code in ELAT_PARTS:
        yield Triple(ELAT, GEO["sfContains"], NUTS[code])


def _nuts_0(alpha: str) -> Iterator[Triple]:
    code = _NUTS_0_OF_ISO.get(alpha, alpha)
    country = countries.country(alpha)
    if code not in _NUTS_0 or country is None:
        return
    yield from _location(NUTS[code], countries.names(alpha), code)
    yield Triple(NUTS[code], GEO["sfWithin"], country)


def _location(iri: NamedNode, labels: dict[str, str], code: str) -> Iterator[Triple]:
    yield Triple(iri, type_, DCTERMS["Location"])
    yield Triple(iri, SKOS["notation"], string(code))
    for lang, name in labels.items():
        yield Triple(iri, SKOS["prefLabel"], string(name, lang))
