"""The job `submissions.prepare` in a real pool, on graphs that a test makes."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyoxigraph import NamedNode, Quad, RdfFormat, Store, parse

from app.rdf import media
from app.rdf.diff import from_n_quads
from app.rdf.naming import Naming, graph_of
from app.rdf.terms import AS, type_
from app.sandbox.pool import Checkpoint, Limits, Pool

BASE = "https://example.org/"
RESERVED = f"{BASE}graph/service"
ONE, TWO = f"{BASE}graph/demo/one", f"{BASE}graph/demo/two"
OTHER, THIRD = f"{BASE}graph/other/all", f"{BASE}graph/third/all"
DEFAULT = f"{BASE}graph/default"
PREFIXES = f"""@base <{BASE}> .
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix e: <http://example.org/> . @prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dcterms: <http://purl.org/dc/terms/> . @prefix prov: <http://www.w3.org/ns/prov#> .
@prefix lt: <https://w3id.org/lifetec/ontology#> .
@prefix as: <https://www.w3.org/ns/activitystreams#> .
"""
SHAPES = f"""{PREFIXES}
e:ThingShape a sh:NodeShape ; sh:targetClass e:Thing ;
  sh:property [ sh:path e:name ; sh:minCount 1 ; sh:uniqueLang true ] ;
  sh:property [ sh:path e:near ; sh:class e:Thing ] ;
  sh:property [ sh:path e:part ; sh:node e:PartShape ] .
e:PartShape a sh:NodeShape ; sh:property [ sh:path e:size ; sh:maxCount 1 ; sh:minCount 1 ] .
"""
LIMITS = Limits(seconds=60, memory_mb=1500, lane="batch")
TIME = "2026-11-23T10:00:00Z"


@dataclass(frozen=True)
class Prepared:
    """What the job answered."""

    header: dict[str, Any]
    added: frozenset[Quad]
    removed: frozenset[Quad]
    changed: tuple[str, ...]
    patch: bytes
    """Added and removed quads, as they came."""
    counted: frozenset[Quad] = frozenset()
    no_longer_counted: frozenset[Quad] = frozenset()

    @property
    def conforms(self) -> bool:
        return bool(self.header["report"]["conforms"])

    def said(self, graph: str | None = None) -> tuple[set[str], set[str]]:
        """Added and removed statements of one graph (None: all), the short way."""
        node = None if graph is None else graph_of(graph, BASE)
        return tuple(  # type: ignore[return-value]
            {short(quad) for quad in quads if node in (None, quad.graph_name)}
            for quads in (self.added, self.removed)
        )


def short(quad: Quad) -> str:
    """Subject, predicate and object without namespaces."""
    text = f"{quad.subject} {quad.predicate} {quad.object}"
    spaces = (BASE, "http://example.org/", "http://www.w3.org/1999/02/22-rdf-syntax-ns#")
    for space in (*spaces, AS, "https://w3id.org/lifetec/ontology#", "http://purl.org/dc/terms/"):
        text = text.replace(f"<{space}", "<")
    return text.replace("<", "").replace(">", "")


class Bench:
    """A pool whose checkpoint is the graph that a test has laid before it."""

    def __init__(self, folder: Path, runner: asyncio.Runner, rules: Mapping[str, Any]) -> None:
        self._folder = folder
        self._runner = runner
        self._rules = rules
        self._numbers = itertools.count(1)
        self._current = Checkpoint(None, 0)
        self._live = Store()
        self.pool = Pool(
            light=1, heavy=1, batch=1, queue=8,
            checkpoint=lambda: self._current,
            preload=("app.submissions.jobs",),
        )  # fmt: skip

    @property
    def base(self) -> str:
        return str(self._rules["base_iri"])

    def lay(self, graphs: Mapping[str, str] | None = None, quads: Iterable[Quad] = ()) -> None:
        """Begin with these: name → Turtle."""
        self._live = Store()
        for name, turtle in (graphs or {}).items():
            text = (PREFIXES + turtle).encode()
            for quad in parse(input=text, format=RdfFormat.TURTLE):
                graph = graph_of(name, self.base)
                self._live.add(Quad(quad.subject, quad.predicate, quad.object, graph))
        self._live.bulk_extend(quads)
        self._check_out()

    def _check_out(self) -> None:
        number = next(self._numbers)
        folder = self._folder / str(number)
        copy = Store(str(folder))
        copy.bulk_extend(self._live)
        copy.flush()
        del copy
        self._current = Checkpoint(str(folder), number)

    def apply(self, prepared: Prepared) -> None:
        """Publish it."""
        for quad in prepared.removed | prepared.no_longer_counted:
            self._live.remove(quad)
        self._live.bulk_extend(prepared.added | prepared.counted)
        self._check_out()

    def graph(self, name: str) -> set[Quad]:
        found = self._live.quads_for_pattern(None, None, None, graph_of(name, self.base))
        return set(found)

    def tombstones(self) -> set[str]:
        found = self._live.quads_for_pattern(None, type_, AS["Tombstone"], NamedNode(RESERVED))
        return {quad.subject.value for quad in found if isinstance(quad.subject, NamedNode)}

    def send(
        self,
        *turtle: str | bytes,
        mode: str = "replace",
        dataset: str | None = ONE,
        media_type: str = media.TURTLE,
        partner: str | None = "demo",
        everywhere: bool = False,
        **more: Any,
    ) -> Prepared:
        """Have it prepared; `partner` None and not `everywhere`: as the operator's own files."""
        files = [t if isinstance(t, bytes) else (PREFIXES + t).encode() for t in turtle]
        operator = partner is None and not everywhere
        names = None if operator else Naming(self.base, partner, everywhere).arguments()
        args: dict[str, Any] = {
            **self._rules,
            "mode": mode,
            "dataset": dataset,
            "files": [
                {"name": f"{n}.ttl", "media_type": media_type, "size": len(data)}
                for n, data in enumerate(files)
            ],
            "graphs": None,
            "names": names,
            "force": False,
            "description": None if operator else "",
            "described": [],
            "time": TIME,
        }
        return self._runner.run(self._prepare({**args, **more}, b"".join(files)))

    def revert(self, prepared: Prepared, datasets: Sequence[str] = (ONE,), **more: Any) -> Prepared:
        """Have the opposite of a change prepared."""
        at = prepared.header["added_bytes"]
        body = prepared.patch[at:] + prepared.patch[:at]
        more = {"added_bytes": len(body) - at, "datasets": list(datasets), "files": [], **more}
        return self.send(body, mode="patch", **more)

    def explain(
        self, prepared: Prepared, language: str = "en", *, offset: int = 0, limit: int = 50
    ) -> dict[str, Any]:
        """The change in plain words."""
        args = {
            **self._rules,
            "added_bytes": prepared.header["added_bytes"],
            "language": language,
            "offset": offset,
            "limit": limit,
        }
        job = self.pool.run("submissions.explain_diff", args, prepared.patch, limits=LIMITS)
        explained: dict[str, Any] = json.loads(self._runner.run(job))
        return explained

    async def _prepare(self, args: dict[str, Any], body: bytes) -> Prepared:
        async with self.pool.job("submissions.prepare", args, body, limits=LIMITS) as result:
            data = b"".join([chunk async for chunk in result])
            header = dict(result.header)
        at = header["added_bytes"]
        end = at + header["removed_bytes"]
        changed = end + header["changed_bytes"]
        added, removed = header["counted_bytes"]
        assert len(data) == changed + added + removed
        return Prepared(
            header,
            frozenset(from_n_quads(data[:at])),
            frozenset(from_n_quads(data[at:end])),
            tuple(data[end:changed].decode().splitlines()),
            data[:end],
            frozenset(from_n_quads(data[changed : changed + added])),
            frozenset(from_n_quads(data[changed + added :])),
        )


@contextmanager
def bench(folder: Path, **more: Any) -> Iterator[Bench]:
    """A bench with the small shapes above, or what `more` says."""
    shapes = folder / "shapes.ttl"
    shapes.write_text(SHAPES)
    base = more.get("base_iri", BASE)
    rules: dict[str, Any] = {
        "base_iri": base,
        "reserved": f"{base}graph/service",
        "shapes": [str(shapes)],
        "skolemize": True,
        "max_bytes": 8 << 20,
        "ontology_dir": None,
        "shapes_dir": None,
        **more,
    }
    with asyncio.Runner() as runner:
        one = Bench(folder, runner, rules)
        try:
            yield one
        finally:
            runner.run(one.pool.stop())
