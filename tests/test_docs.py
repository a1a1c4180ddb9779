"""The documentation says what the code does, and what it names exists."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest

from app.profile import Profile, load_profile
from app.profile.context import json_ld_context
from app.settings import Settings
from docs import blocks, generate

ROOT = Path(__file__).resolve().parent.parent
BASE = generate.BASE
DOCUMENTS = generate.documents()
FOLDERS = ("app", "bench", "data", "docs", "ontology", "shapes", "tests")

CODE = re.compile(r"```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def code(path: Path) -> Iterator[str]:
    """What stands as code: spans and blocks, without their marks."""
    for found in CODE.findall(path.read_text("utf-8")):
        yield found.strip("`")


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_parts_are_up_to_date(document: Path) -> None:
    text = document.read_text("utf-8")
    assert text == generate.rewritten(text), "run: python docs/generate.py"


def test_every_generated_part_is_closed_and_used(document: Path) -> None:
    marks = re.findall(r"^<!-- (/?generated)", document.read_text("utf-8"), re.MULTILINE)
    assert marks == ["generated", "/generated"] * (len(marks) // 2)


def test_every_part_stands_somewhere() -> None:
    written = "".join(path.read_text("utf-8") for path in DOCUMENTS)
    assert {
        name for name in generate.PARTS if f"<!-- generated: {name} -->" not in written
    } == set()


def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in LINK.findall(CODE.sub("", document.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_paths_that_are_named_exist(document: Path) -> None:
    path = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./*-]*")
    named = {word for text in code(document) for word in text.split() if path.fullmatch(word)}
    assert {name for name in named if not any(ROOT.glob(name.rstrip("/")))} == set()


def test_targets_and_commands_that_are_named_exist(document: Path) -> None:
    targets, commands = generate.make_targets(), generate.command_names()
    for text in code(document):
        for line in text.splitlines():
            for target in re.findall(r"(?:^|\s)make ([a-z]+)", line):
                assert target in targets, line
            for command in re.findall(r"^(?:console )?lifetec ([a-z]+)", line):
                assert command in commands, line


def test_settings_that_are_named_exist(document: Path) -> None:
    known = {f"LIFETEC_{name.upper()}" for name in Settings.model_fields} | {
        "LIFETEC_FAILPOINT",
        "LIFETEC_KEY",
    }
    assert set(re.findall(r"LIFETEC_[A-Z_]+[A-Z]", document.read_text("utf-8"))) <= known


def test_every_room_and_folder_is_on_the_map() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rooms = {f"app/{path.parent.name}/" for path in (ROOT / "app").glob("*/__init__.py")}
    modules = {f"app/{path.name}" for path in (ROOT / "app").glob("[a-z]*.py")}
    folders = {f"{name}/" for name in FOLDERS} - {"app/"}
    assert {name for name in rooms | modules | folders if f"| `{name}`" not in text} == set()


def test_every_document_can_be_reached_from_the_readme() -> None:
    links = set(LINK.findall((ROOT / "README.md").read_text("utf-8")))
    assert {path.relative_to(ROOT).as_posix() for path in DOCUMENTS} - {"README.md"} <= links


def test_the_readme_asks_for_the_python_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"needs Python {project['requires-python'].removeprefix('>=')} or newer" in readme
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")[:200]


def test_the_changelog_has_a_place_for_what_comes() -> None:
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_commands_that_need_a_server_are_announced() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    announced = {block.text for block in blocks.runnable(text)}
    written = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    loose = [block for block in written if block not in announced]
    assert [block for block in loose if re.search(r"^(?:curl|lifetec|sed)\b", block, re.M)] == []
    assert len(announced) == text.count("<!-- run: ")


def test_the_report_in_the_readme_is_about_the_file_in_the_readme() -> None:
    run = {block.name: block for block in blocks.runnable((ROOT / "README.md").read_text("utf-8"))}
    turtle = run["write"].text.partition("<<'END'\n")[2].partition("\nEND\n")[0]
    quads = list(ox.parse(turtle, format=ox.RdfFormat.TURTLE))
    trl = [quad.object for quad in quads if quad.predicate.value.endswith("#trl")]
    assert [one.value for one in trl if isinstance(one, ox.Literal)] == ["12"]


def profile_with(tmp_path: Path, name: str) -> Profile:
    """The profile after the Turtle of that name in CONTRIBUTING was added."""
    found = blocks.readable((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    shapes = tmp_path / "shapes"
    shutil.copytree(ROOT / "shapes", shapes)
    (shapes / "added.ttl").write_text(found[name].text, "utf-8")
    return load_profile(ROOT / "ontology", shapes, BASE)


def test_the_property_that_contributors_read_about_works(tmp_path: Path) -> None:
    profile = profile_with(tmp_path, "property")
    field = profile.type("organisation").field("motto")
    assert field is not None
    assert (field.kind, field.max, set(field.labels)) == ("literal", 1, {"en", "nl", "de", "fr"})
    assert "motto" in json_ld_context(profile)


def test_the_type_that_contributors_read_about_works(tmp_path: Path) -> None:
    kind = profile_with(tmp_path, "type").type("event")
    assert kind.collection == "events"
    assert {field.name for field in kind.fields} >= {"label", "description", "homepage"}


def test_the_queries_of_the_documentation_are_answered() -> None:
    store = ox.Store()
    for name in ("data/ror", "data/cordis-h2020-health", "ontology/countries"):
        graph = ox.NamedNode(f"{BASE}graph/lifetec/{name.partition('/')[2]}")
        store.bulk_load(path=ROOT / f"{name}.ttl", format=ox.RdfFormat.TURTLE, to_graph=graph)
    rows = {}
    found = blocks.readable((ROOT / "docs" / "sparql.md").read_text("utf-8"))
    for name, block in found.items():
        result = store.query(block.text, use_default_graph_as_union=True)
        assert isinstance(result, ox.QuerySolutions)
        rows[name] = len(list(result))
    assert rows == {"who-says-what": rows["who-says-what"], "publications": 0, "coordinators": 10}
    assert rows["who-says-what"] > 10
