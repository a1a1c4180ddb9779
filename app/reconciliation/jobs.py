"""The cage's side. Arguments of every job: `ontology`, `shapes`, `base_iri` (the profile)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyoxigraph as ox

from app.profile import Field, Profile, load_profile
from app.rdf.terms import RDF, SKOS
from app.reconciliation.sources import FactsReader, called
from app.records.graph import Graph, Value
from app.records.jobs import Cage, Reply
from app.records.listing import Filterable, filterable
from app.records.names import Names

MOST_VALUES = 1_000
"""Values of one property of one entity that are given."""

_TOGETHER = 1 << 16


def facts(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:  # noqa: ARG001
    """Lines of `Facts`: of all entities, or of those of `iris` that are any."""
    reader = FactsReader(*_reading(cage, args))
    iris = args.get("iris")
    found = reader.everything() if iris is None else filter(None, map(reader.of, iris))
    lines: list[bytes] = []
    size = 0
    for one in found:
        line = one.dumped() + b"\n"
        lines.append(line)
        size += len(line)
        if size > _TOGETHER:
            reply.write(b"".join(lines))
            lines, size = [], 0
    reply.write(b"".join(lines))


def texts(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:  # noqa: ARG001
    """By what each value may be meant: `ids` → `properties` → texts, as JSON."""
    graph, profile = _reading(cage, args)
    answer: dict[str, dict[str, list[str]]] = {}
    for iri, found in _values(graph, profile, args["ids"], args["properties"]):
        answer[iri] = {
            name: [text for value in values for text in _meanings(graph, value)]
            for name, (_, values) in found.items()
        }
    reply.write(_json(answer))


def values(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:  # noqa: ARG001
    """The values of `properties` of `ids` in `lang`: iri → property → list, as JSON.

    A value is `{"id", "name"}`, `{"text", "lang"}` or `{"literal", "datatype"}`.
    """
    graph, profile = _reading(cage, args)
    names = Names(graph, profile, args["lang"])
    answer: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for iri, found in _values(graph, profile, args["ids"], args["properties"]):
        answer[iri] = {
            name: [_shown(value, names) for value in _in_language(field, said, args["lang"])]
            for name, (field, said) in found.items()
        }
    reply.write(_json(answer))


def holders(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:  # noqa: ARG001
    """The first `limit` entities that have what most of `conditions` ask for, as JSON.

    A condition is a property and values, one of which is enough: an IRI, a literal, or what the
    thing is called that a reference leads to. Only `types`, unless these are none.
    """
    graph, profile = _reading(cage, args)
    times: Counter[str] = Counter()
    for kind in profile.types:
        if args["types"] and kind.name not in args["types"]:
            continue
        fields = filterable(kind)
        for name, texts in args["conditions"]:
            if at := fields.get(name):
                ends = {term for text in texts for term in _terms(graph, profile, at.field, text)}
                nodes = graph.walk_back(ends, at.path)
                times.update(node.value for node in nodes if isinstance(node, ox.NamedNode))
    order = sorted(times, key=lambda iri: (-times[iri], iri))
    reply.write(_json(order[: args["limit"]]))


def _terms(graph: Graph, profile: Profile, field: Field, text: str) -> Iterable[Value]:
    """The terms that a text may stand for in a field."""
    node = _node(text)
    if node is not None:
        yield node
    literals = [ox.Literal(text), *(ox.Literal(text, language=lang) for lang in profile.languages)]
    yield from literals
    for datatype in field.datatypes:
        if datatype != RDF["langString"]:
            yield ox.Literal(text, datatype=datatype)
    if field.kind == "reference":
        for predicate in (SKOS["prefLabel"], SKOS["notation"]):
            for literal in literals:
                yield from graph.subjects(predicate, literal)


def _reading(cage: Cage, args: Mapping[str, Any]) -> tuple[Graph, Profile]:
    profile: Profile = cage.once(_profile, args["ontology"], args["shapes"], args["base_iri"])
    return Graph(cage.store, profile.base_iri), profile


def _profile(ontology: str, shapes: str, base_iri: str) -> Profile:
    return load_profile(Path(ontology), Path(shapes), base_iri)


def _values(
    graph: Graph, profile: Profile, ids: Iterable[str], properties: Iterable[str]
) -> Iterable[tuple[str, dict[str, tuple[Field, list[Value]]]]]:
    wanted = list(properties)
    fields: dict[str, dict[str, Filterable]] = {}
    for iri in ids:
        node = _node(iri)
        kind = node and profile.of_classes(graph.about(node).classes)
        found: dict[str, tuple[Field, list[Value]]] = {}
        if node and kind:
            known = fields.setdefault(kind.name, filterable(kind))
            for name in wanted:
                if at := known.get(name):
                    reached, _ = graph.walk(node, at.path, MOST_VALUES)
                    found[name] = (at.field, sorted(reached, key=str))
        yield iri, found


def _node(iri: str) -> ox.NamedNode | None:
    try:
        return ox.NamedNode(iri)
    except ValueError:
        return None


def _meanings(graph: Graph, value: Value) -> list[str]:
    if isinstance(value, ox.NamedNode):
        return called(graph, value)
    return [value.value] if isinstance(value, ox.Literal) else []


def _in_language(field: Field, values: list[Value], lang: str) -> list[Value]:
    """Of texts those in the language asked for, if there are any."""
    if field.kind != "text":
        return values
    own: list[Value] = [
        v for v in values if isinstance(v, ox.Literal) and (v.language or "")[:2] == lang
    ]
    return own or values


def _shown(value: Value, names: Names) -> dict[str, Any]:
    if isinstance(value, ox.NamedNode):
        return {"id": value.value, "name": names.of(value).text}
    if isinstance(value, ox.Literal):
        if value.language:
            return {"text": value.value, "lang": value.language}
        return {"literal": value.value, "datatype": value.datatype.value}
    return {"text": str(value), "lang": ""}


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")
