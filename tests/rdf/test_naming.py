from __future__ import annotations

import pytest
from pyoxigraph import DefaultGraph, NamedNode

from app.rdf.naming import Naming, graph_of, is_ours, name_of, partner_of

BASE = "https://w3id.org/lifetec/"
DEMO = Naming(BASE, "demo", everywhere=False)
CURATOR = Naming(BASE, None, everywhere=True)
OTHERS = "id/organisation/ror-1"


@pytest.mark.parametrize(
    "disguised",
    [
        f"HTTPS://w3id.org/lifetec/{OTHERS}",
        f"https://W3ID.ORG/LifeTec/{OTHERS}",
        f"http://w3id.org/lifetec/{OTHERS}",
        f"https://w3id.org:443/lifetec/{OTHERS}",
        f"https://w3id.org:/lifetec/{OTHERS}",
        f"https://w3id.org./lifetec/{OTHERS}",
        f"https://somebody@w3id.org/lifetec/{OTHERS}",
        f"https://w3id.org/%6Cifetec/{OTHERS}",
        f"https://w3id.org/lifetec%2F{OTHERS}",
        f"https://w3id.org//lifetec/{OTHERS}",
        f"https://w3id.org/./lifetec/{OTHERS}",
        f"https://w3id.org/x/../lifetec/{OTHERS}",
        f"https://w3id.org/x/%2e%2E/lifetec/{OTHERS}",
        f"https://w3id.org/ｌifetec/{OTHERS}",  # a full-width letter
        f"{BASE}id/organisation/demo-1/../ror-1",
        f"{BASE}id/organisation/demo-1%2F..%2Fror-1",
        f"{BASE}id/organisation/demo-1%3Fx",
        f"{BASE}id/organisation/demo-1%23x",
        f"{BASE}id/organisation/demo%2D1",
        f"{BASE}id/%6Frganisation/demo-1",
        f"{BASE}ID/organisation/demo-1",
        f"{BASE}./id/organisation/demo-1",
        f"{BASE}.well-known/genid/0123456789abcdef0123456789abcdef-0",
        f"{BASE}graph/default",
        f"{BASE}graph/demo/first/../../other/first",
        f"{BASE}graph/demo%2Ffirst",
    ],
)
def test_no_disguise_of_a_name_of_ours_can_be_minted(disguised: str) -> None:
    assert is_ours(disguised, BASE)
    assert not DEMO.may_mint(disguised)
    assert not CURATOR.may_mint(disguised)


@pytest.mark.parametrize(
    "foreign",
    [
        "https://ror.org/02jz4aj89",
        "https://w3id.org/lifetec",
        "https://w3id.org/lifetech/id/x",
        "https://w3id.org:8443/lifetec/id/x",
        "https://w3id.org/lifetec/../other/x",
        "https://w3id.org.example.org/lifetec/id/x",
        "https://example.org/?https://w3id.org/lifetec/id/x",
        "https://example.org/#https://w3id.org/lifetec/id/x",
        "urn:https://w3id.org/lifetec/",
        "https://[",
        "mailto:data@demo.org",
    ],
)
def test_what_only_resembles_the_namespace_is_foreign(foreign: str) -> None:
    assert not foreign.startswith(BASE) or "/../" in foreign
    expected = foreign.startswith(BASE)  # what begins as ours is ours, wherever its dots lead
    assert is_ours(foreign, BASE) is expected
    assert DEMO.may_mint(foreign) is not expected


@pytest.mark.parametrize("local", ["1", "a-b.c_d", "caf%C3%A9", "é", "1#address"])
def test_a_partner_mints_under_its_own_prefix(local: str) -> None:
    assert DEMO.may_mint(f"{BASE}id/organisation/demo-{local}")
    assert not DEMO.may_mint(f"{BASE}id/organisation/other-{local}")
    assert CURATOR.may_mint(f"{BASE}id/organisation/other-{local}")


def test_what_a_job_is_told_says_the_same() -> None:
    for one in (DEMO, CURATOR, Naming(BASE, "demo", False, frozenset({f"{BASE}graph/demo/x"}))):
        assert Naming.of(one.arguments(), BASE) == one


def test_graphs_have_names_and_some_have_partners() -> None:
    assert partner_of(f"{BASE}graph/demo/first", BASE) == "demo"
    for graph in ("graph/service", "graph/default", "graph/demo", "id/demo/first"):
        assert partner_of(f"{BASE}{graph}", BASE) is None
    assert graph_of(f"{BASE}graph/default", BASE) == DefaultGraph()
    for name in (f"{BASE}graph/default", f"{BASE}graph/demo/first", "https://example.org/g"):
        assert name_of(graph_of(name, BASE), BASE) == name
    assert graph_of("https://example.org/g", BASE) == NamedNode("https://example.org/g")
