"""Worker side of the gate: from a stranger's bytes to a report and a net diff."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, Store

from app.errors import InvalidRequest
from app.rdf.diff import Diff, to_n_quads
from app.rdf.parsing import in_graph, parse_rdf
from app.rdf.skolem import skolemise
from app.rdf.terms import AS, DCAT, DCTERMS, PROV, SKOS, XSD, Subject, string, type_
from app.sandbox.worker import Cage, Reply
from app.submissions.report import empty_report

_MENTIONED_AT_MOST = 500_000


def describe(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:  # noqa: ARG001
    """Header: what a dataset file says of itself, and which `agents` it describes."""
    quads = list(_read(args, body))
    dataset = _only_dataset(quads)
    facts = [quad for quad in quads if quad.subject == dataset]

    def values(predicate: NamedNode) -> list[str]:
        return sorted(
            quad.object.value
            for quad in facts
            if quad.predicate == predicate and isinstance(quad.object, NamedNode)
        )

    reply.start(
        {
            "dataset": dataset.value,
            "publisher": next(iter(values(DCTERMS["publisher"])), None),
            "licence": next(iter(values(DCTERMS["license"])), None),
            "requires": values(DCTERMS["requires"]),
            "types": values(DCTERMS["type"]),
            "agents": sorted(
                quad.subject.value
                for quad in quads
                if quad.predicate == type_
                and quad.object == PROV["Agent"]
                and isinstance(quad.subject, NamedNode)
            ),
        }
    )


def validate(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """Header: `report`, the validation report of `body` as it would be published.

    `args` as for `prepare`; `own_shapes`, Turtle text, replaces the shapes of the service.
    """
    quads = list(_read(args, body))
    reply.progress(stage="validate", statements=len(quads))
    reply.start({"report": _validated(cage, args, quads), "statements": len(quads)})


def prepare(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """Header: `report`, `statements`. Body: `added_bytes` of added quads, then the removed ones.

    `args`: `dataset` (IRI, the named graph; None takes the file's own dcat:Dataset),
    `media_type`, `base_iri`, `reserved` (IRI of the reserved graph), `shapes` (paths), `author`,
    `licence`, `time`, `skolemize`, `max_bytes`. The diff is against the checkpoint; the report
    comes first, and with a violation there is no diff.
    """
    quads = list(_read(args, body))
    reply.progress(stage="validate", statements=len(quads))
    report = _validated(cage, args, quads)
    if not report["conforms"]:
        reply.start({"report": report, "statements": len(quads)})
        return
    reply.progress(stage="compare", statements=len(quads))
    dataset, reserved = NamedNode(args["dataset"]), NamedNode(args["reserved"])
    after = set(_placed(quads, dataset, reserved))
    before = {*_graph(cage.store, dataset), *_description(cage.store, dataset, reserved)}
    diff = Diff.between(before, after)
    if diff:
        diff = _with_service_statements(cage, args, diff)
    added, removed = to_n_quads(diff.added), to_n_quads(diff.removed)
    reply.start({"report": report, "statements": len(quads), "added_bytes": len(added)})
    reply.write(added + removed)


def _read(args: Mapping[str, Any], body: bytes) -> Iterator[Quad]:
    quads = parse_rdf(
        body, args["media_type"], base_iri=args["base_iri"], max_bytes=args["max_bytes"]
    )
    if args["skolemize"]:
        return skolemise(quads, base_iri=args["base_iri"], scope=args.get("dataset") or "")
    return quads


def _only_dataset(quads: Iterable[Quad]) -> NamedNode:
    found = [
        quad.subject for quad in quads if quad.predicate == type_ and quad.object == DCAT["Dataset"]
    ]
    if len(found) != 1 or not isinstance(found[0], NamedNode):
        raise InvalidRequest(
            f"The file describes {len(found)} datasets; it must hold exactly one IRI of type "
            "dcat:Dataset, or name the dataset otherwise."
        )
    return found[0]


def _validated(cage: Cage, args: Mapping[str, Any], quads: list[Quad]) -> dict[str, Any]:
    # pySHACL takes most of a second to import and patches rdflib: only where it is needed.
    from app.sandbox import validation  # noqa: PLC0415

    own = args.get("own_shapes")
    if own is not None:
        shapes = validation.parse_shapes(own.encode(), args["base_iri"])
    elif args["shapes"]:
        shapes = validation.shapes_graph(Path(file) for file in args["shapes"])
    else:
        return empty_report()
    return validation.validate(shapes, quads, _context(cage.store, quads))


def _context(store: Store, quads: list[Quad]) -> Iterator[Quad]:
    """Types and labels of what the data speaks of, or refers to, without saying what it is."""
    typed = {quad.subject for quad in quads if quad.predicate == type_}
    mentioned: set[Subject] = {quad.subject for quad in quads}
    mentioned.update(
        quad.object
        for quad in quads
        if isinstance(quad.object, NamedNode) and quad.predicate != type_
    )
    if len(mentioned - typed) > _MENTIONED_AT_MOST:
        raise InvalidRequest(f"More than {_MENTIONED_AT_MOST:,} references; send it in parts.")
    for thing in mentioned - typed:
        for predicate in (type_, SKOS["prefLabel"]):
            yield from store.quads_for_pattern(thing, predicate, None, None)


def _placed(quads: Iterable[Quad], dataset: NamedNode, reserved: NamedNode) -> Iterator[Quad]:
    """What a file says of its dataset goes to the reserved graph, all else to the dataset."""
    for quad in in_graph(quads, dataset):
        if quad.graph_name != dataset:
            raise InvalidRequest(
                f"The data names the graph {quad.graph_name}; only {dataset} is written here. "
                "Send triples, or name that graph."
            )
        if _speaks_of(quad, dataset):
            yield Quad(quad.subject, quad.predicate, quad.object, reserved)
        else:
            yield quad


def _speaks_of(quad: Quad, dataset: NamedNode) -> bool:
    subject = quad.subject
    return isinstance(subject, NamedNode) and (
        subject == dataset or subject.value.startswith(f"{dataset.value}#")
    )


def _graph(store: Store, name: NamedNode) -> Iterator[Quad]:
    return store.quads_for_pattern(None, None, None, name)


def _description(store: Store, dataset: NamedNode, reserved: NamedNode) -> Iterator[Quad]:
    return (quad for quad in _graph(store, reserved) if _speaks_of(quad, dataset))


def _with_service_statements(cage: Cage, args: Mapping[str, Any], diff: Diff) -> Diff:
    """The diff with what the service itself says of it: provenance and tombstones."""
    added, removed = set(diff.added), set(diff.removed)
    added.update(_provenance(cage.generation + 1, args, diff))
    reserved, now = NamedNode(args["reserved"]), Literal(args["time"], datatype=XSD["dateTime"])
    for entity in _entities_losing_type(diff, args["base_iri"]):
        if not _still_typed(cage.store, entity, diff):
            added.add(Quad(entity, type_, AS["Tombstone"], reserved))
            added.add(Quad(entity, AS["deleted"], now, reserved))
    for subject in {quad.subject for quad in diff.added if quad.predicate == type_}:
        for quad in cage.store.quads_for_pattern(subject, None, None, reserved):
            if quad.predicate == AS["deleted"] or quad.object == AS["Tombstone"]:
                removed.add(quad)  # it is back
    return Diff(frozenset(added - removed), frozenset(removed - added))


def _provenance(generation: int, args: Mapping[str, Any], diff: Diff) -> Iterator[Quad]:
    commit = NamedNode(f"{args['base_iri']}commit/{generation}")
    reserved = NamedNode(args["reserved"])
    when = Literal(args["time"], datatype=XSD["dateTime"])
    yield Quad(commit, type_, PROV["Activity"], reserved)
    yield Quad(commit, PROV["endedAtTime"], when, reserved)
    yield Quad(commit, PROV["generated"], NamedNode(args["dataset"]), reserved)
    yield Quad(commit, PROV["wasAssociatedWith"], NamedNode(args["author"]), reserved)
    counts = f"{len(diff.added)} statements added, {len(diff.removed)} removed"
    yield Quad(commit, DCTERMS["description"], string(counts, "en"), reserved)
    if args["licence"]:
        yield Quad(commit, DCTERMS["license"], NamedNode(args["licence"]), reserved)


def _entities_losing_type(diff: Diff, base_iri: str) -> set[NamedNode]:
    return {
        quad.subject
        for quad in diff.removed
        if quad.predicate == type_
        and isinstance(quad.subject, NamedNode)
        and quad.subject.value.startswith(f"{base_iri}id/")
        and "#" not in quad.subject.value
    }


def _still_typed(store: Store, entity: NamedNode, diff: Diff) -> bool:
    types = set(store.quads_for_pattern(entity, type_, None, None))
    types |= {quad for quad in diff.added if quad.subject == entity and quad.predicate == type_}
    return any(not isinstance(quad.graph_name, DefaultGraph) for quad in types - diff.removed)
