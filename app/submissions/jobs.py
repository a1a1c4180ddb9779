"""Worker side of the gate: from a stranger's bytes to a report and a net diff."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, Store, Triple

from app.errors import InvalidRequest, PayloadTooLarge, SyntaxRejected
from app.profile import Profile, load_profile
from app.rdf import media
from app.rdf.diff import Diff, to_n_quads
from app.rdf.parsing import in_graph, parse_rdf, unpacked
from app.rdf.serialising import serialise
from app.rdf.skolem import skolemise
from app.rdf.terms import AS, DCAT, DCTERMS, PROV, SH, SKOS, XSD, Subject, string, type_
from app.sandbox.findings import Findings
from app.sandbox.worker import Cage, Reply
from app.submissions.explaining import Explainer
from app.submissions.exports import table
from app.submissions.lines import Source
from app.submissions.report import empty_report, grouped, localised

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
    reply.start({"report": _validated(cage, args, body, quads), "statements": len(quads)})


def prepare(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """Header: `report`, `statements`. Body: `added_bytes` of added quads, then the removed ones.

    `args`: `dataset` (IRI of the dataset, which is the named graph), `media_type`, `base_iri`,
    `reserved` (IRI of the reserved graph), `shapes` (paths), `author`, `licence`, `time`,
    `skolemize`, `max_bytes`. The diff is against the checkpoint; the report comes first, and with
    a violation there is no diff.
    """
    quads = list(_read(args, body))
    reply.progress(stage="validate", statements=len(quads))
    report = _validated(cage, args, body, quads)
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


def report(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """A finished report on data that is not published, in `format` and `language`.

    `body` is one file after the other; `files` says of each its `name` (or None), `media_type` and
    `size`, and so does `shapes_file` of own shapes, which come last. With own shapes this is
    SHACL and nothing else: data as written, blank nodes as such, nothing from here beside it. Else
    the data is judged as `validate` does. `max_bytes` is for all files together when unpacked, and
    for the report. Header: `conforms`, `counts`.
    """
    unpacked_files = list(_sources(args, body))
    shapes, sources = unpacked_files[-1], [one for one in unpacked_files[:-1] if one]
    quads = _read_all(args, sources, exact=shapes is not None)
    reply.progress(stage="validate", statements=len(quads))
    if shapes is not None:
        from app.sandbox import validation  # noqa: PLC0415 -- as above

        graph = validation.parse_shapes(
            shapes.text, args["base_iri"], media_type=shapes.media_type, max_bytes=args["max_bytes"]
        )
        found: Findings | None = validation.validate(graph, quads, exact=True)
    else:
        found = _findings(cage, args, quads)
    found = found or Findings((), _nothing_found)
    explainer = Explainer(_profile(cage, args), cage.store, quads, sources)
    whole = {"per_group": None, "most_groups": None} if args["format"] == media.CSV else {}
    result = localised(explainer.report(found.results, args["base_iri"], **whole), args["language"])
    facts = {
        "conforms": result["conforms"],
        "counts": result["counts"],
        "statements": len(quads),
        "shapes": "own" if shapes is not None else "service",
        "generation": cage.generation,
    }
    reply.start(facts)
    reply.write(_written({**facts, **result}, found, args))


def _sources(args: Mapping[str, Any], body: bytes) -> Iterator[Source | None]:
    """The files, unpacked, and last the own shapes or None."""
    at, left = 0, args["max_bytes"]
    for file in [*args["files"], args["shapes_file"]]:
        if file is None:
            yield None
            continue
        text = unpacked(body[at : at + file["size"]], left)
        at, left = at + file["size"], left - len(text)
        yield Source(file["name"], file["media_type"], text)


def _read_all(args: Mapping[str, Any], sources: list[Source], *, exact: bool) -> list[Quad]:
    quads: dict[Quad, None] = {}
    for source in sources:
        try:
            quads.update(
                dict.fromkeys(
                    parse_rdf(
                        source.text,
                        source.media_type,
                        base_iri=args["base_iri"],
                        max_bytes=args["max_bytes"],
                        as_written=exact,
                    )
                )
            )
        except SyntaxRejected as error:
            if source.name is not None:
                error.facts["file"] = source.name
            raise
    if exact or not args["skolemize"]:
        return list(quads)
    return list(skolemise(quads, base_iri=args["base_iri"], scope=""))


def _nothing_found() -> Iterator[Triple]:
    report = BlankNode()
    yield Triple(report, type_, SH["ValidationReport"])
    yield Triple(report, SH["conforms"], Literal(True))


def _written(result: dict[str, Any], found: Findings, args: Mapping[str, Any]) -> bytes:
    if args["format"] == media.CSV:
        data = table(result).encode("utf-8", "replace")
    elif args["format"] == media.JSON:
        text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
        data = text.encode("utf-8", "replace")
    else:
        data = serialise(found.standard(), args["format"])
    if len(data) > args["max_bytes"]:
        raise PayloadTooLarge(
            f"The report in this format is longer than {args['max_bytes'] / 2**20:g} MB; ask for "
            "JSON or HTML, which sum it up, or send the data in parts.",
            limit=args["max_bytes"],
        )
    return data


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


def _validated(
    cage: Cage, args: Mapping[str, Any], body: bytes, quads: list[Quad]
) -> dict[str, Any]:
    """The report in all languages; explained if anything stands in the way."""
    found = _findings(cage, args, quads)
    if found is None:
        return empty_report()
    report = grouped(found.results)
    if report["conforms"]:
        return report
    source = Source(None, args["media_type"], unpacked(body, args["max_bytes"]))
    explainer = Explainer(_profile(cage, args), cage.store, quads, [source])
    return explainer.report(found.results, args["base_iri"])


def _findings(cage: Cage, args: Mapping[str, Any], quads: list[Quad]) -> Findings | None:
    """What the shapes find; None without shapes."""
    # pySHACL takes most of a second to import and patches rdflib: only where it is needed.
    from app.sandbox import validation  # noqa: PLC0415

    own = args.get("own_shapes")
    if own is not None:
        shapes = validation.parse_shapes(own.encode(), args["base_iri"])
    elif args["shapes"]:
        shapes = validation.shapes_graph(Path(file) for file in args["shapes"])
    else:
        return None
    return validation.validate(shapes, quads, _context(cage.store, quads))


def _profile(cage: Cage, args: Mapping[str, Any]) -> Profile | None:
    ontology, shapes = args.get("ontology_dir"), args.get("shapes_dir")
    if ontology is None or shapes is None:
        return None
    made: Profile = cage.once(_load, ontology, shapes, args["base_iri"])
    return made


def _load(ontology: str, shapes: str, base_iri: str) -> Profile:
    return load_profile(Path(ontology), Path(shapes), base_iri)


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
