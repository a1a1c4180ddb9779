"""Countries of the EU authority list: IRIs, alpha-2 codes and names in four languages (CLDR)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyoxigraph import NamedNode, Triple

from app.rdf.terms import DCTERMS, SKOS, Namespace, string, type_

AUTHORITY = Namespace("http://publications.europa.eu/resource/authority/country/")
LANGUAGES = ("en", "nl", "de", "fr")

_EUROPE = (
    "AL AT BA BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LI LT LU LV MD ME MK MT NL NO "
    "PL PT RO RS SE SI SK TR UA XK"
)
EUROPE = frozenset(_EUROPE.split())
"""Member States, EFTA, candidates and the United Kingdom: always there, for offers and needs."""

_OTHER_CODES = {"UK": "GB", "EL": "GR"}
_OUTSIDE_ISO = {"XK": "XKX"}


def alpha_2(code: str) -> str | None:
    """The ISO 3166-1 code for what EU sources write (UK, EL); None for what is no such code."""
    code = code.strip().upper()
    code = _OTHER_CODES.get(code, code)
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None  # noqa: PLR2004


def country(code: str) -> NamedNode | None:
    """The authority's IRI of a country by its two-letter code; None when it has none."""
    import pycountry  # noqa: PLC0415  (needed for building data only)

    alpha = alpha_2(code)
    if alpha is None:
        return None
    if alpha in _OUTSIDE_ISO:
        return AUTHORITY[_OUTSIDE_ISO[alpha]]
    found = pycountry.countries.get(alpha_2=alpha)
    return AUTHORITY[found.alpha_3] if found else None


def names(code: str) -> dict[str, str]:
    """Names of a country by language, from CLDR."""
    from babel import Locale  # noqa: PLC0415  (needed for building data only)

    return {lang: Locale(lang).territories[code] for lang in LANGUAGES}


def triples(codes: Iterable[str]) -> Iterator[Triple]:
    """The countries of these two-letter codes; codes that are no country are passed over."""
    for code in sorted({alpha for code in codes if (alpha := alpha_2(code))}):
        iri = country(code)
        if iri is None:
            continue
        yield Triple(iri, type_, DCTERMS["Location"])
        yield Triple(iri, SKOS["notation"], string(code))
        for lang, name in names(code).items():
            yield Triple(iri, SKOS["prefLabel"], string(name, lang))
