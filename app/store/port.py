"""What every graph store promises; `tests/contract/test_store.py` holds each to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from pyoxigraph import NamedNode, Quad

from app.log import Commit
from app.sandbox.pool import Checkpoint


class GraphStore(Protocol):
    """A store of quads that follows the log.

    `marker` and `apply` are those of `app.log.Follower`. The marker is itself a statement in the
    reserved graph, `<{base}catalog> dcat:version "{generation}"`, so every copy of the graph says
    which generation it is.
    """

    def marker(self) -> int:
        """The generation that is fully applied; 0 at first."""

    def apply(self, commit: Commit) -> None:
        """Apply the next commit and move the marker; harmless when repeated."""

    def graph(self, name: NamedNode) -> Iterator[Quad]:
        """All quads of one named graph."""

    def __len__(self) -> int:
        """Quads in all graphs, the marker's among them."""

    def close(self) -> None:
        """Let go of files, locks and connections; everything applied is kept."""


class EmbeddedStore(GraphStore, Protocol):
    """A store within this process, which can be copied in a moment: what the cage reads."""

    def checkpoint(self) -> Checkpoint:
        """An immutable copy of the newest generation, for readers in other processes.

        The same generation gives the same checkpoint, but for `merge`. It stays until `prune`.
        """

    def merge(self) -> bool:
        """Put in order what commits have left beside each other; whether there was anything to do.

        Takes seconds, and does not keep others from `apply`. Afterwards the same generation has
        another checkpoint, which is read faster.
        """

    def prune(self, in_use: Iterable[int]) -> None:
        """Remove checkpoints but the newest ones and those of the generations in use."""
