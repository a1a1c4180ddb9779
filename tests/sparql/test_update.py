"""SPARQL 1.1 Protocol, updates: request in, value or refusal out."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest

from app.errors import (
    AppError,
    FederationRefused,
    InvalidRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    SyntaxRejected,
    UnsupportedMediaType,
)
from app.rdf.updates import Targets
from app.sparql.request import FORM_TYPE, QUERY_TYPE, UPDATE_TYPE, Request
from app.sparql.update import Update, read_update_request

G, H = "http://example.org/g", "http://example.org/h"
U = f"CLEAR GRAPH <{G}>"
MODIFY = "DELETE WHERE { ?s ?p ?o }"
TO_G = Targets(frozenset({G}))
DEFAULT = Targets(default=True)
LIMIT = 1024


def form(body: str | bytes, content_type: str = FORM_TYPE, string: str = "") -> Request:
    data = body.encode() if isinstance(body, str) else body
    return Request("POST", string.encode(), content_type, None, data)


def direct(body: str | bytes, string: str = "", content_type: str = UPDATE_TYPE) -> Request:
    return form(body, content_type, string)


def asked(text: str = U, **parameters: str | list[str]) -> str:
    named = {
        name.replace("_", "-") if name.startswith("using") else name: value
        for name, value in parameters.items()
    }
    return urlencode({"update": text, **named}, doseq=True)


def read(request: Request) -> Update:
    return read_update_request(request, base_iri="http://base/", max_update_bytes=LIMIT)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        # §2.2.1 with a form, §2.2.2 directly
        (form(asked()), Update(U, TO_G)),
        (form(asked(), "Application/X-WWW-Form-Urlencoded; charset=UTF-8"), Update(U, TO_G)),
        (direct(U), Update(U, TO_G)),
        (direct(U, content_type="application/sparql-update; charset=utf-8"), Update(U, TO_G)),
        (direct(U, content_type='Application/Sparql-Update;charset="UTF-8"'), Update(U, TO_G)),
        # percent-decoded once, `+` is a space, text is UTF-8
        (form(b"update=CLEAR+DEFAULT%20"), Update("CLEAR DEFAULT ", DEFAULT)),
        (form("update=" + quote("CREATE GRAPH <http://x/a%2Fb+é>")),
         Update("CREATE GRAPH <http://x/a%2Fb+é>", Targets(frozenset({"http://x/a%2Fb+é"})))),
        (direct("CREATE GRAPH <http://x/a%2Fb+é>"),
         Update("CREATE GRAPH <http://x/a%2Fb+é>", Targets(frozenset({"http://x/a%2Fb+é"})))),
        (direct("CREATE GRAPH <g>"), Update("CREATE GRAPH <g>", Targets(frozenset({"http://base/g"})))),
        # §2.2.3 the dataset, in the body or in the address
        (form(asked(MODIFY, using_graph_uri=[G, H, G])),
         Update(f"DELETE {{ ?s ?p ?o }} USING <{G}> USING <{H}> WHERE {{ ?s ?p ?o }}", DEFAULT)),
        (direct(MODIFY, f"using-named-graph-uri={quote(G)}"),
         Update(f"DELETE {{ ?s ?p ?o }} USING NAMED <{G}> WHERE {{ ?s ?p ?o }}", DEFAULT)),
        (form(asked(MODIFY), string=f"using-graph-uri={quote(G)}"),
         Update(f"DELETE {{ ?s ?p ?o }} USING <{G}> WHERE {{ ?s ?p ?o }}", DEFAULT)),
        (direct(U, f"using-graph-uri={quote(H)}"), Update(U, TO_G)),
        # our own parameters, in either place
        (direct(U, "dry_run=true"), Update(U, TO_G, dry_run=True)),
        (form(asked(dry_run="1", force="TRUE")), Update(U, TO_G, dry_run=True, force=True)),
        (form(asked(), string="force=true&dry_run=false"), Update(U, TO_G, force=True)),
        (form(asked(format="json", output="json")), Update(U, TO_G)),
        (form(asked(version="1.2")), Update(U, TO_G)),
        (direct(U, content_type="application/sparql-update; version=1.2"), Update(U, TO_G)),
        # an update may do nothing, and LOAD SILENT does nothing here (Update §3.1.4)
        (form("update="), Update("", Targets())),
        (direct(" \n"), Update(" \n", Targets())),
        (direct("BASE <http://x/>"), Update("BASE <http://x/>", Targets())),
        (direct("load silent <file:///x> into graph <http://x/>"), Update(" " * 46, Targets())),
        (direct("LOAD SILENT\n<x>; CLEAR DEFAULT"),
         Update(" " * 11 + "\n" + " " * 5 + "CLEAR DEFAULT", DEFAULT)),
        # words of federation that are none
        (direct("INSERT DATA { <http://x/> <http://x/SERVICE> 'LOAD' }"),
         Update("INSERT DATA { <http://x/> <http://x/SERVICE> 'LOAD' }", DEFAULT)),
    ],
)  # fmt: skip
def test_a_request_becomes_the_update_that_it_asks_for(request_: Request, expected: Update) -> None:
    assert read(request_) == expected


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        # exactly one update, in the body
        (form(""), InvalidRequest, "exactly once, not 0"),
        (form(asked() + "&" + asked()), InvalidRequest, "exactly once, not 2"),
        (form("", string=asked()), InvalidRequest, "belongs in the body"),
        (form(asked(), string=asked()), InvalidRequest, "belongs in the body"),
        (direct(U, asked()), InvalidRequest, "belongs in the body"),
        # SPARQL 1.2 Protocol §2.3: one version at most
        (form(asked(version=["1.1", "1.2"])), InvalidRequest, "'version' must be given once only"),
        (form(asked(version="1.1"), string="version=1.1"), InvalidRequest, "'version'"),
        # methods and media types
        *[
            (Request(method, asked().encode()), MethodNotAllowed, "use POST")
            for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "post")
        ],
        (form(asked(), "text/plain"), UnsupportedMediaType, "sparql-update"),
        (form(asked(), ""), UnsupportedMediaType, "missing"),
        (Request("POST", body=U.encode()), UnsupportedMediaType, "missing"),
        (form(asked(), "multipart/form-data; boundary=x"), UnsupportedMediaType, "multipart"),
        (direct(U, content_type=f"{UPDATE_TYPE}; charset=latin-1"), UnsupportedMediaType,
         "sparql-update; charset=utf-8"),
        # queries are for another address
        (direct("ASK {}", content_type=QUERY_TYPE), InvalidRequest, "queries to /sparql"),
        (form("query=ASK{}"), InvalidRequest, "queries to /sparql"),
        (form(asked() + "&query=ASK{}"), InvalidRequest, "queries to /sparql"),
        (direct(U, "query=ASK{}"), InvalidRequest, "queries to /sparql"),
        (direct("ASK {}"), SyntaxRejected, "Expected INSERT"),
        (direct(MODIFY, f"default-graph-uri={G}"), InvalidRequest, "using-graph-uri"),
        (form(asked() + f"&named-graph-uri={G}"), InvalidRequest, "using-named-graph-uri"),
        # text that is not UTF-8
        (form(b"update=%FF%FE"), InvalidRequest, "UTF-8"),
        (form(b"update=\xff"), InvalidRequest, "UTF-8"),
        (direct(b"CLEAR GRAPH <\xff>"), InvalidRequest, r"update is not UTF-8 \(byte 13\)"),
        # the dataset is stated once, by absolute IRIs (§2.2.3)
        (direct(f"WITH <{G}> {MODIFY[:6]} {{ ?s ?p ?o }} WHERE {{ ?s ?p ?o }}",
                f"using-graph-uri={quote(H)}"), InvalidRequest, "twice"),
        (direct(f"DELETE {{ ?s ?p ?o }} USING <{G}> WHERE {{ ?s ?p ?o }}",
                f"using-named-graph-uri={quote(H)}"), InvalidRequest, "twice"),
        (form(asked(f"INSERT {{}} USING NAMED <{G}> WHERE {{}} ; {MODIFY}", using_graph_uri=H)),
         InvalidRequest, "twice"),
        (form(asked(using_graph_uri="g")), InvalidRequest, "using-graph-uri must be"),
        (form(asked(using_named_graph_uri="http://x/> WHERE {} ; CLEAR ALL #")), InvalidRequest,
         "using-named-graph-uri must be"),
        (form(asked(using_graph_uri=[f"http://x/{n}" for n in range(1_001)])), InvalidRequest,
         "More than 1000"),
        # a switch that is not understood must not become the real thing
        (direct(U, "dryrun=true"), InvalidRequest, "Unknown parameter 'dryrun'"),
        (direct(U, "dry-run=true"), InvalidRequest, "Unknown parameter 'dry-run'"),
        (form(asked(dryRun="true")), InvalidRequest, "Unknown parameter 'dryRun'"),
        (direct(U, "dry_run"), InvalidRequest, "true or false"),
        (direct(U, "dry_run=yes"), InvalidRequest, "true or false"),
        (direct(U, "dry_run=true&dry_run=false"), InvalidRequest, "true or false"),
        (form(asked(dry_run="false"), string="dry_run=true"), InvalidRequest, "true or false"),
        (direct(U, "force=x"), InvalidRequest, "force must be"),
        # too long, in bytes, before anything is read
        (direct("#" * (LIMIT + 1)), PayloadTooLarge, "1 kB"),
        (direct("#" + "é" * (LIMIT // 2)), PayloadTooLarge, "PUT or POST to /graphs"),
        # other addresses
        (direct("LOAD <http://x/>"), FederationRefused, "LOAD"),
        (direct("LOAD <file:///x> INTO GRAPH <http://x/>"), FederationRefused, "LOAD"),
        (direct("LOAD SILENT <http://x/>; LOAD <http://y/>"), FederationRefused, "LOAD"),
        (direct("INSERT {} WHERE { SERVICE <http://x/> {} }"), FederationRefused, "SERVICE"),
        (direct("INSERT {} WHERE { FILTER(?a<'>'||''='') SERVICE <http://x/> {} }"),
         SyntaxRejected, "as a comparison"),
        # what the grammar does not have
        (direct("CLEAR GRAPH e:g"), SyntaxRejected, "prefix e:"),
        (direct("INSERT {} WHERE " + "{" * 300), SyntaxRejected, "200 braces"),
    ],
)  # fmt: skip
def test_a_request_that_does_not_fit_is_refused_with_words(
    request_: Request, kind: type[AppError], words: str
) -> None:
    with pytest.raises(kind, match=words) as error:
        read(request_)
    assert type(error.value) is kind


def test_an_update_as_long_as_the_limit_is_read() -> None:
    text = U + "#" * (LIMIT - len(U))
    assert read(direct(text)) == Update(text, TO_G)
