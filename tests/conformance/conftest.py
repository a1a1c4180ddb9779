"""The suites run when a checkout is named: `W3C` for w3c/rdf-tests, `SHACL` for w3c/data-shapes.

What fails for a reason stands in expected.toml. It must fail: who mends it takes it out.
"""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.manifests import read_cases
from tests.conformance.service import Service, running
from tests.conformance.shacl import read_shacl_cases

EXPECTED: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("expected.toml").read_text()
)

collect_ignore = [
    module
    for module, variable in (("test_w3c.py", "W3C"), ("test_shacl.py", "SHACL"))
    if not os.environ.get(variable)
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each entry of the manifests."""
    if "case" in metafunc.fixturenames:
        cases = read_cases(Path(os.environ["W3C"]))
        metafunc.parametrize(
            "case", [expected("w3c", case.name, case.suite, case) for case in cases]
        )
    if "shacl_case" in metafunc.fixturenames:
        found = read_shacl_cases(Path(os.environ["SHACL"]))
        metafunc.parametrize(
            "shacl_case", [expected("shacl", case.name, case.suite, case) for case in found]
        )


def expected(suites: str, name: str, suite: str, value: object) -> object:
    """A parameter that must fail if expected.toml says so."""
    marks = [pytest.mark.suite(suite)]
    if reason := EXPECTED[suites].get(name):
        marks.append(pytest.mark.xfail(reason=reason, strict=True))
    return pytest.param(value, id=name, marks=marks)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for all tests, which hold their own data in it."""
    with running(tmp_path_factory.mktemp("conformance")) as one:
        yield one


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark that says which suite a test is of."""
    config.addinivalue_line("markers", "suite(name): the suite that a test is of")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have the report of a test know its suite."""
    if mark := item.get_closest_marker("suite"):
        item.user_properties.append(("suite", mark.args[0]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Passes and failures of each suite."""
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "xfailed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            if suite := dict(report.user_properties).get("suite"):
                counts.setdefault(str(suite), Counter())[outcome] += 1
    if not counts:
        return
    terminalreporter.section("conformance")
    terminalreporter.write_line(f"{'suite':24}{'passed':>8}{'expected':>10}{'failed':>8}")
    for suite, found in counts.items():
        failed = found["failed"] + found["error"]
        terminalreporter.write_line(f"{suite:24}{found['passed']:8}{found['xfailed']:10}{failed:8}")
