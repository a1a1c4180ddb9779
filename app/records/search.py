"""What is searched for, as values: the query parameters of a list or of a search across types.

`read_search` is pure. All that it lets through costs a bounded amount: of words, conditions,
values, depth. Nothing of it is ever parsed as a query language.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from app.errors import InvalidRequest
from app.profile import EntityType, Profile
from app.records.listing import Filterable, filterable
from app.records.projection import ALWAYS
from app.records.schema import is_date, is_number
from app.records.values import number, period

DEFAULT_LIMIT = 25
"""Records on a page unless `limit` says otherwise."""

MAX_LIMIT = 1_000
"""Records on one page at most."""

MAX_OFFSET = 10_000
"""Records that may be passed over by number; cursors go on without end."""

MAX_SUGGESTIONS = 50
"""Suggestions at most."""

MAX_TEXT = 1_000
MAX_WORDS = 64
MAX_VALUES = 200
"""Values of all filters together."""

PARAMETERS = (
    *("q", "bbox", "near", "sort", "after", "limit", "offset"),
    *("fields", "include", "facets", "lang"),
)
"""What a list can be asked besides its fields; each at most once, but for lists of names."""

Operator = Literal["=", "!=", ">", ">=", "<", "<="]

_NAME_LISTS = ("fields", "include", "facets")
_SORTS = ("name", "relevance", "distance")
_CONDITION = re.compile(r"(?P<name>[^<>=!]*)(?P<operator>>=|<=|!=|=|>|<)(?P<value>.*)", re.DOTALL)
_POLE, _OPPOSITE = 90.0, 180.0
_LONGEST_CURSOR = 8_192
_LARGEST = 1e300
_EARTH = 20_038.0
"""Kilometres: half way round the earth; nothing is farther."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field must be. The values of `=` are alternatives; `!=` refuses all of its values."""

    field: str
    operator: Operator
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """Degrees of WGS 84. Where `west` exceeds `east`, the box spans the antimeridian (RFC 7946)."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True)
class Near:
    """Not farther than `km` from a point in degrees of WGS 84."""

    lat: float
    lon: float
    km: float


@dataclass(frozen=True, slots=True)
class Sort:
    """By `name`, `relevance`, `distance` or a field of numbers or dates."""

    by: str = "name"
    down: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for, and what is to be shown of it.

    `types` are names; `conditions` must all hold. `after` is where the page before ended
    (`read_cursor`). `facets` are the fields to count, `fields` those to show, None for all;
    `include` the fields whose records come along.
    """

    types: tuple[str, ...]
    q: str | None = None
    conditions: tuple[Condition, ...] = ()
    box: Box | None = None
    near: Near | None = None
    sort: Sort = field(default_factory=Sort)
    after: tuple[Any, ...] | None = None
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    facets: tuple[str, ...] | None = None
    fields: tuple[str, ...] | None = None
    include: tuple[str, ...] = ()
    lang: str | None = None


class Vocabulary:
    """The names that a search in these types may use. Made once for a type, not for a request."""

    def __init__(self, kinds: Sequence[EntityType], what: str) -> None:
        self.types = tuple(kind.name for kind in kinds)
        self.what = what
        self.filters: dict[str, list[Filterable]] = {}
        for kind in kinds:
            for name, found in filterable(kind).items():
                self.filters.setdefault(name, []).append(found)
        facets = [name for name, found in self.filters.items() if any(f.field.facet for f in found)]
        self.facets = (*facets, "type") if len(kinds) > 1 else tuple(facets)
        self.sorts = (*_SORTS, *(name for name in self.filters if self.is_ordered(name)))
        shown = {f.name: f for kind in kinds for f in kind.fields}
        self.fields = frozenset({*shown, *self.filters, *ALWAYS})
        self.references = frozenset(name for name, f in shown.items() if f.kind == "reference")
        self.parameters = (*PARAMETERS, "type") if len(kinds) > 1 else PARAMETERS

    def is_ordered(self, name: str) -> bool:
        """Whether a field's values can be compared as more or less."""
        return any(is_number(found) or is_date(found) for found in self.filters[name])

    def unknown(self, name: str, known: Iterable[str], label: str) -> InvalidRequest:
        """The refusal of a name, with the nearest valid one."""
        near = nearest(name[:100], sorted(known))
        hint = f"; did you mean {near!r}?" if near else "; /api/v1/types lists them."
        return InvalidRequest(
            f"{self.what} have no {label} {name[:100]!r}{hint}", field=name[:100], nearest=near
        )


def vocabulary(profile: Profile, kind: EntityType | None = None) -> Vocabulary:
    """The names for one type's list, or for the search across all types."""
    kinds = [kind] if kind else list(profile.types)
    return Vocabulary(kinds, kind.collection if kind else "records")


def read_search(
    pairs: Sequence[tuple[str, str]], known: Vocabulary, languages: Sequence[str]
) -> Search:
    """The query parameters as a value; raises InvalidRequest naming the nearest valid name."""
    single: dict[str, str] = {}
    listed: dict[str, list[str]] = {}
    conditions: dict[tuple[str, Operator], list[str]] = {}
    for name, value in pairs:
        if name in _NAME_LISTS or (name == "type" and name in known.parameters):
            listed.setdefault(name, []).extend(value.split(","))
        elif name in known.parameters:
            if name in single:
                raise InvalidRequest(f"{name} is given more than once.", field=name)
            single[name] = value
        else:
            key, text = _condition(name, value, known)
            conditions.setdefault(key, []).append(text)
    if sum(map(len, conditions.values())) > MAX_VALUES:
        raise InvalidRequest(f"Filter by at most {MAX_VALUES} values at once.")
    near = _near(single.get("near"))
    q = _words(single.get("q"))
    sort = _sort(single.get("sort"), known, near=near is not None, q=q is not None)
    return Search(
        types=_types(listed.get("type"), known),
        q=q,
        conditions=tuple(Condition(*key, tuple(values)) for key, values in conditions.items()),
        box=_box(single.get("bbox")),
        near=near,
        sort=sort,
        after=read_cursor(single["after"], sort) if "after" in single else None,
        limit=_whole("limit", single.get("limit"), DEFAULT_LIMIT, MAX_LIMIT),
        offset=_offset(single),
        facets=_facets(listed.get("facets"), known),
        fields=_names("fields", listed.get("fields"), known, known.fields),
        include=_names("include", listed.get("include"), known, known.references) or (),
        lang=read_language(single.get("lang"), languages),
    )


def nearest(name: str, names: Sequence[str]) -> str | None:
    """The most similar of `names`, or None if none is similar."""
    found = difflib.get_close_matches(name[:100].lower(), names, n=1, cutoff=0.5)
    return found[0] if found else None


# conditions


def _condition(name: str, value: str, known: Vocabulary) -> tuple[tuple[str, Operator], str]:
    """A filter. The operator is split by the `=` of the address: `trl>=6` arrives as `trl>`, `6`,
    and `trl>6` as a name without value."""
    if name in known.filters:
        return (name, "="), value
    whole = name if not value and re.search("[<>]", name[:-1]) else f"{name}={value}"
    found = _CONDITION.fullmatch(whole)
    if found is None or found["name"] not in known.filters:
        plain = found["name"] if found else name
        raise known.unknown(plain, {*known.filters, *known.parameters}, "field or parameter")
    field_name, operator = found["name"], cast("Operator", found["operator"])
    if operator not in {"=", "!="}:
        _check_ordered(field_name, found["value"], known)
    return (field_name, operator), found["value"]


def _check_ordered(name: str, value: str, known: Vocabulary) -> None:
    if not known.is_ordered(name):
        ordered = [other for other in known.filters if known.is_ordered(other)]
        near = nearest(name, ordered)
        hint = f" {near!r} can." if near else ""
        raise InvalidRequest(
            f"{name} cannot be compared with < and >: it holds neither numbers nor dates.{hint}",
            field=name,
            nearest=near,
        )
    numeric = any(is_number(found) for found in known.filters[name])
    dated = any(is_date(found) for found in known.filters[name])
    fits = (numeric and number(value) is not None) or (dated and period(value))
    if not fits:
        wanted = "a number, as in 6.5" if numeric else "a date, as in 2026, 2026-05 or 2026-05-31"
        raise InvalidRequest(f"{name} is compared with {wanted}.", field=name)


# place


def _box(text: str | None) -> Box | None:
    if text is None:
        return None
    numbers = _coordinates("bbox", text, 4, "west,south,east,north in degrees, as in 4,50,7,52")
    box = Box(*numbers)
    there = _is_place_on_earth(box.south, box.west) and _is_place_on_earth(box.north, box.east)
    if not there or box.south > box.north:
        raise InvalidRequest(
            "bbox is west,south,east,north in degrees: longitudes from -180 to 180, latitudes "
            "from -90 to 90, south first.",
            field="bbox",
        )
    return box


def _near(text: str | None) -> Near | None:
    if text is None:
        return None
    near = Near(*_coordinates("near", text, 3, "lat,lon,km, as in 50.88,4.70,25"))
    if not (_is_place_on_earth(near.lat, near.lon) and 0 < near.km <= _EARTH):
        raise InvalidRequest(
            "near is lat,lon,km: a latitude from -90 to 90, a longitude from -180 to 180, and "
            f"more than 0 and at most {_EARTH:.0f} kilometres.",
            field="near",
        )
    return near


def _is_place_on_earth(lat: float, lon: float) -> bool:
    return abs(lat) <= _POLE and abs(lon) <= _OPPOSITE


def _coordinates(name: str, text: str, count: int, wanted: str) -> list[float]:
    numbers = [number(part) for part in text[:200].split(",")]
    known = [one for one in numbers if one is not None]
    if len(numbers) != count or len(known) != count:
        raise InvalidRequest(f"{name} is {wanted}.", field=name)
    return known


# order and place in it


def _sort(text: str | None, known: Vocabulary, *, near: bool, q: bool) -> Sort:
    if text is None:
        return Sort("distance" if near else "relevance" if q else "name")
    by, down = text.removeprefix("-"), text.startswith("-")
    if by not in known.sorts:
        near_by = nearest(by[:100], list(known.sorts))
        hint = f"; did you mean {near_by!r}?" if near_by else "."
        listed = ", ".join(known.sorts)
        raise InvalidRequest(
            f"{known.what} are sorted by {listed}{hint}", field="sort", nearest=near_by
        )
    if by == "distance" and not near:
        raise InvalidRequest("Say near=lat,lon,km to sort by distance.", field="sort")
    if by == "relevance" and (not q or down):
        raise InvalidRequest("sort=relevance needs q, and puts the best first.", field="sort")
    return Sort(by, down)


def write_cursor(sort: Sort, place: Sequence[Any]) -> str:
    """Where a page ended, as a text for addresses; `place` is what the order needs to go on."""
    text = json.dumps([sort.by, sort.down, *place], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_cursor(text: str, sort: Sort) -> tuple[Any, ...]:
    """The place of a cursor; raises InvalidRequest unless it was made for this order."""
    wrong = InvalidRequest(
        "after is not the end of a page in this order; follow `next` of the page before.",
        field="after",
    )
    if len(text) > _LONGEST_CURSOR:
        raise wrong
    try:
        found = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), "-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise wrong from None
    if not isinstance(found, list) or found[:2] != [sort.by, sort.down]:
        raise wrong
    place = tuple(found[2:])
    if not _is_place(place, sort):
        raise wrong
    return place


def _is_place(place: tuple[Any, ...], sort: Sort) -> bool:
    """Name: the key. A field and distance: the value, or None without one, and the key.

    Relevance: generation, how many came before, the last score, its IRI.
    """
    fits: tuple[Callable[[Any], bool], ...] = (lambda v: v is None or _is_number(v), _is_text)
    if sort.by == "name":
        fits = (_is_text,)
    elif sort.by == "relevance":
        fits = (_is_count, _is_count, _is_number, _is_text)
    same = len(place) == len(fits)
    return same and all(fit(value) for fit, value in zip(fits, place, strict=True))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} and abs(value) < _LARGEST


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


# the rest


def _words(q: str | None) -> str | None:
    if q is None or not q.strip():
        return None
    if len(q) > MAX_TEXT:
        raise InvalidRequest(f"q is longer than {MAX_TEXT} characters.", field="q")
    if len(re.findall(r"\w+", q)) > MAX_WORDS:
        raise InvalidRequest(f"q has more than {MAX_WORDS} words.", field="q")
    return q


def _types(given: Sequence[str] | None, known: Vocabulary) -> tuple[str, ...]:
    if given is None:
        return known.types
    for name in given:
        if name not in known.types:
            near = nearest(name[:100], list(known.types))
            hint = f"; did you mean {near!r}?" if near else "; /api/v1/types lists them."
            raise InvalidRequest(
                f"There is no entity type {name[:100]!r}{hint}", field="type", nearest=near
            )
    return tuple(dict.fromkeys(given))


def _facets(given: Sequence[str] | None, known: Vocabulary) -> tuple[str, ...] | None:
    """`true` counts all facets, `false` none; else they are named."""
    if given is None or given in (["false"], ["0"]):
        return None
    if given in (["true"], ["1"]):
        return known.facets
    for name in given:
        if name not in known.facets:
            near = nearest(name[:100], list(known.facets))
            hint = f"; did you mean {near!r}?" if near else ""
            listed = ", ".join(known.facets) or "none here"
            raise InvalidRequest(
                f"facets must be true or false, or some of {listed}{hint}",
                field="facets",
                nearest=near,
            )
    return tuple(dict.fromkeys(given))


def _names(
    parameter: str, given: Sequence[str] | None, known: Vocabulary, names: Iterable[str]
) -> tuple[str, ...] | None:
    if given is None:
        return None
    for name in given:
        if name not in names:
            label = "field" if parameter == "fields" else "field of references"
            raise known.unknown(name, names, label)
    return tuple(dict.fromkeys(given))


def _offset(single: Mapping[str, str]) -> int:
    if "after" in single and "offset" in single:
        raise InvalidRequest("Give after or offset, not both.", field="offset")
    text = single.get("offset", "0")
    if not re.fullmatch(r"[0-9]{1,16}", text):
        raise InvalidRequest("offset must be a number from 0 up.", field="offset")
    if int(text) > MAX_OFFSET:
        raise InvalidRequest(
            f"offset goes up to {MAX_OFFSET}; follow `next` from page to page instead.",
            field="offset",
        )
    return int(text)


def _whole(name: str, text: str | None, default: int, most: int) -> int:
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) > most:
        raise InvalidRequest(f"{name} must be a number from 0 to {most}.", field=name)
    return int(text)


def read_language(lang: str | None, languages: Sequence[str]) -> str | None:
    """A language that is spoken here, or None if none is asked for; raises InvalidRequest."""
    if lang is not None and lang not in languages:
        raise InvalidRequest(
            f"lang must be one of {', '.join(languages)}.",
            field="lang",
            nearest=nearest(lang[:2], languages),
        )
    return lang
