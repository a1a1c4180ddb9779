"""What the server calls: matching, suggesting, extending, each on the names of this moment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.errors import NotFound
from app.profile import EntityType, Profile
from app.reconciliation.following import FollowingIndex
from app.reconciliation.matching import MOST_COMPARED, Candidate, candidates, ranked
from app.reconciliation.names import Facts, NameIndex
from app.reconciliation.protocol import Condition, Extension, MatchQuery, Vocabulary
from app.reconciliation.scoring import EXACT, Feature, Scored, decided, property_likeness
from app.reconciliation.sources import sources
from app.reconciliation.spelling import fold, identifier_keys
from app.records.service import Runner

_FULFILLED = 0.9
_HOLDERS = 50
_OTHER_TYPE = 0.95
_SHOWN_FIELDS = 8
_SHOWN_VALUES = 4

Texts = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate as it is proposed; `match` if it is taken to be the one."""

    facts: Facts
    scored: Scored
    match: bool


class Reconciliation:
    """Answers what `protocol` has read."""

    def __init__(self, index: FollowingIndex, runner: Runner, profile: Profile) -> None:
        self._index = index
        self._runner = runner
        self.profile = profile
        self.vocabulary = Vocabulary(profile)
        self._common = {
            "ontology": str(profile.ontology_dir),
            "shapes": str(profile.shapes_dir),
            "base_iri": profile.base_iri,
        }
        self._identifying = frozenset(
            name
            for kind in profile.types
            for name, found in self.vocabulary.fields[kind.name].items()
            if found.path in sources(kind).identifiers
        )
        self._one_at_a_time = asyncio.Semaphore(1)

    def prepare(self) -> None:
        """Begin to read the names, for somebody who is about to ask."""
        self._index.begin()

    async def match(self, queries: Sequence[MatchQuery]) -> list[list[Match]]:
        """The candidates of each query, the best first."""
        index = await self._index.current()
        found = []
        async with self._one_at_a_time:  # threads that compute share one interpreter
            for query in queries:
                some = await asyncio.to_thread(self._found, index, query)
                found.append(some or await self._holding(index, query))
        texts = await self._texts(queries, found)
        return [
            self._matches(query, some, texts) for query, some in zip(queries, found, strict=True)
        ]

    def _found(self, index: NameIndex, query: MatchQuery) -> list[Candidate]:
        if query.never:
            return []
        types = query.types if query.strict else ()
        found: dict[str, Candidate] = {}
        for condition in query.conditions:
            if condition.property is None and condition.quantifier != "none":
                _merge(found, self._named(index, condition, types))
            elif condition.property in self._identifying and condition.quantifier != "none":
                _merge(found, self._identified(index, condition, types))
        for condition in query.conditions:
            if condition.property is None and condition.quantifier == "none":
                unwanted = {c.facts.iri for c in self._named(index, condition, types) if _same(c)}
                found = {iri: c for iri, c in found.items() if iri not in unwanted}
        return sorted(found.values(), key=_likely)[: max(MOST_COMPARED, query.limit)]

    def _named(
        self, index: NameIndex, condition: Condition, types: Sequence[str]
    ) -> list[Candidate]:
        """By any of the names, or by all: then the name that is least like counts."""
        every = [{c.facts.iri: c for c in candidates(index, v, types)} for v in condition.values]
        if condition.quantifier == "all":
            shared = set.intersection(*map(set, every)) if every else set()
            return [max((one[iri] for one in every), key=_likely) for iri in shared]
        merged: dict[str, Candidate] = {}
        for one in every:
            _merge(merged, list(one.values()))
        return list(merged.values())

    def _identified(
        self, index: NameIndex, condition: Condition, types: Sequence[str]
    ) -> list[Candidate]:
        facts = [f for value in condition.values for f in index.identified(value, types)]
        return [Candidate(one) for one in facts]

    async def _holding(self, index: NameIndex, query: MatchQuery) -> list[Candidate]:
        """Of a query without a name: who has most of the properties that are asked for."""
        if query.never or any(condition.property is None for condition in query.conditions):
            return []
        wanted = [[c.property, list(c.values)] for c in query.conditions if c.quantifier != "none"]
        types = list(query.types) if query.strict else []
        answer = await self._run("holders", conditions=wanted, types=types, limit=_HOLDERS)
        return [Candidate(one) for iri in json.loads(answer) if (one := index.facts(iri))]

    async def _texts(
        self, queries: Sequence[MatchQuery], found: Sequence[Sequence[Candidate]]
    ) -> Texts:
        """What the candidates have in the properties that are asked for."""
        ids: dict[str, None] = {}
        properties: dict[str, None] = {}
        for query, some in zip(queries, found, strict=True):
            named = [c.property for c in query.conditions if c.property is not None]
            if named:
                ids.update(dict.fromkeys(one.facts.iri for one in some))
                properties.update(dict.fromkeys(named))
        if not ids:
            return {}
        texts: Texts = json.loads(await self._run("texts", ids=list(ids), properties=[*properties]))
        return texts

    def _matches(self, query: MatchQuery, some: list[Candidate], texts: Texts) -> list[Match]:
        facts = {one.facts.iri: one.facts for one in some}
        compared = [self._compared(query, one, texts.get(one.facts.iri, {})) for one in some]
        order = ranked([one for one in compared if one is not None])
        if query.types:
            order = [_typed(one, facts[one.iri].type in query.types) for one in order]
            order.sort(key=lambda one: (not one.identified, -one.score))
        sure = decided(order)
        return [
            Match(facts[one.iri], one, sure and place == 0)
            for place, one in enumerate(order[: query.limit])
        ]

    def _compared(
        self, query: MatchQuery, candidate: Candidate, texts: Mapping[str, Sequence[str]]
    ) -> Candidate | None:
        """The candidate with what its properties say; None if it lacks what is required."""
        likeness: dict[str, float] = {}
        identified = candidate.identified
        for condition in query.conditions:
            if condition.property is None:
                if condition.required and not _same(candidate):
                    return None
                continue
            said = texts.get(condition.property, ())
            if not said:
                if condition.required and condition.quantifier != "none":
                    return None
                continue
            alike = self._likeness(condition, said)
            if condition.required and alike < _FULFILLED:
                return None
            likeness[condition.property] = min(alike, likeness.get(condition.property, 1.0))
            wanted = condition.property in self._identifying and condition.quantifier != "none"
            identified = identified or (wanted and alike == 1.0)
        return replace(candidate, properties=likeness, identified=identified)

    def _likeness(self, condition: Condition, said: Sequence[str]) -> float:
        if condition.property in self._identifying:
            known = {key for text in said for key in identifier_keys(text)}
            each = [float(not known.isdisjoint(identifier_keys(v))) for v in condition.values]
        else:
            each = [property_likeness(value, said) for value in condition.values]
        if not each:
            return 0.0
        if condition.quantifier == "all":
            return min(each)
        return 1.0 - max(each) if condition.quantifier == "none" else max(each)

    async def suggest_entities(
        self, prefix: str, types: Sequence[str], limit: int, offset: int
    ) -> list[Facts]:
        """Entities by the beginning of a name, or by an identifier; any when nothing is typed."""
        index = await self._index.current()
        return await asyncio.to_thread(_suggested, index, prefix, types, limit, offset)

    def suggest_types(self, prefix: str, lang: str) -> list[EntityType]:
        """Types of which a name begins so."""
        return [
            kind
            for kind in self.profile.types
            if _begins(prefix, (kind.name, kind.collection, kind.label(lang), kind.label("en")))
        ]

    def suggest_properties(self, prefix: str, types: Sequence[str], lang: str) -> list[str]:
        """Properties, of certain types or of any, of which a name begins so."""
        found: dict[str, None] = {}
        for kind in self.profile.types:
            if not types or kind.name in types:
                for name, at in self.vocabulary.fields[kind.name].items():
                    words = (name, name.rpartition(".")[2], at.field.label(lang))
                    if _begins(prefix, words):
                        found[name] = None
        return list(found)

    async def extend(self, extension: Extension, lang: str) -> dict[str, dict[str, list[Any]]]:
        """Id → property → values, as the job `values` gives them."""
        names = list(dict.fromkeys(wanted.property for wanted in extension.properties))
        answer = await self._run("values", ids=list(extension.ids), properties=names, lang=lang)
        rows: dict[str, dict[str, list[Any]]] = json.loads(answer)
        for wanted in extension.properties:
            for row in rows.values():
                values = row.get(wanted.property, [])
                row[wanted.property] = values[: wanted.limit] if wanted.limit else values
        return rows

    async def facts(self, iri: str) -> Facts:
        """What is known of an entity; raises NotFound."""
        index = await self._index.current()
        found = index.facts(iri)
        if found is None:
            raise NotFound(f"There is no entity {iri[:200]!r}.")
        return found

    async def preview(self, iri: str, lang: str) -> tuple[Facts, list[tuple[str, list[str]]]]:
        """An entity with its first fields: label and some values; raises NotFound."""
        facts = await self.facts(iri)
        kind = self.profile.type(facts.type)
        fields = {
            name: found
            for name, found in self.vocabulary.fields[kind.name].items()
            if "." not in name and not found.field.labelling and found.field.single_line
        }
        args = {"ids": [iri], "properties": list(fields), "lang": lang}
        row = json.loads(await self._run("values", **args))[iri]
        shown = []
        for name, found in fields.items():
            texts = [_text(value) for value in row.get(name, [])]
            if texts:
                shown.append((found.field.label(lang), texts[:_SHOWN_VALUES]))
        return facts, shown[:_SHOWN_FIELDS]

    async def _run(self, job: str, **args: Any) -> bytes:
        return await self._runner.run(f"reconciliation.{job}", {**self._common, **args})


def _suggested(
    index: NameIndex, prefix: str, types: Sequence[str], limit: int, offset: int
) -> list[Facts]:
    if not prefix.strip():
        return index.some(types, limit, offset)
    found = {f.iri: f for f in index.identified(prefix, types)}
    found |= {f.iri: f for f in index.beginning(prefix, types, limit + offset, 0)}
    if len(found) < limit + offset:
        found |= {c.facts.iri: c.facts for c in candidates(index, prefix, types)}
    return list(found.values())[offset : offset + limit]


def _merge(found: dict[str, Candidate], more: Sequence[Candidate]) -> None:
    for one in more:
        if one.facts.iri not in found or _likely(one) < _likely(found[one.facts.iri]):
            found[one.facts.iri] = one


def _likely(candidate: Candidate) -> tuple[bool, float]:
    return not candidate.identified, -(candidate.name_score or 0.0)


def _same(candidate: Candidate) -> bool:
    return candidate.identified or (candidate.name_score or 0.0) >= EXACT


def _typed(scored: Scored, fits: bool) -> Scored:
    score = scored.score if fits or scored.identified else round(scored.score * _OTHER_TYPE, 2)
    return replace(scored, score=score, features=(*scored.features, Feature("type", fits)))


def _begins(prefix: str, words: Sequence[str]) -> bool:
    wanted = fold(prefix.strip())
    return any(fold(word).startswith(wanted) or f" {wanted}" in fold(word) for word in words)


def _text(value: Mapping[str, Any]) -> str:
    return str(value.get("name") or value.get("text") or value.get("literal") or "")
