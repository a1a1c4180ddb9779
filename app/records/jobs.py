"""The cage's side: each job reads the checkpoint it is given and writes finished bytes.

Arguments of every job: `ontology`, `shapes`, `base_iri` (the profile), `lang`, and `context`,
the address of the JSON-LD context or None.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import pyoxigraph as ox

from app.errors import Gone, InvalidRequest, NotFound
from app.profile import EntityType, Profile, load_profile
from app.records.assertions import Assertions
from app.records.changes import Changes
from app.records.commits import Commits
from app.records.document import document as document_of
from app.records.documents import Documents
from app.records.graph import About, Graph
from app.records.listing import Listing
from app.records.names import Names
from app.records.record import RecordBuilder

_DOCUMENTS = 50
_MAX_KEPT = 4_096
_MAX_KEPT_BYTES = 1 << 15


class Cage(Protocol):
    """What these jobs need of the cage."""

    store: ox.Store
    generation: int

    def once(self, factory: Any, *args: Any) -> Any:
        """`factory(*args)`, made once in this process."""


class Reply(Protocol):
    """Where a job writes."""

    def write(self, data: bytes, /) -> int:
        """Send a piece of the result."""


class _Reading:
    """What has been found out about one checkpoint, kept while the generation lasts."""

    def __init__(self, store: ox.Store, profile: Profile) -> None:
        self.profile = profile
        self.graph = Graph(store, profile.base_iri)
        self.listing = Listing(self.graph, profile)
        self._names: dict[str, Names] = {}
        self._built: dict[tuple[str, str, str | None], bytes] = {}

    def names(self, lang: str) -> Names:
        if lang not in self._names:
            self._names[lang] = Names(self.graph, self.profile, lang)
        return self._names[lang]

    def builder(self, lang: str, context: str | None) -> RecordBuilder:
        return RecordBuilder(self.graph, self.profile, self.names(lang), context)

    def commits(self, lang: str) -> Commits:
        return Commits(self.graph, self.names(lang), self.profile.base_iri)

    @cached_property
    def documents(self) -> Documents:
        """Makes documents, and remembers names while it does."""
        return Documents(self.graph, self.profile)

    def record(self, iri: str, lang: str, context: str | None) -> bytes:
        """A record as JSON; the last few thousand are kept."""
        key = (iri, lang, context)
        found = self._built.get(key)
        if found is None:
            node = _node(iri)
            record = self.builder(lang, context).record(node, self.about(node))
            found = _json(record)
            if len(self._built) >= _MAX_KEPT:
                self._built.clear()
            if len(found) <= _MAX_KEPT_BYTES:
                self._built[key] = found
        return found

    def about(self, node: ox.NamedNode) -> About:
        """What is said about a thing; raises Gone for a removed, NotFound for an unknown one."""
        about = self.graph.about(node)
        if not about.values:
            raise NotFound(f"Nothing is known about <{node.value}>.")
        grave = self.graph.tombstone(node)
        if grave is not None:
            raise Gone(node.value, deleted_at=grave.deleted_at, replaced_by=grave.replaced_by)
        return about


class _Kept:
    """The reading of the generation that the cage shows."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._generation: int | None = None
        self._reading: _Reading | None = None

    def at(self, cage: Cage) -> _Reading:
        if self._reading is None or self._generation != cage.generation:
            self._reading = _Reading(cage.store, self._profile)
            self._generation = cage.generation
        return self._reading


def _reading(cage: Cage, args: Mapping[str, Any]) -> _Reading:
    kept: _Kept = cage.once(_kept, args["ontology"], args["shapes"], args["base_iri"])
    return kept.at(cage)


def _kept(ontology: str, shapes: str, base_iri: str) -> _Kept:
    return _Kept(load_profile(Path(ontology), Path(shapes), base_iri))


def page(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:  # noqa: ARG001
    """One page: a line `{"total", "next_offset"}`, then the page as JSON.

    Further arguments: `type`, `filters`, `q`, `limit`, `offset`, `facets`; `next_url` is the
    address of the next page up to its offset, or None.
    """
    reading = _reading(cage, args)
    lang, context = args["lang"], args["context"]
    kind = _type(reading.profile, args["type"])
    found = reading.listing.find(
        kind,
        reading.names(lang),
        lang=lang,
        filters=args["filters"],
        q=args["q"],
        limit=args["limit"],
        offset=args["offset"],
        facets=args["facets"],
    )
    following = args["offset"] + len(found.iris)
    next_offset = following if found.iris and following < found.total else None
    next_url = args["next_url"]
    link = f"{next_url}{next_offset}" if next_url and next_offset is not None else None
    members = [
        *([b'"@context":' + _json(context)] if context else []),
        b'"total":%d' % found.total,
        b'"next":' + _json(link),
        b'"items":[' + b",".join(reading.record(i, lang, context) for i in found.iris) + b"]",
    ]
    if found.facets is not None:
        members.append(b'"facets":' + _json(found.facets))
    head = _json({"total": found.total, "next_offset": next_offset})
    reply.write(head + b"\n{" + b",".join(members) + b"}")


def get(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:  # noqa: ARG001
    """The record of `iri`, any thing that has statements."""
    reply.write(_reading(cage, args).record(args["iri"], args["lang"], args["context"]))


def provenance(
    cage: Cage,
    args: Mapping[str, Any],
    body: bytes,  # noqa: ARG001
    reply: Reply,
) -> None:
    """Who says what of `iri`: a line of JSON, then the record as `get` gives it.

    The line: `fields` and `conflicts` (`Assertions`), and `generations`, the numbers of the commits
    that changed it, the newest first.
    """
    reading, lang = _reading(cage, args), args["lang"]
    node = _node(args["iri"])
    record = reading.record(node.value, lang, args["context"])
    found = reading.commits(lang)
    said = Assertions(reading.graph, reading.profile, reading.names(lang), found, lang)
    facts = {**said.of(node, reading.about(node)), "generations": found.numbers(node)}
    reply.write(_json(facts) + b"\n" + record)


def commits(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:  # noqa: ARG001
    """The commits that changed `iri`, the newest first: `{"id", "name", "total", "items"}`.

    At most `limit`, and only those before the generation `before` unless that is None. Raises
    NotFound for what was never described; what was removed has a past.
    """
    reading, lang = _reading(cage, args), args["lang"]
    node, before = _node(args["iri"]), args["before"]
    found = reading.commits(lang)
    numbers = found.numbers(node)
    if not numbers and not reading.graph.has(node):
        raise NotFound(f"Nothing is known about <{node.value}>.")
    wanted = [number for number in numbers if before is None or number < before]
    page = {
        "id": node.value,
        "name": reading.names(lang).of(node).text,
        "total": len(numbers),
        "items": [found.describe(number) for number in wanted[: args["limit"]]],
        "more": len(wanted) > args["limit"],
    }
    reply.write(_json(page))


def document(
    cage: Cage,
    args: Mapping[str, Any],
    body: bytes,  # noqa: ARG001
    reply: Reply,
) -> None:
    """The RDF of `iri` in `media_type`."""
    reading = _reading(cage, args)
    node = _node(args["iri"])
    subjects = reading.builder(args["lang"], None).subjects(node, reading.about(node))
    reply.write(document_of(reading.graph, subjects, args["media_type"]))


def documents(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """Documents of the index, a line each: of the IRIs in `body` (a line each) that are entities.

    With `all` of every entity, and before them a line with their number.
    """
    reading = _reading(cage, args)
    making = reading.documents
    iris: Sequence[str] = body.decode().split("\n") if body else ()
    if args["all"]:
        iris = list(making.entities())
        reply.write(b"%d\n" % len(iris))
    for some in _batched(iris, _DOCUMENTS):
        lines = [line for iri in some if (line := making.line(iri)) is not None]
        reply.write(b"".join(line + b"\n" for line in lines))


def touched(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """What a change concerns: `Touched` as JSON. `body` is N-Quads: `added` bytes, then removed."""
    reading = _reading(cage, args)
    changes = Changes(reading.graph, reading.profile)
    reply.write(_json(changes.touched(body[: args["added"]], body[args["added"] :]).as_dict()))


def counts(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:  # noqa: ARG001
    """Type name → number of entities."""
    reading = _reading(cage, args)
    found = {kind.name: len(reading.listing.members(kind)) for kind in reading.profile.types}
    reply.write(_json(found))


def _batched(iris: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(iris)
    while some := list(islice(rest, size)):
        yield some


def _type(profile: Profile, name: str) -> EntityType:
    kind = profile.find(name)
    if kind is None:
        raise InvalidRequest(f"There is no entity type {name!r}.", field="type")
    return kind


def _node(iri: str) -> ox.NamedNode:
    try:
        return ox.NamedNode(iri)
    except ValueError:
        raise InvalidRequest(f"{iri!r} is not an absolute IRI.", field="iri") from None


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")
