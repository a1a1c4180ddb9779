"""A real server with partners, datasets and keys, to which tests send submissions."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.server.running import ROOT, RunningServer, lifetec

BASE = "https://w3id.org/lifetec/"
PROBLEMS = f"{BASE}problem/"
SUBMISSIONS = "/api/v1/submissions"
LICENCE = "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0"
TURTLE = "text/turtle"
PREFIXES = """@prefix adms: <http://www.w3.org/ns/adms#> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix lt: <https://w3id.org/lifetec/ontology#> .
@prefix org: <http://www.w3.org/ns/org#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@base <https://w3id.org/lifetec/> .
"""
FIRST_LINE = PREFIXES.count("\n") + 1


def turtle(text: str) -> bytes:
    """A Turtle document with the usual prefixes."""
    return f"{PREFIXES}{text}\n".encode()


def organisation(slug: str, label: str, more: str = "") -> str:
    """An invented organisation, in Turtle; `more` are further predicates."""
    return f'<id/organisation/{slug}> a org:Organization ; skos:prefLabel "{label}"@en {more}.\n'


class Publishing:
    """The partners `demo` and `other`, the trusted partner `swift`, and keys of every role."""

    def __init__(self, server: RunningServer, settings: dict[str, Any]) -> None:
        self.server = server
        self.settings = settings
        self._numbers = itertools.count(1)
        self.keys = {"admin": self._first_key()}
        for slug, trusted in (("demo", False), ("other", False), ("swift", True)):
            self._made(
                "partners",
                slug=slug,
                names={"en": slug.capitalize()},
                contact=f"data@{slug}.example.org",
            )
            changed = self.ask(
                "PATCH", f"/api/v1/admin/partners/{slug}", "admin", json={"trusted": trusted}
            )
            assert changed.status_code == 200, changed.text
            self.keys[slug] = self.key(role="partner", partner=slug)
        self.keys["curator"] = self.key(role="curator")
        self.keys["reader"] = self.key(role="reader")

    def _first_key(self) -> str:
        done = lifetec(self.server.data_dir, "key", "issue", "--role", "admin", **self.settings)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    def _made(self, kind: str, **facts: Any) -> dict[str, Any]:
        made = self.ask("POST", f"/api/v1/admin/{kind}", "admin", json=facts)
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    def key(self, **facts: Any) -> str:
        """A new key."""
        key: str = self._made("keys", **facts)["key"]
        return key

    def dataset(self, partner: str = "demo", title: str = "Technologies") -> str:
        """A new dataset of a partner, as `partner/dataset`."""
        slug = f"set-{next(self._numbers)}"
        self._made("datasets", partner=partner, slug=slug, titles={"en": title}, licence=LICENCE)
        return f"{partner}/{slug}"

    def ask(self, method: str, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        """One request; `key` is the name of a role or partner, or a key itself."""
        headers = dict(more.pop("headers", {}))
        if key is not None:
            headers["authorization"] = f"Bearer {self.keys.get(key, key)}"
        address = path if path.startswith("http") else f"{self.server.url}{path}"
        return httpx.request(method, address, headers=headers, timeout=60, **more)

    def send(
        self,
        dataset: str | None,
        data: bytes | str,
        key: str | None = None,
        *,
        media_type: str = TURTLE,
        headers: dict[str, str] | None = None,
        **parameters: str,
    ) -> httpx.Response:
        """A submission, by the dataset's partner unless `key` says otherwise; text is Turtle."""
        given = {**({} if dataset is None else {"dataset": dataset}), **parameters}
        return self.ask(
            "POST",
            SUBMISSIONS,
            key or (dataset or "demo").partition("/")[0],
            params=given,
            content=turtle(data) if isinstance(data, str) else data,
            headers={"content-type": media_type, **(headers or {})},
        )

    def publish(self, dataset: str, data: bytes | str, mode: str = "replace") -> dict[str, Any]:
        """Have the curator send it, so that it is published at once; the submission."""
        sent = self.send(dataset, data, "curator", mode=mode)
        assert sent.status_code == 201, sent.text
        one: dict[str, Any] = sent.json()
        assert one["state"] == "published", one
        return one

    def act(self, one: dict[str, Any], action: str, key: str = "curator", **more: Any) -> Any:
        """Accept, withdraw, reject or revert a submission."""
        return self.ask("POST", f"{SUBMISSIONS}/{one['id']}/{action}", key, **more)

    def generation(self) -> int:
        """How much has been published."""
        found: int = self.server.get("/health/ready").json()["published"]
        return found

    def says(self, pattern: str) -> bool:
        """Whether the public graph matches; `pattern` is SPARQL with the usual prefixes."""
        heads = (line for line in PREFIXES.splitlines() if line.startswith("@"))
        prologue = "\n".join(line.removeprefix("@").removesuffix(" .") for line in heads)
        rows = self.server.select(
            f"{prologue}\nSELECT ?found {{ VALUES ?found {{ 1 }} {pattern} }} LIMIT 1"
        )
        return bool(rows)


@contextlib.contextmanager
def publishing(folder: Path, **settings: Any) -> Iterator[Publishing]:
    """A server with the shapes, our own terms and the partners of the seed, on a new folder."""
    for name in ("ontology_dir", "seed_dir"):
        (folder / name).mkdir()
        settings[name] = folder / name
    for name in ("lifetec", "profile", "schemes"):
        text = (ROOT / "ontology" / f"{name}.ttl").read_text("utf-8")
        (folder / "ontology_dir" / f"{name}.ttl").write_text(text, "utf-8")
    partners = (ROOT / "data" / "partners.ttl").read_text("utf-8")
    (folder / "seed_dir" / "partners.ttl").write_text(partners, "utf-8")
    with RunningServer(folder / "var", **settings) as server:
        yield Publishing(server, settings)


def problem(reply: httpx.Response) -> tuple[int, str]:
    """Status and last part of the type of an answer, which must be a whole problem document."""
    assert reply.headers["content-type"] == "application/problem+json", reply.text
    assert reply.headers["cache-control"] == "no-store"
    body = reply.json()
    assert [*body][:4] == ["type", "title", "status", "detail"]
    assert body["status"] == reply.status_code
    assert body["type"].startswith(PROBLEMS)
    assert len(body["detail"]) > 10
    return reply.status_code, body["type"].removeprefix(PROBLEMS)
