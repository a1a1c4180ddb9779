"""Validation as the gate runs it: in a worker, for pySHACL patches its process."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from app.errors import AppError, FederationRefused
from app.rdf import media
from app.sandbox.pool import Limits
from tests.sandbox.cage import pool

PREFIXES = """
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix e: <http://example.org/> . @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
"""
SHAPES = f"""{PREFIXES}
e:ThingShape a sh:NodeShape ; sh:targetClass e:Thing ;
  sh:property [ sh:path e:name ; sh:minCount 1 ;
    sh:message "Give it a name."@en, "Geef een naam."@nl ] ;
  sh:property [ sh:path e:size ; sh:datatype xsd:integer ; sh:severity sh:Warning ] ;
  sh:property [ sh:path e:note ; sh:maxCount 0 ; sh:severity sh:Info ] .
e:LinkShape a sh:NodeShape ; sh:targetObjectsOf e:link ; sh:class e:Thing .
"""


def validate(data: str, own_shapes: str | None, **more: Any) -> dict[str, Any]:
    """The report in English on Turtle, by own shapes or by the files `shapes`."""
    files = [data] if own_shapes is None else [data, own_shapes]
    texts = [(PREFIXES + files[0]).encode(), *(text.encode() for text in files[1:])]
    facts = [{"name": None, "media_type": media.TURTLE, "size": len(text)} for text in texts]
    args = {
        "files": facts[:1],
        "shapes_file": facts[1] if own_shapes is not None else None,
        "format": media.JSON,
        "language": "en",
        "base_iri": "http://b/",
        "reserved": "http://b/graph/service",
        "shapes": [],
        "skolemize": True,
        "max_bytes": 1 << 20,
        **more,
    }

    async def ask() -> dict[str, Any]:
        async with pool() as cages:
            limits = Limits(seconds=60, memory_mb=1024, lane="check")
            report: dict[str, Any] = json.loads(
                await cages.run("submissions.report", args, b"".join(texts), limits=limits)
            )
            return report

    return asyncio.run(ask())


def test_the_report_groups_results_by_constraint_worst_first() -> None:
    things = " ".join(f"e:t{n} a e:Thing ; e:size 'big' ; e:note 'x' ." for n in range(25))
    report = validate(things, SHAPES)
    assert report["conforms"] is False
    assert report["counts"] == {"violation": 25, "warning": 25, "info": 25}
    first, second, third = report["groups"]
    assert first == {
        "severity": "violation",
        "shape": "http://example.org/ThingShape",
        "path": "http://example.org/name",
        "constraint": "MinCount",
        "message": "Give it a name.",
        "fix": first["fix"],
        "total": 25,
        "results": first["results"],
    }
    assert len(first["results"]) == 20
    assert first["fix"] == "Add what is missing: at least 1."
    assert first["results"][0] == {
        "focus": "http://example.org/t0",
        "entity": "http://example.org/t0",
        "value": None,
        "line": 4,
    }
    assert (second["severity"], third["severity"]) == ("warning", "info")
    assert second["results"][0]["value"] == '"big"'


def test_warnings_and_infos_do_not_block() -> None:
    report = validate("e:t a e:Thing ; e:name 'n' ; e:size 'big' ; e:note 'x' .", SHAPES)
    assert report["conforms"] is True
    assert report["counts"] == {"violation": 0, "warning": 1, "info": 1}


def test_data_without_a_fault_has_an_empty_report() -> None:
    report = validate("e:t a e:Thing ; e:name 'n' ; e:size 3 .", SHAPES)
    assert report == {
        "conforms": True,
        "counts": {"violation": 0, "warning": 0, "info": 0},
        "folded": 0,
        "groups_total": 0,
        "language": "en",
        "shapes": "own",
        "statements": 3,
        "generation": 0,
        "groups": [],
    }


CALLOUTS = {
    "sparql-service": "sh:sparql [ sh:select "
    "'''SELECT $this {{ SERVICE <{url}> {{ $this ?p ?o }} }}''' ]",
    "sparql-silent": "sh:sparql [ sh:select "
    "'''SELECT $this {{ service silent <{url}> {{ $this ?p ?o }} }}''' ]",
    "sparql-escaped": "sh:sparql [ sh:select "
    "'''SELECT $this {{ \\\\u0053ERVICE <{url}> {{ $this ?p ?o }} }}''' ]",
    "sparql-from": "sh:sparql [ sh:select '''SELECT $this FROM <{url}> {{ $this ?p ?o }}''' ]",
    "rule-construct": "sh:rule [ a sh:SPARQLRule ; sh:construct "
    "'''CONSTRUCT {{ $this e:x ?o }} WHERE {{ SERVICE <{url}> {{ $this ?p ?o }} }}''' ]",
    "target-select": "sh:target [ a sh:SPARQLTarget ; sh:select "
    "'''SELECT ?this {{ SERVICE <{url}> {{ ?this ?p ?o }} }}''' ]",
}


@pytest.mark.parametrize("name", CALLOUTS)
def test_own_shapes_that_would_call_out_are_refused(name: str) -> None:
    shape = CALLOUTS[name].format(url="http://127.0.0.1:9/")
    with pytest.raises(FederationRefused, match="of a shape would read from other"):
        validate(
            "e:t a e:Thing .", f"{PREFIXES} e:S a sh:NodeShape ; sh:targetClass e:Thing ; {shape} ."
        )


WITHOUT_FIRST_WALL = {
    # a predicate that nobody looks at, so that only the validator's own switches stand in the way
    **{name: text for name, text in CALLOUTS.items() if not name.startswith("sparql-from")},
    "imports": "<http://www.w3.org/2002/07/owl#imports> <{url}>",
}


@pytest.mark.parametrize("name", WITHOUT_FIRST_WALL)
def test_shapes_reach_no_listener_even_when_they_are_not_looked_at(
    name: str, tmp_path: Path
) -> None:
    """As files of the service, shapes are not examined; the second wall still holds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        shape = WITHOUT_FIRST_WALL[name].format(url=url)
        path = tmp_path / "shapes.ttl"
        path.write_text(f"{PREFIXES} e:S a sh:NodeShape ; sh:targetClass e:Thing ; {shape} .")
        try:
            validate("e:t a e:Thing .", None, shapes=[str(path)])
        except AppError as error:
            assert error.slug != "worker-died"  # noqa: PT017 -- refusing is as good as ignoring
        with pytest.raises(TimeoutError):
            listener.accept()


def test_shapes_that_do_not_fit_together_are_the_callers_fault() -> None:
    with pytest.raises(AppError) as error:
        validate(
            "e:t a e:Thing .",
            f"{PREFIXES} e:S a sh:NodeShape ; sh:targetClass e:Thing ; "
            "sh:property [ sh:minCount 1 ] .",
        )
    assert error.value.slug in {"invalid-request", "syntax"}


def test_own_shapes_may_use_sparql_over_the_data() -> None:
    constraint = (
        "sh:sparql [ sh:message 'no' ; "
        "sh:select 'SELECT $this { $this <http://example.org/bad> ?x }' ]"
    )
    shapes = f"{PREFIXES} e:S a sh:NodeShape ; sh:targetClass e:Thing ; {constraint} ."
    assert validate("e:t a e:Thing ; e:bad 1 .", shapes)["counts"]["violation"] == 1
    assert validate("e:t a e:Thing .", shapes)["conforms"] is True
