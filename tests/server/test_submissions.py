"""The life of a submission on a real server, from its sending to its reversal."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pyoxigraph import NamedNode, Quad, RdfFormat, parse, serialize

from app.rdf import media
from app.rdf.diff import from_n_quads
from tests.server.publishing import (
    BASE,
    FIRST_LINE,
    LICENCE,
    SUBMISSIONS,
    Publishing,
    organisation,
    problem,
    publishing,
    turtle,
)
from tests.server.running import RunningServer
from tests.server.test_validate import described

LANGUAGES = ("en", "nl", "de", "fr")
PATENT = """<id/technology/{slug}> a lt:Technology ; skos:prefLabel "Invented {slug}"@en ;
  dcterms:description "Nobody has made it."@en ; dcterms:creator <id/organisation/{by}> ;
  lt:trl {trl} .
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishing]:
    """A server with partners and keys; each test makes datasets of its own."""
    with publishing(tmp_path_factory.mktemp("submissions")) as one:
        yield one


def shown(house: Publishing, one: dict[str, Any], key: str = "curator") -> dict[str, Any]:
    """A submission as it is now."""
    reply = house.ask("GET", f"{SUBMISSIONS}/{one['id']}", key)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def waiting(house: Publishing, dataset: str, data: str, mode: str = "replace") -> dict[str, Any]:
    """A submission that waits for review."""
    sent = house.send(dataset, data, mode=mode)
    assert sent.status_code == 202, sent.text
    one: dict[str, Any] = sent.json()
    assert one["state"] == "in-review"
    return one


def record(house: Publishing, slug: str, kind: str = "organisations") -> httpx.Response:
    return house.server.get(f"/api/v1/{kind}/{slug}")


# review


def test_a_curator_accepts_what_is_then_public(house: Publishing) -> None:
    dataset, before = house.dataset(), house.generation()
    sent = house.send(dataset, organisation("demo-a1", "A1"))
    assert sent.status_code == 202
    one = sent.json()
    assert sent.headers["location"] == one["url"] == f"{house.server.url}{SUBMISSIONS}/{one['id']}"
    assert sent.headers["cache-control"] == "no-store"
    assert (one["state"], one["mode"], one["generation"]) == ("in-review", "replace", None)
    assert (one["added"], one["removed"], one["statements"]) == (one["added"], 0, 2)
    assert one["source_hash"] == hashlib.sha256(turtle(organisation("demo-a1", "A1"))).hexdigest()
    assert record(house, "demo-a1").status_code == 404
    assert house.generation() == before
    assert problem(house.act(one, "accept", "demo")) == (403, "forbidden")
    accepted = house.act(one, "accept")
    assert accepted.status_code == 200, accepted.text
    assert accepted.json() == shown(house, one)
    assert accepted.json()["state"] == "published"
    assert accepted.json()["generation"] == house.generation() == before + 1
    assert accepted.json()["commit"] == f"{BASE}commit/{before + 1}"
    assert accepted.json()["decided_by"] == f"{BASE}id/partner/service"
    assert record(house, "demo-a1").json()["label"] == {"en": "A1"}
    for action in ("accept", "withdraw"):
        assert problem(house.act(one, action)) == (409, "conflict")


def test_a_curator_rejects_with_a_reason_that_the_sender_reads(house: Publishing) -> None:
    one = waiting(house, house.dataset(), organisation("demo-b1", "B1"))
    rejected = house.act(one, "reject", json={"reason": "Twice the same laboratory."})
    assert rejected.status_code == 200, rejected.text
    now = shown(house, one, "demo")
    assert (now["state"], now["reason"]) == ("rejected", "Twice the same laboratory.")
    assert record(house, "demo-b1").status_code == 404
    assert problem(house.act(one, "accept")) == (409, "conflict")


def test_a_sender_takes_back_what_is_not_decided(house: Publishing) -> None:
    one = waiting(house, house.dataset(), organisation("demo-c1", "C1"))
    assert problem(house.act(one, "withdraw", "other")) == (404, "not-found")
    assert house.act(one, "withdraw", "demo").json()["state"] == "withdrawn"
    assert problem(house.act(one, "accept")) == (409, "conflict")
    assert record(house, "demo-c1").status_code == 404


def test_what_a_trusted_partner_sends_can_be_read_with_the_answer(house: Publishing) -> None:
    dataset = house.dataset("swift")
    for number in range(5):
        sent = house.send(dataset, organisation("swift-d1", f"D{number}"))
        assert (sent.status_code, sent.json()["state"]) == (201, "published"), sent.text
        assert record(house, "swift-d1").json()["label"] == {"en": f"D{number}"}
        assert house.says(f'<id/organisation/swift-d1> skos:prefLabel "D{number}"@en')


def test_what_changes_nothing_is_published_without_a_commit(house: Publishing) -> None:
    dataset = house.dataset("swift")
    house.publish(dataset, organisation("swift-e1", "E1"))
    before = house.generation()
    again = house.send(dataset, organisation("swift-e1", "E1")).json()
    assert (again["state"], again["generation"], again["added"]) == ("published", None, 0)
    assert house.generation() == before
    assert problem(house.act(again, "revert")) == (409, "conflict")


def test_what_is_accepted_is_compared_anew(house: Publishing) -> None:
    dataset = house.dataset()
    house.publish(dataset, organisation("demo-f1", "F1"))
    first = waiting(house, dataset, organisation("demo-f2", "F2"), mode="merge")
    second = waiting(house, dataset, organisation("demo-f3", "F3"), mode="merge")
    for one in (second, first):
        assert house.act(one, "accept").json()["state"] == "published"
    now = shown(house, first)
    assert now["generation"] == shown(house, second)["generation"] + 1
    assert now["compared_with"] == now["generation"] - 1
    for slug in ("demo-f1", "demo-f2", "demo-f3"):
        assert record(house, slug).status_code == 200


def test_what_has_become_wrong_meanwhile_is_not_accepted(house: Publishing) -> None:
    house.publish(makers := house.dataset("other"), organisation("other-g1", "G1"))
    one = waiting(house, house.dataset(), PATENT.format(slug="demo-g", by="other-g1", trl=4))
    house.publish(makers, "")
    refused = house.act(one, "accept", params={"lang": "nl"})
    assert problem(refused) == (422, "invalid-data")
    assert refused.json()["report"]["language"] == "nl"
    now = shown(house, one)
    assert (now["state"], now["generation"]) == ("in-review", None)
    assert now["problem"]["detail"] == refused.json()["detail"]
    assert record(house, "demo-g", "technologies").status_code == 404
    house.publish(makers, organisation("other-g1", "G1"))
    assert house.act(one, "accept").json()["state"] == "published"


# report and difference


def test_a_dry_run_keeps_nothing(house: Publishing) -> None:
    dataset, before = house.dataset("swift"), house.generation()
    total = house.ask("GET", f"{SUBMISSIONS}?limit=0", "curator").json()["total"]
    good = house.send(dataset, organisation("swift-h1", "H1"), dry_run="true").json()
    assert (good["dry_run"], good["conforms"], good["statements"]) == (True, True, 2)
    assert good["compared_with"] == before
    assert good["datasets"] == [f"{BASE}graph/{dataset}"]
    (entity,) = (e for e in good["diff"]["entities"] if e["id"].endswith("swift-h1"))
    assert (entity["change"], entity["label"]) == ("added", "H1")
    bad = PATENT.format(slug="swift-h", by="swift-none", trl=12)
    refused = house.send(dataset, bad, dry_run="true", lang="de")
    assert (refused.status_code, refused.json()["conforms"]) == (200, False)
    assert refused.json()["report"]["language"] == "de"
    assert record(house, "swift-h1").status_code == 404
    assert house.ask("GET", f"{SUBMISSIONS}?limit=0", "curator").json()["total"] == total
    assert house.generation() == before


@pytest.fixture(scope="module")
def refused(house: Publishing) -> dict[str, Any]:
    """A submission that the shapes refuse, with a text that a spreadsheet would run."""
    data = organisation("demo-i1", "I1") + PATENT.format(slug="demo-i", by="demo-i1", trl=12)
    data = data.replace("Invented demo-i", "=HYPERLINK(1)<script>alert(1)</script>")
    sent = house.send(house.dataset(), data, headers={"accept-language": "fr"})
    assert problem(sent) == (422, "invalid-data")
    assert sent.json()["report"]["language"] == "fr"
    one = shown(house, {"id": sent.json()["submission"]}, "demo")
    assert (one["state"], one["generation"]) == ("rejected", None)
    assert one["counts"]["violation"] == 1
    return one


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_report_is_kept_in_every_language_and_form(
    lang: str, house: Publishing, refused: dict[str, Any]
) -> None:
    remedy = {"en": "Write 9", "nl": "Schrijf 9", "de": "Schreiben Sie 9", "fr": "Écrivez 9"}[lang]
    path = urlsplit(refused["report"]).path

    def get(**more: Any) -> httpx.Response:
        reply = house.ask("GET", path, "demo", **more)
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-language"] == lang
        assert reply.headers["cache-control"] == "no-store"
        return reply

    report = get(params={"lang": lang}).json()
    assert report == get(headers={"accept-language": f"{lang}-XX, es"}).json()
    violations = [group for group in report["groups"] if group["severity"] == "violation"]
    (result,) = violations[0]["results"]
    assert violations[0]["fix"].startswith(remedy)
    assert (result["field"], result["line"]) == ("trl", FIRST_LINE + 1)
    table = get(params={"lang": lang, "format": "csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.text)))
    (row,) = [row for row in rows if row["severity"] == "violation"]
    assert row["fix"].startswith(remedy)
    assert row["label"].startswith("'=HYPERLINK")
    page = get(params={"lang": lang}, headers={"accept": "text/html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert remedy in page.text
    assert f'<html lang="{lang}"' in page.text
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


def test_the_difference_is_told_in_words_and_as_a_patch(house: Publishing) -> None:
    dataset = house.dataset()
    old = organisation("demo-j1", "Old", "; dcterms:created '2001-02-03'^^xsd:date")
    house.publish(dataset, old + organisation("demo-j2", "Same"))
    one = waiting(house, dataset, organisation("demo-j1", "New") + organisation("demo-j2", "Same"))
    path = urlsplit(one["diff"]).path
    told = house.ask("GET", path, "demo", params={"lang": "en"})
    assert told.headers["content-language"] == "en"
    words = told.json()
    (entity,) = words["entities"]
    assert (words["entities_total"], entity["id"]) == (1, f"{BASE}id/organisation/demo-j1")
    assert entity["change"] == "changed"
    (label,) = [field for field in entity["fields"] if field["field"] == "label"]
    assert ("New" in str(label["added"]), "Old" in str(label["removed"])) == (True, True)
    assert house.ask("GET", path, "demo", params={"limit": "0"}).json()["entities"] == []
    dutch = house.ask("GET", path, "demo", params={"lang": "nl"}).json()
    assert dutch["entities"][0]["fields"][0]["label"] != entity["fields"][0]["label"]
    patch = house.ask("GET", path, "curator", params={"format": "patch"})
    assert patch.headers["content-type"] == "application/rdf-patch"
    before = graph(house, dataset)
    assert house.act(one, "accept").status_code == 200
    assert patched(before, patch.text) == graph(house, dataset)


def patched(quads: set[Quad], patch: str) -> set[Quad]:
    """What a patch makes of quads."""

    def of(letter: str) -> set[Quad]:
        lines = [line[2:] for line in patch.splitlines() if line.startswith(f"{letter} ")]
        return set(from_n_quads("".join(f"{line}\n" for line in lines).encode()))

    assert len(of("A")) + len(of("D")) == len(patch.splitlines())
    return (quads - of("D")) | of("A")


def graph(house: Publishing, dataset: str) -> set[Quad]:
    """What is public in a dataset, as quads."""
    name = f"{BASE}graph/{dataset}"
    reply = house.server.get(f"/graphs?graph={name}", accept="application/n-triples")
    found = parse(reply.content, RdfFormat.N_TRIPLES)
    return {Quad(q.subject, q.predicate, q.object, NamedNode(name)) for q in found}


# sending again, and conditions


def test_sending_again_under_one_name_is_harmless(house: Publishing) -> None:
    dataset, headers = house.dataset("swift"), {"idempotency-key": '"first-try"'}
    data = organisation("swift-k1", "K1")
    first = house.send(dataset, data, headers=headers)
    before = house.generation()
    again = house.send(dataset, data, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    for reply in (
        house.send(dataset, organisation("swift-k1", "K2"), headers=headers),
        house.send(dataset, data, headers=headers, mode="merge"),
        house.send(house.dataset("swift"), data, headers=headers),
    ):
        assert problem(reply) == (422, "idempotency-key-reused")
        assert reply.json()["submission"] == first.json()["id"]
    others = house.send(house.dataset("other"), organisation("other-k1", "K1"), headers=headers)
    assert others.json()["id"] != first.json()["id"]
    assert house.generation() == before


def test_undoing_again_under_one_name_is_harmless(house: Publishing) -> None:
    dataset, headers = house.dataset("swift"), {"idempotency-key": "undone"}
    one = house.publish(dataset, organisation("swift-k3", "K3"))
    path = f"{SUBMISSIONS}/{one['id']}/revert"
    first, again = (house.ask("POST", path, "swift", headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    late = house.ask("POST", path, "swift", headers={"if-match": f'"{one["generation"]}"'})
    assert problem(late) == (412, "precondition-failed")


def test_removing_a_graph_again_under_one_name_is_harmless(house: Publishing) -> None:
    dataset, headers = house.dataset("swift"), {"idempotency-key": "gone"}
    house.publish(dataset, organisation("swift-k2", "K2"))
    path = f"/graphs?graph={BASE}graph/{dataset}"
    first, again = (house.ask("DELETE", path, "swift", headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["link"] == first.headers["link"]
    assert problem(house.ask("DELETE", path, "swift")) == (404, "not-found")


def test_a_refusal_is_the_same_when_it_is_asked_again(house: Publishing) -> None:
    dataset, headers = house.dataset("swift"), {"idempotency-key": "broken"}
    first, again = (house.send(dataset, b"<x> <y", headers=headers) for _ in range(2))
    assert problem(first) == (400, "syntax")
    assert again.json() == first.json()


def test_a_change_of_what_has_changed_is_refused(house: Publishing) -> None:
    dataset = house.dataset("swift")
    here, only_new = {"if-match": "*"}, {"if-none-match": "*"}

    def send(label: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return house.send(dataset, organisation("swift-l1", label), headers=named)

    nothing = house.send(dataset, organisation("swift-l1", "L0"), headers=here)
    assert problem(nothing) == (412, "precondition-failed")
    assert house.send(dataset, organisation("swift-l1", "L1"), headers=only_new).status_code == 201
    twice = house.send(dataset, organisation("swift-l1", "L2"), headers=only_new)
    assert problem(twice) == (412, "precondition-failed")
    assert house.send(dataset, organisation("swift-l1", "L3"), headers=here).status_code == 201
    tag = house.server.get(f"/graphs?graph={BASE}graph/{dataset}").headers["etag"]
    assert send("L4", if_match=tag).status_code == 201
    late = send("L5", if_match=tag)
    assert problem(late) == (412, "precondition-failed")
    assert late.json()["found"] == house.generation()
    assert send("L5", if_match=f'"{late.json()["found"]}"').status_code == 201
    assert record(house, "swift-l1").json()["label"] == {"en": "L5"}


def test_a_condition_holds_when_it_is_accepted(house: Publishing) -> None:
    dataset = house.dataset()
    generation = house.publish(dataset, organisation("demo-m1", "M1"))["generation"]
    sent = house.send(
        dataset, organisation("demo-m1", "M2"), headers={"if-match": f'"{generation}"'}
    )
    assert sent.status_code == 202
    house.publish(dataset, organisation("demo-m1", "M3"))
    assert problem(house.act(sent.json(), "accept")) == (412, "precondition-failed")
    assert record(house, "demo-m1").json()["label"] == {"en": "M3"}


# kinds of change


def test_merging_adds_removing_takes_away_and_replacing_is_all(house: Publishing) -> None:
    dataset = house.dataset("swift")
    address = """; org:hasPrimarySite [ a org:Site ; org:siteAddress
        [ a <http://www.w3.org/ns/locn#Address> ; <http://www.w3.org/ns/locn#postCode> "6200" ] ]"""
    house.publish(dataset, organisation("swift-n1", "N1"))
    house.publish(dataset, organisation("swift-n2", "N2", address), mode="merge")
    assert {row["slug"] for row in slugs(house, "swift-n")} == {"swift-n1", "swift-n2"}
    with_site = graph(house, dataset)
    removed = house.publish(
        dataset, f"<id/organisation/swift-n2> {address.removeprefix(';')} .", mode="remove"
    )
    assert removed["removed"] == 5
    assert len(graph(house, dataset)) == len(with_site) - 5
    none = house.send(dataset, organisation("swift-n7", "Unheard"), mode="remove")
    assert (none.json()["generation"], none.json()["removed"]) == (None, 0)
    house.publish(dataset, organisation("swift-n3", "N3"))
    assert {row["slug"] for row in slugs(house, "swift-n")} == {"swift-n3"}
    assert record(house, "swift-n1").status_code == 410


def slugs(house: Publishing, prefix: str) -> list[dict[str, str]]:
    return house.server.select(f"""SELECT ?slug {{
        ?organisation a <http://www.w3.org/ns/org#Organization>
        BIND(STRAFTER(STR(?organisation), "organisation/") AS ?slug)
        FILTER(STRSTARTS(?slug, "{prefix}")) }}""")


def test_every_syntax_and_wrapping_says_the_same(house: Publishing) -> None:
    dataset = house.dataset("swift")
    site = "; org:hasPrimarySite [ a org:Site ]"
    data = turtle(organisation("swift-ab1", "AB1 é", site) + organisation("swift-ab2", "AB2"))
    triples = [quad.triple for quad in parse(data, RdfFormat.TURTLE)]
    first = house.send(dataset, data)
    assert (first.status_code, first.json()["added"] > 5) == (201, True), first.text
    generation = house.generation()
    replies = []
    for name in media.RDF_FORMATS:
        text = serialize(triples, format=media.RDF_FORMATS[name])
        assert text is not None
        replies += [
            house.send(dataset, text, media_type=name),
            house.send(dataset, gzip.compress(text), media_type=f"{name}; charset=UTF-8"),
            house.send(
                dataset,
                gzip.compress(text),
                media_type=name,
                headers={"content-encoding": "gzip"},
            ),
        ]
    graph_name = NamedNode(f"{BASE}graph/{dataset}")
    quads = [Quad(t.subject, t.predicate, t.object, graph_name) for t in triples]
    replies.append(
        house.send(dataset, serialize(quads, format=RdfFormat.TRIG) or b"", media_type=media.TRIG)
    )
    files = [
        ("file", ("a.ttl", turtle(organisation("swift-ab1", "AB1 é", site)))),
        ("file", ("b.ttl.gz", gzip.compress(turtle(organisation("swift-ab2", "AB2"))))),
    ]
    replies.append(house.ask("POST", f"{SUBMISSIONS}?dataset={dataset}", "swift", files=files))
    for reply in replies:
        assert reply.status_code == 201, reply.text
        assert (reply.json()["state"], reply.json()["generation"]) == ("published", None)
    assert house.generation() == generation


def test_a_merge_is_judged_by_what_it_leads_to(house: Publishing) -> None:
    dataset = house.dataset("swift")
    house.publish(dataset, organisation("swift-o1", "O1"))
    second = '<id/organisation/swift-o1> skos:prefLabel "Another"@en .'
    assert problem(house.send(dataset, second, mode="merge")) == (422, "invalid-data")
    label = '<id/organisation/swift-o1> skos:prefLabel "O1"@en .'
    assert problem(house.send(dataset, label, mode="remove")) == (422, "invalid-data")
    assert record(house, "swift-o1").json()["label"] == {"en": "O1"}


@pytest.mark.parametrize("mode", ["replace", "merge", "remove"])
def test_a_reversal_restores_what_was(mode: str, house: Publishing) -> None:
    dataset, slug = house.dataset("swift"), f"swift-{mode}"
    start = organisation(f"{slug}1", "One") + organisation(f"{slug}2", "Two")
    house.publish(dataset, start)
    before = graph(house, dataset)
    change = {
        "replace": organisation(f"{slug}1", "Other"),
        "merge": organisation(f"{slug}3", "Three"),
        "remove": organisation(f"{slug}2", "Two"),
    }[mode]
    one = house.publish(dataset, change, mode=mode)
    gone = {"replace": f"{slug}2", "merge": None, "remove": f"{slug}2"}[mode]
    if gone:
        assert record(house, gone).status_code == 410
    tried = house.act(one, "revert", "swift", params={"dry_run": "true"})
    assert (tried.status_code, tried.json()["conforms"]) == (200, True)
    assert graph(house, dataset) != before
    reverted = house.act(one, "revert", "swift")
    assert reverted.status_code == 201, reverted.text
    assert (reverted.json()["mode"], reverted.json()["reverts"]) == ("revert", one["id"])
    assert graph(house, dataset) == before
    if gone:
        assert record(house, gone).json()["label"] == {"en": "Two"}
        assert not house.says(f"<id/organisation/{gone}> a ?type FILTER(?type != org:Organization)")
    else:
        assert record(house, f"{slug}3").status_code == 410
    again = house.act(reverted.json(), "revert", "swift")
    assert again.status_code == 201, again.text
    assert record(house, f"{slug}1").json()["label"] == (
        {"en": "Other"} if mode == "replace" else {"en": "One"}
    )


def test_a_reversal_by_an_untrusted_partner_waits_for_review(house: Publishing) -> None:
    dataset = house.dataset()
    one = house.publish(dataset, organisation("demo-p1", "P1"))
    reverted = house.act(one, "revert", "demo")
    assert (reverted.status_code, reverted.json()["state"]) == (202, "in-review")
    assert record(house, "demo-p1").status_code == 200
    assert house.act(reverted.json(), "accept").json()["state"] == "published"
    assert record(house, "demo-p1").status_code == 410


def test_a_reversal_keeps_what_came_later(house: Publishing) -> None:
    dataset = house.dataset("swift")
    house.publish(dataset, organisation("swift-q1", "Q1"))
    wrong = house.publish(dataset, organisation("swift-q2", "Q2"), mode="merge")
    house.publish(dataset, organisation("swift-q3", "Q3"), mode="merge")
    assert house.act(wrong, "revert", "swift").status_code == 201
    assert [record(house, f"swift-q{n}").status_code for n in (1, 2, 3)] == [200, 410, 200]


# who sees what


def test_each_partner_sees_its_own_and_a_curator_all(house: Publishing) -> None:
    dataset = house.dataset()
    one = waiting(house, dataset, organisation("demo-r1", "R1"))
    path = f"{SUBMISSIONS}/{one['id']}"
    for part in ("", "/report", "/diff"):
        assert house.ask("GET", f"{path}{part}", "demo").status_code == 200
        assert house.ask("GET", f"{path}{part}", "curator").status_code == 200
        assert problem(house.ask("GET", f"{path}{part}", "other")) == (404, "not-found")
        assert problem(house.ask("GET", f"{path}{part}", "reader")) == (403, "forbidden")
        assert problem(house.ask("GET", f"{path}{part}")) == (401, "unauthenticated")
    for action in ("withdraw", "revert"):
        assert problem(house.act(one, action, "other")) == (404, "not-found")
    unheard = house.ask("GET", f"{SUBMISSIONS}/{'0' * 32}", "other")
    theirs = house.ask("GET", path, "other")
    assert theirs.json()["detail"].replace(one["id"], "0" * 32) == unheard.json()["detail"]
    for key, sees in (("demo", True), ("other", False), ("curator", True)):
        listed = house.ask("GET", f"{SUBMISSIONS}?dataset={dataset}", key).json()
        assert ([item["id"] for item in listed["items"]] == [one["id"]]) is sees
        assert listed["total"] == int(sees)
    # what a curator sends to a partner's dataset is the partner's to see
    published = house.publish(dataset, organisation("demo-r2", "R2"))
    assert shown(house, published, "demo")["partner"] == "demo"


def test_lists_are_paged_from_the_newest(house: Publishing) -> None:
    dataset = house.dataset()
    sent = [waiting(house, dataset, organisation("demo-s1", f"S{n}")) for n in range(5)]
    house.act(sent[0], "withdraw", "demo")
    path: str | None = f"{SUBMISSIONS}?dataset={dataset}&limit=2"
    pages = []
    while path:
        page = house.ask("GET", path, "demo").json()
        assert page["total"] == 5
        pages.append([item["id"] for item in page["items"]])
        path = page["next"]
    expected = [one["id"] for one in reversed(sent)]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one for page in pages for one in page] == expected
    drawn = house.ask("GET", f"{SUBMISSIONS}?dataset={dataset}&state=withdrawn", "demo").json()
    assert [item["id"] for item in drawn["items"]] == expected[-1:]


# what the graph says of it


def test_the_provenance_of_a_change_is_asked_by_sparql(house: Publishing) -> None:
    dataset = house.dataset()
    one = waiting(house, dataset, organisation("demo-t1", "T1") + organisation("demo-t2", "T2"))
    house.act(one, "accept")
    one = shown(house, one)
    rows = house.server.select(f"""
        PREFIX dcterms: <http://purl.org/dc/terms/>
        PREFIX lt: <https://w3id.org/lifetec/ontology#>
        PREFIX prov: <http://www.w3.org/ns/prov#>
        PREFIX spdx: <http://spdx.org/rdf/terms#>
        SELECT * {{ GRAPH <{BASE}graph/service> {{
          ?commit a prov:Activity ; prov:influenced <{BASE}id/organisation/demo-t1> ;
            prov:influenced ?other ; prov:generated ?dataset ; prov:wasAssociatedWith ?author ;
            prov:wasInformedBy ?submission ; dcterms:license ?licence ; lt:statementsAdded ?added ;
            lt:statementsRemoved ?removed ; prov:endedAtTime ?time ;
            prov:used/spdx:checksum/spdx:checksumValue ?hash .
          FILTER(?other != <{BASE}id/organisation/demo-t1>) }} }}""")
    assert rows == [
        {
            "commit": one["commit"],
            "other": f"{BASE}id/organisation/demo-t2",
            "dataset": f"{BASE}graph/{dataset}",
            "author": f"{BASE}id/partner/demo",
            "submission": one["iri"],
            "licence": LICENCE,
            "added": str(one["added"]),
            "removed": "0",
            "time": rows[0]["time"],
            "hash": one["source_hash"],
        }
    ]


def test_what_a_partner_says_of_others_is_marked_as_a_claim(house: Publishing) -> None:
    theirs, ours = house.dataset("demo"), house.dataset("swift")
    house.publish(theirs, organisation("demo-u1", "U1"))
    claim = f"<graph/{ours}> lt:claimsAbout <id/organisation/demo-u1>"
    said = '<id/organisation/demo-u1> dcterms:description "Known to swift."@en .'
    sent = house.send(ours, said)
    assert sent.status_code == 201, sent.text
    assert house.says(claim)
    assert not house.says(f"<graph/{theirs}> lt:claimsAbout ?anything")
    assert record(house, "demo-u1").json()["description"] == {"en": "Known to swift."}
    house.publish(ours, said, mode="remove")
    assert not house.says(claim)
    new = organisation("demo-u2", "U2")
    assert problem(house.send(ours, new)) == (403, "not-yours")


def test_what_others_refer_to_stays_unless_a_curator_forces_it(house: Publishing) -> None:
    makers, users = house.dataset("swift"), house.dataset("demo")
    house.publish(makers, organisation("swift-v1", "V1"))
    house.publish(users, PATENT.format(slug="demo-v", by="swift-v1", trl=4))
    refused = house.send(makers, "")
    assert problem(refused) == (409, "still-referenced")
    assert refused.json()["total"] == 1
    assert refused.json()["references"] == [
        {
            "subject": f"{BASE}id/technology/demo-v",
            "predicate": "http://purl.org/dc/terms/creator",
            "object": f"{BASE}id/organisation/swift-v1",
            "dataset": f"{BASE}graph/{users}",
        }
    ]
    assert record(house, "swift-v1").status_code == 200
    assert problem(house.send(makers, "", force="true")) == (403, "forbidden")
    forced = house.send(makers, "", "curator", force="true")
    assert forced.json()["state"] == "published", forced.text
    gone = record(house, "swift-v1")
    assert problem(gone) == (410, "gone")
    assert house.act(forced.json(), "revert").status_code == 201
    assert record(house, "swift-v1").json()["label"] == {"en": "V1"}


def test_the_description_of_a_dataset_conforms_to_the_shapes(house: Publishing) -> None:
    dataset = house.dataset("swift", "Inventions & <i>more</i>")
    house.publish(dataset, organisation("swift-w1", "W1"))
    described = f"""CONSTRUCT {{ ?s ?p ?o }} {{ GRAPH <{BASE}graph/service> {{ ?s ?p ?o
        FILTER(STRSTARTS(STR(?s), "{BASE}graph/{dataset}")
            || STRSTARTS(STR(?s), "{BASE}id/partner/swift")) }} }}"""
    data = house.server.get(
        "/sparql?" + str(httpx.QueryParams(query=described)), accept="text/turtle"
    )
    assert data.text.count("Inventions &") == 2
    report = house.ask(
        "POST", "/api/v1/validate", content=data.content, headers={"content-type": "text/turtle"}
    ).json()
    assert report["statements"] > 15
    assert report["counts"]["violation"] == report["counts"]["warning"] == 0, report
    slug = dataset.partition("/")[2]
    renamed = {"titles": {"en": "Renamed"}}
    house.ask("PATCH", f"/api/v1/admin/datasets/swift/{slug}", "admin", json=renamed)
    house.publish(dataset, organisation("swift-w1", "W2"))
    titles = f"SELECT ?t {{ <{BASE}graph/{dataset}> <http://purl.org/dc/terms/title> ?t }}"
    assert house.server.select(titles) == [{"t": "Renamed"}]


def test_texts_of_partners_are_escaped_on_pages(house: Publishing) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    more = f"""; foaf:homepage <https://example.org/?a=%22%3E%3Cscript%3E&b='onclick='>
        ; dcterms:description "{evil} \\u202E gnp.exe"@en"""
    house.publish(house.dataset("demo", evil), organisation("demo-x1", evil, more))
    paths = [
        "/id/organisation/demo-x1", "/organisations/demo-x1", "/organisations", "/datasets",
        "/organisations?q=script", "/",
    ]  # fmt: skip
    for path in paths:
        address: str | None = path
        reply = house.server.get(path, accept="text/html")
        while reply.is_redirect:
            address = reply.headers["location"]
            reply = house.ask("GET", address or "", headers={"accept": "text/html"})
        assert reply.status_code == 200, (path, reply.status_code)
        assert "<script>alert" not in reply.text, path
        assert "<img src=x" not in reply.text, path
        assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "&lt;script&gt;alert" in house.server.get("/organisations", accept="text/html").text


# large ones


def test_a_large_one_is_answered_at_once_and_followed_to_its_end(
    bare: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("large")
    with RunningServer(folder / "var", **bare, submission_wait_mb=0) as server:
        house = Publishing(server, bare)
        dataset = house.dataset("swift")
        data = "".join(organisation(f"swift-y{n}", f"Y{n}") for n in range(3000))
        sent = house.send(dataset, data)
        assert sent.status_code == 202
        one = sent.json()
        assert one["state"] in {"received", "validated"}
        assert sent.headers["link"] == f'<{one["job"]}>; rel="monitor"'
        job = ended(house, one)
        assert job["result"]["state"] == "published"
        assert job["result"]["generation"] == house.generation()
        now = shown(house, one)
        assert now["state"] == "published"
        assert now["added"] - now["statements"] in range(40)
        assert len(graph(house, dataset)) == 6000
        job = ended(house, house.send(dataset, b"<x> <y").json())
        assert job["state"] == "failed"
        assert (job["error"]["type"].rpartition("/")[2], job["error"]["line"]) == ("syntax", 1)
        refused = shown(house, job)
        assert (refused["state"], refused["problem"]["line"]) == ("rejected", 1)


def ended(house: Publishing, one: dict[str, Any]) -> dict[str, Any]:
    """The job of a submission when it has ended; its sender may watch it, and no other partner."""
    address = one["job"]
    assert problem(house.ask("GET", address, "other")) == (404, "not-found")
    deadline = time.monotonic() + 60
    while True:
        job: dict[str, Any] = house.ask("GET", address, "swift").json()
        if job["state"] not in {"queued", "running"}:
            return job
        assert time.monotonic() < deadline
        time.sleep(0.05)


# descriptions


def test_openapi_describes_what_is_answered(house: Publishing, refused: dict[str, Any]) -> None:
    document = house.server.get("/openapi.json").json()
    schemas = document["components"]["schemas"]

    def schema(path: str, method: str, status: str) -> dict[str, Any]:
        reply = document["paths"][path][method]["responses"][status]
        found: dict[str, Any] = reply["content"]["application/json"]["schema"]
        return found

    one = waiting(house, house.dataset(), organisation("demo-z1", "Z1"))
    described(one, schema(SUBMISSIONS, "post", "202"), schemas)
    described(refused, schema(f"{SUBMISSIONS}/{{id}}", "get", "200"), schemas)
    listed = house.ask("GET", SUBMISSIONS, "demo").json()
    described(listed, schema(SUBMISSIONS, "get", "200"), schemas)
    report = house.ask("GET", f"{SUBMISSIONS}/{refused['id']}/report", "demo").json()
    described(report, schema(f"{SUBMISSIONS}/{{id}}/report", "get", "200"), schemas)
