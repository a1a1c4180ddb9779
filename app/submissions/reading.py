"""What was sent, as quads: one or several files that together are one graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyoxigraph import DefaultGraph, Quad

from app.errors import InvalidRequest, SyntaxRejected
from app.rdf.naming import graph_of
from app.rdf.parsing import parse_rdf, unpacked
from app.submissions.lines import Source


def sources(files: Iterable[Mapping[str, Any]], body: bytes, max_bytes: int) -> list[Source]:
    """The files in `body`, one after the other, unpacked.

    Of each is said its `name` (or None), `media_type` and `size`, and its `base` if that is not the
    service's; `max_bytes` is for all together.
    """
    found, at = [], 0
    for file in files:
        text = unpacked(body[at : at + file["size"]], max_bytes)
        at, max_bytes = at + file["size"], max_bytes - len(text)
        found.append(Source(file["name"], file["media_type"], text, file.get("base")))
    return found


def quads(sources: Iterable[Source], base_iri: str, *, as_written: bool = False) -> list[Quad]:
    """What the files say together, each statement once; blank nodes of two files stay apart.

    With `as_written` literals are not brought into the engine's form. A syntax error says in which
    `file` it is, where files have names.
    """
    found: dict[Quad, None] = {}
    for source in sources:
        try:
            found.update(dict.fromkeys(_parsed(source, base_iri, as_written=as_written)))
        except SyntaxRejected as error:
            if source.name is not None:
                error.facts["file"] = source.name
            raise
    return list(found)


def _parsed(source: Source, base_iri: str, *, as_written: bool) -> Iterator[Quad]:
    return parse_rdf(
        source.text,
        source.media_type,
        base_iri=source.base or base_iri,
        max_bytes=len(source.text),  # it is unpacked, and was counted then
        as_written=as_written,
    )


def statements(quads: Iterable[Quad], dataset: str, base_iri: str) -> list[Quad]:
    """The quads without their graph, which must be that of the dataset or none."""
    welcome = {DefaultGraph(), graph_of(dataset, base_iri)}
    found: dict[Quad, None] = {}
    for quad in quads:
        if quad.graph_name not in welcome:
            raise InvalidRequest(
                f"The data names the graph {quad.graph_name}; only <{dataset}> is written here. "
                "Send triples, or name that graph."
            )
        found[Quad(quad.subject, quad.predicate, quad.object)] = None
    return list(found)
