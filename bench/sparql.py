"""SPARQL over HTTP, beside Oxigraph's own server, Virtuoso and rdflib-endpoint on the same data.

    python -m bench.sparql

The data are the seed, and the seed with six million synthetic triples beside it; rdflib-endpoint
gets the seed only. Two things are measured, in rounds in which the systems take turns, so that all
of them meet the same load of this machine:

- lookups (`SELECT ?p ?o { <…> ?p ?o } LIMIT 10`) at 8 connections, as requests per second: each
  with a text of its own, so that no cache can answer it, and one text again and again
- a mixed workload, one query at a time: the median of each, and its ratio to Oxigraph. Texts differ
  from round to round.

Measuring begins when the processors rest: after a load, servers go on merging files for minutes.

Needs `wrk` (a load generator in Python would be the slowest part), `oxigraph` (PyPI), `virtuoso-t`
and `isql-vt` (Debian: virtuoso-opensource). Data directories are built once, in build/bench.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import httpx
from pyoxigraph import NamedNode, RdfFormat, Store

from bench.generate import ROOT
from bench.publish import BUILT, built, copy_folder
from bench.systems import Oxigraph, Rdflib, System, Virtuoso
from tests.server.running import RunningServer

_CONNECTIONS = 8
_SUBJECTS = 500
_PATIENCE = 30.0
_REST_PATIENCE = 900
_BUSY_SHARE = 0.05
"""Of the processors, below which they rest."""

_ORGANISATION = NamedNode("http://www.w3.org/ns/org#Organization")
_TYPE = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")

_MIXED = (
    "all-about-a-project", "certification-bodies", "collaboration-network", "consortium-sizes",
    "coordinators", "cross-border-consortia", "fields-within-a-field", "funders", "identifiers",
    "money-per-country", "organisations-by-type", "partners-of-ku-leuven", "statements-per-dataset",
)  # fmt: skip
"""Of data/queries."""

_TYPICAL = {
    "count": "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }",
    "classes": "SELECT ?class (COUNT(*) AS ?n) { ?s a ?class } GROUP BY ?class ORDER BY DESC(?n)",
}

_LUA = """
local subjects = {{ {subjects} }}
local number = 0
local before = "{path}?query=SELECT%20%3Fp%20%3Fo%20%7B%20%3C"
local after = "%3E%20%3Fp%20%3Fo%20%7D%20LIMIT%2010"
local headers = {{ Accept = "application/sparql-results+json" }}
function request()
  number = number + 1
  local subject, rest = subjects[1], ""
  if {varying} then
    subject, rest = subjects[number % #subjects + 1], "%20%23{salt}-" .. number
  end
  return wrk.format("GET", before .. subject .. after .. rest, headers)
end
"""


@dataclass
class Measured:
    """A system that is asked, and what it took so far."""

    name: str
    url: str
    path: str
    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[str, str] = field(default_factory=dict)

    def look_up(self, kind: str, subjects: Sequence[str], seconds: int, folder: Path) -> None:
        """Requests per second of lookups."""
        script = folder / "lookups.lua"
        script.write_text(
            _LUA.format(
                subjects=", ".join(f'"{quote(one, safe="")}"' for one in subjects),
                path=self.path,
                varying="true" if kind == "uncached" else "false",
                salt=time.monotonic_ns(),
            )
        )
        made = [System.program("wrk"), "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}", "-s"]
        out = subprocess.run(  # noqa: S603 -- of our own words
            [*made, str(script), self.url], check=True, capture_output=True, text=True
        ).stdout
        if wrong := re.search(r"Non-2xx.*|Socket errors.*", out):
            raise SystemExit(f"{self.name}: {wrong[0]}")
        if rate := re.search(r"Requests/sec:\s+([\d.]+)", out):
            self.rates[kind].append(float(rate[1]))

    def ask(self, name: str, text: str) -> None:
        """The seconds of one query, whole result included."""
        if name in self.refused:
            return
        salted = f"{text}\n# {time.monotonic_ns()}"
        headers = {"accept": "application/sparql-results+json, text/turtle"}
        began = time.perf_counter()
        try:
            reply = httpx.post(
                f"{self.url}{self.path}", data={"query": salted}, headers=headers, timeout=_PATIENCE
            )
        except httpx.TimeoutException:
            self.refused[name] = f"> {_PATIENCE:.0f} s"
            return
        if not reply.is_success:
            self.refused[name] = str(reply.status_code)
            return
        self.seconds[name].append(time.perf_counter() - began)


def _checkpoint(var: Path) -> Store:
    newest = max(f for f in (var / "store" / "checkpoints").iterdir() if not f.suffix)
    return Store.read_only(str(newest))


def _subjects(store: Store) -> list[str]:
    found = store.quads_for_pattern(None, _TYPE, _ORGANISATION, None)
    every = [quad.subject.value for quad in islice(found, 0, 20_000, 7)]  # type: ignore[union-attr]
    return every[:: max(1, len(every) // _SUBJECTS)][:_SUBJECTS]


def _workload() -> Mapping[str, str]:
    files = {name: ROOT / "data" / "queries" / f"{name}.rq" for name in _MIXED}
    return {**{name: file.read_text() for name, file in files.items()}, **_TYPICAL}


def _compare(triples: int, rounds: int, seconds: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=BUILT)))
        copy_folder(built(triples), folder / "var")
        store = _checkpoint(folder / "var")
        subjects = _subjects(store)
        quads = folder / "data.nq"
        store.dump(str(quads), format=RdfFormat.N_QUADS)
        number = len(store)
        del store
        # The others have no search index to build meanwhile.
        settings = {"rate_limits": "off", "index": "off"}
        ours = stack.enter_context(RunningServer(folder / "var", **settings))
        systems = [Measured("lifetec", ours.url, "/sparql")]
        kinds: list[type[System]] = (
            [Oxigraph, Virtuoso] if triples else [Oxigraph, Virtuoso, Rdflib]
        )
        for kind in kinds:
            other = stack.enter_context(kind(folder, quads))
            systems.append(Measured(other.name, other.url, other.path))
        _wait_for_rest()
        for turn in range(rounds):
            order = systems[turn % len(systems) :] + systems[: turn % len(systems)]
            for how in ("uncached", "cached"):
                for one in order:
                    one.look_up(how, subjects, seconds, folder)
            for name, text in _workload().items():
                for one in order:
                    one.ask(name, text)
            print(f"round {turn + 1}; load {os.getloadavg()[0]:.1f}", flush=True)
        _print(f"{number:,} statements", systems)


def _wait_for_rest() -> None:
    """Until hardly anything has run for some seconds."""
    print("waiting for the processors to rest", flush=True)
    deadline = time.monotonic() + _REST_PATIENCE
    while _busy_share(5.0) > _BUSY_SHARE:
        if time.monotonic() > deadline:
            raise SystemExit("Something else keeps the processors busy; stop it first.")


def _busy_share(seconds: float) -> float:
    """How much of the processors' time is used."""

    def used() -> tuple[int, int]:
        times = [int(one) for one in Path("/proc/stat").read_text().split()[1:9]]
        return sum(times) - times[3] - times[4], sum(times)  # idle, waiting for the disk

    before, all_before = used()
    time.sleep(seconds)
    after, all_after = used()
    return (after - before) / (all_after - all_before)


def _print(title: str, systems: Sequence[Measured]) -> None:
    oxigraph = next(one for one in systems if one.name == Oxigraph.name)
    print(f"\n{title}\n{'':<26}" + "".join(f"{one.name:>22}" for one in systems))
    for kind in ("uncached", "cached"):
        most = statistics.median(oxigraph.rates[kind])
        rates = [statistics.median(one.rates[kind]) for one in systems]
        cells = "".join(f"{rate:>14,.0f}/s {rate / most:>5.2f}" for rate in rates)
        print(f"{'lookups, ' + kind:<26}{cells}")
    for name in _workload():
        least = statistics.median(oxigraph.seconds[name] or [float("nan")])
        cells = ""
        for one in systems:
            if name in one.refused:
                cells += f"{one.refused[name]:>22}"
            else:
                took = statistics.median(one.seconds[name])
                cells += f"{took * 1000:>13,.1f} ms {took / least:>5.2f}"
        print(f"{name:<26}{cells}")


def main() -> None:
    """Compare on the seed, then on the large graph."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each measuring of lookups")
    parser.add_argument("--triples", type=int, default=6_000_000, help="0: the seed only")
    given = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed: apt-get install wrk")
    BUILT.mkdir(parents=True, exist_ok=True)
    for triples in dict.fromkeys((0, given.triples)):
        _compare(triples, given.rounds, given.seconds)


if __name__ == "__main__":
    main()
