"""Worker side of the gate: from a stranger's bytes to a report and a net diff."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Triple

from app.errors import InvalidRequest, PayloadTooLarge
from app.rdf import media
from app.rdf.diff import from_n_quads
from app.rdf.parsing import unpacked
from app.rdf.serialising import serialise
from app.rdf.skolem import skolemise
from app.rdf.terms import DCAT, DCTERMS, PROV, SH, type_
from app.sandbox.findings import Findings
from app.sandbox.worker import Cage, Reply
from app.submissions import reading
from app.submissions.explaining import Explainer
from app.submissions.exports import table
from app.submissions.judging import exact_findings, findings, profile
from app.submissions.lines import Source
from app.submissions.preparing import Preparation
from app.submissions.report import localised
from app.submissions.wording import Wording


def describe(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:  # noqa: ARG001
    """Header: what a dataset file says of itself, and which `agents` it describes."""
    source = Source(None, args["media_type"], unpacked(body, args["max_bytes"]))
    quads = reading.quads([source], args["base_iri"])
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


def prepare(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """A report on a submission of any kind, and the net change that it makes to the checkpoint.

    `args`, beside those of `Rules.arguments`:

    - `mode`, `dataset` (name of the target graph; None for an update), `time` (for tombstones)
    - `files` as for `report`; `body` is one after the other, and together they are one graph.
      `replace`: the dataset will be this; `merge`: it will say this too; `remove`: no longer
    - `update`: `body` is SPARQL, which may change `graphs` (None: all but the reserved one); with
      `union` its patterns see all graphs together
    - `patch`: `body` is `added_bytes` of N-Quads to add, then those to remove, of which only the
      quads of `datasets` count
    - `names`: what may be minted (`Naming.arguments`); None checks nothing
    - `force`: remove also what others refer to
    - `description`: N-Triples that the reserved graph will hold of `described`, a list of IRIs, in
      place of all that it says of them; None: what the data says of its dataset goes there

    Header: `report` in all languages, `statements` that were sent, `datasets` that change, the
    target first, `withdrawn` entities, of which nobody says any more what they are, `generation`,
    `seconds` that its stages took, and `added_bytes`, `removed_bytes`, `changed_bytes` and the two
    `counted_bytes`: the parts of the result, which are N-Quads, N-Quads, the IRIs of changed
    entities, a line each, and how the statistics change, as N-Quads to add and to remove. It is
    there even if the report does not conform. Raises NotYours, StillReferenced, and the
    refusals of the parser.
    """
    Preparation(cage, args, body).run(reply)


def explain_diff(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """A change in plain words, as JSON in `language`; `body` is added, then removed N-Quads.

    `added_bytes` says where the removed begin; `offset` and `limit` which entities are told, in
    the order of their IRIs. Counts are of statements that are not the service's own. A field has
    its JSON name, in parts after a dot, or, where the profile has none, the IRI of the predicate.
    """
    at = args["added_bytes"]
    wording = Wording(
        profile(cage, args),
        cage.store,
        {"added": from_n_quads(body[:at]), "removed": from_n_quads(body[at:])},
        base_iri=args["base_iri"],
        language=args["language"],
    )
    reply.write(_json(wording.page(args["offset"], args["limit"])))


def report(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """A finished report on data that is not published, in `format` and `language`.

    `body` is one file after the other; `files` says of each its `name` (or None), `media_type` and
    `size`, and so does `shapes_file` of own shapes, which come last. With own shapes this is
    SHACL and nothing else: data as written, blank nodes as such, nothing from here beside it. Else
    the data is judged by the shapes of the service. `max_bytes` is for all files together when
    unpacked, and for the report. Header: `conforms`, `counts`.
    """
    files = [*args["files"], *filter(None, [args["shapes_file"]])]
    sources = reading.sources(files, body, args["max_bytes"])
    shapes = sources.pop() if args["shapes_file"] else None
    quads = reading.quads(sources, args["base_iri"], as_written=shapes is not None)
    if shapes is None and args["skolemize"]:
        quads = list(skolemise(quads, base_iri=args["base_iri"], scope=""))
    reply.progress(stage="validate", statements=len(quads))
    if shapes is not None:
        found: Findings | None = exact_findings(shapes, quads, args)
    else:
        found = findings(args, quads, lambda s, p: cage.store.quads_for_pattern(s, p, None, None))
    found = found or Findings((), _nothing_found)
    explainer = Explainer(profile(cage, args), cage.store, quads, sources)
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


def _nothing_found() -> Iterator[Triple]:
    report = BlankNode()
    yield Triple(report, type_, SH["ValidationReport"])
    yield Triple(report, SH["conforms"], Literal(True))


def _written(result: dict[str, Any], found: Findings, args: Mapping[str, Any]) -> bytes:
    if args["format"] == media.CSV:
        data = table(result).encode("utf-8", "replace")
    elif args["format"] == media.JSON:
        data = _json(result)
    else:
        data = serialise(found.standard(), args["format"])
    if len(data) > args["max_bytes"]:
        raise PayloadTooLarge(
            f"The report in this format is longer than {args['max_bytes'] / 2**20:g} MB; ask for "
            "JSON or HTML, which sum it up, or send the data in parts.",
            limit=args["max_bytes"],
        )
    return data


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


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
