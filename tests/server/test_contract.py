"""The OpenAPI document is true: tried out by machine at every door, and by a client made of it."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from app.profile import load_profile
from app.profile.json_schema import schema_name
from tests.server.conftest import loaded_seed
from tests.server.running import ROOT, RunningServer, lifetec

BIN = Path(sys.executable).parent
PROFILE = load_profile(ROOT / "ontology", ROOT / "shapes", "https://w3id.org/lifetec/")
KU_LEUVEN = "ror-05f950310"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with the whole seed, to which anything may be done."""
    folder = tmp_path_factory.mktemp("contract") / "var"
    shutil.copytree(loaded_seed(tmp_path_factory), folder)
    with RunningServer(folder, example="on") as server:
        yield server


def run(*words: str | Path, cwd: Path, timeout: float) -> None:
    """Run one tool of the environment; what it says is shown when it fails."""
    done = subprocess.run(
        [BIN / str(words[0]), *map(str, words[1:])],
        cwd=cwd,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},  # it formats with ruff
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-20_000:]


def test_every_door_does_what_the_document_says(scratch: RunningServer, tmp_path: Path) -> None:
    """All checks of schemathesis, by an administrator, also where things are written."""
    issued = lifetec(scratch.data_dir, "key", "issue", "--role", "admin", **scratch.settings)
    key = issued.stdout.split()[-1]

    def tried(part: str) -> None:
        folder = tmp_path / part
        folder.mkdir()
        run(
            *("schemathesis", "--config-file", ROOT / "tests/server/schemathesis.toml", "run"),
            *(f"{scratch.url}/openapi.json", "--header", f"Authorization: Bearer {key}"),
            *("--checks", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", "2"),
            *("--seed", "5", "--warnings", "off", "--no-color", f"--{part}-path-regex", records),
            cwd=folder,
            timeout=300,
        )

    about = "|".join((*(kind.collection for kind in PROFILE.types), "queries"))
    records = f"^/api/v1/({about})(/|$)"
    with ThreadPoolExecutor(2) as halves:  # its own threads share what is not safe to share
        list(halves.map(tried, ("include", "exclude")))


def test_examples_fit_their_schemas(scratch: RunningServer) -> None:
    """Each example of a parameter, a body, an answer or a schema; every type has one."""
    document = scratch.get("/openapi.json").json()
    checked = 0
    for where, schema, example in _examples(document):
        # Its references lead into the document, wherever it stands itself.
        whole = {**document, **schema}
        fault = jsonschema.exceptions.best_match(
            jsonschema.Draft202012Validator(whole).iter_errors(example)
        )
        assert fault is None, (where, fault.message if fault else "", example)
        checked += 1
    assert checked > len(PROFILE.types)
    schemas = document["components"]["schemas"]
    for kind in PROFILE.types:
        (example,) = schemas[schema_name(kind)]["examples"]
        assert set(example) > {"id", "type", "name", "url"}


def _examples(part: Any, where: str = "#") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Everything in the document that is said to be an example, with its schema."""
    if isinstance(part, list):
        for number, inner in enumerate(part):
            yield from _examples(inner, f"{where}/{number}")
    if not isinstance(part, dict):
        return
    if isinstance(part.get("schema"), dict) and "example" in part:
        yield where, part["schema"], part["example"]
    if isinstance(part.get("examples"), list):
        for example in part["examples"]:
            yield where, part, example
    for name, inner in part.items():
        if name not in {"example", "examples"}:
            yield from _examples(inner, f"{where}/{name}")


@pytest.fixture(scope="module")
def client(
    scratch: RunningServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModuleType]:
    """A Python package, made from the OpenAPI document by a generator that knows nothing of us."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(scratch.get("/openapi.json").text, "utf-8")
    run(
        *("openapi-python-client", "generate", "--path", "openapi.json", "--meta", "none"),
        *("--output-path", "lifetec_client"),
        cwd=folder,
        timeout=120,
    )
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("lifetec_client")
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.startswith("lifetec_client")]:
            del sys.modules[name]


def _operation(client: ModuleType, tag: str, name: str) -> Any:
    return importlib.import_module(f"{client.__name__}.api.{tag}.{name}")


def test_a_generated_client_has_every_operation(client: ModuleType, scratch: RunningServer) -> None:
    for kind in PROFILE.types:
        _operation(client, kind.collection, f"list_{kind.collection}")
        one = _operation(client, kind.collection, f"get_{kind.name}")
        assert one.sync.__annotations__["slug"] in {"str", str}


def test_a_generated_client_lists_and_gets(client: ModuleType, scratch: RunningServer) -> None:
    models = importlib.import_module(f"{client.__name__}.models")
    listing = _operation(client, "organisations", "list_organisations")
    getting = _operation(client, "organisations", "get_organisation")
    with client.Client(base_url=scratch.url, raise_on_unexpected_status=True) as connected:
        page = listing.sync(client=connected, q="leuven", country=["BE"], limit=5)
        assert isinstance(page, models.PageOfOrganisations)
        assert page.total >= len(page.items) > 0
        by_slug = getting.sync(KU_LEUVEN, client=connected)
        assert isinstance(by_slug, models.Organisation)
        assert by_slug.name == "KU Leuven"
        assert KU_LEUVEN in by_slug.id
        sent = scratch.get(f"/api/v1/organisations/{KU_LEUVEN}").json()
        assert by_slug.to_dict() == sent


def test_a_generated_client_searches_all_types(client: ModuleType, scratch: RunningServer) -> None:
    search = _operation(client, "any_type", "search")
    with client.Client(base_url=scratch.url, raise_on_unexpected_status=True) as connected:
        page = search.sync(client=connected, q="katolieke universiteit leuven", limit=3)
        assert page.items[0].name == "KU Leuven"
        sent = scratch.get("/api/v1/search?q=katolieke+universiteit+leuven&limit=3").json()
        assert [one.to_dict() for one in page.items] == sent["items"]


def test_a_generated_client_knows_problems(client: ModuleType, scratch: RunningServer) -> None:
    models = importlib.import_module(f"{client.__name__}.models")
    getting = _operation(client, "organisations", "get_organisation")
    with client.Client(base_url=scratch.url, raise_on_unexpected_status=True) as connected:
        problem = getting.sync("nobody-here", client=connected)
        assert isinstance(problem, models.Problem)
        assert problem.status == 404
        assert problem.type_.endswith("/problem/not-found")
    me = _operation(client, "accounts", "show_me")
    with client.AuthenticatedClient(base_url=scratch.url, token="ltg_wrong") as connected:
        assert me.sync(client=connected).status == 401
