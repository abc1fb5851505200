"""A path as it was gone: its points and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vitequiv.geometry.operator import Jacobian
from vitequiv.results.status import Status


@dataclass
class Spent:
    """Passes so far."""

    forwards: int = 0
    vjps: int = 0
    jvps: int = 0

    @property
    def passes(self) -> int:
        """All of them together."""
        return self.forwards + self.vjps + self.jvps

    def embedded(self, jacobian: Jacobian) -> None:
        """Add the forward of a point."""
        self.forwards += jacobian.forwards

    def multiplied(self, jacobian: Jacobian) -> None:
        """Add the products at a point, once no more are to come."""
        self.vjps += jacobian.vjps
        self.jvps += jacobian.jvps


@dataclass(frozen=True, eq=False)
class Trace:
    """A path.

    Args:
        status: How it ended.
        message: The same in a sentence.
        pixels: The points, (k, 3, H, W).
        embeddings: f there, (k, n).
        passes: Passes spent up to and including each point.
        spent: All that the path took.
        graph_bytes: What the graph of one point keeps (see `graph_memory`).
    """

    status: Status
    message: str
    pixels: Tensor
    embeddings: Tensor
    passes: tuple[int, ...]
    spent: Spent
    graph_bytes: int
