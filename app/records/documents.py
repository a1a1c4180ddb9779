"""Entities as documents of the index (`schema`): values by field, and the finished records."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyoxigraph as ox

from app.profile import EntityType, Field, Profile
from app.rdf.terms import SKOS, XSD
from app.records.graph import About, Graph, Node, Value
from app.records.listing import TREES, filterable
from app.records.names import AllNames, Names, fold
from app.records.record import DependsOnLanguage, Json, RecordBuilder, spoken
from app.records.schema import DATES, NAMES_WEIGHT, NUMBERS, field_name
from app.records.values import keyword, number, period, point, sort_key

MOST = 100_000
"""Values of a derived field that a filter knows; the record shows fewer."""

_LONGEST_NAME = 256
_LABELS = (SKOS["prefLabel"], SKOS["altLabel"])
_STRING = XSD["string"]
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe"}
)

Document = dict[str, list[Any]]
_Texts = list[tuple[str | None, str]]


class Documents:
    """Makes documents from one checkpoint."""

    def __init__(self, graph: Graph, profile: Profile) -> None:
        self._graph = graph
        self._profile = profile
        self._names = {lang: Names(graph, profile, lang) for lang in profile.languages}
        self.names = next(iter(self._names.values()))
        each = list(self._names.values())
        self._builders = [RecordBuilder(graph, profile, names) for names in each]
        self._together = RecordBuilder(graph, profile, AllNames(each))
        self._texts: dict[Value, _Texts] = {}
        self._filters = {kind.name: filterable(kind) for kind in profile.types}

    def entities(self) -> Iterator[str]:
        """IRIs of all entities of any type, each once."""
        seen: set[str] = set()
        for kind in self._profile.types:
            for iri in self._graph.instances(kind.classes):
                if iri not in seen:
                    seen.add(iri)
                    yield iri

    def line(self, iri: str) -> bytes | None:
        """The document as one line of JSON; None for what is no entity."""
        node = ox.NamedNode(iri)
        about = self._graph.about(node)
        kinds = self._kinds(about)
        if not kinds:
            return None
        document = _Making(self, node, about).document(kinds)
        return _json(document)

    def _kinds(self, about: About) -> list[EntityType]:
        classes = set(about.classes)
        return [kind for kind in self._profile.types if not classes.isdisjoint(kind.classes)]


class _Making:
    """The making of one document."""

    def __init__(self, of: Documents, node: ox.NamedNode, about: About) -> None:
        self._of = of
        self._graph = of._graph
        self._node = node
        self._about = about
        self._own = f"{node.value}#"
        self._values: dict[str, tuple[Field, dict[Value, None]]] = {}
        self._shows: set[str] = {g.value for g in self._graph.datasets_of(about)}
        self._holds: set[str] = set()

    def document(self, kinds: Sequence[EntityType]) -> Document:
        found: dict[str, dict[Any, None]] = {}
        for kind in kinds:
            self._values = {}
            self._collect(self._node, kind.fields, "", (self._node,))
            for name, (field, values) in self._values.items():
                for key, value in self._indexed(name, field, values):
                    found.setdefault(key, {})[value] = None
        document: Document = {key: list(values) for key, values in found.items()}
        for key in [key for key in document if key.startswith(("n_", "d_"))]:
            document.setdefault(f"s_{key[2:]}", [min(map(float, document[key]))])
        document["id"] = [self._node.value]
        document["type"] = [kind.name for kind in kinds]
        if slug := self._of._profile.slug(self._node.value):
            document["slug"] = [slug]
            ids = document.setdefault("t_ids", [])
            ids.append(fold(slug))
            if local := slug.partition("-")[2]:
                ids.append(fold(local))
        document["shows"] = sorted(self._shows)
        document["holds"] = sorted(self._holds)
        self._add_names(document)
        document["stored"] = [base64.b64encode(self._stored()).decode()]
        return document

    # the finished record

    def _stored(self) -> bytes:
        """See `Stored`."""
        numbers: dict[bytes, int] = {}
        which = bytearray()
        for record in self._records():
            which.append(ord("0") + numbers.setdefault(_json(record), len(numbers)))
        return b"\n".join([bytes(which), *numbers])

    def _records(self) -> list[Json]:
        """One for each language: built once, except for what depends on it in other ways."""
        try:
            record = self._of._together.record(self._node, self._about)
        except DependsOnLanguage:
            return [one.record(self._node, self._about) for one in self._of._builders]
        return [spoken(record, number) for number in range(len(self._of._builders))]

    # what the fields say

    def _collect(
        self, node: Node, fields: Iterable[Field], prefix: str, above: tuple[Node, ...]
    ) -> None:
        about = self._graph.about(node)
        for field in fields:
            if field.predicate is not None:
                values: Sequence[Value] = about.values.get(field.predicate, ())
            else:
                way = self._graph.way(node, field.path, MOST)
                values = way[-1]
                for things in way[:-1]:
                    self._show(things)
            if not values:
                continue
            if field.kind != "part" or field.part is None:
                _, known = self._values.setdefault(prefix + field.name, (field, {}))
                known.update(dict.fromkeys(values))
                self._show(values)
                continue
            for value in values:
                if isinstance(value, ox.NamedNode | ox.BlankNode) and value not in above:
                    self._hold(value)
                    below = f"{prefix}{field.name}."
                    self._collect(value, field.part.fields, below, (*above, value))

    def _show(self, values: Iterable[Value]) -> None:
        for value in values:
            if isinstance(value, ox.NamedNode) and value != self._node:
                self._shows.add(value.value)
                self._shows.update(self._of.names.sources(value))

    def _hold(self, part: Node) -> None:
        if isinstance(part, ox.NamedNode) and not part.value.startswith(self._own):
            self._holds.add(part.value)
            self._shows.add(part.value)

    # the index's fields

    def _indexed(
        self, name: str, field: Field, values: Iterable[Value]
    ) -> Iterator[tuple[str, Any]]:
        facet, tree = field.facet, not field.classes or bool(TREES & set(field.classes))
        for value in values:
            if isinstance(value, ox.NamedNode):
                yield field_name("k", name), value.value
                if facet:
                    yield field_name("x", name), value.value
                for over in self._graph.above(value) if tree else ():
                    self._shows.add(over.value)
                    yield field_name("k", name), over.value
                if field.weight is not None:
                    yield from self._labels(value)
            elif isinstance(value, ox.Literal):
                yield field_name("k", name), keyword(value.value)
                if facet:
                    yield field_name("x", name), value.value[:_LONGEST_NAME]
                yield from self._literal(name, field, value)

    def _literal(self, name: str, field: Field, value: ox.Literal) -> Iterator[tuple[str, Any]]:
        text = value.value
        if field.kind == "text" or not field.datatypes or _STRING in field.datatypes:
            yield from self._text(text, value.language)
            if (field.weight or 0.0) >= NAMES_WEIGHT:
                if field.kind != "text":
                    yield "t_ids", keyword(text)
                if field.kind == "text" and "." not in name:
                    yield from (("t_names", said) for said in spellings(text))
        if not NUMBERS.isdisjoint(field.datatypes):
            if (amount := number(text)) is not None:
                yield field_name("n", name), amount
            if (field.weight or 0.0) >= NAMES_WEIGHT:
                yield "t_ids", keyword(text)
        if not DATES.isdisjoint(field.datatypes) and (when := period(text)):
            yield field_name("d", name), when[0]
        if value.datatype.value.endswith("#wktLiteral") and (place := point(text)):
            yield "point", place

    def _text(self, text: str, lang: str | None) -> Iterator[tuple[str, str]]:
        for said in spellings(text):
            yield "t_all", said
        main = (lang or "").partition("-")[0]
        if main in self._of._names:
            yield f"t_{main}", text

    def _labels(self, thing: ox.NamedNode) -> Iterator[tuple[str, str]]:
        """The names of something that is referred to, in each language."""
        known = self._of._texts
        texts = known.get(thing)
        if texts is None:
            texts = [
                (value.language, value.value)
                for predicate in _LABELS
                for value in self._graph.objects(thing, predicate)
                if isinstance(value, ox.Literal)
            ]
            if not texts:
                texts = [(None, self._of.names.of(thing).text)]
            if len(known) > MOST:
                known.clear()
            known[thing] = texts
        for lang, text in texts:
            yield from self._text(text, lang)

    def _add_names(self, document: Document) -> None:
        """What lists are sorted by, and where it is."""
        if places := document.pop("point", None):
            document["lat"], document["lon"] = [places[0][0]], [places[0][1]]
        names = dict.fromkeys(document.get("t_names", ()))
        for lang, of in self._of._names.items():
            name = of.from_about(self._node, self._about)
            names.setdefault(name, None)
            key = sort_key(name, self._node.value)
            document[f"o_{lang}"] = [key]
            document[f"p_{lang}"] = [int(key[:16].ljust(16, "0"), 16)]
        self._shows.update(self._of.names.sources(self._node))
        document["shows"] = sorted(self._shows)
        document["t_names"] = list(names)
        document["t_all"] = list(dict.fromkeys([*document.get("t_all", ()), *names]))


def _json(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def spellings(text: str) -> Iterator[str]:
    """A text, and as those write it who have no umlauts: Jülich, Juelich."""
    yield text
    lower = text.lower()
    if (written := lower.translate(_UMLAUTS)) != lower:
        yield written


class Stored:
    """The records in a document: a line with a digit for each language, then the records.

    The digit is the number of the language's record, since many records are the same in several.
    They are kept without their `@context`, which is an address of the service.
    """

    def __init__(self, languages: Sequence[str], context_url: str | None) -> None:
        self._positions = {lang: number for number, lang in enumerate(languages)}
        context = json.dumps(context_url, ensure_ascii=False).encode()
        self._begin = b"{" if context_url is None else b'{"@context":' + context + b","

    def record(self, stored: bytes, lang: str) -> bytes:
        """The record as JSON in a language, else in the first."""
        parts = stored.split(b"\n")
        return self._begin + parts[1 + parts[0][self._positions.get(lang, 0)] - ord("0")][1:]
