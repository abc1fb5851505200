"""A path between two images along which every point shares one embedding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from vitequiv.maps import Embed
from vitequiv.matching.box import project
from vitequiv.matching.goal import Goal
from vitequiv.matching.loop import minimise
from vitequiv.matching.solver import Solver
from vitequiv.paths.trace import Spent, Trace
from vitequiv.results.status import Status

KEPT = 0.9
"""Share of a point's correction that the next one begins with."""

_REMEDIES = {
    Status.BUDGET_EXHAUSTED: "the passes allowed ran out: allow more, or more points with shorter steps between them",
    Status.STALLED: "the match stopped getting better: ask for a lower cosine, or take another solver or more points",
    Status.NON_FINITE: "the embedding or its gradient became NaN or infinite: try float32 or float64",
}


def matched_path(
    embed: Embed,
    start: Tensor,
    end: Tensor,
    target: Tensor,
    *,
    steps: int,
    goal: Goal,
    solver: Solver,
    observe: Callable[[int, int], None] | None = None,
) -> Trace:
    """Go from one image towards another and re-match every point to one embedding (paper, Fig. 7 and 12).

    A point begins at its place on the straight line plus `KEPT` of the correction of the point before, which is nearly
    right already; a match brings it home. Where the correction is let go, or shrunk so as to vanish at END, the next
    match has to find it again, which takes up to six times the passes and leaves the class between the points; carried
    whole, it keeps what is not needed any more (measured in `docs/explanation/paths.md`). The last point is END's
    pixels with their correction.

    Args:
        embed: The map from pixels to embeddings.
        start: (3, H, W) in [0, 1].
        end: The same shape.
        target: The embedding to keep, (n,).
        steps: Points, both ends among them; at least 2.
        goal: What every point must meet; its passes are those allowed for the whole path, never exceeded.
        solver: How a point is re-matched.
        observe: Told of points done and points in all.

    Returns:
        The path. If a point does not meet the goal it is the last one. Cost: 1 forward a point that meets the goal as
        it begins, and 2 passes more for each step of a solver that needs no line search.
    """
    spent = Spent()
    pixels: list[Tensor] = []
    embeddings: list[Tensor] = []
    passes: list[int] = []
    correction = torch.zeros_like(start)
    status, graph_bytes = Status.CONVERGED, 0
    for i in range(steps):
        left = goal.max_passes - spent.passes
        if not left:
            status = Status.BUDGET_EXHAUSTED
            break
        t = i / (steps - 1)
        straight = (1 - t) * start + t * end
        begin = project(straight + correction)
        (run,) = minimise(embed, begin[None], target[None], solver, replace(goal, max_passes=left))
        spent.forwards += run.forwards
        spent.vjps += run.vjps
        graph_bytes = max(graph_bytes, run.graph_bytes)
        status = run.status or Status.FAILED
        pixels.append(run.pixels)
        embeddings.append(run.embedding)
        passes.append(spent.passes)
        if status is not Status.CONVERGED:
            break
        correction = KEPT * (run.pixels - straight)
        if observe:
            observe(i + 1, steps)
    message = (
        f"Every one of {steps} points has a cosine of at least {goal.cosine:g} to the embedding."
        if status is Status.CONVERGED
        else f"Point {i + 1} of {steps} did not come to cosine {goal.cosine:g}: {_REMEDIES[status]}."
    )
    return Trace(
        status=status,
        message=message,
        pixels=torch.stack(pixels),
        embeddings=torch.stack(embeddings),
        passes=tuple(passes),
        spent=spent,
        graph_bytes=graph_bytes,
    )
