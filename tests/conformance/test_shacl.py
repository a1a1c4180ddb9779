"""The suite of SHACL, asked over HTTP with shapes of its own."""

from __future__ import annotations

from pathlib import Path

from pyoxigraph import RdfFormat, parse, serialize
from rdflib import Graph

from app.rdf import media
from tests.conformance.service import Service
from tests.conformance.shacl import ShaclCase, read_report


def test_shacl(shacl_case: ShaclCase, service: Service) -> None:
    reply = service.http.post(
        "/api/v1/validate",
        files={"file": _part(shacl_case.data), "shapes": _part(shacl_case.shapes)},
        headers={"accept": media.TURTLE},
    )
    if shacl_case.report is None:  # shapes that no validator may understand
        assert reply.status_code in range(400, 500), reply.text
        return
    assert reply.status_code == 200, reply.text
    found = read_report(Graph().parse(data=reply.text), messages=shacl_case.messages)
    assert found == shacl_case.report, reply.text


def _part(path: Path) -> tuple[str, bytes, str]:
    """A file with its relative IRIs resolved against its place."""
    triples = [quad.triple for quad in parse(path=path, base_iri=path.resolve().as_uri())]
    text = serialize(triples, format=RdfFormat.N_TRIPLES)
    assert text is not None
    return f"{path.stem}.nt", text, media.N_TRIPLES
