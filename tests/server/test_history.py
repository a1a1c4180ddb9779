"""The past of entities on a real server, published by the command line."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from tests.server.running import RunningServer, lifetec

BASE = "https://w3id.org/lifetec/"
KU_LEUVEN = "/organisations/ror-05f950310"
MINE = f"{BASE}id/organisation/lifetec-mine"


def test_the_seed_has_a_past(seeded: RunningServer) -> None:
    history = seeded.get(f"/api/v1{KU_LEUVEN}/history?lang=nl").json()
    assert history["total"] >= 2
    first = history["items"][-1]
    assert first["datasets"][0]["name"]
    assert first["partner"]["id"].startswith(f"{BASE}id/partner/")
    assert first["change"] == "added"
    fields = {one["field"]: one for one in first["fields"]}
    assert fields["label"]["added"]
    assert any("." in name for name in fields)
    record = seeded.get(f"/api/v1{KU_LEUVEN}?provenance=true").json()
    said = [
        one
        for field in record["provenance"]["fields"]
        for value in field["values"]
        for one in value["asserted_by"]
    ]
    assert len({one["dataset"]["id"] for one in said}) >= 2
    assert all(one["since"] for one in said)


def test_the_past_is_a_page_too(seeded: RunningServer) -> None:
    page = seeded.get(f"{KU_LEUVEN}/history", accept="text/html", accept_language="fr")
    assert page.status_code == 200
    assert "Historique" in page.text
    assert f'href="{KU_LEUVEN}/history"' in seeded.get(KU_LEUVEN, accept="text/html").text


def test_the_past_is_told_in_time(seeded: RunningServer) -> None:
    def median(path: str) -> float:
        taken = []
        for number in range(20):
            begin = time.perf_counter()
            assert seeded.get(path, if_none_match=str(number)).status_code == 200
            taken.append(time.perf_counter() - begin)
        return statistics.median(taken)

    assert median(f"/api/v1{KU_LEUVEN}/history") < 2
    assert median(f"/api/v1{KU_LEUVEN}?provenance=true") < 2


@pytest.fixture
def dataset(bare: dict[str, Any], tmp_path: Path) -> Any:
    """A function that publishes a text as the whole of a dataset of its own."""
    file = tmp_path / "mine.ttl"

    def publish(data_dir: Path, text: str) -> None:
        file.write_text(f"@prefix org: <http://www.w3.org/ns/org#> .\n{text}")
        words = ("--dataset", f"{BASE}graph/lifetec/mine", "--author", f"{BASE}id/partner/lifetec")
        licence = ("--licence", "http://creativecommons.org/licenses/by/4.0/")
        done = lifetec(data_dir, "load", file, *words, *licence, **bare)
        assert done.returncode == 0, done.stdout + done.stderr

    return publish


def test_what_is_changed_and_removed_is_told(
    dataset: Any, bare: dict[str, Any], tmp_path: Path
) -> None:
    data_dir = tmp_path / "var"
    with RunningServer(data_dir, **bare) as server:
        iri = f"/api/v1/resource/history?iri={MINE}"
        assert server.get(iri).status_code == 404
        dataset(data_dir, f"<{MINE}> a org:Organization ; org:purpose 'one' .")
        dataset(data_dir, f"<{MINE}> a org:Organization ; org:purpose 'two' .")
        dataset(data_dir, "")
        assert server.get(f"/api/v1/resource?iri={MINE}").status_code == 410
        items = server.get(iri).json()["items"]
        assert [one["change"] for one in items] == ["removed", "changed", "added"]
        (changed,) = items[1]["fields"]
        assert (changed["added"], changed["removed"]) == (["two"], ["one"])
        asked = f"SELECT ?time {{ ?commit <http://www.w3.org/ns/prov#influenced> <{MINE}> ; "
        asked += "<http://www.w3.org/ns/prov#endedAtTime> ?time } ORDER BY DESC(?time)"
        assert [one["time"] for one in server.select(asked)] == [one["time"] for one in items]
        assert "organisation/lifetec-mine" not in json.dumps(server.get("/api/v1/types").json())
