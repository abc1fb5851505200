"""The straight line between two images, and what the embedding does along it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.geometry.operator import Jacobian
from vitequiv.maps import Embed
from vitequiv.memory import graph_memory
from vitequiv.paths.trace import Spent, Trace
from vitequiv.precision import wide
from vitequiv.results.status import Status


@dataclass(frozen=True, eq=False)
class LinearTrace(Trace):
    """A straight path.

    Args:
        slopes: |J d| at each point for the unit direction d from the first to the last, (k,).
    """

    slopes: Tensor


def linear_path(
    embed: Embed, start: Tensor, end: Tensor, steps: int, observe: Callable[[int, int], None] | None = None
) -> LinearTrace:
    """Go from one image to another in equal steps (paper, Fig. 6 and 11).

    Args:
        embed: The map from pixels to embeddings.
        start: (3, H, W).
        end: The same shape, another image.
        steps: Points, both ends among them; at least 2.
        observe: Told of points done and points in all.

    Returns:
        The path; it stops at a point whose embedding is not finite. Cost: 3 passes a point (a forward, the graph for
        products with J, one product), 4 where the product takes forward mode.
    """
    direction = wide(end - start).flatten()
    direction = (direction / direction.norm()).to(start.dtype)
    spent = Spent()
    pixels, embeddings, slopes, passes = [], [], [], []
    status, graph_bytes = Status.CONVERGED, 0
    for i in range(steps):
        t = i / (steps - 1)
        x = (1 - t) * start + t * end
        with nullcontext() if i else graph_memory() as memory:
            jacobian = Jacobian(embed, x)
            slope = wide(jacobian @ direction).norm()
        graph_bytes = memory.bytes if memory else graph_bytes
        spent.embedded(jacobian)
        spent.multiplied(jacobian)
        pixels.append(x)
        embeddings.append(jacobian.embedding)
        slopes.append(slope)
        passes.append(spent.passes)
        if observe:
            observe(i + 1, steps)
        if not bool(jacobian.embedding.isfinite().all()):
            status = Status.NON_FINITE
            break
    message = (
        f"All {steps} points were embedded."
        if status is Status.CONVERGED
        else f"The embedding of point {len(pixels)} of {steps} is NaN or infinite: try float32 or float64."
    )
    return LinearTrace(
        status=status,
        message=message,
        pixels=torch.stack(pixels),
        embeddings=torch.stack(embeddings),
        passes=tuple(passes),
        spent=spent,
        graph_bytes=graph_bytes,
        slopes=torch.stack(slopes),
    )
