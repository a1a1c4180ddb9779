"""A JSON record as rows for people: grouped, labelled, in order, with safe links.

All that is known of a field comes from the profile, so a field added to a shape appears here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.pages.formats import (
    format_amount,
    format_date,
    format_number,
    format_point,
    read_point,
)
from app.pages.languages import DEFAULT, Texts
from app.pages.links import licence_name, local_href, safe_href
from app.profile import EntityType, Field, Part, Profile
from app.rdf.terms import EURIO, GEO, SCHEMA, SKOS, XSD

Record = Mapping[str, Any]

SHOWN_AT_ONCE = 12
"""Values of one field that are shown before the rest is folded."""

_META = frozenset(
    {"@context", "id", "type", "name", "url", "example", "also", "truncated", "asserted_by"}
)
_NUMBERS = frozenset(
    XSD[name].value for name in ("decimal", "integer", "double", "float", "nonNegativeInteger")
)
_PLAIN_NUMBERS = 9999  # up to here no digits are grouped: years and codes look wrong with marks
_AMOUNTS = (
    (EURIO["value"].value, EURIO["currency"].value),
    (SCHEMA["value"].value, SCHEMA["currency"].value),
    (SCHEMA["price"].value, SCHEMA["priceCurrency"].value),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value to show: text, perhaps a link, perhaps a part with rows of its own."""

    text: str = ""
    href: str | None = None
    away: bool = False
    lang: str | None = None
    code: bool = False
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field; `others` are its texts in languages that were not asked for.

    `cut` says that the record holds only the first of many derived values.
    """

    name: str
    label: str
    description: str
    values: tuple[Value, ...]
    others: tuple[Value, ...] = ()
    prose: bool = False
    cut: bool = False

    @property
    def shown(self) -> tuple[Value, ...]:
        """The values that stand open."""
        return self.values[: SHOWN_AT_ONCE if len(self.values) > SHOWN_AT_ONCE + 2 else None]

    @property
    def folded(self) -> tuple[Value, ...]:
        """The values behind the fold; one or two more are not worth one."""
        return self.values[len(self.shown) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The fields of one sh:group."""

    label: str
    rows: tuple[Row, ...]


def as_list(value: Any) -> list[Any]:
    """Return the values of a field, whether the record holds one or an array."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


class RecordView:
    """Turns records into rows in one language; `link` adapts local addresses (keeps ?lang=)."""

    def __init__(
        self, profile: Profile, texts: Texts, lang: str, link: Callable[[str], str]
    ) -> None:
        self._profile = profile
        self._texts = texts
        self._lang = lang
        self._link = link
        self._months = texts.months(lang)

    def sections(self, record: Record, kind: EntityType | None) -> list[Section]:
        """All rows of a record in the order of the shapes, then what no shape speaks of."""
        groups: dict[str, list[Row]] = {}
        fields = kind.fields if kind else ()
        for field in fields:
            if field.name in record and not self._repeats_name(field, record):
                row = self.row(field, _with_also(record, field.name))
                if field.name in record.get("truncated", ()):
                    row = replace(row, cut=True)
                if row.values:
                    groups.setdefault(self._group(field), []).append(row)
        known = {field.name for field in fields} | _META
        others = [self._other(key, record[key]) for key in record if key not in known]
        if any(row.values for row in others):
            label = self._texts.get(self._lang, "entity.other")
            groups.setdefault(label, []).extend(row for row in others if row.values)
        return [Section(label=label, rows=tuple(rows)) for label, rows in groups.items()]

    def summary(self, record: Record, kind: EntityType) -> list[Value]:
        """The few facts under a name in a list: the values of the facet fields, first ones only."""
        found: list[Value] = []
        for field in kind.fields:
            if field.facet and field.name in record:
                row = self.row(field, record[field.name])
                bare_number = field.datatype is not None and field.datatype.value in _NUMBERS
                found += [
                    replace(value, text=f"{row.label}: {value.text}") if bare_number else value
                    for value in row.values[:2]
                ]
        different: dict[str, Value] = {}
        for value in found:
            if value.text:
                different.setdefault(value.text, value)
        return list(different.values())[:4]

    def snippet(self, record: Record, kind: EntityType, length: int = 180) -> Value | None:
        """The beginning of the first long text of a record, e.g. its description."""
        for field in kind.fields:
            if field.kind == "text" and not field.single_line and field.name in record:
                values = self.row(field, record[field.name]).values
                if values and values[0].text:
                    text = " ".join(values[0].text.split())
                    if len(text) > length:
                        text = text[:length].rpartition(" ")[0] + " …"
                    return Value(text=text, lang=values[0].lang)
        return None

    def point(self, record: Record) -> tuple[float, float] | None:
        """The first WKT point that occurs in the record or its parts."""
        return _first_point(record)

    def row(self, field: Field, value: Any) -> Row:
        """One field with its values."""
        others: list[Value] = []
        if field.kind == "text":
            values, others = self._texts_of(value)
        elif field.kind == "reference":
            values = [self.reference(item, field) for item in as_list(value)]
        elif field.kind == "part":
            values = [self._part(item, field.part) for item in as_list(value)]
        else:
            values = [self._literal(item, field) for item in as_list(value)]
        return Row(
            name=field.name,
            label=field.label(self._lang),
            description=field.description(self._lang),
            values=tuple(v for v in values if v.text or v.rows),
            others=tuple(others),
            prose=field.kind == "text" and not field.single_line,
        )

    def _repeats_name(self, field: Field, record: Record) -> bool:
        """Whether the row would only say the page's heading again."""
        if field.predicate != SKOS["prefLabel"]:
            return False
        values, others = self._texts_of(record[field.name])
        return not others and all(value.text == record.get("name") for value in values)

    def _group(self, field: Field) -> str:
        label = self._profile.label(field.group.value, self._lang) if field.group else None
        return label or self._texts.get(self._lang, "entity.general")

    def _texts_of(self, value: Any) -> tuple[list[Value], list[Value]]:
        """Split a language map: the texts in the best language, and all others."""
        if not isinstance(value, Mapping) or "@value" in value:
            return [self._plain(item) for item in as_list(value)], []
        languages = [key for key in value if value[key]]
        wanted = (self._lang, "@none", DEFAULT)
        best = next((key for key in wanted if key in languages), None) or next(
            iter(languages), None
        )
        values: list[Value] = []
        others: list[Value] = []
        for language in sorted(languages):
            tag = None if language == "@none" else language
            target = values if language == best else others
            target += [Value(text=str(text), lang=tag) for text in as_list(value[language])]
        return values, others

    def reference(self, value: Any, field: Field | None = None) -> Value:
        """A link to the page of what is referred to, or to elsewhere where there is no page."""
        if not isinstance(value, Mapping):
            return self.address(str(value))
        iri, name = str(value.get("id", "")), str(value.get("name") or "")
        path = local_href(value.get("url"))
        if path is None:
            return self.address(iri, name or None)
        if not path.startswith("/resource?"):
            return Value(text=name or iri, href=self._link(path))
        described = field is None or bool(field.classes or field.derived or field.scheme)
        own = iri.startswith(self._profile.base_iri)
        if (described or own) and safe_href(iri):
            return Value(text=name or iri, href=self._link(path))
        return self.address(iri, name or None)

    def date(self, text: str) -> str:
        """A date or time in words."""
        return format_date(text, self._lang, self._months)

    def address(self, iri: str, text: str | None = None) -> Value:
        """An IRI as a link to where it leads, or as text when it is no safe link."""
        href = safe_href(iri)
        shown = licence_name(iri) or text or iri.removeprefix("mailto:").removeprefix("tel:")
        return Value(text=shown, href=href, away=href is not None, code=href is None)

    def _part(self, value: Any, part: Part | None) -> Value:
        if not isinstance(value, Mapping):
            return self._plain(value)
        fields = part.fields if part else ()
        amount = self._amount(value, fields)
        if amount is not None:
            return Value(text=amount)
        rows = [
            self.row(field, _with_also(value, field.name))
            for field in fields
            if field.name in value
        ]
        known = {field.name for field in fields} | _META
        rows += [self._other(key, value[key]) for key in value if key not in known]
        shown = [row for row in rows if row.values]
        if len(shown) == 1 and len(shown[0].values) == 1:
            return shown[0].values[0]  # one fact needs no label of its own
        return Value(rows=tuple(shown))

    def _amount(self, value: Record, fields: Iterable[Field]) -> str | None:
        """The text of a part that is an amount and its currency, and nothing else."""
        names = {f.predicate.value: f.name for f in fields if f.predicate is not None}
        for number, currency in _AMOUNTS:
            keys = {names.get(number), names.get(currency)}
            if None not in keys and keys == set(value) - _META:
                amount, unit = (as_list(value[names[key]]) for key in (number, currency))
                if len(amount) == len(unit) == 1:
                    sign = self._plain(unit[0]).text
                    return format_amount(self._bare(amount[0]), sign, self._lang)
        return None

    def _literal(self, value: Any, field: Field) -> Value:
        datatype = field.datatype.value if field.datatype else None
        if isinstance(value, Mapping) and "id" in value:
            return self.reference(value, field)
        return self._plain(value, datatype)

    def _bare(self, value: Any) -> Any:
        return value.get("@value", value.get("id", "")) if isinstance(value, Mapping) else value

    def _plain(self, value: Any, datatype: str | None = None) -> Value:
        """A literal as it stands in a record, or any value in expanded JSON-LD form."""
        if isinstance(value, Mapping):
            if "@value" in value:
                kind = value.get("@type") or datatype
                return self._worded(value["@value"], kind, value.get("@language"))
            if "@id" in value and len(value) == 1:
                return self.address(str(value["@id"]))
            rows = [self._other(key, value[key]) for key in value if key[:1] != "@"]
            return Value(rows=tuple(row for row in rows if row.values))
        return self._worded(value, datatype, None)

    def _worded(self, value: Any, datatype: str | None, lang: str | None) -> Value:
        if isinstance(value, bool):
            return Value(text=self._texts.get(self._lang, "entity.yes" if value else "entity.no"))
        text = str(value)
        if datatype in _NUMBERS or isinstance(value, int | float):
            text = self._number(value)
        elif datatype == XSD["anyURI"].value:
            return self.address(text)
        elif datatype in {XSD["date"].value, XSD["dateTime"].value}:
            text = self.date(text)
        elif datatype == GEO["wktLiteral"].value:
            point = read_point(text)
            return Value(text=format_point(*point)) if point else Value(text=text, code=True)
        if text.startswith(("https://", "http://")) and (href := safe_href(text)):
            return Value(text=text, href=href, away=True)
        return Value(text=text, lang=lang)

    def _number(self, value: Any) -> str:
        try:
            grouped = abs(float(value)) > _PLAIN_NUMBERS or "." in str(value)
        except ValueError:
            return str(value)
        return format_number(value, self._lang) if grouped else str(value)

    def _other(self, key: str, value: Any) -> Row:
        """A statement outside the profile, in expanded JSON-LD form under its full IRI."""
        label = self._profile.label(key, self._lang) or key
        return Row(
            name=key,
            label=label,
            description="",
            values=tuple(self._plain(item) for item in as_list(value)),
        )


def _with_also(record: Record, name: str) -> Any:
    """A field's value and those of other datasets that had no room in it."""
    value = record[name]
    also = (record.get("also") or {}).get(name)
    if not also:
        return value
    if isinstance(also, Mapping) and isinstance(value, Mapping):
        both = dict.fromkeys([*value, *also])
        return {lang: as_list(value.get(lang)) + as_list(also.get(lang)) for lang in both}
    return as_list(value) + as_list(also)


def _first_point(value: Any) -> tuple[float, float] | None:
    if isinstance(value, str):
        return read_point(value) if "POINT" in value[:80].upper() else None
    inner: Sequence[Any] = ()
    if isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, list | tuple):
        inner = value
    for item in inner:
        if (found := _first_point(item)) is not None:
            return found
    return None
