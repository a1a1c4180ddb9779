"""The runner, on tests of our own: it passes what is right, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

from pyoxigraph import Quad, RdfFormat, parse

from tests.conformance.manifests import SUITES
from tests.conformance.results import isomorphic
from tests.server.running import ROOT

HERE = Path(__file__).parent
RIGHT = {
    *(f"bind/manifest#{name}" for name in ("right", "refused", "named-graphs", "values-last")),
    *(f"protocol/manifest#{name}" for name in ("in-words", "in-rdf", "status", "format", "base")),
    *(f"syntax-update-1/manifest#{name}" for name in ("accepted", "refused")),
}
WRONG = {
    *(f"bind/manifest#{name}" for name in ("wrong-value", "wrong-order", "not-refused")),
    *(f"bind/manifest#{name}" for name in ("graphs-mixed", "values-last-wrong-order")),
    *(f"protocol/manifest#{name}" for name in ("in-words-wrong", "in-rdf-wrong", "silent")),
    *(f"protocol/manifest#{name}-wrong" for name in ("status", "format", "media-type", "base")),
    *(f"syntax-update-1/manifest#{name}" for name in ("not-accepted", "not-refused")),
    "unknown/manifest#unheard-of",
}


def test_the_runner_tells_right_from_wrong() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/conformance/test_w3c.py", "-v", "--tb=no"],
        cwd=ROOT,
        env={**os.environ, "W3C": str(HERE / "sample"), "SHACL": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    outcomes = dict(re.findall(r"test_w3c\[(\S+)\] (PASSED|FAILED)", run.stdout))
    assert {name for name, outcome in outcomes.items() if outcome == "PASSED"} == RIGHT, run.stdout
    assert {name for name, outcome in outcomes.items() if outcome == "FAILED"} == WRONG, run.stdout
    assert re.search(r"^query +4 +0 +5$", run.stdout, re.MULTILINE), run.stdout
    assert re.search(r"^protocol +5 +0 +7$", run.stdout, re.MULTILINE), run.stdout
    assert re.search(r"^other +0 +0 +1$", run.stdout, re.MULTILINE), run.stdout


def test_every_expected_failure_has_a_reason() -> None:
    suites = tomllib.loads((HERE / "expected.toml").read_text())
    assert set(suites) == {"w3c", "shacl"}
    assert all(reason.endswith(".") for names in suites.values() for reason in names.values())


def test_the_documentation_has_as_many_failures_as_there_are_reasons() -> None:
    table = (ROOT / "docs" / "conformance.md").read_text()
    rows = re.findall(r"^\| ([\w ]+) \| w3c/[\w-]+ \| \d+ \| (\d+) \|$", table, re.MULTILINE)
    reasons = tomllib.loads((HERE / "expected.toml").read_text())
    suite_of = {name: suite for suite, names in SUITES.items() for name in names.split()}
    counted = Counter(suite_of[name.partition("/")[0]] for name in reasons["w3c"])
    counted.update(f"shacl {name.partition('/')[0]}" for name in reasons["shacl"])
    assert {suite: int(number) for suite, number in rows if int(number)} == counted


def test_graphs_are_compared_up_to_the_names_of_blank_nodes() -> None:
    assert isomorphic(_parsed("_:a <urn:p> _:b ."), _parsed("_:x <urn:p> _:y ."))
    assert not isomorphic(_parsed("_:a <urn:p> _:b ."), _parsed("_:x <urn:p> _:x ."))
    assert isomorphic(_parsed("<urn:s> <urn:p> 1.0 ."), _parsed("<urn:s> <urn:p> 1.00 ."))
    assert not isomorphic(_parsed("<urn:s> <urn:p> 1.0 ."), _parsed("<urn:s> <urn:p> 1 ."))


def _parsed(text: str) -> list[Quad]:
    return list(parse(text, format=RdfFormat.TURTLE))
