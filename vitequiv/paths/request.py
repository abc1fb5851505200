"""What a plugin's path is asked for, and the map that counts its passes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.errors import VitequivError
from vitequiv.maps import Embed
from vitequiv.memory import graph_memory
from vitequiv.paths.trace import Spent


class OutOfPassesError(VitequivError):
    """A path has spent the passes it was allowed; it ends there, as it is."""


@dataclass(eq=False)
class Counted:
    """A map that counts its passes and refuses those that are not allowed.

    A forward counts for each image of a batch, and so does each backward pass through what came out of it. Forward-mode
    derivatives are not seen.

    Args:
        embed: The map from pixels to embeddings.
        max_passes: Passes allowed.
        spent: Where they are counted.
        graph_bytes: What the largest graph of a call keeps (see `graph_memory`).
    """

    embed: Embed
    max_passes: int
    spent: Spent
    graph_bytes: int = 0

    def __call__(self, pixels: Tensor) -> Tensor:
        """Embed images; with a graph where they want a gradient.

        Args:
            pixels: (B, 3, H, W).

        Returns:
            Embeddings (B, n).
        """
        count = len(pixels)
        self._afford(count)
        self.spent.forwards += count
        with graph_memory() as memory:
            output = self.embed(pixels)
        self.graph_bytes = max(self.graph_bytes, memory.bytes)
        if output.requires_grad:
            # Called whenever a gradient comes in.
            output.register_hook(lambda _: self._backward(count))  # type: ignore[no-untyped-call]
        return output

    def _backward(self, count: int) -> None:
        self._afford(count)
        self.spent.vjps += count

    def _afford(self, count: int) -> None:
        if self.spent.passes + count > self.max_passes:
            raise OutOfPassesError(f"The {self.max_passes} passes allowed ran out.")


@dataclass(frozen=True, eq=False)
class PathRequest:
    """What a path is asked for.

    Args:
        embed: The map, differentiable; its passes are counted, as is one forward for each point given.
        start: START, (3, H, W) in [0, 1].
        end: END, likewise; another image.
        steps: Points, at most; at least 2.
        generator: What everything random is drawn from, on the CPU.
    """

    embed: Counted
    start: Tensor
    end: Tensor
    steps: int
    generator: torch.Generator
