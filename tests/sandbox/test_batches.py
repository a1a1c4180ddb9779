"""Evaluating property shapes in batches changes the time of a validation, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

COMPARE = """
import json, sys
from collections import Counter
from pathlib import Path
import pyshacl, rdflib
from rdflib.namespace import SH
from app.sandbox.batches import evaluate_in_batches
from app.sandbox.validation import shapes_graph

shapes = shapes_graph(sorted(Path("shapes").glob("*.ttl")))
data = rdflib.Graph()
for number, file in enumerate(sorted(Path("tests/shapes").glob("*/*.ttl"))):
    text = file.read_text().replace("<https://example.org/", f"<https://example.org/{number}/")
    data.parse(data=text, format="turtle")
for triple in [t for t in data if getattr(t[2], "ill_typed", False)]:
    data.remove(triple)

def results(on):
    evaluate_in_batches(on=on)
    _, report, _ = pyshacl.validate(data, shacl_graph=shapes, advanced=False)
    parts = (SH.focusNode, SH.resultPath, SH.sourceConstraintComponent, SH.resultSeverity,
             SH.sourceShape, SH.value)
    return Counter(
        tuple(str(report.value(result, part)) for part in parts)
        for result in report.objects(None, SH.result)
    )

with_batches, one_by_one = results(True), results(False)
json.dump({
    "results": one_by_one.total(),
    "only_with": [*(with_batches - one_by_one)][:5],
    "only_without": [*(one_by_one - with_batches)][:5],
}, sys.stdout)
"""


def test_reports_are_the_same_with_and_without_batches() -> None:
    """Over every case of tests/shapes at once; in a process of its own, for it is patched."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPARE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    compared = json.loads(done.stdout)
    assert compared["results"] > 500
    assert compared["only_with"] == compared["only_without"] == []
