"""Comunica, the SPARQL client of browsers and Node.js, against a running server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.server.running import RunningServer

CLIENT = Path(__file__).parents[1] / "clients" / "comunica.mjs"
KU_LEUVEN = "https://w3id.org/lifetec/id/organisation/ror-05f950310"
LABEL = "PREFIX skos: <http://www.w3.org/2004/02/skos/core#> "
NAME = f"<{KU_LEUVEN}> skos:prefLabel ?name"
PLACES = """
PREFIX locn: <http://www.w3.org/ns/locn#>
PREFIX org: <http://www.w3.org/ns/org#>
SELECT ?town (COUNT(DISTINCT ?organisation) AS ?organisations) {
  ?organisation org:hasPrimarySite/org:siteAddress/locn:postName ?town
} GROUP BY ?town ORDER BY DESC(?organisations) ?town LIMIT 5
"""


@pytest.fixture(scope="module")
def node() -> str:
    """Node.js; Comunica is installed by `make test`."""
    program = shutil.which("node")
    if not (program and (CLIENT.parent / "node_modules").is_dir()):
        if os.environ.get("CI") == "true":
            pytest.fail("Node.js with npm is needed: apt-get install nodejs npm")
        pytest.skip("Node.js with npm is not installed")
    return program


def _ask(node: str, endpoint: str, *asked: tuple[str, str]) -> Any:
    """What Comunica makes of each query; all run in one process, since its start takes longest."""
    done = subprocess.run(
        [node, str(CLIENT), endpoint],
        input=json.dumps([{"query": query, "source": source} for query, source in asked]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_comunica_reads_every_kind_of_result(node: str, seeded: RunningServer) -> None:
    names, found, triples, described, places = _ask(
        node,
        f"{seeded.url}/sparql",
        (f"{LABEL} SELECT ?name {{ {NAME} }}", "sparql"),
        (f"{LABEL} ASK {{ {NAME} }}", "sparql"),
        (f"{LABEL} CONSTRUCT WHERE {{ {NAME} }}", "sparql"),
        (f"DESCRIBE <{KU_LEUVEN}>", "sparql"),
        (PLACES, "sparql"),
    )
    assert names == [{"name": "KU Leuven"}]
    assert found is True
    assert [triple[0] for triple in triples] == [KU_LEUVEN]
    assert len(described) > 10
    assert [row["town"] for row in places] == [row["town"] for row in seeded.select(PLACES)]


def test_comunica_finds_out_that_the_address_is_an_endpoint(
    node: str, seeded: RunningServer
) -> None:
    (names,) = _ask(node, f"{seeded.url}/sparql", (f"{LABEL} SELECT ?name {{ {NAME} }}", "auto"))
    assert names == [{"name": "KU Leuven"}]


def test_comunica_federates_with_this_endpoint(node: str, seeded: RunningServer) -> None:
    """The client calls SERVICE itself, which is what the refusal of a federated query advises."""
    endpoint = f"{seeded.url}/sparql"
    query = f"{LABEL} SELECT ?name {{ SERVICE <{endpoint}> {{ {NAME} }} }}"
    (names,) = _ask(node, endpoint, (query, "none"))
    assert names == [{"name": "KU Leuven"}]
