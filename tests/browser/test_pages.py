"""What people see and do, in a real browser on the real data."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.server.running import RunningServer

PAGES = [
    "/",
    "/organisations?q=leuven",
    "/organisations/ror-05f950310",
    "/projects",
    "/technologies",
    "/sparql",
    "/ontology",
    "/docs",
    "/organisations/none",
]


def _complaints(browser: Chrome) -> list[dict[str, Any]]:
    log: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry for entry in log if "404 (Not Found)" not in entry["message"]]


def _wait_for_words(browser: Chrome, words: str) -> None:
    WebDriverWait(browser, 20).until(lambda b: words in b.find_element(By.TAG_NAME, "main").text)


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", PAGES)
def test_page_fits_and_is_quiet(
    path: str, width: int, browser: Chrome, seeded: RunningServer
) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.get(f"{seeded.url}{path}")
    assert len(browser.find_elements(By.TAG_NAME, "h1")) == 1
    wide = browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0, f"{wide} px wider than the window"
    assert not _complaints(browser), "the browser complains"


def test_a_query_typed_by_hand_shows_its_rows(browser: Chrome, seeded: RunningServer) -> None:
    browser.get(f"{seeded.url}/sparql")
    field = browser.find_element(By.TAG_NAME, "textarea")
    field.clear()
    field.send_keys(
        "PREFIX skos: <http://www.w3.org/2004/02/skos/core#> SELECT ?name WHERE "
        "{ <https://w3id.org/lifetec/id/organisation/ror-05f950310> skos:prefLabel ?name }"
    )
    browser.find_element(By.CSS_SELECTOR, "main form button[type=submit]").click()
    WebDriverWait(browser, 20).until(
        lambda b: "KU Leuven" in b.find_element(By.TAG_NAME, "main").text
    )
    assert browser.find_elements(By.CSS_SELECTOR, "main table td")


def test_a_shared_query_shows_its_rows(browser: Chrome, seeded: RunningServer) -> None:
    query = (
        "SELECT ?name { <https://w3id.org/lifetec/id/organisation/ror-05f950310> "
        "<http://www.w3.org/2004/02/skos/core#prefLabel> ?name }"
    )
    browser.get(f"{seeded.url}/sparql?{urlencode({'query': query})}")
    _wait_for_words(browser, "KU Leuven")
    assert browser.find_element(By.TAG_NAME, "textarea").get_property("value") == query


def test_a_wrong_query_is_explained(browser: Chrome, seeded: RunningServer) -> None:
    browser.get(f"{seeded.url}/sparql")
    field = browser.find_element(By.TAG_NAME, "textarea")
    field.clear()
    field.send_keys("SELECT nonsense")
    browser.find_element(By.CSS_SELECTOR, "main form button[type=submit]").click()
    _wait_for_words(browser, "does not parse")


def test_from_search_to_an_organisation(browser: Chrome, seeded: RunningServer) -> None:
    browser.get(f"{seeded.url}/")
    field = browser.find_element(By.CSS_SELECTOR, "main input[name=q]")
    field.send_keys("maastricht university")
    field.submit()
    WebDriverWait(browser, 20).until(lambda b: "q=maastricht" in b.current_url)
    browser.find_element(By.PARTIAL_LINK_TEXT, "Maastricht University").click()
    WebDriverWait(browser, 20).until(lambda b: "/organisations/ror-" in b.current_url)
    assert "Maastricht" in browser.find_element(By.TAG_NAME, "h1").text
