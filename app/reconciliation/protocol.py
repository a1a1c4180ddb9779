"""Requests of the Reconciliation Service API as values: version 0.2, and the draft of 1.0.

Pure. Whatever does not fit raises InvalidRequest with what would; what is too much raises
PayloadTooLarge. Both versions come to the same values.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.errors import InvalidRequest, PayloadTooLarge
from app.profile import EntityType, Profile
from app.records.listing import Filterable, filterable

MOST_QUERIES: Final = 50
"""Queries of one batch; the manifests say so as `batchSize`."""

MOST_CANDIDATES: Final = 50
DEFAULT_CANDIDATES: Final = 10
MOST_CONDITIONS: Final = 20
MOST_VALUES: Final = 20
MOST_IDS: Final = 200
MOST_PROPERTIES: Final = 20

Quantifier = Literal["any", "all", "none"]
Json = dict[str, Any]

_QUERY_FIELDS = ("query", "type", "limit", "properties", "type_strict")
_DRAFT_FIELDS = ("conditions", "type", "limit", "lang", "dir")
_CONDITION_FIELDS = (
    "matchType", "propertyId", "propertyValue", "pid", "v", "required", "matchQuantifier",
    "matchQualifier", "lang", "dir",
)  # fmt: skip
_EXTEND_FIELDS = ("ids", "properties", "lang", "dir")


@dataclass(frozen=True, slots=True)
class Condition:
    """Values of a property, or names when `property` is None.

    `required`: only who fulfils it is a candidate, else it moves the score.
    """

    property: str | None
    values: tuple[str, ...]
    required: bool = False
    quantifier: Quantifier = "any"


@dataclass(frozen=True, slots=True)
class MatchQuery:
    """One reconciliation query. `types` are names of the profile; none of them means any.

    `strict`: other types are no candidates, else they only come later. `never`: nothing can be of
    all the types that are asked for.
    """

    conditions: tuple[Condition, ...]
    types: tuple[str, ...] = ()
    limit: int = DEFAULT_CANDIDATES
    strict: bool = True
    never: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A property to fetch; at most `limit` values of each entity, 0 for all."""

    property: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Extension:
    """A data extension query."""

    ids: tuple[str, ...]
    properties: tuple[Wanted, ...]


class Vocabulary:
    """The types and properties of the profile, as the protocol names them.

    A type is named like in the profile; its classes and its collection are understood, too. A
    property is a field by which lists can be filtered, that of a part as `address.city`.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.fields = {kind.name: filterable(kind) for kind in profile.types}
        self.properties: dict[str, tuple[Filterable, EntityType]] = {}
        self._types: dict[str, str] = {}
        for kind in profile.types:
            for name, found in self.fields[kind.name].items():
                self.properties.setdefault(name, (found, kind))
            for word in (kind.name, kind.collection, kind.shape, *(c.value for c in kind.classes)):
                self._types.setdefault(word, kind.name)

    def type(self, text: str) -> str:
        """The name of a type; raises InvalidRequest with the nearest one."""
        found = self._types.get(text)
        if found is None:
            names = [kind.name for kind in self.profile.types]
            raise _unknown("type", text, names, "type")
        return found

    def property(self, text: str) -> str:
        """The name of a property; raises InvalidRequest with the nearest one."""
        if text not in self.properties:
            raise _unknown("property", text, list(self.properties), "properties")
        return text


def read_batch(text: str, vocabulary: Vocabulary) -> dict[str, MatchQuery]:
    """The parameter `queries` of version 0.2 (§4.1): an object of queries by any key."""
    batch = _object(read_json(text, "queries"), "queries")
    _at_most(len(batch), MOST_QUERIES, "queries in a batch")
    return {
        clean(key): _query(_object(query, f"queries.{key[:40]}"), vocabulary)
        for key, query in batch.items()
    }


def _query(query: Json, vocabulary: Vocabulary) -> MatchQuery:
    _only(query, _QUERY_FIELDS)
    conditions = []
    if query.get("query") is not None:
        conditions.append(Condition(None, (_string(query["query"], "query"),)))
    properties = query.get("properties") or []
    if not isinstance(properties, list):
        raise InvalidRequest(
            "properties is an array of objects with pid and v.", field="properties"
        )
    _at_most(len(properties), MOST_CONDITIONS, "properties in a query")
    for one in properties:
        given = _object(one, "properties")
        _only(given, ("p", "pid", "v"))
        name = vocabulary.property(_string(given.get("pid"), "pid"))
        conditions.append(Condition(name, _values(given.get("v"), "v")))
    if not conditions:
        raise InvalidRequest("A query needs query, or properties.", field="query")
    types = query.get("type") or []
    named = _types([types] if isinstance(types, str) else types, vocabulary)
    how = query.get("type_strict") or "any"
    if how not in {"any", "all", "should"}:
        raise InvalidRequest("type_strict must be any, all or should.", field="type_strict")
    return MatchQuery(
        tuple(conditions),
        named,
        _limit(query.get("limit")),
        strict=how != "should",
        never=how == "all" and len(named) > 1,
    )


def read_draft_batch(body: Any, vocabulary: Vocabulary) -> list[MatchQuery]:
    """The body of the draft's match service: `{"queries": [{"conditions": […]}]}`."""
    given = _object(body, "the body")
    _only(given, ("queries",))
    queries = given.get("queries")
    if not isinstance(queries, list):
        raise InvalidRequest("queries must be an array of queries.", field="queries")
    _at_most(len(queries), MOST_QUERIES, "queries in a batch")
    return [_draft_query(_object(query, "queries"), vocabulary) for query in queries]


def _draft_query(query: Json, vocabulary: Vocabulary) -> MatchQuery:
    _only(query, _DRAFT_FIELDS)
    conditions = query.get("conditions")
    if not isinstance(conditions, list) or not conditions:
        raise InvalidRequest("A query needs conditions, at least one.", field="conditions")
    _at_most(len(conditions), MOST_CONDITIONS, "conditions in a query")
    types = [] if query.get("type") is None else [query["type"]]
    return MatchQuery(
        tuple(_condition(_object(one, "conditions"), vocabulary) for one in conditions),
        _types(types, vocabulary),
        _limit(query.get("limit")),
    )


def _condition(given: Json, vocabulary: Vocabulary) -> Condition:
    """A condition; `pid` and `v` are what earlier drafts called propertyId and propertyValue."""
    _only(given, _CONDITION_FIELDS)
    kind = given.get("matchType")
    if kind not in {"name", "property"}:
        raise InvalidRequest("matchType must be name or property.", field="matchType")
    if given.get("matchQualifier") is not None:
        raise InvalidRequest(
            "No matchQualifier is offered here; leave it out.", field="matchQualifier"
        )
    required = given.get("required", False)
    if not isinstance(required, bool):
        raise InvalidRequest("required must be true or false.", field="required")
    quantifier = given.get("matchQuantifier", "any")
    if quantifier not in {"any", "all", "none"}:
        raise InvalidRequest("matchQuantifier must be any, all or none.", field="matchQuantifier")
    named = given.get("propertyId", given.get("pid"))
    name = vocabulary.property(_string(named, "propertyId")) if kind == "property" else None
    value = given.get("propertyValue", given.get("v"))
    return Condition(name, _values(value, "propertyValue"), required, quantifier)


def read_extension(body: Any, vocabulary: Vocabulary) -> Extension:
    """A data extension query (§6.3 of version 0.2; the draft has the same)."""
    given = _object(body, "a data extension query")
    _only(given, _EXTEND_FIELDS)
    ids, properties = given.get("ids"), given.get("properties")
    if not isinstance(ids, list) or not isinstance(properties, list):
        raise InvalidRequest("A data extension query has two arrays, ids and properties.")
    _at_most(len(ids), MOST_IDS, "ids")
    _at_most(len(properties), MOST_PROPERTIES, "properties")
    return Extension(
        tuple(dict.fromkeys(_string(one, "ids") for one in ids)),
        tuple(_wanted(_object(one, "properties"), vocabulary) for one in properties),
    )


def _wanted(given: Json, vocabulary: Vocabulary) -> Wanted:
    name = vocabulary.property(_string(given.get("id"), "id"))
    settings = given.get("settings") or {}
    limit = _object(settings, "settings").get("limit") or 0
    if isinstance(limit, str) and limit.strip().isdecimal() and len(limit) < 6:  # noqa: PLR2004
        limit = int(limit)
    if not isinstance(limit, int | float) or not 0 <= limit <= 10_000:  # noqa: PLR2004
        raise InvalidRequest("The setting limit must be a number from 0.", field="settings.limit")
    return Wanted(name, int(limit))


def read_json(text: str, field: str) -> Any:
    """JSON (RFC 8259); raises InvalidRequest where it is not, or goes too deep."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidRequest(f"{field} is nested too deep.", field=field) from None
    except ValueError as error:
        raise InvalidRequest(f"{field} is not JSON: {error}."[:300], field=field) from None


def clean(text: str) -> str:
    """The text with what is no character replaced: half a surrogate pair has no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _object(value: Any, name: str) -> Json:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{clean(name)} must be an object.", field=clean(name))
    return value


def _only(given: Mapping[str, Any], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise _unknown("field", name, list(known), name)


def _unknown(what: str, text: str, names: Sequence[str], field: str) -> InvalidRequest:
    text = clean(text)
    near = next(iter(difflib.get_close_matches(text[:60], names, n=1, cutoff=0.5)), None)
    hint = f"did you mean {near!r}?" if near else f"there is {', '.join(names[:20])}."
    return InvalidRequest(f"No {what} {text[:60]!r} here; {hint}", field=clean(field), nearest=near)


def _string(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{field} must be a string.", field=field)
    return clean(value)


def _values(value: Any, field: str) -> tuple[str, ...]:
    """One value, or several; of an entity its id counts."""
    values = value if isinstance(value, list) else [value]
    _at_most(len(values), MOST_VALUES, "values of a property")
    return tuple(_value(one, field) for one in values)


def _value(value: Any, field: str) -> str:
    if isinstance(value, dict):
        return _string(value.get("id"), f"{field}.id")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return _string(value, field)


def _types(types: Any, vocabulary: Vocabulary) -> tuple[str, ...]:
    if not isinstance(types, list):
        raise InvalidRequest("type must be a string or an array of strings.", field="type")
    _at_most(len(types), MOST_VALUES, "types of a query")
    return tuple(dict.fromkeys(vocabulary.type(_string(one, "type")) for one in types))


def _limit(value: Any) -> int:
    if value is None:
        return DEFAULT_CANDIDATES
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 1:
        raise InvalidRequest("limit must be a positive number.", field="limit")
    return int(min(value, MOST_CANDIDATES))


def _at_most(number: int, most: int, what: str) -> None:
    if number > most:
        raise PayloadTooLarge(f"{number} {what}; send at most {most} at a time.")
