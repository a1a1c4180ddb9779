"""Results of queries as values that can be compared, whatever their blank nodes are called."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pyoxigraph import (
    BlankNode,
    CanonicalizationAlgorithm,
    Dataset,
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QueryResultsFormat,
    Store,
    Triple,
    parse,
    parse_query_results,
)

from app.rdf import media

Term = NamedNode | BlankNode | Literal | Triple

_RS = "http://www.w3.org/2001/sw/DataAccess/tests/result-set#"
_FORMATS = {
    media.RESULTS_XML: QueryResultsFormat.XML,
    media.RESULTS_JSON: QueryResultsFormat.JSON,
    media.RESULTS_TSV: QueryResultsFormat.TSV,
}
ACCEPT = {
    ".srx": media.RESULTS_XML,
    ".srj": media.RESULTS_JSON,
    ".tsv": media.RESULTS_TSV,
    ".csv": media.RESULTS_CSV,
    ".ttl": f"{media.TURTLE}, {media.RESULTS_JSON}",
    ".rdf": f"{media.RDF_XML}, {media.RESULTS_JSON}",
    ".nt": f"{media.N_TRIPLES}, {media.RESULTS_JSON}",
}
"""What to ask for, by the suffix of the expected result."""


@dataclass(frozen=True)
class Solutions:
    """The result of a SELECT."""

    variables: frozenset[str]
    rows: tuple[dict[str, Term], ...]

    def same(self, other: object, *, ordered: bool) -> bool:
        """Whether both have the same variables and rows."""
        if not isinstance(other, Solutions) or self.variables != other.variables:
            return False
        one, two = (_as_graph(solutions.rows, ordered) for solutions in (self, other))
        return isomorphic(one, two)


Result = bool | Solutions | Dataset | Counter[tuple[str, ...]]
"""Of ASK, SELECT, CONSTRUCT or DESCRIBE; of a SELECT as CSV, which does not say what is an IRI."""


def same(expected: Result, found: Result, *, ordered: bool) -> bool:
    """Whether two results are the same but for the names of blank nodes."""
    if isinstance(expected, Solutions):
        return expected.same(found, ordered=ordered)
    if isinstance(expected, Dataset):
        return isinstance(found, Dataset) and isomorphic(expected, found)
    return type(expected) is type(found) and expected == found


def isomorphic(one: Iterable[Quad], two: Iterable[Quad]) -> bool:
    """Whether two sets of quads say the same, whatever their blank nodes are called.

    Numbers and times are compared as values: the store keeps no spelling (`01` and `1.0`).
    """
    datasets = tuple(Dataset(_as_kept(quads)) for quads in (one, two))
    for dataset in datasets:
        dataset.canonicalize(CanonicalizationAlgorithm.UNSTABLE)
    return datasets[0] == datasets[1]


def _as_kept(quads: Iterable[Quad]) -> Iterable[Quad]:
    store = Store()
    store.extend(quads)
    return store


def expected_result(path: Path, base_iri: str) -> Result:
    """What a file says that a query shall give."""
    if path.suffix == ".csv":
        return _table(path.read_bytes())
    media_type = ACCEPT[path.suffix].partition(",")[0]
    if media_type in _FORMATS:
        return read_result(path.read_bytes(), media_type)
    graph = Dataset(parse(path=path, base_iri=base_iri))
    return _described(graph) or graph


def read_result(body: bytes, media_type: str) -> Result:
    """What a server has answered."""
    if media_type == media.RESULTS_CSV:
        return _table(body)
    if media_type not in _FORMATS:
        return Dataset(parse(input=body, format=media.RDF_FORMATS[media_type]))
    found = parse_query_results(body, _FORMATS[media_type])
    if isinstance(found, QueryBoolean):
        return bool(found)
    names = [variable.value for variable in found.variables]
    rows = tuple({name: term for name in names if (term := row[name]) is not None} for row in found)
    return Solutions(frozenset(names), rows)


def _table(body: bytes) -> Counter[tuple[str, ...]]:
    """The rows of a CSV as a bag, by name of column; blank nodes are numbered within their row."""
    bag: Counter[tuple[str, ...]] = Counter()
    for row in csv.DictReader(io.StringIO(body.decode(), newline="")):
        seen: dict[str, str] = {}
        cells = []
        for name, cell in sorted(row.items()):
            blank = cell.startswith("_:")
            cells += [name, seen.setdefault(cell, f"_:{len(seen)}") if blank else _value(cell)]
        bag[tuple(cells)] += 1
    return bag


def _value(cell: str) -> str:
    """A cell by its value, if it is a number."""
    try:
        return repr(float(cell))
    except ValueError:
        return cell


def _as_graph(rows: Iterable[dict[str, Term]], ordered: bool) -> Iterable[Quad]:
    for number, row in enumerate(rows):
        node = BlankNode()
        place = Literal(number if ordered else 0)
        yield Quad(node, NamedNode(f"{_RS}index"), place)
        for name, term in row.items():
            yield Quad(node, NamedNode(f"urn:variable:{name}"), term)


def _described(graph: Dataset) -> Result | None:
    """The result that a graph describes in the vocabulary of result sets, if it does."""

    def objects(subject: Term, name: str) -> list[Term]:
        assert isinstance(subject, NamedNode | BlankNode)
        found = graph.quads_for_subject(subject)
        return [quad.object for quad in found if quad.predicate.value == f"{_RS}{name}"]

    kinds = graph.quads_for_object(NamedNode(f"{_RS}ResultSet"))
    root = next((quad.subject for quad in kinds), None)
    if root is None:
        return None
    for answer in objects(root, "boolean"):
        return getattr(answer, "value", "") == "true"
    solutions = objects(root, "solution")
    if all(objects(solution, "index") for solution in solutions):
        solutions.sort(key=lambda solution: int(getattr(objects(solution, "index")[0], "value")))  # noqa: B009
    rows = tuple(
        {
            _text(objects(binding, "variable")[0]): objects(binding, "value")[0]
            for binding in objects(solution, "binding")
        }
        for solution in solutions
    )
    names = frozenset(_text(variable) for variable in objects(root, "resultVariable"))
    return Solutions(names, rows)


def _text(term: Term) -> str:
    assert isinstance(term, Literal)
    return term.value
