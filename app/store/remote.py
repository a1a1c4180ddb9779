"""A SPARQL 1.1 server elsewhere as a store: it follows the log by updates that may come twice."""

from __future__ import annotations

import io
import json
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import httpx
from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, parse

from app.errors import StoreAway, StoreUnfit
from app.failpoints import failpoint
from app.log import Commit, Log
from app.rdf import media
from app.rdf.diff import from_n_quads
from app.rdf.terms import DCAT, string
from app.store.address import SHOW_UNION, Address
from app.store.embedded import reserved_graph

log = logging.getLogger(__name__)

_PART_BYTES: Final = 1 << 20
_ANSWER_SECONDS: Final = 120.0
_REFUSED: Final = {httpx.codes.BAD_REQUEST, httpx.codes.INTERNAL_SERVER_ERROR}
_MAX_WORDS: Final = 300
_SAMPLE: Final = 5
_REBUILDING: Final = "rebuilding"

Part = Sequence[tuple[str, Quad]]
"""Some of a difference: `DELETE` or `INSERT`, and what."""


class Refused(Exception):
    """The server will not do this update, with its reason."""


class RemoteStore:
    """Brings a SPARQL server up to the log by SPARQL 1.1 Update (§3.1.3) and Query.

    Every update is conditional on the marker being that of the commit before, so one that is
    repeated, comes late, after its sender's death, or from two nodes at one time changes nothing
    more. A commit of more than `part` statements goes in several updates; the last moves the
    marker. What the server refuses to hold, such as a literal that it takes for malformed, is left
    out and logged: one value must not stop the rest.

    Raises StoreAway when there is no answer that helps, StoreUnfit when the server holds what
    another log has written.
    """

    def __init__(self, address: Address, base_iri: str, *, part: int, union: bool = True) -> None:
        self._address = address
        self._part = part
        self._union = union
        self._reserved = reserved_graph(base_iri)
        self._catalog = NamedNode(f"{base_iri}catalog")
        self._http = httpx.Client(
            auth=address.auth(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(10.0, read=_ANSWER_SECONDS, write=60.0),
        )

    def marker(self) -> int:
        """See `GraphStore.marker`."""
        found = [row["v"]["value"] for row in self._rows(f"SELECT ?v {{ {self._marked('?v')} }}")]
        if _REBUILDING in found:
            raise StoreAway(
                "The store is being rebuilt. If that was given up: lifetec store rebuild."
            )
        if not all(one.isdecimal() for one in found):
            raise StoreUnfit(f"The store's marker is no number: {found}. {_REMEDY}")
        return max(map(int, found), default=0)

    def apply(self, commit: Commit) -> None:
        """See `GraphStore.apply`."""
        failpoint("remote.before-update")
        changes = [("DELETE", quad) for quad in from_n_quads(commit.removed)]
        changes += [("INSERT", quad) for quad in from_n_quads(commit.added)]
        *parts, last = self._parts(changes)
        for part in parts:
            self._change(part, after=commit.generation - 1)
            failpoint("remote.between-updates")
        self._change(last, after=commit.generation - 1, mark=commit.generation)
        failpoint("remote.updated")

    def graph(self, name: NamedNode | DefaultGraph) -> Iterator[Quad]:
        """See `GraphStore.graph`; raises StoreAway."""
        where = f"GRAPH {name} {{ ?s ?p ?o }}" if isinstance(name, NamedNode) else "?s ?p ?o"
        asked = f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ {where} }}"
        with (
            _answering(),
            self._http.stream(
                "POST",
                self._address.query,
                data={"query": asked},
                headers={"accept": media.N_TRIPLES},
            ) as reply,
        ):
            if reply.status_code != httpx.codes.OK:
                raise StoreAway(_words(reply.status_code, reply.read()))
            body = io.BufferedReader(_Stream(reply.iter_bytes()))
            for triple in parse(input=body, format=RdfFormat.N_TRIPLES):
                yield Quad(triple.subject, triple.predicate, triple.object, name)

    def __len__(self) -> int:
        rows = self._rows("SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }")
        return int(rows[0]["n"]["value"])

    def close(self) -> None:
        """See `GraphStore.close`."""
        self._http.close()

    def agree(self, history: Log) -> None:
        """Raise StoreUnfit unless what the store holds can come from this log, and is shown so."""
        marker, head = self.marker(), history.head()
        if marker > head:
            raise StoreUnfit(
                f"The store is of generation {marker}, the log ends at {head}: another service "
                f"writes there, or the log is an older copy. {_REMEDY}"
            )
        commit = history.commit(marker)
        sample = [q for q in from_n_quads(commit.added) if _plain(q)][:_SAMPLE] if commit else []
        if sample and not self._ask(_body(sample)) and self.marker() == marker:
            raise StoreUnfit(
                f"The store says that it is of generation {marker}, but does not hold what that "
                f"commit added: another service writes there. {_REMEDY}"
            )
        if marker:
            self._agree_on_default_graph()

    def _agree_on_default_graph(self) -> None:
        """The marker lies in a named graph, so it shows without a name only in a union."""
        asked = f"ASK {{ {self._catalog} {DCAT['version']} ?any }}"
        if self._asked(asked, SHOW_UNION if self._union else None)["boolean"] != self._union:
            raise StoreUnfit(
                "The store's default graph does not show the named graphs. Have it show the union "
                "of them (Fuseki: tdb2:unionDefaultGraph), or set LIFETEC_DEFAULT_GRAPH=plain."
                if self._union
                else "The store's default graph shows the named graphs, too. Set that off there, "
                "or set LIFETEC_DEFAULT_GRAPH=union; Virtuoso knows no other."
            )

    def rebuild(self, quads: Collection[Quad], generation: int) -> Iterator[int]:
        """Replace all by `quads`, the graph as of a generation; yields how many it has so far.

        Meanwhile the marker says so, and nobody asks the store nor changes it. What is left undone
        is begun again by the next rebuilding.
        """
        kept = string(_REBUILDING)
        self._told(f"INSERT DATA {{ {self._marked(str(kept))} }}")
        for name in self._own_graphs(quads):
            rest = f"GRAPH {name} {{ ?s ?p ?o }}"
            self._told(f"DELETE {{ {rest} }} WHERE {{ {rest} FILTER (?o != {kept}) }}")
        if not self._union:
            self._told("CLEAR SILENT DEFAULT")
        done = 0
        for part in self._parts([("INSERT", quad) for quad in quads]):
            self._change(part, after=_REBUILDING)
            done += len(part)
            yield done
        self._change((), after=_REBUILDING, mark=generation)

    def _own_graphs(self, quads: Iterable[Quad]) -> list[NamedNode]:
        """The graphs of this service: those it has now, and what has one of its names."""
        base = self._reserved.value.removesuffix("service")
        found = self._rows("SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }")
        names = {row["g"]["value"] for row in found}
        now = {quad.graph_name.value for quad in quads if isinstance(quad.graph_name, NamedNode)}
        return [NamedNode(name) for name in sorted(names) if name in now or name.startswith(base)]

    def _told(self, update: str) -> None:
        try:
            self._posted(self._address.update, update.encode(), "*/*")
        except Refused as reason:
            raise StoreAway(f"The store refuses an update: {reason}") from None

    # changing

    def _parts(self, changes: Part) -> list[Part]:
        parts: list[list[tuple[str, Quad]]] = [[]]
        size = 0
        for change in changes:
            length = len(str(change[1]))
            if len(parts[-1]) == self._part or (parts[-1] and size + length > _PART_BYTES):
                parts.append([])
                size = 0
            parts[-1].append(change)
            size += length
        return list(parts)

    def _change(self, part: Part, *, after: int | str, mark: int | None = None) -> None:
        """Send a part; what the server refuses of it is found by halving, and left out."""
        moved = [("DELETE", self._mark(after)), ("INSERT", self._mark(mark))] if mark else []
        if not part and not moved:
            return
        try:
            self._update([*part, *moved], after)
        except Refused as reason:
            if len(part) > 1:
                middle = len(part) // 2
                self._change(part[:middle], after=after)
                self._change(part[middle:], after=after, mark=mark)
            elif part and self._refused_again(part, after):
                log.warning("the store does not take %s %s: %s", *part[0], reason)
                self._change((), after=after, mark=mark)
            else:
                raise StoreAway(f"The store refuses the update: {reason}") from None

    def _refused_again(self, part: Part, after: int | str) -> bool:
        """Whether it was no passing fault, such as a deadlock."""
        try:
            self._update(part, after)
        except Refused:
            return True
        return False

    def _update(self, changes: Part, after: int | str) -> None:
        templates = "\n".join(
            f"{verb} {{\n{_body(quads)}}}"
            for verb in ("DELETE", "INSERT")
            if (quads := [quad for kind, quad in changes if kind == verb])
        )
        text = f"{templates}\nWHERE {{ {self._condition(after)} }}"
        self._posted(self._address.update, text.encode(), "*/*")

    def _condition(self, after: int | str) -> str:
        if after:
            return self._marked(str(string(str(after))))
        # Virtuoso evaluates FILTER NOT EXISTS only where something stands before it.
        return f"VALUES ?one {{ 1 }} FILTER NOT EXISTS {{ {self._marked('?any')} }}"

    def _marked(self, value: str) -> str:
        return f"GRAPH {self._reserved} {{ {self._catalog} {DCAT['version']} {value} }}"

    def _mark(self, value: object) -> Quad:
        return Quad(self._catalog, DCAT["version"], string(str(value)), self._reserved)

    # asking

    def _ask(self, pattern: str) -> bool:
        reply = self._asked(f"ASK {{ {pattern} }}")
        return bool(reply["boolean"])

    def _rows(self, query: str) -> list[Mapping[str, Mapping[str, str]]]:
        rows: list[Mapping[str, Mapping[str, str]]] = self._asked(query)["results"]["bindings"]
        return rows

    def _asked(self, query: str, more: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            # A form, since Virtuoso waits for ever for the end of a query that is the body.
            body = self._posted(
                self._address.query, {"query": query, **(more or {})}, media.RESULTS_JSON
            )
            answer: dict[str, Any] = json.loads(body)
        except Refused as reason:
            raise StoreAway(f"The store refuses a query: {reason}") from None
        except ValueError:
            raise StoreAway("The store answers a query with something else than JSON.") from None
        return answer

    def _posted(self, url: str, body: bytes | Mapping[str, str], accept: str) -> bytes:
        asked: dict[str, Any] = {"headers": {"accept": accept}}
        if isinstance(body, bytes):
            asked["headers"]["content-type"] = "application/sparql-update"
            asked["content"] = body
        else:
            asked["data"] = body
        with _answering():
            reply = self._http.post(url, **asked)
        if reply.status_code in _REFUSED:
            raise Refused(_words(reply.status_code, reply.content))
        if not reply.is_success:
            raise StoreAway(_words(reply.status_code, reply.content))
        return reply.content


_REMEDY: Final = (
    "Give the service a store of its own (LIFETEC_STORE), or write this one anew: "
    "lifetec store rebuild."
)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise StoreAway(f"The store does not answer ({type(error).__name__}).") from None


class _Stream(io.RawIOBase):
    """Pieces of bytes as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            try:
                self._left = next(self._pieces)
            except StopIteration:
                return 0
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


def _plain(quad: Quad) -> bool:
    """Whether no store writes it otherwise."""
    return isinstance(quad.object, NamedNode)


def _body(quads: Iterable[Quad]) -> str:
    """Ground quads as a template or pattern; their N-Quads terms are SPARQL terms too."""
    graphs: dict[object, list[str]] = defaultdict(list)
    for quad in quads:
        graphs[quad.graph_name].append(f"{quad.subject} {quad.predicate} {quad.object} .\n")
    return "".join(
        "".join(triples)
        if isinstance(name, DefaultGraph)
        else f"GRAPH {name} {{\n{''.join(triples)}}}\n"
        for name, triples in graphs.items()
    )


def _words(status: int, body: bytes) -> str:
    """What a server says against a request, in short."""
    text = " ".join(body[: 4 * _MAX_WORDS].decode("utf-8", "replace").split())
    return f"{status} {text[:_MAX_WORDS]}".strip()
