"""Data against the shapes of the service, in the cage."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyoxigraph import NamedNode, Quad

from app.errors import InvalidRequest
from app.profile import Profile, load_profile
from app.rdf.terms import SKOS, Subject, type_
from app.sandbox.findings import Finding, Findings
from app.sandbox.worker import Cage
from app.submissions.executables import faults
from app.submissions.explaining import Explainer
from app.submissions.lines import Source
from app.submissions.report import Json, empty_report, grouped

_MENTIONED_AT_MOST = 500_000

Lookup = Callable[[Subject, NamedNode], Iterable[Quad]]
"""What the graph says of a thing with a predicate."""


def judged(
    cage: Cage,
    args: Mapping[str, Any],
    graphs: Collection[Collection[Quad]],
    look_up: Lookup,
    sources: list[Source],
) -> Json:
    """The report in all languages on the data of each graph.

    It is explained to partners, and to the operator, whose files are large, if something is wrong.
    """
    results: list[Finding] = []
    for data in graphs:
        if data and (found := findings(args, data, look_up)) is not None:
            results += found.results
    if not results:
        return empty_report()
    report = grouped(results)
    if report["conforms"] and args.get("names") is None:
        return report
    data = [quad for graph in graphs for quad in graph]
    explainer = Explainer(profile(cage, args), cage.store, data, sources)
    return explainer.report(results, args["base_iri"])


def findings(args: Mapping[str, Any], data: Collection[Quad], look_up: Lookup) -> Findings | None:
    """What the shapes find, and what they cannot say of named queries; None without shapes."""
    if not args["shapes"]:
        return None
    # pySHACL takes most of a second to import and patches rdflib: only where it is needed.
    from app.sandbox import validation  # noqa: PLC0415

    shapes = validation.shapes_graph(Path(file) for file in args["shapes"])
    found = validation.validate(shapes, data, _context(data, look_up))
    return found.and_also(faults(data, look_up, args["base_iri"]))


def exact_findings(source: Source, data: Collection[Quad], args: Mapping[str, Any]) -> Findings:
    """What the shapes of somebody else find: SHACL and nothing beside it."""
    from app.sandbox import validation  # noqa: PLC0415 -- as above

    shapes = validation.parse_shapes(
        source.text, args["base_iri"], media_type=source.media_type, max_bytes=args["max_bytes"]
    )
    return validation.validate(shapes, data, exact=True)


def _context(data: Collection[Quad], look_up: Lookup) -> Iterator[Quad]:
    """Types and labels of what the data speaks of, or refers to, without saying what it is."""
    typed = {quad.subject for quad in data if quad.predicate == type_}
    mentioned: set[Subject] = {quad.subject for quad in data}
    mentioned.update(
        quad.object
        for quad in data
        if isinstance(quad.object, NamedNode) and quad.predicate != type_
    )
    if len(mentioned - typed) > _MENTIONED_AT_MOST:
        raise InvalidRequest(f"More than {_MENTIONED_AT_MOST:,} references; send it in parts.")
    for thing in mentioned - typed:
        for predicate in (type_, SKOS["prefLabel"]):
            yield from look_up(thing, predicate)


def profile(cage: Cage, args: Mapping[str, Any]) -> Profile | None:
    """The profile of the service, read once; None where the job is not told of one."""
    ontology, shapes = args.get("ontology_dir"), args.get("shapes_dir")
    if ontology is None or shapes is None:
        return None
    made: Profile = cage.once(_load, ontology, shapes, args["base_iri"])
    return made


def _load(ontology: str, shapes: str, base_iri: str) -> Profile:
    return load_profile(Path(ontology), Path(shapes), base_iri)
