"""The invariants of the design, read from the code itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
FRAMEWORKS = {"fastapi", "starlette", "uvicorn", "httptools"}
COMMANDS = {"app.cli", "app.cli_accounts", "app.cli_submit"}
FRONTS = {
    "app.api", "app.pages", "app.main", "app.front", "app.answering", "app.console", "app.remote",
    "app.egress", *COMMANDS, "app.__main__"
}  # fmt: skip
PUT_TOGETHER = "app.service"
GROUND = {"app.errors", "app.failpoints", "app.rdf"}
BASEMENT = {
    *("app.profile", "app.database", "app.log", "app.store", "app.sandbox", "app.jobs"),
    "app.accounts",  # rooms ask a principal what it may do
}
ROOMS = {"app.catalog", "app.sparql", "app.submissions", "app.records", "app.importers"}
UPSTAIRS = {"app.reconciliation"}  # stands on what records read


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("app", include_external_packages=True, cache_dir=None)


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def ours() -> list[str]:
    return sorted(m for m in imports().modules if m == "app" or m.startswith("app."))


def edges() -> Iterator[tuple[str, str]]:
    for module in ours():
        for imported in sorted(imports().find_modules_directly_imported_by(module)):
            yield module, imported


def check(allowed: dict[str, set[str]]) -> None:
    """Each room of `allowed` imports only the rooms that are listed for it, and itself."""
    wrong = [
        f"{module} imports {imported}"
        for module, imported in edges()
        if imported.startswith("app.")
        and (mine := room(module)) in allowed
        and room(imported) not in {mine, *allowed[mine]}
    ]
    assert wrong == []


def test_imports_point_one_way() -> None:
    below = {*BASEMENT, *GROUND}
    check(
        {
            "app.errors": set(),
            "app.failpoints": set(),
            "app.settings": set(),
            "app.rdf": {"app.errors"},
            "app.profile": GROUND,
            "app.database": GROUND,
            "app.log": {"app.database", *GROUND},
            "app.sandbox": GROUND,
            "app.jobs": {"app.database", *GROUND},
            "app.accounts": {"app.database", *GROUND},
            "app.store": {"app.log", "app.sandbox", *GROUND},
            **dict.fromkeys(ROOMS, below),
            **{one: {"app.records", *below} for one in UPSTAIRS},
            "app.api": {*ROOMS, *UPSTAIRS, *below, "app.settings"},
            "app.pages": {"app.api", *ROOMS, *below, "app.settings"},
        }
    )


def test_every_module_has_a_place_in_that_order() -> None:
    known = {"app", "app.settings", PUT_TOGETHER, *FRONTS, *GROUND, *BASEMENT, *ROOMS, *UPSTAIRS}
    assert {room(module) for module in ours()} <= known


def test_rooms_know_no_web_framework() -> None:
    wrong = [
        (module, imported)
        for module, imported in edges()
        if imported.split(".")[0] in FRAMEWORKS and room(module) not in FRONTS
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["pyshacl", "rdflib"])
def test_only_the_cage_imports_what_patches_the_process(package: str) -> None:
    users = {m for m, imported in edges() if imported.split(".")[0] == package}
    assert users
    assert {room(module) for module in users} == {"app.sandbox"}


def test_the_server_does_not_import_the_validator_by_any_way() -> None:
    """`submissions.judging` imports it inside functions, which only a worker calls."""
    direct = imports().find_modules_that_directly_import("app.sandbox.validation")
    assert direct == {"app.submissions.judging"}
    tree = ast.parse((ROOT / "app/submissions/judging.py").read_text())
    at_the_top = [
        ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not any("validation" in line for line in at_the_top)


def test_only_who_must_calls_others() -> None:
    """The command that submits, stores elsewhere, and the egress of SERVICE."""
    clients = {"httpx", "requests", "urllib.request", "http.client", "urllib3", "SPARQLWrapper"}
    to_stores = {"app.store.address", "app.store.remote", "app.sparql.remote"}
    callers = {module for module, imported in edges() if imported in clients}
    assert callers == {"app.remote", "app.egress", *to_stores}
    assert imports().find_modules_that_directly_import("app.egress") == {"app.answering"}
    assert imports().find_modules_that_directly_import("app.remote") == {"app.cli_submit"}


def test_only_the_database_knows_how_it_is_reached() -> None:
    """Rooms speak to sessions; engines, drivers and migrations are in one place."""
    drivers = {m for m, imported in edges() if imported.split(".")[0] in {"alembic", "psycopg"}}
    assert {room(module) for module in drivers} == {"app.database"}
    found = {path for path, tree in sources() if "create_engine" in ast.unparse(tree)}
    assert found == {"app/database/engine.py"}


def test_only_main_and_cli_choose_adapters() -> None:
    """Through `app.service`, which puts together the parts that both need."""
    users = imports().find_modules_that_directly_import("app.store.embedded")
    # The last two take from there only the name of the reserved graph.
    assert users <= {PUT_TOGETHER, "app.main", "app.cli", "app.store.check", "app.store.remote"}
    assert imports().find_modules_that_directly_import(PUT_TOGETHER) <= {
        "app.main",
        "app.answering",
        *COMMANDS,
    }


def sources(folder: str = "app") -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def calls(tree: ast.Module, owner: str, method: str) -> Iterator[int]:
    """Lines that call `method` of something whose name ends in `owner`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            text = ast.unparse(node.func)
            if re.fullmatch(rf"(?:.*\.)?_?{owner}\.{method}", text):
                yield node.lineno


def mentions(tree: ast.Module, owner: str, method: str) -> Iterator[int]:
    """Lines that speak of the method at all, e.g. to hand it to a thread."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.fullmatch(
            rf"(?:.*\.)?_?{owner}\.{method}", ast.unparse(node)
        ):
            yield node.lineno


def test_only_submissions_append_to_the_log() -> None:
    found = {path for path, tree in sources() if any(mentions(tree, "log", "append"))}
    assert {str(Path(path).parent) for path in found} == {"app/submissions"}


def test_only_followers_write_stores() -> None:
    found = {
        path
        for path, tree in sources()
        for method in ("update", "extend", "bulk_load", "bulk_extend", "add", "remove", "load")
        if any(calls(tree, "self._store", method)) and not path.startswith("app/store/")
    }
    assert found == set()


def test_queries_are_not_put_together_from_a_callers_values() -> None:
    """`sh`, `pages` and all else give terms to the engine; the public endpoint passes text on."""
    wrong = [
        f"{path}:{node.lineno}"
        for path, tree in sources()
        if not path.startswith("app/importers/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "query"
        and "store" in ast.unparse(node.func).lower()
        and node.args
        and isinstance(node.args[0], ast.JoinedStr | ast.BinOp)
    ]
    assert wrong == []


TEXT_SUFFIXES = {
    ".py", ".md", ".toml", ".lock", ".yaml", ".yml", ".ttl", ".html", ".css", ".js", ".ts", ".json",
    ".rq", ".txt", "", ".svg", ".cfg", ".ini", ".sh",
}  # fmt: skip
TRACES = re.compile(
    "|".join(
        [
            r"(?<![\w.:/-])/(?:work|home|root|Users|tmp)/(?!\$)[\w.]+/[\w./-]+",
            r"\b(?:index-url|extra-index-url|registry)\s*=\s*\S+",
            r"--(?:hash|requirement|constraint)\S*\s+\S*https?://\S+",
            r"https?://[\w-]+(?:\.[\w-]+)*\.(?:internal|local|lan|corp)\b",
        ]
    ),
    re.IGNORECASE,
)
SKIPPED = {".git", ".venv", "var", "node_modules", ".hypothesis", ".mypy_cache", ".ruff_cache",
           ".pytest_cache", "__pycache__", "build", "dist"}  # fmt: skip


def texts() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT)
        if SKIPPED & set(inside.parts) or any(part.endswith(".egg-info") for part in inside.parts):
            continue
        if path.is_file() and path.suffix in TEXT_SUFFIXES and path != Path(__file__).resolve():
            yield path


def test_no_file_carries_traces_of_the_machine_that_made_it() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in texts()
        for match in TRACES.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_by_hash_and_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    pinned = re.findall(r"^[\w.-]+==\S+", text, re.MULTILINE)
    assert len(pinned) > 20
    assert text.count("--hash=sha256:") >= len(pinned)
    assert "://" not in text
