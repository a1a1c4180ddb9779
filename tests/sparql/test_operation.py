from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest

from app.errors import (
    AppError,
    InvalidRequest,
    MethodNotAllowed,
    NotAcceptable,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from app.rdf import media
from app.sparql.formats import content_disposition
from app.sparql.operation import Form, Operation, Query, ServiceDescription, read_operation
from app.sparql.request import FORM_TYPE, QUERY_TYPE, UPDATE_TYPE, Request

Q = "SELECT * { ?s ?p ?o }"
G, H = "http://example.org/g", "http://example.org/h"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
LIMIT = 1024


def get(string: str | bytes = b"", **more: str) -> Request:
    data = string.encode() if isinstance(string, str) else string
    return Request(more.get("method", "GET"), data, accept=more.get("accept"))


def form(body: str | bytes, content_type: str = FORM_TYPE, string: str = "") -> Request:
    data = body.encode() if isinstance(body, str) else body
    return Request("POST", string.encode(), content_type, None, data)


def direct(body: str | bytes, string: str = "", content_type: str = QUERY_TYPE) -> Request:
    return form(body, content_type, string)


def read(request: Request) -> Operation:
    return read_operation(request, max_query_bytes=LIMIT)


def check(request: Request, expected: Operation) -> None:
    assert read(request) == expected


def refuse(request: Request, kind: type[AppError], words: str = "") -> None:
    with pytest.raises(kind, match=words) as error:
        read(request)
    assert type(error.value) is kind


def asked(**parameters: str | list[str]) -> str:
    return urlencode({"query": Q, **{k.replace("_", "-"): v for k, v in parameters.items()}}, True)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        # §2.1.1 query via GET, §2.1.2 via POST with a form, §2.1.3 via POST directly
        (get(asked()), Query(Q)),
        (get(asked(), method="HEAD"), Query(Q)),
        (form(asked()), Query(Q)),
        (form(asked(), "Application/X-WWW-Form-Urlencoded; charset=UTF-8"), Query(Q)),
        (form(asked(), string=f"default-graph-uri={G}"), Query(Q, (G,), ())),
        (get(asked(version="1.2")), Query(Q)),
        (direct(Q, content_type="application/sparql-query; version=1.2"), Query(Q)),
        (form(f"default-graph-uri={H}", string=asked(default_graph_uri=G)), Query(Q, (G, H), ())),
        (direct(Q), Query(Q)),
        (direct(Q, content_type="application/sparql-query; charset=utf-8"), Query(Q)),
        (direct(Q, content_type='application/sparql-query; charset="UTF-8"'), Query(Q)),
        # §2.1.4 the dataset: default-graph-uri and named-graph-uri, zero or more
        (get(asked(default_graph_uri=G)), Query(Q, (G,), ())),
        (get(asked(named_graph_uri=G)), Query(Q, (), (G,))),
        (get(asked(default_graph_uri=[G, H])), Query(Q, (G, H), ())),
        (get(asked(default_graph_uri=[G, H, G])), Query(Q, (G, H), ())),
        (get(asked(default_graph_uri=G, named_graph_uri=[G, H])), Query(Q, (G,), (G, H))),
        (form(asked(default_graph_uri=G, named_graph_uri=H)), Query(Q, (G,), (H,))),
        (direct(Q, f"default-graph-uri={quote(G)}"), Query(Q, (G,), ())),
        (direct(Q, f"named-graph-uri={quote(G)}&x=y"), Query(Q, (), (G,))),
        # percent-decoded once, `+` is a space, text is UTF-8
        (get(b"query=ASK%20%7B%7D"), Query("ASK {}")),
        (get(b"query=ASK+%7B%7D"), Query("ASK {}")),
        (get(b"query=ASK{<http://x/a%252Fb>+?p+1%2B1}"), Query("ASK{<http://x/a%2Fb> ?p 1+1}")),
        (get("query=" + quote("ASK { ?s ?p 'é😀' }")), Query("ASK { ?s ?p 'é😀' }")),
        (get(b"query=ASK{}%zz"), Query("ASK{}%zz")),
        (get(b"query=ASK{};"), Query("ASK{};")),
        (direct("ASK { ?s ?p 'a+b%20é' }"), Query("ASK { ?s ?p 'a+b%20é' }")),
        (get(asked(default_graph_uri="http://x/a%2Fb")), Query(Q, ("http://x/a%2Fb",), ())),
        # words of federation that are none
        (direct("ASK { ?service ?p 'LOAD' }"), Query("ASK { ?service ?p 'LOAD' }")),
        (get(asked(unknown="x")), Query(Q)),
    ],
)
def test_a_request_becomes_the_query_that_it_asks_for(request_: Request, expected: Query) -> None:
    check(request_, expected)


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        # exactly one query
        (get(asked() + "&query=ASK{}"), InvalidRequest, "exactly once, .* not 2"),
        (form(""), InvalidRequest, "exactly once, .* not 0"),
        (form("default-graph-uri=http://x/"), InvalidRequest, "exactly once, .* not 0"),
        (form(asked() + "&" + asked()), InvalidRequest, "exactly once, .* not 2"),
        (form(asked(), string=asked()), InvalidRequest, "exactly once, .* not 2"),
        (direct(Q, asked()), InvalidRequest, "exactly once, .* not 2"),
        # a GET has no body (§2.1.1)
        (Request("GET", body=asked().encode()), InvalidRequest, "A GET has no body"),
        (Request("HEAD", b"", QUERY_TYPE, None, b"ASK {}"), InvalidRequest, "A HEAD has no body"),
        # SPARQL 1.2 Protocol §2.2: one version at most
        (get(asked(version=["1.1", "1.2"])), InvalidRequest, "'version' must be given once only"),
        (form(asked(version="1.2"), string="version=1.2"), InvalidRequest, "'version'"),
        (get("query="), InvalidRequest, "empty"),
        (get("query"), InvalidRequest, "empty"),
        (form("query=+%0A"), InvalidRequest, "empty"),
        (direct(""), InvalidRequest, "empty"),
        # methods and media types
        *[
            (Request(method, asked().encode()), MethodNotAllowed, "use GET, HEAD, POST")
            for method in ("PUT", "DELETE", "PATCH", "TRACE", "get")
        ],
        (form(asked(), "text/plain"), UnsupportedMediaType, "sparql-query"),
        (form(asked(), ""), UnsupportedMediaType, "missing"),
        (Request("POST", body=Q.encode()), UnsupportedMediaType, "missing"),
        (form(asked(), "multipart/form-data; boundary=x"), UnsupportedMediaType, "multipart"),
        (direct(Q, content_type=f"{QUERY_TYPE}; charset=latin-1"), UnsupportedMediaType, "utf-8"),
        # updates are for another address (§2.2)
        (get("update=CLEAR+ALL"), InvalidRequest, "/sparql/update"),
        (form("update=CLEAR+ALL"), InvalidRequest, "queries only"),
        (form(asked(using_graph_uri=G)), InvalidRequest, "queries only"),
        (get(asked(using_named_graph_uri=G)), InvalidRequest, "queries only"),
        (direct("CLEAR ALL", content_type=UPDATE_TYPE), InvalidRequest, "queries only"),
        (direct(Q, "update=CLEAR+ALL"), InvalidRequest, "queries only"),
        # text that is not UTF-8
        (get(b"query=%FF%FE"), InvalidRequest, "UTF-8"),
        (get(b"query=\xff"), InvalidRequest, "UTF-8"),
        (form(b"query=%C3"), InvalidRequest, "UTF-8"),
        (direct(b"ASK { ?s ?p '\xff' }"), InvalidRequest, r"UTF-8 \(byte 13\)"),
        (direct(b"ASK { ?s ?p '\xed\xa0\x80' }"), InvalidRequest, "UTF-8"),
        # graphs are absolute IRIs, and not without end
        (get(asked(default_graph_uri="g")), InvalidRequest, "default-graph-uri must be"),
        (get(asked(named_graph_uri="http://x/ y")), InvalidRequest, "named-graph-uri must be"),
        (get(asked(named_graph_uri="")), InvalidRequest, "named-graph-uri must be"),
        (
            form(asked(named_graph_uri=[f"http://x/{n}" for n in range(1_001)])),
            InvalidRequest,
            "More than 1000",
        ),
        (form(asked(x=["y"] * 3_000)), InvalidRequest, "do not parse"),
        # too long, in bytes
        (direct("#" * (LIMIT + 1)), PayloadTooLarge, "1 kB"),
        (direct("#" + "é" * (LIMIT // 2)), PayloadTooLarge, "1 kB"),
        # other addresses
        # nothing acceptable
        (get(asked(), accept="image/png"), NotAcceptable, "sparql-results"),
        (get(asked(), accept="*/*;q=0"), NotAcceptable, "text/turtle"),
        (get("", accept="image/png"), NotAcceptable, "text/turtle"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_with_words(
    request_: Request, kind: type[AppError], words: str
) -> None:
    refuse(request_, kind, words)


def test_a_query_as_long_as_the_limit_is_read() -> None:
    text = Q + "#" * (LIMIT - len(Q))
    check(direct(text), Query(text))


@pytest.mark.parametrize(
    ("accept", "results", "graphs"),
    [
        # who names formats of one kind only gets the other kind in its default
        (None, media.RESULTS_JSON, media.TURTLE),
        ("*/*", media.RESULTS_JSON, media.TURTLE),
        ("application/sparql-results+json", media.RESULTS_JSON, media.TURTLE),
        ("application/sparql-results+xml", media.RESULTS_XML, media.TURTLE),
        ("text/csv", media.RESULTS_CSV, media.TURTLE),
        ("text/tab-separated-values", media.RESULTS_TSV, media.TURTLE),
        ("text/turtle", media.RESULTS_JSON, media.TURTLE),
        ("application/n-triples", media.RESULTS_JSON, media.N_TRIPLES),
        ("application/rdf+xml", media.RESULTS_JSON, media.RDF_XML),
        ("application/ld+json", media.RESULTS_JSON, media.JSON_LD),
        ("application/json", "application/json", "application/json"),
        ("text/plain", media.RESULTS_JSON, "text/plain"),
        ("application/sparql-results+xml;q=0.5, text/csv;q=0.4", media.RESULTS_XML, media.TURTLE),
        ("text/csv;q=0.4, */*;q=0.1", media.RESULTS_CSV, media.TURTLE),
        ("text/csv, application/ld+json;q=0.2", media.RESULTS_CSV, media.JSON_LD),
        (
            "application/sparql-results+json;q=0, */*",
            media.RESULTS_XML,
            media.TURTLE,
        ),
    ],
)
def test_each_kind_of_result_is_negotiated_on_its_own(
    accept: str | None, results: str, graphs: str
) -> None:
    request = Request("GET", asked().encode(), accept=accept)
    check(request, Query(Q, results=results, graphs=graphs))


@pytest.mark.parametrize(
    ("wanted", "results", "graphs"),
    [
        ("json", media.RESULTS_JSON, media.JSON_LD),
        ("srj", media.RESULTS_JSON, media.JSON_LD),
        ("CSV", media.RESULTS_CSV, media.TURTLE),
        ("tsv", media.RESULTS_TSV, media.TURTLE),
        ("xml", media.RESULTS_XML, media.RDF_XML),
        ("rdf+xml", media.RESULTS_JSON, media.RDF_XML),
        ("sparql-results xml", media.RESULTS_XML, media.RDF_XML),
        ("text/n3", media.RESULTS_JSON, "text/n3"),
        ("trig", media.RESULTS_JSON, media.TRIG),
        ("n-quads", media.RESULTS_JSON, media.N_QUADS),
        ("ttl", media.RESULTS_JSON, media.TURTLE),
        ("json-ld", media.RESULTS_JSON, media.JSON_LD),
        ("nt", media.RESULTS_JSON, media.N_TRIPLES),
        ("rdf", media.RESULTS_JSON, media.RDF_XML),
        ("application/sparql-results+xml", media.RESULTS_XML, media.TURTLE),
        ("text/csv", media.RESULTS_CSV, media.TURTLE),
        ("", media.RESULTS_XML, media.TURTLE),
    ],
)
@pytest.mark.parametrize("name", ["format", "output", "results"])
def test_format_wins_over_accept(name: str, wanted: str, results: str, graphs: str) -> None:
    accept = "application/sparql-results+xml"
    request = Request("GET", asked(**{name: wanted}).encode(), accept=accept)
    check(request, Query(Q, results=results, graphs=graphs))


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("&download", "result"),
        ("&download=true", "result"),
        ("&download=0", None),
        ("&filename=", None),
        ("&filename=my%20table.csv&download=false", "my table.csv"),
    ],
)
def test_a_result_can_be_asked_for_as_a_file(parameters: str, name: str | None) -> None:
    found = read(get(asked() + parameters))
    assert isinstance(found, Query)
    assert found.download == name
    assert found == Query(Q)  # what is the same query is evaluated once
    browser = read(get(asked() + parameters, accept=BROWSER))
    assert isinstance(browser, Query if name else Form)


@pytest.mark.parametrize(
    ("name", "media_type", "header"),
    [
        ("result", media.RESULTS_JSON, 'attachment; filename="result.srj"'),
        ("my table.CSV", media.RESULTS_CSV, 'attachment; filename="my table.CSV"'),
        ("a.csv", media.TURTLE, 'attachment; filename="a.csv.ttl"'),
        ("a", "application/json", 'attachment; filename="a.json"'),
        ("a", "text/plain", 'attachment; filename="a.nt"'),
        ('x"; evil=1\r\nSet-Cookie: a', "text/csv",
         'attachment; filename="x__ evil=1__Set-Cookie_ a.csv"'),
        ("../../etc/passwd", "text/csv", 'attachment; filename="_.._etc_passwd.csv"'),
        ("..", "text/csv", 'attachment; filename="result.csv"'),
        ("Übersicht", "text/csv",
         "attachment; filename=\"_bersicht.csv\"; filename*=UTF-8''%C3%9Cbersicht.csv"),
        ("n" * 300, "text/csv", f'attachment; filename="{"n" * 100}.csv"'),
    ],
)  # fmt: skip
def test_the_name_of_a_file_is_no_way_into_the_header(
    name: str, media_type: str, header: str
) -> None:
    assert content_disposition(name, media_type) == header.encode()


def test_an_unencoded_plus_in_a_format_is_understood() -> None:
    check(
        get(asked() + "&format=application/sparql-results+xml"),
        Query(Q, results=media.RESULTS_XML),
    )


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    refuse(get(asked(format="xlsx")), InvalidRequest, "json, xml, csv, tsv")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, media.TURTLE),
        ("*/*", media.TURTLE),
        ("application/rdf+xml", media.RDF_XML),
        ("application/ld+json, text/html;q=0.9", media.JSON_LD),
        ("application/n-triples", media.N_TRIPLES),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_without_a_query_the_service_is_described(
    method: str, accept: str | None, media_type: str
) -> None:
    check(Request(method, b"default-graph-uri=x", accept=accept), ServiceDescription(media_type))


@pytest.mark.parametrize("name", ["format", "output", "results"])
def test_the_description_in_a_named_format(name: str) -> None:
    check(get(f"{name}=xml", accept=BROWSER), ServiceDescription(media.RDF_XML))
    refuse(get(f"{name}=pdf"), InvalidRequest, "Unknown format")


@pytest.mark.parametrize("accept", [BROWSER, "text/html"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_person_is_shown_the_form(method: str, accept: str) -> None:
    check(Request(method, accept=accept), Form())
    check(Request(method, asked().encode(), accept=accept), Form(Q))


def test_the_form_itself_and_programs_get_results() -> None:
    chosen = Request("GET", asked(format="csv").encode(), accept=BROWSER)
    check(chosen, Query(Q, results=media.RESULTS_CSV))
    check(Request("GET", asked().encode(), accept="*/*"), Query(Q))
    posted = Request("POST", b"", FORM_TYPE, BROWSER, asked().encode())
    check(posted, Query(Q, results="application/xml", graphs="application/xml"))
