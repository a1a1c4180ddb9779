"""The names of all entities, and which few of them are worth comparing with what is asked.

A Tantivy index in memory with a document for each name: its words, and the trigrams of their
letters, so that a typing error leaves most of them. It is made anew for a generation, or brought up
to date by the entities that changed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import tantivy

from app.reconciliation.spelling import Spelling, identifier_keys, spelled

_WRITER_BYTES = 50_000_000
_MOST_GRAMS = 14
_MOST_WORDS = 16
_WORD_BOOST = 3.0
_WHOLE_BOOST = 10.0
_RARE = 10.0
_MOST_BEGUN = 400


@dataclass(frozen=True, slots=True)
class Facts:
    """What is compared of an entity: names (the first is what it is called), identifiers, places.

    `labels` and each place are texts by language, "" for those without one.
    """

    iri: str
    type: str
    labels: dict[str, str]
    names: tuple[str, ...]
    identifiers: tuple[str, ...] = ()
    places: tuple[dict[str, str], ...] = ()

    def label(self, lang: str) -> str:
        """What it is called in a language, else in English, else in any."""
        return _in(self.labels, lang) or self.iri

    def where(self, lang: str) -> list[str]:
        """Its places, in a language."""
        return [name for place in self.places if (name := _in(place, lang))]

    @property
    def place_names(self) -> set[str]:
        """Its places, in all languages."""
        return {name for place in self.places for name in place.values()}

    def dumped(self) -> bytes:
        """As JSON; `read_facts` is the inverse."""
        members = (self.iri, self.type, self.labels, self.names, self.identifiers, self.places)
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def read_facts(line: bytes) -> Facts:
    """The facts of `Facts.dumped`."""
    iri, kind, labels, names, identifiers, places = json.loads(line)
    return Facts(iri, kind, labels, tuple(names), tuple(identifiers), tuple(places))


def _in(texts: dict[str, str], lang: str) -> str:
    return texts.get(lang) or texts.get("en") or next(iter(texts.values()), "")


class NameIndex:
    """All names of one generation. `add` and `remove` count from the next `commit` on."""

    def __init__(self) -> None:
        builder = tantivy.SchemaBuilder()
        for name in ("iri", "of", "type", "identifier", "exact"):
            stored = name in {"iri", "of"}
            builder.add_text_field(name, stored=stored, tokenizer_name="raw", index_option="basic")
        for name in ("words", "grams"):
            builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
        for name in ("whole", "initials"):
            builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
        self._schema = builder.build()
        self._index = tantivy.Index(self._schema)
        self._writer = self._index.writer(_WRITER_BYTES, 1)
        self._known: dict[str, bytes] = {}
        self._changed: dict[str, bytes] = {}
        self._show()

    def add(self, facts: Facts) -> None:
        """Add an entity; `remove` first what was known of it."""
        document = tantivy.Document()
        document.add_text("iri", facts.iri)
        document.add_text("type", facts.type)
        self._changed[facts.iri] = facts.dumped()
        keys = {k for one in (facts.iri, *facts.identifiers) for k in identifier_keys(one)}
        for key in keys:
            document.add_text("identifier", key)
        self._writer.add_document(document)
        for name in dict.fromkeys(facts.names):
            self._add_name(facts, name)

    def _add_name(self, facts: Facts, name: str) -> None:
        spelling = spelled(name)
        words = (*spelling.words, *spelling.aside)
        if not words:
            return
        document = tantivy.Document()
        document.add_text("of", facts.iri)
        document.add_text("type", facts.type)
        document.add_text("exact", name)
        document.add_text("whole", spelling.key)
        for letters in spelling.initials:
            document.add_text("initials", letters)
        document.add_text("words", " ".join(words))
        document.add_text("grams", " ".join(_grams(words)))
        self._writer.add_document(document)

    def remove(self, iri: str) -> None:
        """Forget an entity."""
        self._writer.delete_documents_by_term("iri", iri)
        self._writer.delete_documents_by_term("of", iri)
        self._changed[iri] = b""

    def commit(self) -> None:
        """Show what was put and removed."""
        self._writer.commit()
        self._index.reload()
        known = {**self._known, **self._changed}  # a copy: others are reading
        for iri, line in self._changed.items():
            if not line:
                del known[iri]
        self._known, self._changed = known, {}
        self._show()

    def _show(self) -> None:
        """Read what is committed; what is remembered is remembered of it."""
        self._searcher = searcher = self._index.searcher()
        self._weigh = lru_cache(maxsize=50_000)(partial(_rarity, searcher))
        self._facts = lru_cache(maxsize=5_000)(partial(_read, self._known))

    def weigh(self, word: str) -> float:
        """How much a word says: 1 for one that is in every name, 10 for one in hardly any."""
        return self._weigh(word)

    def facts(self, iri: str) -> Facts | None:
        """What is known of an entity."""
        return self._facts(iri)

    def identified(self, text: str, types: Sequence[str] = (), limit: int = 20) -> list[Facts]:
        """The entities that have an identifier."""
        keys = identifier_keys(text)
        if not keys:
            return []
        query = self._of_types(self._any("identifier", keys), types)
        return list(self._owners(query, limit, "iri"))

    def similar(
        self,
        asked: Spelling,
        types: Sequence[str] = (),
        limit: int = 40,
        without: str | None = None,
    ) -> list[Facts]:
        """The entities with the names that are most like, as if nothing had the name `without`."""
        words = (*asked.words, *asked.aside)[:_MOST_WORDS]
        if not words:
            return []
        should = tantivy.Occur.Should
        parts = [
            (should, self._boosted(self._term("words", word))) for word in dict.fromkeys(words)
        ]
        parts += [(should, self._term("grams", gram, "freq")) for gram in self._rarest(words)]
        parts.append((should, self._boosted(self._term("whole", asked.key), _WHOLE_BOOST)))
        if asked.short:  # too few trigrams would be left of it
            for field, boost in (("whole", _WHOLE_BOOST), ("initials", _WORD_BOOST)):
                near = tantivy.Query.fuzzy_term_query(self._schema, field, asked.key, 1)
                parts.append((should, self._boosted(near, boost)))
        found = self._of_types(tantivy.Query.boolean_query(parts), types)
        if without is not None:
            never = (tantivy.Occur.MustNot, self._term("exact", without))
            found = tantivy.Query.boolean_query([(tantivy.Occur.Must, found), never])
        return list(self._owners(found, limit))

    def beginning(self, text: str, types: Sequence[str], limit: int, offset: int) -> list[Facts]:
        """The entities with a name that has these words, the last of them begun."""
        asked = spelled(text)
        words = [*asked.words, *asked.aside][:_MOST_WORDS]
        if not words:
            return []
        begun = tantivy.Query.regex_query(self._schema, "words", f"{words[-1]}.*")
        parts = [(tantivy.Occur.Must, begun)]
        parts += [(tantivy.Occur.Must, self._term("words", word)) for word in words[:-1]]
        query = self._of_types(tantivy.Query.boolean_query(parts), types)
        found = list(self._owners(query, _MOST_BEGUN))  # the same for each page
        key = asked.key
        found.sort(key=lambda facts: _nearness(key, facts))
        return found[offset : offset + limit]

    def some(self, types: Sequence[str], limit: int, offset: int) -> list[Facts]:
        """Any entities, for who has not typed anything yet."""
        everything = tantivy.Query.regex_query(self._schema, "iri", ".*")
        query = self._of_types(everything, types)
        return list(self._owners(query, limit, "iri", offset))

    def _rarest(self, words: Iterable[str]) -> list[str]:
        """The trigrams that say most: a few rare ones find what all would, and much sooner."""
        count = self._searcher.doc_freq
        counted = [(count("grams", gram), gram) for gram in dict.fromkeys(_grams(words))]
        return [gram for _, gram in sorted(one for one in counted if one[0])[:_MOST_GRAMS]]

    def _owners(
        self, query: tantivy.Query, limit: int, field: str = "of", offset: int = 0
    ) -> Iterator[Facts]:
        seen: set[str] = set()
        searcher, read = self._searcher, self._facts
        for _, address in searcher.search(query, limit, offset=offset, count=False).hits:
            iri = searcher.doc(address)[field][0]
            if iri not in seen:
                seen.add(iri)
                if facts := read(iri):
                    yield facts

    def _of_types(self, query: tantivy.Query, types: Sequence[str]) -> tantivy.Query:
        if not types:
            return query
        must = tantivy.Occur.Must
        only = tantivy.Query.const_score_query(self._any("type", types), 0.0)
        return tantivy.Query.boolean_query([(must, query), (must, only)])

    def _any(self, field: str, values: Iterable[str]) -> tantivy.Query:
        return tantivy.Query.term_set_query(self._schema, field, list(values))

    def _term(self, field: str, value: str, option: str = "basic") -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, field, value, option)

    def _boosted(self, query: tantivy.Query, by: float = _WORD_BOOST) -> tantivy.Query:
        return tantivy.Query.boost_query(query, by)


def _read(known: Mapping[str, bytes], iri: str) -> Facts | None:
    line = known.get(iri)
    return read_facts(line) if line else None


def _rarity(searcher: tantivy.Searcher, word: str) -> float:
    total = max(2, searcher.num_docs)
    share = math.log((total + 1) / (searcher.doc_freq("words", word) + 1))
    return 1.0 + (_RARE - 1.0) * max(0.0, share) / math.log(total + 1)


def _grams(words: Iterable[str]) -> Iterator[str]:
    """Trigrams of words, with a mark at both ends."""
    for word in words:
        marked = f"^{word}$"
        for start in range(max(1, len(marked) - 2)):
            yield marked[start : start + 3]


def _nearness(key: str, facts: Facts) -> tuple[bool, int, str]:
    """Sorts those first of which a name begins so, the shortest of them first."""
    keys = [spelled(name).key for name in facts.names]
    begun = [len(one) for one in keys if one.startswith(key)]
    return not begun, min(begun or map(len, keys), default=0), facts.iri
