"""Queries that want too much, and how each must end: within its limits, and without a call.

They fit any data. `{port}` is that of a listener on loopback whom nobody may reach.
"""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlencode

SLOW = frozenset({"deadline", "memory"})
LONG = SLOW | {"cut"}
REFUSED = frozenset({"federation-refused"})
WRONG = frozenset({"syntax", "query-rejected", "memory"})
TOO_LONG = frozenset({"too-large"})
FINE = frozenset({"answered"})

_OF_DATABASES = {".db", ".db-wal", ".db-shm"}
_LIGHT = "SELECT ?p ?o {{ <http://example.org/none> ?p ?o }} # {n}"


@dataclass(frozen=True, slots=True)
class Attack:
    """A query, and how it may end: the slugs of problems, `answered`, or `cut` in the middle."""

    name: str
    query: str
    ends: frozenset[str]


def _nested(inner: str, depth: int, before: str, after: str) -> str:
    return before * depth + inner + after * depth


_THREE = "?a ?b ?c. ?d ?e ?f. ?g ?h ?i"
_COUNT = "SELECT (COUNT(*) AS ?n)"
_VALUES = " ".join(f'"{n:04d}"' for n in range(20_000))


def _doubled(times: int) -> str:
    """A string that is doubled so often."""
    text = 'BIND("0123456789abcdef" AS ?v0)'
    for n in range(times):
        text += f" BIND(CONCAT(?v{n}, ?v{n}) AS ?v{n + 1})"
    return text


ATTACKS: Sequence[Attack] = (
    Attack("product of 3", "SELECT * {?a ?b ?c. ?d ?e ?f. ?g ?h ?i}", LONG),
    Attack(
        "count of a product of 3", "SELECT (COUNT(*) AS ?n) {?a ?b ?c. ?d ?e ?f. ?g ?h ?i}", SLOW
    ),
    Attack(
        "product of 4", "SELECT * {?a ?b ?c. ?d ?e ?f. ?g ?h ?i. ?j ?k ?l} ORDER BY ?l ?a", SLOW
    ),
    Attack(
        "count of distinct of a product",
        f"SELECT (COUNT(DISTINCT CONCAT(STR(?a),STR(?d),STR(?g))) AS ?n) {{{_THREE}}}",
        SLOW,
    ),
    Attack("distinct product", "SELECT DISTINCT ?a ?d ?g {?a ?b ?c. ?d ?e ?f. ?g ?h ?i}", LONG),
    Attack("order of a product", "SELECT * {?a ?b ?c. ?d ?e ?f} ORDER BY ?f ?c DESC(?a)", SLOW),
    Attack(
        "grouped product",
        "SELECT ?a ?d (COUNT(*) AS ?n) {?a ?b ?c. ?d ?e ?f. ?g ?h ?i} GROUP BY ?a ?d",
        SLOW,
    ),
    Attack("constructed product", "CONSTRUCT {?a ?e ?i} {?a ?b ?c. ?d ?e ?f. ?g ?h ?i}", LONG),
    Attack("describe of all", "DESCRIBE * {?a ?b ?c. ?d ?e ?f. ?g ?h ?i}", LONG),
    Attack(
        "optional product",
        "SELECT (COUNT(*) AS ?n) {?a ?b ?c OPTIONAL {?d ?e ?f OPTIONAL {?g ?h ?i}}}",
        SLOW,
    ),
    Attack(
        "union of products",
        f"{_COUNT} {{{{{_THREE}}} UNION {{?a ?b ?c. ?d ?e ?f. ?g ?h ?j}}}}",
        SLOW,
    ),
    Attack(
        "minus of products",
        "SELECT (COUNT(*) AS ?n) {?a ?b ?c. ?d ?e ?f MINUS {?g ?h ?f. ?i ?j ?k. ?l ?m ?n}}",
        SLOW,
    ),
    Attack(
        "all graphs, all ways",
        "SELECT (COUNT(*) AS ?n) {GRAPH ?x {?a ?b ?c} GRAPH ?y {?d ?e ?f} GRAPH ?z {?g ?h ?i}}",
        SLOW,
    ),
    Attack("paths between all", "SELECT (COUNT(*) AS ?n) {?a (!<x:y>|^!<x:y>)* ?b}", SLOW),
    Attack(
        "paths on cycles",
        "SELECT (COUNT(*) AS ?n) {?a ((!<x:y>/^!<x:y>)+)* ?b. ?b (!<x:y>|^!<x:y>)+ ?c}",
        SLOW,
    ),
    Attack(
        "paths of paths",
        "SELECT * {?a ((((!<x:y>|^!<x:y>)*)*)*)* ?b. ?b (!<x:y>|^!<x:z>)* ?c} ORDER BY ?c",
        SLOW,
    ),
    Attack(
        "GROUP_CONCAT",
        f"SELECT (GROUP_CONCAT(CONCAT(STR(?a),STR(?c),STR(?f))) AS ?s) {{{_THREE}}}",
        SLOW,
    ),
    Attack(
        "REPLACE",
        f"SELECT (STRLEN(?r) AS ?n) {{ {_doubled(18)} BIND(REPLACE(?v18, '.', ?v18) AS ?r) }}",
        SLOW,
    ),
    Attack("doubled strings", f"SELECT (STRLEN(?v40) AS ?n) {{ {_doubled(40)} }}", SLOW),
    Attack(
        "regex backtracking",
        f"{_COUNT} {{{_THREE}. {_doubled(12)} FILTER REGEX(CONCAT(?v12, STR(?c), STR(?f)), "
        "'^(([a-z0-9])+.)+[A-Z]([a-z0-9])+$')}",
        SLOW,
    ),
    Attack(
        "regex with repetitions",
        "SELECT * {?a ?b ?c FILTER REGEX(STR(?c), '((((a{0,99}){0,99}){0,99}){0,99}){0,99}')}",
        FINE | WRONG | SLOW,
    ),
    Attack(
        "huge VALUES",
        f"{_COUNT} {{VALUES ?x {{{_VALUES}}} VALUES ?y {{{_VALUES[:90_000]}}} ?a ?b ?c}}",
        SLOW,
    ),
    Attack(
        "huge IN",
        f"{_COUNT} {{{_THREE} FILTER(STR(?f) IN ({_VALUES.replace(' ', ',')}))}}",
        SLOW,
    ),
    Attack("nested parentheses", f"SELECT (({_nested('1', 10_000, '(', ')')}) AS ?x) {{}}", WRONG),
    Attack("nested groups", f"SELECT * {_nested('?a ?b ?c', 10_000, '{', '}')}", WRONG),
    Attack("nested negations", f"ASK {{FILTER({_nested('true', 50_000, '!', '')})}}", WRONG | FINE),
    Attack(
        "nested selects",
        _nested("SELECT * {?a ?b ?c}", 2_000, "SELECT * {{", "}}"),
        WRONG | SLOW | FINE,
    ),
    Attack(
        "nested EXISTS",
        f"{_COUNT} {{?a ?b ?c. ?d ?e ?f "
        + _nested(
            ". ?g ?h ?i. ?j ?k ?l FILTER(?i = ?f && ?l = ?c && ?j = ?c)",
            6,
            "FILTER NOT EXISTS {?d ?e ?f. ?x ?y ?z ",
            "}",
        )
        + "}",
        SLOW,
    ),
    Attack("long IRIs", f"SELECT * {{<http://example.org/{'x' * 200_000}> ?p ?o}}", FINE),
    Attack("long query", f"ASK {{}} # {'x' * 300_000}", TOO_LONG),
    Attack(
        "many variables",
        "SELECT * {" + " ".join(f"?a{n} ?b{n} ?c{n} ." for n in range(200)) + "}",
        LONG,
    ),
    Attack(
        "random numbers",
        "SELECT (SUM(RAND()) AS ?n) {?a ?b ?c. ?d ?e ?f. ?g ?h ?i FILTER(RAND() < 0.5)}",
        SLOW,
    ),
    Attack(
        "hashes",
        f"SELECT (COUNT(?hash) AS ?n) {{{_THREE}. {_doubled(16)} "
        "BIND(SHA512(CONCAT(?v16, STR(?a), STR(?d))) AS ?hash)}",
        SLOW,
    ),
    Attack(
        "SERVICE to loopback", "SELECT * {SERVICE <http://127.0.0.1:PORT/> {?a ?b ?c}}", REFUSED
    ),
    Attack(
        "SERVICE to IPv6 loopback", "SELECT * {SERVICE <http://[::1]:PORT/> {?a ?b ?c}}", REFUSED
    ),
    Attack(
        "SERVICE to link-local",
        "SELECT * {SERVICE SILENT <http://169.254.169.254/latest/meta-data/> {?a ?b ?c}}",
        REFUSED,
    ),
    Attack(
        "SERVICE to a redirect",
        "SELECT * {SERVICE <http://example.org/?to=http://127.0.0.1:PORT/> {?a ?b ?c}}",
        REFUSED,
    ),
    Attack(
        "SERVICE to a name of a private address",
        "SELECT * {SERVICE <http://localhost:PORT/> {?a ?b ?c}}",
        REFUSED,
    ),
    Attack(
        "SERVICE to a number", "SELECT * {SERVICE <http://2130706433:PORT/> {?a ?b ?c}}", REFUSED
    ),
    Attack(
        "SERVICE with escapes",
        "SELECT * {\\u0053ERVICE <http://127.0.0.1:PORT/> {?a ?b ?c}}",
        REFUSED,
    ),
    Attack(
        "SERVICE to a variable",
        "SELECT * {BIND(IRI('http://127.0.0.1:PORT/') AS ?s) SERVICE ?s {?a ?b ?c}}",
        REFUSED,
    ),
    Attack("LOAD", "LOAD <http://127.0.0.1:PORT/>", REFUSED | {"syntax"}),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a query ended, after how many seconds, with how many bytes."""

    how: str
    seconds: float
    size: int


def send(port: int, query: str, *, listener: int, patience: float = 60) -> Ended:
    """One query on a connection of its own; what comes is counted and thrown away."""
    began = time.monotonic()
    body = urlencode({"query": query.replace("PORT", str(listener))}).encode()
    head = (
        "POST /sparql HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as line:
        line.sendall(head.encode() + body)
        start, last, size = b"", b"", 0
        while chunk := line.recv(1 << 18):
            if len(start) < 4_096:
                start += chunk
            last = (last + chunk)[-5:]
            size += len(chunk)
    return Ended(_how(start, last), time.monotonic() - began, size)


def _how(start: bytes, last: bytes) -> str:
    status = start.split(b" ", 2)[1] if b" " in start else b""
    if status == b"200":
        chunked = b"transfer-encoding: chunked" in start.partition(b"\r\n\r\n")[0].lower()
        return "cut" if chunked and last != b"0\r\n\r\n" else "answered"
    slug = start.partition(b"/problem/")[2].partition(b'"')[0].decode()
    return slug or f"status {status.decode()}"


@dataclass
class Storm:
    """What connections full of attacks did to those beside them."""

    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)
    light: list[float] = field(default_factory=list)
    failed_light: list[str] = field(default_factory=list)
    most_memory: int = 0


def storm(port: int, pid: int, *, seconds: float, listener: int, connections: int = 16) -> Storm:
    """Send attacks at the same time, over and over, and light queries beside them.

    The attackers are a process of their own, so that only the server stands in the way of the
    light queries.
    """
    found, stop = Storm(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(pid, found, stop))
    watcher.start()
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:
            attackers = elsewhere.submit(_assault, port, seconds, listener, connections)
            lookups(port, seconds, found)
            found.ended, found.trouble = attackers.result()
    finally:
        stop.set()
        watcher.join()
    return found


def _assault(
    port: int, seconds: float, listener: int, connections: int
) -> tuple[Counter[tuple[str, str]], list[str]]:
    until = time.monotonic() + seconds
    ended: Counter[tuple[str, str]] = Counter()
    trouble: list[str] = []

    def attack(seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < until:
            one = chance.choice(ATTACKS)
            try:
                ended[one.name, send(port, one.query, listener=listener).how] += 1
            except OSError as error:
                trouble.append(f"{one.name}: {error!r}")

    with ThreadPoolExecutor(connections) as threads:
        for one in [threads.submit(attack, n) for n in range(connections)]:
            one.result()
    return ended, trouble


def lookups(port: int, seconds: float, found: Storm) -> None:
    """Ask light queries, one after the other on one connection; each is another text."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    until, n = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        n += 1
        began = time.monotonic()
        line.request("POST", "/sparql", urlencode({"query": _LIGHT.format(n=n)}), headers)
        reply = line.getresponse()
        text = reply.read()
        found.light.append(time.monotonic() - began)
        if reply.status != 200:
            found.failed_light.append(text.decode())
        time.sleep(0.005)
    line.close()


def _watch(pid: int, found: Storm, stop: threading.Event) -> None:
    while not stop.wait(0.2):
        found.most_memory = max(found.most_memory, memory(pid))


def memory(pid: int) -> int:
    """Bytes that a process and all below it hold; what they share counts once."""
    return sum(_held(one) for one in {pid, *descendants(pid)})


def _held(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return 1024 * int(text.partition("\nPss:")[2].split()[0])


def handles(pid: int) -> Counter[str]:
    """What a process has open: each file by name, sockets and pipes each by their kind.

    A file of a database counts once: its pool opens it for as many connections as happened to be
    wanted at one moment, and keeps them.
    """
    found: Counter[str] = Counter()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:  # closed meanwhile
            continue
        if Path(target).suffix in _OF_DATABASES:
            found[target] = 1
        else:
            found[target.partition(":[")[0]] += 1
    return found


def descendants(pid: int) -> set[int]:
    """All processes below one."""
    children: dict[int, set[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                facts = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if facts[0] != "Z":
                children.setdefault(int(facts[1]), set()).add(int(entry.name))
    found, pending = set(), [pid]
    while pending:
        for child in children.get(pending.pop(), ()):
            found.add(child)
            pending.append(child)
    return found
