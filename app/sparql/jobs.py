"""Worker side: evaluate one query on the checkpoint and let the engine serialise the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import IO, Any, cast

from pyoxigraph import (
    BlankNode,
    Literal,
    NamedNode,
    QueryBoolean,
    QueryResultsFormat,
    QuerySolutions,
    QueryTriples,
    RdfFormat,
    Store,
    parse,
    parse_query_results,
    serialize,
)

from app.errors import PayloadTooLarge, QueryRejected, StoreAway, SyntaxRejected
from app.rdf import media
from app.rdf.rejection import rejected
from app.rdf.tokens import select_star, used_keywords
from app.sandbox.worker import Cage, Reply


def query(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """Evaluate `body`, a SPARQL 1.1 query text.

    `args`: `union` (the default graph is the union of all), `default_graphs` and `named_graphs`
    (protocol dataset, or None), `results` and `graphs` (media type for each kind of result),
    `base_iri`, `reserved` (a graph that `GRAPH ?g` passes over in a query that states no dataset
    and does not name it, or None).
    The header says the `media_type` of a graph. Other results are as `results` says, and are spared
    it: most are small.
    """
    text = body.decode()
    default, named = _nodes(args["default_graphs"]), _nodes(args["named_graphs"])
    states_dataset = default is not None or bool(used_keywords(text, "FROM"))
    reserved = args["reserved"]
    if reserved and not states_dataset and reserved not in text and "GRAPH" in text.upper():
        named = _published(cage.store, reserved)
    try:
        result = cage.store.query(
            _columns_written_out(text, args),
            base_iri=args["base_iri"],
            # the engine would let the union win over FROM (SPARQL 1.1 §13.2)
            use_default_graph_as_union=args["union"] and not states_dataset,
            default_graph=[*default] if default is not None else None,
            named_graphs=[*named] if named is not None else None,
        )
    except (SyntaxError, RuntimeError, ValueError) as error:
        raise rejected(error, text, _reader(args)) from None
    try:
        _serialise(result, args, reply)
    except RuntimeError as error:
        raise rejected(error, text, _reader(args)) from None


def _reader(args: Mapping[str, Any]) -> Callable[[str], object]:
    """Reads a text as a query, with no data."""
    return partial(Store().query, base_iri=args["base_iri"])


def _columns_written_out(text: str, args: Mapping[str, Any]) -> str:
    """With the variables of `SELECT *` in its place, in the order in which a reader meets them.

    The recommendation names no order (§16.1.1), and the engine's is the alphabet. Which of them
    the query shows is for the engine to say. It is asked about a query without solutions, which it
    neither plans nor evaluates. A text that does not parse stays as it is.
    """
    if "*" not in text or not (found := select_star(text)):
        return text
    star, pattern, names = found
    try:
        result = _reader(args)(f"{text[:pattern]} VALUES () {{}} {text[pattern:]}")
    except (SyntaxError, RuntimeError, ValueError):
        return text
    shown = {variable.value for variable in cast(QuerySolutions, result).variables}
    ordered = [name for name in names if name in shown]
    if not shown or len(ordered) < len(shown):
        return text
    return f"{text[:star]} {' '.join(f'?{name}' for name in ordered)} {text[star + 1 :]}"


def _published(store: Store, reserved: str) -> list[NamedNode]:
    """What others have published, as a plain SPARQL service would have nothing else."""
    graphs = (name for name in store.named_graphs() if isinstance(name, NamedNode))
    return [name for name in graphs if name.value != reserved]


def values(cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """Turn `body`, SPARQL Results JSON of a SELECT, into a VALUES block.

    `args`: `max_rows`; `genid`, with which the IRIs of its blank nodes begin.
    """
    del cage
    try:
        rows = parse_query_results(body, format=QueryResultsFormat.JSON)
    except (SyntaxError, ValueError) as error:
        raise SyntaxRejected(f"it does not parse ({error})") from None
    if not isinstance(rows, QuerySolutions):
        raise QueryRejected("it has no rows")
    nodes: dict[str, str] = {}
    lines = [f"VALUES ({' '.join(map(str, rows.variables))}) {{"]
    try:
        for row in rows:
            if len(lines) > args["max_rows"]:
                raise PayloadTooLarge(f"it has more than {args['max_rows']} rows")
            cells = (_constant(term, args["genid"], nodes) for term in row)
            lines.append(f"({' '.join(cells)})")
    except (SyntaxError, ValueError) as error:
        raise SyntaxRejected(f"it does not parse ({error})") from None
    reply.write("\n".join([*lines, "}"]).encode())


def _constant(term: Any, genid: str, nodes: dict[str, str]) -> str:
    """A term as VALUES may hold it."""
    if term is None:
        return "UNDEF"
    if isinstance(term, BlankNode):
        return nodes.setdefault(term.value, f"<{genid}{len(nodes)}>")
    if isinstance(term, NamedNode | Literal):
        return str(term)
    raise QueryRejected("it has terms other than IRIs, literals and blank nodes")


def _serialise(
    result: QuerySolutions | QueryTriples | QueryBoolean, args: Mapping[str, Any], reply: Reply
) -> None:
    out = cast(IO[bytes], reply)  # the engine does nothing but write to it
    if isinstance(result, QueryTriples):
        reply.start({"media_type": args["graphs"]})
        result.serialize(out, format=_rdf_format(args["graphs"]))
    else:
        result.serialize(out, format=_results_format(args["results"]))


def _rdf_format(media_type: str) -> RdfFormat:
    name = media.rdf_media_type(media_type)
    return media.RDF_FORMATS[name or media.TURTLE]


def _results_format(media_type: str) -> QueryResultsFormat:
    return media.RESULT_FORMATS[media.RESULT_ALIASES.get(media_type, media_type)]


def _nodes(iris: list[str] | None) -> list[NamedNode] | None:
    return None if iris is None else [NamedNode(iri) for iri in iris]


def form(_cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """Read `body` as a query, with no data.

    The first word of the reply says what the query gives: `bindings`, `boolean` or `graph`. After a
    space stands a text of the query that has all columns in their order.
    """
    text = body.decode()
    try:
        result = _reader(args)(text)
    except (SyntaxError, RuntimeError, ValueError) as error:
        raise rejected(error, text, _reader(args)) from None
    kinds = {QueryTriples: b"graph", QueryBoolean: b"boolean"}
    written_out = _columns_written_out(text, args).encode()
    reply.write(kinds.get(type(result), b"bindings") + b" " + written_out)


def convert(_cage: Cage, args: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """Write a result that is `given` in one media type in the `wanted` one."""
    given, wanted = args["given"], args["wanted"]
    out = cast(IO[bytes], reply)
    try:
        if wanted in media.RDF_FORMATS:
            triples = parse(input=body, format=_rdf_format(given))
            serialize(triples, output=out, format=_rdf_format(wanted))
        else:
            result = parse_query_results(body, format=_results_format(given))
            result.serialize(out, format=_results_format(wanted))
    except (SyntaxError, ValueError, KeyError):
        raise StoreAway(f"The store's answer, {given or 'of no type'}, cannot be read.") from None
