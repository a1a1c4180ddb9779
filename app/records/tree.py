"""A search as a tree of Tantivy queries. No text of a client is ever parsed as a query."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import tantivy
from tantivy import FieldType, Occur, Query

from app.profile import EntityType, Profile
from app.records.equivalents import Equivalents
from app.records.listing import filterable
from app.records.schema import NAMES_WEIGHT, analyzers, field_name, is_date, is_number
from app.records.search import Box, Condition, Near
from app.records.values import keyword, number, period

AS_WRITTEN, WITH_TYPOS, IN_PART = range(3)
"""How the words are looked for: each as it is written; each as nearly so; most of them."""

_TYPO = 4
_TWO_TYPOS = 8
_MOST_TYPOS = 8
"""Words beyond this number are looked for as they are written, whatever is looked for else."""

_ENOUGH = 0.6
_KM_PER_DEGREE = 111.19
_POLE, _OPPOSITE = 90.0, 180.0
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a an and at by for from in of on or the to with
        aan de den der des die das dem ein eine en het met op te tot uit van voor
        von und zu zur fur mit im am
        et la le les du au aux pour sur un une dans l d""",
    )
)


class Trees:
    """Makes queries for one schema."""

    def __init__(self, schema: tantivy.Schema, profile: Profile) -> None:
        self._schema = schema
        self._profile = profile
        self._analyzers = analyzers(profile)
        self._equivalents = Equivalents(profile.ontology_dir)
        self._parser = tantivy.Index(schema)
        self._filters = {kind.name: filterable(kind) for kind in profile.types}
        self._by_weight: dict[str, float] = {}
        for kind in profile.types:
            for name, weight in _naming(kind):
                self._by_weight[name] = max(weight, self._by_weight.get(name, 0.0))

    # what is asked of the fields

    def of_types(self, types: Sequence[str]) -> Query:
        """Entities of any of the types."""
        return self.any_of("type", types)

    def any_of(self, field: str, values: Iterable[str]) -> Query:
        """Entities that have any of the exact values."""
        known = list(values)
        if len(known) == 1:
            return Query.term_query(self._schema, field, known[0], index_option="basic")
        return Query.term_set_query(self._schema, field, known)

    def condition(self, asked: Condition, values: Sequence[str]) -> Query:
        """Entities that fulfil a condition; `values` are the terms that its own stand for."""
        if asked.operator == "=":
            return self.any_of(field_name("k", asked.field), values)
        if asked.operator == "!=":
            return without(Query.all_query(), self.any_of(field_name("k", asked.field), values))
        return every(self._compared(asked, value) for value in asked.values)

    def _compared(self, asked: Condition, value: str) -> Query:
        whats = [fs[asked.field] for fs in self._filters.values() if asked.field in fs]
        found = []
        amount, when = number(value), period(value)
        if any(map(is_number, whats)) and amount is not None:
            name = field_name("n", asked.field)
            found.append(self._beyond(name, FieldType.Float, asked.operator, amount, amount))
        if any(map(is_date, whats)) and when is not None:
            name = field_name("d", asked.field)
            found.append(
                self._beyond(name, FieldType.Integer, asked.operator, when[0], when[1] - 1)
            )
        return some(found)

    def _beyond(
        self, name: str, kind: FieldType, operator: str, least: float, most: float
    ) -> Query:
        """Values more or less than what reaches from `least` to `most`."""
        inside = operator in {">=", "<="}
        if operator in {">", ">="}:
            return self._range(name, kind, least if inside else most, None, inside=inside)
        return self._range(name, kind, None, most if inside else least, inside=inside)

    def _range(
        self,
        field: str,
        kind: FieldType,
        lower: float | None,
        upper: float | None,
        *,
        inside: bool = True,
    ) -> Query:
        """Values between two numbers, which are meant as well if `inside`."""
        return Query.range_query(
            self._schema,
            field,
            kind,
            lower,
            upper,
            include_lower=inside or lower is None,
            include_upper=inside or upper is None,
        )

    def box(self, box: Box) -> Query:
        """Entities in a box of degrees."""
        lat = self._between("lat", box.south, box.north)
        if box.west <= box.east:
            return every([lat, self._between("lon", box.west, box.east)])
        spans = [self._between("lon", box.west, 180.0), self._between("lon", -180.0, box.east)]
        return every([lat, some(spans)])

    def around(self, near: Near) -> Query:
        """Entities in a box that holds the circle."""
        reach = near.km / _KM_PER_DEGREE * 1.01
        south, north = max(-_POLE, near.lat - reach), min(_POLE, near.lat + reach)
        narrow = math.cos(math.radians(max(abs(south), abs(north))))
        wide = reach / narrow if max(abs(south), abs(north)) < _POLE else _OPPOSITE
        if wide >= _OPPOSITE:
            return self.box(Box(-_OPPOSITE, south, _OPPOSITE, north))
        west, east = near.lon - wide, near.lon + wide
        return self.box(Box(_turned(west), south, _turned(east), north))

    def _between(self, field: str, least: float, most: float) -> Query:
        return self._range(field, FieldType.Float, least, most)

    # order

    def later(self, field: str, key: str, *, down: bool) -> Query:
        """What comes after a key in the order of a text field.

        Ranges of texts exist in the query language only. A key is hexadecimal (`sort_key`), so
        nothing in it can be taken for syntax.
        """
        if not re.fullmatch("[0-9a-f]+", key):
            return Query.all_query()
        span = f"{{* TO {key}}}" if down else f"{{{key} TO *}}"
        return self._parser.parse_query(f"{field}:{span}")

    def beyond(self, field: str, value: float, *, down: bool) -> Query:
        """What comes after a number in the order of a field of floats."""
        lower, upper = (None, value) if down else (value, None)
        return self._range(field, FieldType.Float, lower, upper, inside=False)

    def equal(self, field: str, value: float) -> Query:
        """Whose field of floats is this number."""
        return self._between(field, value, value)

    def from_start(self, field: str, start: int, *, down: bool) -> Query:
        """Whose key begins with these eight bytes, or later ones."""
        lower, upper = (None, start) if down else (start, None)
        return self._range(field, FieldType.Unsigned, lower, upper)

    def start(self, field: str, start: int) -> Query:
        """Whose key begins with these eight bytes."""
        return self._range(field, FieldType.Unsigned, start, start)

    def beyond_start(self, field: str, start: int) -> Query:
        """Whose key begins with more than these eight bytes."""
        return self._range(field, FieldType.Unsigned, start, None, inside=False)

    # words

    def words(self, q: str, how: int) -> Query:
        """Entities whose texts hold the words; the more they are named so, the better."""
        parts = [(part, words) for part in q.split() if (words := self._fold(part))]
        if not parts:
            return Query.empty_query()
        tolerant = how != AS_WRITTEN and len(parts) <= _MOST_TYPOS
        last = len(parts) - 1
        needed: list[Query] = []
        helpful: list[Query] = []
        for place, (part, words) in enumerate(parts):
            one = self._part(part, words, ending=place == last or tolerant, tolerant=tolerant)
            stops = all(word in _STOP_WORDS for word in words)
            (helpful if stops else needed).append(one)
        if not needed:
            needed, helpful = helpful, []
        must = every(needed) if how != IN_PART else _most(needed)
        if tolerant and len(parts) > 1:
            must = some([must, self._joined([word for _, words in parts for word in words])])
        return Query.boolean_query(
            [
                (Occur.Must, must),
                *((Occur.Should, one) for one in helpful),
                *((Occur.Should, one) for one in self._whole(q, tolerant=tolerant)),
            ]
        )

    def _joined(self, words: Sequence[str]) -> Query:
        """A name that is written as one word where the question has several."""
        return self._boosted(self._term("t_names", "".join(words)), 4.0)

    def _fold(self, text: str) -> list[str]:
        return self._analyzers["folded"].analyze(text)

    def _part(self, part: str, words: Sequence[str], *, ending: bool, tolerant: bool) -> Query:
        """What stands between two spaces: a word, or several as in COVID-19 and an identifier."""
        last = len(words) - 1
        found = every(
            self._word(word, ending=ending and place == last, tolerant=tolerant)
            for place, word in enumerate(words)
        )
        exact = self._boosted(self.any_of("t_ids", [keyword(part)]), 14.0)
        return Query.disjunction_max_query([exact, found])

    def _word(self, word: str, *, ending: bool, tolerant: bool) -> Query:
        ways = [
            self._boosted(self._term("t_names", word), 4.0),
            self._term("t_all", word),
        ]
        for lang in self._profile.languages:
            analyzer = self._analyzers.get(f"stemmed_{lang}", self._analyzers["folded"])
            stems = analyzer.analyze(word)
            ways += [self._boosted(self._term(f"t_{lang}", stem), 0.8) for stem in stems]
        ways += self._same_meaning(word)
        if ending and len(word) > 1:
            ways.append(self._near("t_names", word, 0, 2.0, prefix=True))
            ways.append(self._near("t_all", word, 0, 0.3, prefix=True))
        if tolerant and len(word) >= _TYPO:
            typos = 2 if len(word) >= _TWO_TYPOS else 1
            ways.append(self._near("t_names", word, 1, 6.0))
            ways.append(self._near("t_all", word, 1, 0.4))
            if typos > 1:
                ways.append(self._near("t_names", word, typos, 3.0))
        if tolerant and (parts := self._equivalents.parts(word)):
            about, what = (some(self._plainly(part)) for part in parts)
            ways.append(Query.boolean_query([(Occur.Must, what), (Occur.Should, about)]))
        return Query.disjunction_max_query(ways, 0.1)

    def _plainly(self, word: str) -> list[Query]:
        """A word, or what means the same."""
        names = self._boosted(self._term("t_names", word), 4.0)
        return [names, self._term("t_all", word), *self._same_meaning(word)]

    def _same_meaning(self, word: str) -> list[Query]:
        """What other languages say for a word."""
        found = []
        for other in self._equivalents.of(word):
            for field, boost in (("t_names", 2.5), ("t_all", 0.6)):
                if len(other) == 1:
                    query = self._term(field, other[0])
                else:
                    query = Query.phrase_query(self._schema, field, list(other))
                found.append(self._boosted(query, boost))
        return found

    def _whole(self, q: str, *, tolerant: bool) -> Iterable[Query]:
        """What speaks for an entity beyond the words: it is just this, or its name has them so."""
        text = keyword(" ".join(q.split()))
        yield Query.const_score_query(self.any_of("id", [q.strip()]), 400.0)
        yield Query.const_score_query(self.any_of("t_ids", [text]), 200.0)
        for name, weight in self._by_weight.items():
            yield Query.const_score_query(self.any_of(field_name("k", name), [text]), 12.0 * weight)
            if len(text) > 1:
                yield self._near(field_name("k", name), text, 0, 2.0 * weight, prefix=True)
            if tolerant and len(text) >= _TYPO:
                typos = 2 if len(text) >= _TWO_TYPOS else 1
                yield self._near(field_name("k", name), text, typos, 6.0 * weight)
        words = self._fold(q)
        if len(words) > 1:
            yield self._boosted(Query.phrase_query(self._schema, "t_names", list(words), 1), 2.0)
        for kind in self._profile.types:
            if not any(field.naming for field in kind.fields):
                yield Query.const_score_query(self.any_of("type", [kind.name]), 12.0)

    def _term(self, field: str, word: str) -> Query:
        return Query.term_query(self._schema, field, word, index_option="freq")

    def _near(
        self, field: str, word: str, typos: int, score: float, *, prefix: bool = False
    ) -> Query:
        near = Query.fuzzy_term_query(self._schema, field, word, typos, prefix=prefix)
        return Query.const_score_query(near, score)

    def _boosted(self, query: Query, boost: float) -> Query:
        return Query.boost_query(query, boost)

    # what a person types for a thing

    def called(self, predicate_names: Sequence[str], value: str) -> Query:
        """Entities that have this value in one of the filters."""
        text = keyword(value)
        return some([self.any_of(field_name("k", name), [text]) for name in predicate_names])


def _naming(kind: EntityType) -> Iterable[tuple[str, float]]:
    """The filters that name an entity of the type, and their weight."""
    for name, what in filterable(kind).items():
        weight = what.field.weight or 0.0
        if "." not in name and what.field.kind == "text" and weight >= NAMES_WEIGHT:
            yield name, weight


def _turned(lon: float) -> float:
    """A longitude beyond the antimeridian as it is written."""
    return lon - math.copysign(2 * _OPPOSITE, lon) if abs(lon) > _OPPOSITE else lon


def every(queries: Iterable[Query]) -> Query:
    """All of the queries."""
    known = list(queries)
    if len(known) == 1:
        return known[0]
    return Query.boolean_query([(Occur.Must, one) for one in known]) if known else Query.all_query()


def some(queries: Iterable[Query]) -> Query:
    """Any of the queries."""
    known = list(queries)
    if len(known) == 1:
        return known[0]
    return Query.boolean_query([(Occur.Should, one) for one in known])


def without(query: Query, refused: Query) -> Query:
    """The first, but not the second."""
    return Query.boolean_query([(Occur.Must, query), (Occur.MustNot, refused)])


def _most(queries: Sequence[Query]) -> Query:
    enough = max(1, math.ceil(len(queries) * _ENOUGH))
    return Query.boolean_query([(Occur.Should, one) for one in queries], enough)
