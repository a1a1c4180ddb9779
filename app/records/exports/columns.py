"""A record as a row: which columns the profile gives a type, and what a record has in each.

A field of one kind becomes these columns, wherever it stands (`address.city` for a part's field):

- a literal: one column under its name;
- text by language: `description@en` for each language of the profile, and `description` for text
  without a language, or in another one, which is then written `text@pl`;
- a reference: `field`, the names, and `field_id`, the IRIs, in the same order;
- a part: the columns of its fields; values of several parts stand in one cell.

`id`, `type` and `name` come first; last come who says it (`asserted_by`), `example`, and `more`:
JSON of what has no column, which is further values of a field that should have one, and
statements outside the profile.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyoxigraph as ox

from app.profile import EntityType, Field, Profile
from app.rdf.terms import RDF, XSD

Record = Mapping[str, Any]
Row = list[list[Any] | None]
"""Values by column; None where there is none. Values are texts, whole numbers, booleans."""

Shows = Literal["value", "name", "id", "text"]

STRING, BOOLEAN, ANY_URI = XSD["string"], XSD["boolean"], XSD["anyURI"]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column: its header, titles and explanations by language, and what stands in it.

    `many`: a cell may hold several values. `predicate` is that of a written field, the last one of
    a path; `own` that it is the entity's and not a part's. `lang` is the language of its texts.
    """

    name: str
    titles: Mapping[str, str]
    descriptions: Mapping[str, str]
    datatype: ox.NamedNode
    many: bool
    shows: Shows = "value"
    predicate: ox.NamedNode | None = None
    own: bool = False
    required: bool = False
    lang: str | None = None


_IRI = dict.fromkeys(("en", "nl", "de", "fr"), "IRI")
_TYPE = {"en": "Type", "nl": "Type", "de": "Typ", "fr": "Type"}
_NAME = {"en": "Name", "nl": "Naam", "de": "Name", "fr": "Nom"}
_BY = {"en": "Stated by", "nl": "Vermeld door", "de": "Angegeben von", "fr": "Indiqué par"}
_EXAMPLE = {"en": "Example", "nl": "Voorbeeld", "de": "Beispiel", "fr": "Exemple"}
_MORE = {"en": "Other", "nl": "Overig", "de": "Weiteres", "fr": "Autre"}

_FIRST = (
    Column("id", _IRI, {}, ANY_URI, many=False),
    Column("type", _TYPE, {}, STRING, many=True, predicate=RDF["type"]),
    Column("name", _NAME, {}, STRING, many=False),
)
_LAST = (
    Column("asserted_by", _BY, {}, STRING, many=True),
    Column(
        "asserted_by_id",
        {lang: f"{title} (IRI)" for lang, title in _BY.items()},
        {},
        ANY_URI,
        many=True,
    ),
    Column("example", _EXAMPLE, {}, BOOLEAN, many=False),
    Column(
        "more", {lang: f"{title} (JSON)" for lang, title in _MORE.items()}, {}, STRING, many=False
    ),
)


class Table:
    """The columns of an entity type, and the way from a record to its row.

    With `fields`, names as filters have them, only those and what stands below them.
    """

    def __init__(
        self, kind: EntityType, profile: Profile, fields: Collection[str] | None = None
    ) -> None:
        self.kind = kind
        self._profile = profile
        self._wanted = None if fields is None else frozenset(fields)
        self._names = {column.name for column in (*_FIRST, *_LAST)}
        self.columns: list[Column] = []
        self._id, self._type, self._name = map(self._append, _FIRST)
        self._fields = self._slots(kind.fields, (), many=False)
        names, iris, self._example, self._more = map(self._append, _LAST)
        self._asserted = _Reference(names, iris)

    def row(self, record: Record) -> Row:
        """What the record has in each column."""
        row: Row = [None] * len(self.columns)
        row[self._id], row[self._name] = [record["id"]], [record["name"]]
        row[self._type] = list(record["type"]) or None
        if record.get("example"):
            row[self._example] = [True]
        self._asserted.put(record.get("asserted_by", ()), row)
        more: dict[str, Any] = {}
        for member, value in record.items():
            if slot := self._fields.get(member):
                slot.put(value, row)
            elif member in {"also", "truncated"} or ":" in member:
                more[member] = value
        if more:
            row[self._more] = [json.dumps(more, ensure_ascii=False, separators=(",", ":"))]
        return row

    def _slots(
        self, fields: Iterable[Field], path: tuple[Field, ...], *, many: bool
    ) -> dict[str, _Slot]:
        return {
            field.name: self._slot(field, path, many=many or field.many)
            for field in fields
            if self._is_wanted((*path, field))
        }

    def _is_wanted(self, path: tuple[Field, ...]) -> bool:
        if self._wanted is None:
            return True
        names = [field.name for field in path]
        above = (".".join(names[: n + 1]) for n in range(len(names)))
        below = f"{'.'.join(names)}."
        return any(one in self._wanted for one in above) or any(
            one.startswith(below) for one in self._wanted
        )

    def _slot(self, field: Field, path: tuple[Field, ...], *, many: bool) -> _Slot:
        whole = (*path, field)
        if field.kind == "part" and field.part is not None:
            return _Part(self._slots(field.part.fields, whole, many=many))
        if field.kind == "reference":
            names = self._add(whole, "", STRING, many=many, shows="name")
            return _Reference(names, self._add(whole, "_id", ANY_URI, many=many, shows="id"))
        if field.kind == "text":
            # One text for each language is one cell's value even where the field has many.
            several = any(f.many for f in path) or (field.many and not field.unique_lang)
            by_language = {
                lang: self._add(whole, f"@{lang}", STRING, many=several, shows="text", lang=lang)
                for lang in self._profile.languages
            }
            return _Text(self._add(whole, "", STRING, many=True, shows="text"), by_language)
        only = field.datatypes[0] if len(field.datatypes) == 1 else STRING
        return _Literal(self._add(whole, "", only, many=many))

    def _add(
        self,
        path: tuple[Field, ...],
        ending: str,
        datatype: ox.NamedNode,
        *,
        many: bool,
        shows: Shows = "value",
        lang: str | None = None,
    ) -> int:
        field = path[-1]
        what = "IRI" if shows == "id" else lang
        return self._append(
            Column(
                name=self._free(".".join(f.name for f in path) + ending),
                titles={
                    spoken: " – ".join(f.label(spoken) for f in path)
                    + (f" ({what})" if what else "")
                    for spoken in self._profile.languages
                },
                descriptions=field.descriptions,
                datatype=datatype,
                many=many,
                shows=shows,
                predicate=field.predicate,
                own=len(path) == 1,
                required=len(path) == 1 and field.min > 0 and shows != "text",
                lang=lang,
            )
        )

    def _append(self, column: Column) -> int:
        self.columns.append(column)
        return len(self.columns) - 1

    def _free(self, name: str) -> str:
        """A name that no other column has; two could meet where a field is called `x_id`."""
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name


class _Slot:
    """Where the values of one field go."""

    def put(self, value: Any, row: Row) -> None:
        """Put what a record has in the field into the row."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Literal(_Slot):
    column: int

    def put(self, value: Any, row: Row) -> None:
        for one in _listed(value):
            _append(row, self.column, _plain(one))


@dataclass(frozen=True, slots=True)
class _Text(_Slot):
    other: int
    by_language: Mapping[str, int]

    def put(self, value: Any, row: Row) -> None:
        if not isinstance(value, Mapping):
            return
        for lang, texts in value.items():
            column = self.by_language.get(lang)
            for text in _listed(texts):
                if column is not None:
                    _append(row, column, text)
                else:
                    _append(row, self.other, text if lang == "@none" else f"{text}@{lang}")


@dataclass(frozen=True, slots=True)
class _Reference(_Slot):
    names: int
    iris: int

    def put(self, value: Any, row: Row) -> None:
        for one in _listed(value):
            _append(row, self.names, _plain(one))
            # A literal at the end of a derived path has no IRI; both cells keep the same order.
            _append(row, self.iris, one["id"] if isinstance(one, Mapping) and "id" in one else "")


@dataclass(frozen=True, slots=True)
class _Part(_Slot):
    fields: Mapping[str, _Slot]

    def put(self, value: Any, row: Row) -> None:
        for part in _listed(value):
            for member, inner in part.items():
                if slot := self.fields.get(member):
                    slot.put(inner, row)


def _listed(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list | tuple) else (value,)


def _plain(value: Any) -> Any:
    """What a person reads: a reference's name, a typed value's text."""
    if isinstance(value, Mapping):
        return value.get("name") or value.get("@value") or value.get("id") or ""
    return value


def _append(row: Row, column: int, value: Any) -> None:
    cell = row[column]
    if cell is None:
        row[column] = [value]
    else:
        cell.append(value)
