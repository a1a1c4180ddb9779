from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from app.database import Database
from app.errors import Gone, NotFound, Overloaded
from app.log import Change
from app.records.history import History, HistoryPage
from app.records.service import Records
from tests.profile.samples import sample_profile
from tests.records.direct import DirectRunner
from tests.records.past import BASE, SERVICE, Past

pytestmark = pytest.mark.anyio

PROFILE = sample_profile()
ACME = f"{BASE}id/organisation/a-acme"
FIRST = """
:organisation\\/a-acme a org:Organization ; skos:prefLabel "Acme"@en ;
  foaf:homepage <https://acme.example/> ; schema:numberOfEmployees 10 .
:organisation\\/a-other a org:Organization ; skos:prefLabel "Other"@en .
"""
SECOND = FIRST.replace("10", "12").replace('"Acme"@en', '"Acme"@en , "Acme BV"@nl')


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(Database(f"sqlite:///{tmp_path / 'lifetec.db'}"), tmp_path)


def history_of(past: Past) -> History:
    return History(DirectRunner(past.store), past.log, PROFILE)


async def page(past: Past, iri: str = ACME, **more: Any) -> HistoryPage:
    return await history_of(past).page(iri, **more)


async def provenance(past: Past, iri: str = ACME, **more: Any) -> dict[str, Any]:
    record = json.loads(await history_of(past).record_json(iri, **more))
    found: dict[str, Any] = record["provenance"]
    return found


async def test_a_history_tells_each_commit_and_what_it_changed(past: Past) -> None:
    past.replace("a/one", FIRST)
    past.replace("b/two", ":organisation\\/b-else a org:Organization .")
    past.replace("a/one", SECOND)
    found = await page(past)
    assert (found.total, found.before, found.name) == (2, None, "Acme")
    newest, first = found.items
    assert newest["generation"] == 3
    assert newest["commit"] == f"{BASE}commit/3"
    assert newest["time"] == "2026-01-01T14:00:00Z"
    assert [one["id"] for one in newest["datasets"]] == [f"{BASE}graph/a/one"]
    assert newest["partner"]["id"] == f"{BASE}id/partner/a"
    assert newest["licence"] == "http://creativecommons.org/licenses/by/4.0/"
    assert newest["submission"] == f"{BASE}submission/s3"
    assert newest["change"] == "changed"
    changed = {one["field"]: (one["added"], one["removed"]) for one in newest["fields"]}
    assert changed["employees"] == (["12"], ["10"])
    assert changed["label"][1] == []
    assert "Acme BV" in changed["label"][0][0]
    assert (first["generation"], first["change"]) == (1, "added")
    assert {"label", "homepage", "employees"} <= {one["field"] for one in first["fields"]}


async def test_a_history_speaks_the_language_asked_for(past: Past) -> None:
    past.replace("a/one", FIRST)
    (only,) = (await page(past, lang="nl")).items
    assert next(one["label"] for one in only["fields"] if one["field"] == "label") == "Naam"


async def test_a_history_comes_page_by_page(past: Past) -> None:
    for number in range(1, 6):
        past.replace("a/one", FIRST.replace("10", str(number)))
    seen: list[int] = []
    before = None
    while True:
        found = await page(past, limit=2, before=before)
        assert found.total == 5
        seen += [one["generation"] for one in found.items]
        before = found.before
        if before is None:
            break
    assert seen == [5, 4, 3, 2, 1]


async def test_parts_without_names_are_told_too(past: Past) -> None:
    site = 'org:hasPrimarySite [ a org:Site ; org:siteAddress [ locn:postName "{city}" ] ]'
    for city in ("Leuven", "Aachen"):
        past.replace(
            "a/one",
            FIRST.replace("org:Organization ;", f"org:Organization ; {site} ;").replace(
                "{city}", city
            ),
        )
    newest, _ = (await page(past)).items
    cities = {one["field"]: (one["added"], one["removed"]) for one in newest["fields"]}
    assert cities == {"site.address.city": (["Aachen"], ["Leuven"])}


async def test_what_was_removed_keeps_its_history(past: Past) -> None:
    past.replace("a/one", FIRST)
    past.replace(
        "a/one", "", said=':organisation\\/a-acme a as:Tombstone ; as:deleted "2026-01-01" .'
    )
    newest, first = (await page(past)).items
    assert (newest["change"], first["change"]) == ("removed", "added")
    assert "Acme (en)" in next(f["removed"] for f in newest["fields"] if f["field"] == "label")
    assert not any("deleted" in one["field"] for one in newest["fields"])
    with pytest.raises(Gone):
        await history_of(past).record_json(ACME)


async def test_what_never_was_has_no_history(past: Past) -> None:
    past.replace("a/one", FIRST)
    with pytest.raises(NotFound):
        await page(past, f"{BASE}id/organisation/nobody")


async def test_a_dataset_has_the_history_of_all_its_commits(past: Past) -> None:
    said = 'graph:a\\/one a dcat:Dataset ; dcterms:title "One"@en .'
    past.replace("a/one", FIRST, said=said)
    past.replace_all({"b/two": FIRST, "a/one": SECOND})
    found = await page(past, f"{BASE}graph/a/one")
    assert [one["generation"] for one in found.items] == [2, 1]
    assert [one["name"] for one in found.items[0]["datasets"]] == ["One", "b/two"]


async def test_each_value_tells_who_says_it_and_since_when(past: Past) -> None:
    past.replace("a/one", FIRST)
    past.replace("a/one", SECOND)
    past.replace("a/one", SECOND + ":organisation\\/a-third a org:Organization .")
    fields = {one["field"]: one["values"] for one in (await provenance(past))["fields"]}
    (employees,) = fields["employees"]
    assert employees["value"] == 12
    (said,) = employees["asserted_by"]
    assert said["dataset"]["id"] == f"{BASE}graph/a/one"
    assert said["partner"]["id"] == f"{BASE}id/partner/a"
    assert said["claim"] is False
    assert said["since"] == {"generation": 2, "time": "2026-01-01T13:00:00Z"}
    since = {
        json.dumps(one["value"]): one["asserted_by"][0]["since"]["generation"]
        for one in fields["label"]
    }
    assert since == {
        '{"@value": "Acme", "@language": "en"}': 1,
        '{"@value": "Acme BV", "@language": "nl"}': 2,
    }
    (homepage,) = fields["homepage"]
    assert homepage["value"]["id"] == "https://acme.example/"


async def test_a_value_that_came_back_is_said_since_it_came_back(past: Past) -> None:
    for turtle in (FIRST, SECOND, FIRST):
        past.replace("a/one", turtle)
    fields = {one["field"]: one["values"] for one in (await provenance(past))["fields"]}
    assert fields["employees"][0]["asserted_by"][0]["since"]["generation"] == 3


async def test_conflicts_are_where_datasets_differ_and_one_value_may_be(past: Past) -> None:
    past.replace("a/one", FIRST)
    claim = f"<{BASE}graph/b/two> lt:claimsAbout <{ACME}> ."
    theirs = """:organisation\\/a-acme skos:prefLabel "ACME Inc."@en , "Acme"@de ;
      skos:altLabel "AC"@en ; schema:numberOfEmployees 10 ; foaf:homepage <https://b.example/> ."""
    past.replace("b/two", theirs, said=claim)
    found = await provenance(past)
    assert [(one["field"], one.get("language")) for one in found["conflicts"]] == [
        ("label", "en"),
        ("homepage", None),
    ]
    label = found["conflicts"][0]
    assert label["label"] == "Label"
    assert {
        one["value"]["@value"]: [dataset["id"] for dataset in one["datasets"]]
        for one in label["values"]
    } == {"Acme": [f"{BASE}graph/a/one"], "ACME Inc.": [f"{BASE}graph/b/two"]}
    fields = {one["field"]: one["values"] for one in found["fields"]}
    claims = {one["dataset"]["id"]: one["claim"] for one in fields["employees"][0]["asserted_by"]}
    assert claims == {f"{BASE}graph/a/one": False, f"{BASE}graph/b/two": True}


async def test_parts_are_told_under_the_fields_that_lead_to_them(past: Past) -> None:
    site = """ ; org:hasPrimarySite <#site> . <#site> a org:Site ;
      org:siteAddress [ locn:postName "Leuven" ] . :organisation\\/a-acme """
    turtle = f"@base <{ACME}> ." + FIRST.replace(";\n  foaf", site + "foaf", 1)
    past.replace("a/one", FIRST)
    past.replace("a/one", turtle)
    fields = {one["field"]: one for one in (await provenance(past))["fields"]}
    assert fields["site"]["values"][0]["value"]["id"] == f"{ACME}#site"
    city = fields["site.address.city"]
    assert city["label"].split(" › ")[0] == "Site"
    (value,) = city["values"]
    assert (value["value"], value["asserted_by"][0]["since"]["generation"]) == ("Leuven", 2)
    assert "genid" in value["of"]


async def test_without_a_parameter_a_record_is_as_before(past: Past) -> None:
    past.replace("a/one", FIRST)
    runner = DirectRunner(past.store)
    plain = await Records(runner, PROFILE).get(ACME)
    whole = json.loads(await history_of(past).record_json(ACME))
    assert "provenance" not in plain
    assert {key: value for key, value in whole.items() if key != "provenance"} == plain


async def test_the_notes_of_the_service_are_no_part_of_records(past: Past) -> None:
    """Commits refer to entities, datasets to what they claim; neither is a fact about them."""
    said = f'graph:b\\/two a dcat:Dataset ; dcterms:title "Two"@en ; lt:claimsAbout <{ACME}> .'
    for number in range(60):
        past.replace("a/one", FIRST.replace("10", str(number)))
    past.replace("b/two", ":organisation\\/a-acme ex:motto 1 .", said=said)
    records = Records(DirectRunner(past.store), PROFILE)
    record = await records.get(ACME)
    assert [one["id"] for one in record["asserted_by"]] == [
        f"{BASE}graph/a/one",
        f"{BASE}graph/b/two",
    ]
    assert not any("prov#" in key or "claims" in key for key in record)
    dataset = await records.get(f"{BASE}graph/b/two")
    assert not any("claimsAbout" in key for key in dataset)
    commit = await records.get(f"{BASE}commit/1")
    assert not any("influenced" in key for key in commit)
    listed = await records.page("organisation", facets=True)
    assert listed["total"] == 2
    assert SERVICE not in json.dumps(listed)


async def test_few_look_into_the_log_at_a_time_and_a_long_line_is_refused(past: Past) -> None:
    past.replace("a/one", FIRST)
    history, loop = history_of(past), asyncio.get_running_loop()
    may_go_on, all_places_taken = threading.Event(), asyncio.Event()
    searching: list[str] = []

    def slow(subject: str, generations: Sequence[int]) -> list[Change]:
        searching.append(subject)
        if len(searching) == 2:
            loop.call_soon_threadsafe(all_places_taken.set)
        may_go_on.wait(30)
        return []

    with mock.patch.object(past.log, "changes_of", slow):
        asked = [asyncio.create_task(history.page(ACME)) for _ in range(25)]
        await all_places_taken.wait()
        assert (len(searching), sum(one.done() for one in asked)) == (2, 5)
        may_go_on.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, Overloaded)]
    assert len(refused) == 5
    assert all(isinstance(one, HistoryPage | Overloaded) for one in answers)
