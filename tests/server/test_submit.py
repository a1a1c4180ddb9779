"""`lifetec submit` against a real server, as a data partner uses it."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.running import ROOT, RunningServer, lifetec

CC_BY = "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0"
BASE = "https://w3id.org/lifetec/"
PREFIXES = f"""@base <{BASE}id/> .
@prefix lt: <{BASE}ontology#> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix org: <http://www.w3.org/ns/org#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
"""


def organisation(name: str, label: str = "Invented") -> str:
    return f'{PREFIXES}<organisation/{name}> a org:Organization ; skos:prefLabel "{label}"@en .\n'


@dataclass
class Run:
    """What a command said, and how it ended."""

    exit: int
    out: str
    told: str


class Desk:
    """A server with two partners, of whom `sure` is trusted."""

    def __init__(self, server: RunningServer, keys: dict[str, str], folder: Path) -> None:
        self.server = server
        self.keys = keys
        self.folder = folder

    def file(self, text: str, name: str = "data.ttl") -> Path:
        path = self.folder / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    def submit(self, *words: str | Path, by: str | None = "new", to: str | None = None) -> Run:
        """Run it; whatever happens, the key is not shown."""
        key: dict[str, Any] = {} if by is None else {"key": self.keys[by]}
        done = lifetec(
            self.folder / "unused", "submit", *words, "--to", to or self.server.url, **key
        )
        told = " ".join(done.stderr.split())
        for one in self.keys.values():
            assert one not in done.stdout + done.stderr
            assert one[17:] not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert not (self.folder / "unused").exists(), "it needs no data directory"
        return Run(done.returncode, done.stdout, told)

    def submissions(self, dataset: str) -> list[dict[str, Any]]:
        found = self.ask("GET", f"/api/v1/submissions?dataset={dataset}").json()
        items: list[dict[str, Any]] = found["items"]
        return items

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys['curator']}"}
        return httpx.request(
            method, f"{self.server.url}{path}", headers=headers, timeout=60, **more
        )


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningServer, dict[str, str]]]:
    """A server on which all submissions run as jobs, which are followed."""
    folder = tmp_path_factory.mktemp("submit")
    seed = folder / "seed"
    seed.mkdir()
    shutil.copy(ROOT / "data/partners.ttl", seed)
    with RunningServer(folder / "var", seed_dir=seed, submission_wait_mb=0) as server:
        admin = lifetec(server.data_dir, "key", "issue", "--role", "admin").stdout.split()[-1]

        def add(what: str, method: str = "POST", **facts: Any) -> dict[str, Any]:
            url = f"{server.url}/api/v1/admin/{what}"
            key = {"authorization": f"Bearer {admin}"}
            reply = httpx.request(method, url, json=facts, headers=key, timeout=60)
            assert reply.is_success, reply.text
            found: dict[str, Any] = reply.json()
            return found

        keys = {"curator": add("keys", role="curator")["key"]}
        for slug in ("new", "sure"):
            add("partners", slug=slug, names={"en": slug}, contact="data@demo.org")
            for name in ("one", "two", "three", "four", "five", "six"):
                add("datasets", partner=slug, slug=name, titles={"en": name}, licence=CC_BY)
            keys[slug] = add("keys", role="partner", partner=slug)["key"]
        add("partners/sure", "PATCH", trusted=True)
        yield server, keys


@pytest.fixture
def desk(house: tuple[RunningServer, dict[str, str]], tmp_path: Path) -> Desk:
    return Desk(*house, tmp_path)


def test_what_a_new_partner_sends_is_in_review(desk: Desk) -> None:
    file = desk.file(organisation("new-1", "Eerste"))
    run = desk.submit(file, "--dataset", "new/one", "--language", "nl")
    (one,) = desk.submissions("new/one")
    assert run.exit == 0, run
    assert run.out.startswith("In review: a curator decides")
    assert f"/api/v1/submissions/{one['id']}\n" in run.out
    assert "Statements: 2 added, 0 removed.\n" in run.out
    assert (
        "\nadded organisatie “Eerste” <https://w3id.org/lifetec/id/organisation/new-1>\n" in run.out
    )
    assert "  naam\n    + Eerste (en)\n" in run.out
    assert "0 violations, 1 warning, 2 infos" in run.out
    assert "line 6, organisatie “Eerste”, field classification (soort organisatie)" in run.out
    desk.ask("POST", f"/api/v1/submissions/{one['id']}/accept").raise_for_status()
    assert desk.submit(file, "--dataset", "new/one").out.startswith("Unchanged"), "none to review"


def test_what_a_trusted_partner_sends_is_published_at_once(desk: Desk) -> None:
    first = desk.file(organisation("sure-1"), "first.ttl.gz")
    again: list[str | Path] = [first, "--dataset", "sure/one"]
    run = desk.submit(*again, by="sure")
    (one,) = desk.submissions("sure/one")
    assert (run.exit, run.out.partition("\n")[0]) == (
        0,
        f"Published, as generation {one['generation']}.",
    )
    assert desk.server.get("/api/v1/organisations/sure-1").json()["name"] == "Invented"
    run = desk.submit(*again, by="sure")
    assert (run.exit, run.out.startswith("Unchanged: ")) == (0, True)
    assert len(desk.submissions("sure/one")) == 2, "sending it once more is another submission"

    label = f'{PREFIXES}<organisation/sure-1> skos:altLabel "Also"@en .'
    merge = ["--dataset", f"{BASE}graph/sure/one", "--mode", "merge"]
    run = desk.submit(desk.file(label), *merge, by="sure")
    assert "Statements: 1 added, 0 removed.\n\nchanged organisation “Invented”" in run.out
    desk.submit(desk.file(label), *merge[:-1], "remove", by="sure")
    assert "alternative_label" not in desk.server.get("/api/v1/organisations/sure-1").json()


def test_several_files_are_one_graph(desk: Desk) -> None:
    one = desk.file(organisation("sure-2"), "one.ttl")
    two = desk.file(
        f'<{BASE}id/organisation/sure-2> <http://www.w3.org/2004/02/skos/core#altLabel> "B"@en .\n',
        "two.nt",
    )
    run = desk.submit(one, two, "--dataset", "sure/two", "--json", by="sure")
    shown = json.loads(run.out)
    assert (run.exit, shown["state"], shown["statements"]) == (0, "published", 3)


def test_what_breaks_the_shapes_is_refused_with_what_to_do(desk: Desk) -> None:
    wrong = f'{PREFIXES}<technology/new-t> a lt:Technology ; skos:prefLabel "T"@en ; lt:trl 12 .'
    run = desk.submit(desk.file(wrong), "--dataset", "new/two", "--language", "de")
    assert run.exit == 1
    assert run.out.startswith("Refused.\n")
    assert "\n2 violations, " in run.out
    assert "Schreiben Sie 9 oder weniger." in run.out
    assert "line 6, Technologie “T”, field trl" in run.out
    run = desk.submit(desk.file(wrong), "--dataset", "new/two", "--json")
    problem = json.loads(run.out)
    assert (run.exit, problem["state"], problem["problem"]["status"]) == (1, "rejected", 422)
    assert problem["problem"]["type"] == f"{BASE}problem/invalid-data"
    assert "report" not in problem["problem"]


def test_a_dry_run_says_what_would_become_of_it(desk: Desk) -> None:
    words = ["--dataset", "sure/three", "--dry-run"]
    run = desk.submit(desk.file(organisation("sure-3")), *words, by="sure")
    assert run.exit == 0, run
    assert run.out.startswith("It could be published. This was a dry run")
    assert "Statements: 2 added, 0 removed." in run.out
    run = desk.submit(
        desk.file(f"{PREFIXES}<organisation/sure-3> a org:Organization ."), *words, by="sure"
    )
    assert run.exit == 1
    assert run.out.startswith("It could not be published.")
    assert "1 violation" in run.out
    assert json.loads(
        desk.submit(desk.file(organisation("sure-3")), *words, "--json", by="sure").out
    )["dry_run"]
    assert desk.submissions("sure/three") == []


def test_names_of_others_are_told_with_their_lines(desk: Desk) -> None:
    file = desk.file(organisation("sure-9") + "\n" + organisation("new-9"), "mine.ttl")
    run = desk.submit(file, "--dataset", "new/two")
    assert run.exit == 1
    assert f"Names of others: <{BASE}id/organisation/sure-9> cannot be described here" in run.told
    assert f" mine.ttl, line 6, <{BASE}id/organisation/sure-9>" in run.told


def test_who_insists_on_a_generation_is_refused_when_it_has_passed(desk: Desk) -> None:
    file = desk.file(organisation("sure-4"))
    words = ["--dataset", "sure/four", "--if-match"]
    assert desk.submit(file, *words, "0", by="sure").exit == 0
    run = desk.submit(desk.file(organisation("sure-4", "Other")), *words, "0", by="sure")
    assert run.exit == 1
    assert "is of generation" in run.told
    first = desk.submissions("sure/four")[-1]
    run = desk.submit(
        desk.file(organisation("sure-4", "Other")), *words, str(first["generation"]), by="sure"
    )
    assert run.exit == 0, run


def test_nobody_waits_who_does_not_want_to(desk: Desk) -> None:
    run = desk.submit(
        desk.file(organisation("sure-5")), "--dataset", "sure/five", "--no-wait", by="sure"
    )
    assert run.exit == 0
    assert run.out.startswith("On its way;")


@contextmanager
def losing_the_first_answer(server: RunningServer) -> Iterator[str]:
    """An address that passes requests on to the server, and drops its first answer."""
    passed: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            url = f"{server.url}{self.path}"
            kept = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            reply = httpx.request(self.command, url, headers=kept, content=body, timeout=60)
            passed.append(reply.status_code)
            if len(passed) == 1:
                self.close_connection = True
                return
            self.send_response(reply.status_code)
            self.send_header("content-length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        do_GET = do_POST = _pass_on  # noqa: N815 -- the names that the library looks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as between:
        thread = threading.Thread(target=between.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{between.server_address[1]}"
        finally:
            between.shutdown()
            thread.join()
    assert passed[0] in {201, 202}, "the first one had arrived"


def test_an_answer_that_is_lost_makes_no_second_submission(desk: Desk) -> None:
    file = desk.file(organisation("sure-6"))
    with losing_the_first_answer(desk.server) as address:
        run = desk.submit(file, "--dataset", "sure/six", by="sure", to=address)
    assert run.exit == 0, run
    assert "No answer from" in run.told
    assert run.out.startswith("Published")
    assert len(desk.submissions("sure/six")) == 1


def test_an_attempt_that_was_given_up_can_be_repeated(desk: Desk) -> None:
    words: list[str | Path] = [
        desk.file(organisation("new-3")),
        "--dataset",
        "new/three",
        "--idempotency-key",
        "a b",
    ]
    assert [desk.submit(*words).exit for _ in range(2)] == [0, 0]
    assert len(desk.submissions("new/three")) == 1
    run = desk.submit(desk.file(organisation("new-3", "Other")), *words[1:])
    assert run.exit == 1
    assert "Take a new one" in run.told


@pytest.mark.parametrize(
    ("words", "by", "to", "advice"),
    [
        ([], None, None, "No key: put it in the environment as LIFETEC_KEY"),
        (["--key-file", "data.ttl"], None, None, "is no key"),
        ([], "new", "http://data.example.org", "anybody on the way can read the key"),
        ([], "new", "data.example.org", "Write it like https://"),
        (["--mode", "overwrite"], "new", None, "'overwrite' is not one of"),
        (["missing.ttl"], "new", None, "does not exist"),
        (["other.docx"], "new", None, "send one of: *.ttl"),
    ],
)
def test_a_command_that_is_wrong_sends_nothing(
    words: list[str], by: str | None, to: str | None, advice: str, desk: Desk
) -> None:
    file = desk.file(organisation("new-4"))
    desk.file("", "other.docx")
    paths = [str(desk.folder / word) if "." in word else word for word in words]
    run = desk.submit(file, *paths, "--dataset", "new/four", by=by, to=to)
    said = " ".join(run.told.replace("│", " ").split())
    assert (run.exit, run.out) == (2, "")
    assert advice in said
    assert desk.submissions("new/four") == []


def test_a_key_in_a_file_is_read_and_an_unknown_one_refused(desk: Desk) -> None:
    file = desk.file(organisation("new-5"))
    key = desk.file(f"{desk.keys['new']}\n", "key.txt")
    words: list[str | Path] = [file, "--dataset", "new/five", "--key-file", key]
    assert desk.submit(*words, by=None).exit == 0
    desk.file(f"ltg_{'0' * 12}_{'0' * 64}\n", "key.txt")
    run = desk.submit(*words, by=None)
    assert (run.exit, "A valid key is needed" in run.told) == (1, True)


def test_what_strangers_wrote_does_not_steer_the_terminal(desk: Desk) -> None:
    run = desk.submit(desk.file(organisation("new-6", "red\\u202Eder")), "--dataset", "new/six")
    assert run.exit == 0, run
    assert "red\ufffdder" in run.out
    assert "\u202e" not in run.out
    run = desk.submit(desk.file("<\x1b[31m> a <x> ."), "--dataset", "new/six")
    assert run.exit == 1, run
    assert "\x1b" not in run.out + run.told
