"""The index's fields, as the profile has them: what a search can ask for.

One document stands for each entity. `F` is a filter's name (`listing.filterable`) with `__` for its
dots, `LANG` a language of the profile:

- `id`, `slug`, `type`: exact; an entity may be of several types;
- `stored`: the finished records (`documents.Stored`);
- `shows`: IRI of everything whose name or place among others the document has: what it refers to,
  whatever lies above that, and each thing on the way of a derived field; `holds`: its parts;
- `k_F`: values as a filter compares them. Literals are folded; a thing is its IRI, and a concept or
  region brings the IRIs of all that lies above it, so a parent finds its children;
- `x_F`: values as a facet counts them, of facets only: the thing's own IRI, the literal's text;
- `n_F`: numbers; `d_F`: when dates and times begin, in seconds since 1970 (`values.period`);
- `lat`, `lon`: WGS 84 degrees of the first point that says where the entity is;
- `t_names`: labels and other names, folded to lower case without accents, not stemmed;
- `t_ids`: identifiers, notations, codes, the slug and what follows its source (`cordis-198792`),
  each one folded token;
- `t_all`: all texts, folded; `t_LANG`: those of a language, and the names of what is referred to,
  stemmed;
- `s_F`: the least of `n_F` or `d_F`, one number to sort by;
- `o_LANG`: what lists are sorted by (`values.sort_key`); `p_LANG` is the beginning of it, eight
  bytes as a number (big endian), which finds a place deep in a list without comparing texts.

A document with the field `marker` is none of an entity: it says up to which generation the index
goes, and how it was made. It has no `type`, so whoever asks for types never meets it.
"""

from __future__ import annotations

from collections.abc import Iterator

import tantivy

from app.profile import EntityType, Profile
from app.rdf.terms import XSD
from app.records.listing import Filterable, filterable

VERSION = 1
"""Goes into the fingerprint of an index; counted up whenever documents are made otherwise."""

NAMES_WEIGHT = 2.0
"""Text fields of this `pf:weight` or more are names, literals identifiers."""

NUMBERS = frozenset(
    XSD[name]
    for name in (
        *("integer", "int", "long", "short", "byte", "decimal", "double", "float"),
        *("nonNegativeInteger", "positiveInteger", "unsignedInt", "unsignedLong"),
    )
)
DATES = frozenset(XSD[name] for name in ("date", "dateTime", "gYear", "gYearMonth"))

_STEMMERS = {
    **{"ar": "arabic", "da": "danish", "nl": "dutch", "en": "english", "fi": "finnish"},
    **{"fr": "french", "de": "german", "el": "greek", "hu": "hungarian", "it": "italian"},
    **{"no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian"},
    **{"es": "spanish", "sv": "swedish", "ta": "tamil", "tr": "turkish"},
}
_LONGEST_WORD = 80


def field_name(prefix: str, filter_name: str) -> str:
    """The index's field of a filter: `k_address__city`."""
    return f"{prefix}_{filter_name.replace('.', '__')}"


def filters(profile: Profile) -> Iterator[tuple[EntityType, str, Filterable]]:
    """Every filter of every type."""
    for kind in profile.types:
        for name, what in filterable(kind).items():
            yield kind, name, what


def is_number(what: Filterable) -> bool:
    """Whether a filter has values that are numbers."""
    return not NUMBERS.isdisjoint(what.field.datatypes)


def is_date(what: Filterable) -> bool:
    """Whether a filter has values that are dates."""
    return not DATES.isdisjoint(what.field.datatypes)


def index_schema(profile: Profile) -> tantivy.Schema:
    """The schema; the same for the same profile."""
    building = tantivy.SchemaBuilder()
    _exact(building, "id", stored=True, fast=True)
    _exact(building, "type", fast=True)
    for name in ("slug", "shows", "holds"):
        _exact(building, name)
    building.add_bytes_field("stored", stored=True)
    _exact(building, "marker", stored=True)
    _exact(building, "t_ids")
    for name, analyzer in _analyzed(profile):
        building.add_text_field(f"t_{name}", tokenizer_name=analyzer, index_option="position")
    for lang in profile.languages:
        _exact(building, f"o_{lang}", fast=True)
        building.add_unsigned_field(f"p_{lang}", fast=True)
    for name in ("lat", "lon"):
        building.add_float_field(name, fast=True)
    _add_filters(building, profile)
    return building.build()


def _exact(
    building: tantivy.SchemaBuilder, name: str, *, stored: bool = False, fast: bool = False
) -> None:
    building.add_text_field(
        name, stored=stored, fast=fast, tokenizer_name="raw", index_option="basic"
    )


def _add_filters(building: tantivy.SchemaBuilder, profile: Profile) -> None:
    known: dict[str, list[Filterable]] = {}
    for _, name, what in filters(profile):
        known.setdefault(name, []).append(what)
    for name, whats in sorted(known.items()):
        _exact(building, field_name("k", name))
        if any(what.field.facet for what in whats):
            _exact(building, field_name("x", name), fast=True)
        if any(map(is_number, whats)):
            building.add_float_field(field_name("n", name), fast=True)
        if any(map(is_date, whats)):
            building.add_integer_field(field_name("d", name), fast=True)
        if any(is_number(what) or is_date(what) for what in whats):
            building.add_float_field(field_name("s", name), fast=True)


def _analyzed(profile: Profile) -> Iterator[tuple[str, str]]:
    yield "names", "folded"
    yield "all", "folded"
    for lang in profile.languages:
        yield lang, f"stemmed_{lang}" if lang in _STEMMERS else "folded"


def register_analyzers(index: tantivy.Index, profile: Profile) -> None:
    """Give an index that was opened what its text fields need."""
    for name, analyzer in analyzers(profile).items():
        index.register_tokenizer(name, analyzer)


def analyzers(profile: Profile) -> dict[str, tantivy.TextAnalyzer]:
    """Name → analyzer: `folded`, and `stemmed_LANG`; what is searched for goes through them too."""
    found = {"folded": _folding().build()}
    for lang in profile.languages:
        if lang in _STEMMERS:
            stemming = tantivy.Filter.stemmer(_STEMMERS[lang])
            stemmed = _words().filter(stemming).filter(tantivy.Filter.ascii_fold())
            found[f"stemmed_{lang}"] = stemmed.build()
    return found


def _words() -> tantivy.TextAnalyzerBuilder:
    words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    longest = tantivy.Filter.remove_long(_LONGEST_WORD)
    return words.filter(longest).filter(tantivy.Filter.lowercase())


def _folding() -> tantivy.TextAnalyzerBuilder:
    return _words().filter(tantivy.Filter.ascii_fold())
