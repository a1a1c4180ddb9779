"""Worker side: run a SPARQL Update on a private copy of the checkpoint, and see what it changed.

The copy costs nothing that depends on the size of the graph: the files that hold the data are never
changed by the engine, so they are hard links. It lies beside the checkpoint, on the same file
system, and is gone when the update has ended; what a killed worker leaves is removed by the next
update, or by the next start (see `app/store/embedded.py`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import traceback
from collections.abc import Collection, Iterator
from functools import partial
from itertools import zip_longest
from pathlib import Path

from pyoxigraph import DefaultGraph, NamedNode, Quad, Store

from app.errors import Forbidden, PayloadTooLarge, SyntaxRejected
from app.rdf.rejection import rejected
from app.rdf.tokens import refuse_federation
from app.rdf.updates import Script, Targets, read_update
from app.sandbox import walls
from app.sandbox.worker import Cage

_MOST_WRITTEN_MB = 1024
"""Into one file of the copy. An update is one entry of the engine's journal, so also in all."""

Graph = NamedNode | DefaultGraph


def updated(
    cage: Cage,
    text: str,
    base_iri: str,
    graphs: Collection[str] | None,
    *,
    union: bool = False,
) -> tuple[set[Quad], set[Quad]]:
    """All quads of `graphs` before and after the update.

    `{base_iri}graph/default` stands for the default graph. None means all graphs but the reserved
    one; then those that did not change are left out. With `union`, patterns that state no dataset
    are matched against all graphs together, as queries are.

    Raises SyntaxRejected, QueryRejected and FederationRefused; Forbidden when the update may change
    other graphs, since that would be lost here; PayloadTooLarge when it writes too much.
    """
    script = read_update(text, base_iri)
    refuse_federation(script.text)
    _refuse_others(script.targets, base_iri, graphs)
    if cage.path is None:
        return _outcome(script, cage.store, Store(), base_iri, graphs, union=union)
    with _copy(Path(cage.path)) as folder:
        return _outcome(script, cage.store, Store(str(folder)), base_iri, graphs, union=union)


def _refuse_others(targets: Targets, base_iri: str, graphs: Collection[str] | None) -> None:
    reserved, default = f"{base_iri}graph/service", f"{base_iri}graph/default"
    if names := targets.graphs & {reserved, default}:
        raise Forbidden(
            f"<{min(names)}> cannot be written by this name: the service writes its own graph, and "
            "the default graph is what stands outside of GRAPH."
        )
    if graphs is None:
        return
    others = sorted((targets.graphs | ({default} if targets.default else set())) - set(graphs))
    if targets.variable or targets.every or others:
        named = f"<{others[0]}>" if others else "graphs that it does not name"
        raise Forbidden(
            f"This update may change {named}. Write to your datasets only, each by "
            "GRAPH and its IRI or by WITH."
        )


@contextlib.contextmanager
def _copy(checkpoint: Path) -> Iterator[Path]:
    for left in checkpoint.parent.glob("update-*.tmp"):
        if not _is_another_alive(int(left.stem.removeprefix("update-"))):
            shutil.rmtree(left, ignore_errors=True)
    folder = checkpoint.with_name(f"update-{os.getpid()}.tmp")
    folder.mkdir()
    try:
        for file in checkpoint.iterdir():
            copy = os.link if file.suffix == ".sst" else shutil.copyfile
            copy(file, folder / file.name)
        with walls.limited_files(_MOST_WRITTEN_MB):
            yield folder
    except BaseException as error:
        # The engine holds its files until nothing refers to the store, and these frames do.
        raised: BaseException | None = error
        while raised is not None:
            traceback.clear_frames(raised.__traceback__)
            raised = raised.__context__
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_another_alive(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _outcome(
    script: Script,
    before: Store,
    store: Store,
    base_iri: str,
    graphs: Collection[str] | None,
    *,
    union: bool,
) -> tuple[set[Quad], set[Quad]]:
    try:
        _run(_over_all_graphs(script, store, base_iri) if union else script, store)
    except SyntaxRejected:
        _run(script, Store())  # says the place in the text as it was sent
        raise
    if graphs is None:
        names = _all_graphs(before, store, base_iri)
        changed = [name for name in names if _differs(name, before, store)]
    else:
        changed = [_graph(name, base_iri) for name in graphs]
    return _quads(before, changed), _quads(store, changed)


def _over_all_graphs(script: Script, store: Store, base_iri: str) -> Script:
    known = {name.value for name in store.named_graphs() if isinstance(name, NamedNode)}
    names = sorted(known | script.targets.graphs)
    return read_update(script.using(names, names), base_iri)


def _run(script: Script, store: Store) -> None:
    # To the log a graph without statements is none, so clearing one twice is no error (§3.1.3).
    for name in script.emptied:
        store.add_graph(NamedNode(name))
    try:
        for part in script.parts():
            store.update(part.text, base_iri=part.base_iri, prefixes=part.prefixes)
    except (SyntaxError, RuntimeError, ValueError) as error:
        read = partial(Store().update, base_iri=part.base_iri)
        raise rejected(error, script.text, read) from None
    except OSError as error:
        if os.strerror(errno.EFBIG) not in str(error):
            raise
        raise PayloadTooLarge(
            f"The update writes more than {_MOST_WRITTEN_MB} MB; split it.",
            limit=_MOST_WRITTEN_MB << 20,
        ) from None


def _graph(name: str, base_iri: str) -> Graph:
    return DefaultGraph() if name == f"{base_iri}graph/default" else NamedNode(name)


def _all_graphs(before: Store, after: Store, base_iri: str) -> Iterator[Graph]:
    reserved = NamedNode(f"{base_iri}graph/service")
    yield DefaultGraph()
    for name in {*before.named_graphs(), *after.named_graphs()} - {reserved}:
        if isinstance(name, NamedNode):
            yield name


def _differs(graph: Graph, before: Store, after: Store) -> bool:
    """Whether a graph changed, in memory that does not depend on its size.

    Both stores give equal sets in the same order, that of their index.
    """
    quads = (store.quads_for_pattern(None, None, None, graph) for store in (before, after))
    return any(one != other for one, other in zip_longest(*quads))


def _quads(store: Store, graphs: Collection[Graph]) -> set[Quad]:
    return {quad for graph in graphs for quad in store.quads_for_pattern(None, None, None, graph)}
