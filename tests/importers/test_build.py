"""The files that are shipped: whole, canonical, small, and what the sources give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyoxigraph import NamedNode, RdfFormat, parse

from app.importers.build import DESCRIPTIONS, Build
from app.importers.turtle import to_turtle
from app.rdf.terms import DCAT, DCTERMS, type_

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
MEGABYTE = 1_000_000


def _path(root: Path, name: str) -> Path:
    paths = (root / folder / f"{name}.ttl" for folder in ("data", "ontology"))
    return next(path for path in paths if path.exists())


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_shipped_file_is_canonical(name: str) -> None:
    path = _path(ROOT, name)
    triples = [quad.triple for quad in parse(path=path, format=RdfFormat.TURTLE)]
    assert to_turtle(triples) == path.read_bytes()


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_shipped_file_describes_one_dataset(name: str) -> None:
    triples = [quad.triple for quad in parse(path=_path(ROOT, name), format=RdfFormat.TURTLE)]
    datasets = [t.subject for t in triples if (t.predicate, t.object) == (type_, DCAT["Dataset"])]
    assert datasets == [DESCRIPTIONS[name].iri]
    said = {t.predicate for t in triples if t.subject == datasets[0]}
    needed = ("title", "description", "publisher", "license", "source", "issued", "modified")
    assert {DCTERMS[each] for each in needed} <= said


def test_everything_that_is_shipped_stays_below_ten_megabytes() -> None:
    files = [*(ROOT / "ontology").glob("*"), *(ROOT / "data").rglob("*")]
    assert sum(path.stat().st_size for path in files if path.is_file()) <= 10 * MEGABYTE


def test_only_the_example_is_marked_as_one() -> None:
    kind = NamedNode("https://w3id.org/lifetec/scheme/dataset-type/example")
    assert [name for name, each in DESCRIPTIONS.items() if each.kind == kind] == ["example"]


def test_the_report_tells_what_was_kept() -> None:
    report = json.loads((ROOT / "data" / "report.json").read_text(encoding="utf-8"))
    assert report["ror"]["counts"]["organisations kept"] >= 780
    counts = report["cordis-h2020-health"]["counts"]
    assert counts["projects kept"] == 195
    assert counts["projects with acronym"] >= 93
    left_out = sum(n for what, n in counts.items() if what.startswith("participations dropped"))
    assert counts["participations kept"] + left_out == counts["participations of these projects"]


def test_own_files_are_up_to_date_with_their_tables(tmp_path: Path) -> None:
    for name in ("example", "queries"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).symlink_to(ROOT / "data" / name)
    Build(tmp_path, tmp_path / "ontology", tmp_path / "data").own()
    for name in ("example", "queries"):
        assert (tmp_path / "data" / f"{name}.ttl").read_bytes() == _path(ROOT, name).read_bytes()


if SHARED.is_dir():  # the sources are not part of the project

    def test_the_sources_give_exactly_what_is_shipped(tmp_path: Path) -> None:
        ontology, data = tmp_path / "ontology", tmp_path / "data"
        for folder in (ontology, data):
            folder.mkdir()
        for name in ("example", "queries"):
            (data / name).symlink_to(ROOT / "data" / name)
        report = Build(SHARED, ontology, data).run()
        for name in DESCRIPTIONS:
            assert _path(tmp_path, name).read_bytes() == _path(ROOT, name).read_bytes(), name
        assert json.loads((ROOT / "data" / "report.json").read_text(encoding="utf-8")) == report
