"""A walk inside a class of equal embedding: along the null space of the Jacobian, corrected as it goes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.geometry.operator import Jacobian
from vitequiv.maps import Embed
from vitequiv.matching.box import project
from vitequiv.memory import graph_memory
from vitequiv.paths.projection import COSTLIEST_PAIR, Corrector
from vitequiv.paths.trace import Spent, Trace
from vitequiv.precision import wide
from vitequiv.results.status import Status

FIRST_STEP = 0.05
"""The first step, as a share of the whole way; what the damping is made for."""
ACCURACY = 0.3
"""What the solver may leave uncorrected in a step, as a share of the tolerance: the rest is for the map's curvature."""
MARGIN = 0.05
"""Corrections shrink in pixels that are nearer than this to 0 or 1, so that the box cuts little off them."""
SAFETY = 0.8
"""A step is planned for this share of the longest that would stay within the tolerance."""
SHORTEST = 1e-6
"""A step of this share of the way is none."""
CHEAPEST_STEP = 2 + 1 + 2 * COSTLIEST_PAIR + 1
"""Passes for the change along the way (with its graph), a start from the last solution, an iteration and a forward."""
HALF = 0.5
"""Share of what is left of the way that is open (tangent to the class) below which a rest is a good end."""
RESTING, PROGRESS = 10, 0.01
"""The walk is at rest if it has not got further from its start by this share of the way within so many steps."""


@dataclass(frozen=True, eq=False)
class NullTrace(Trace):
    """A walk.

    Args:
        rejected: Steps that left the tolerance and were shortened.
    """

    rejected: int


def null_walk(
    embed: Embed,
    start: Tensor,
    way: Callable[[Tensor], Tensor],
    *,
    steps: int,
    tolerance: float,
    max_passes: int,
    observe: Callable[[int, int], None] | None = None,
) -> NullTrace:
    """Walk as far as possible with the embedding of the start.

    At x a share s of the way d is gone, less the correction that `Corrector` finds for the change J s d that this makes
    and for what had drifted before; so a step is a step in the null space of J and a Gauss-Newton correction at once,
    and to first order the drift left is that of the curvature, s^2. The share is adapted so that the relative drift
    |f(x) - f(start)| / |f(start)| stays within the tolerance: as in solvers of differential equations, by the square
    root of what the last step left of it.

    Args:
        embed: The map from pixels to embeddings.
        start: (3, H, W) in [0, 1].
        way: The way that one would go from a point (3, H, W) if nothing had to be kept, such as END - x; its length at
            the start is the scale of all lengths.
        steps: Points, the start among them; at least 2.
        tolerance: The largest relative drift, in (0, 1).
        max_passes: Passes allowed; never exceeded.
        observe: Told of points done and points in all.

    Returns:
        The walk, every point of it within the tolerance and the box. It has converged if it has taken all steps or come
        to rest with most of what is left of the way normal to the class; it has stalled if the tolerance stops it
        before. Cost a step: 1 forward (1 more each time it is shortened), 4 passes, and 2 for each iteration of the
        solver.
    """
    spent = Spent()
    with graph_memory() as memory:
        here = Jacobian(embed, start)
    spent.embedded(here)
    target = wide(here.embedding)
    size, length = float(target.norm()), float(wide(way(start)).norm())
    corrector = Corrector(damping=(tolerance * size / (FIRST_STEP * length)) ** 2)
    pixels, embeddings, passes, moved = [start], [here.embedding], [spent.passes], [0.0]
    open_shares: list[float] = []
    share, rejected = FIRST_STEP, 0
    status = None if size > 0 and math.isfinite(size) else Status.NON_FINITE
    while status is None and len(pixels) < steps:
        left = max_passes - spent.passes
        if left < CHEAPEST_STEP:
            status = Status.BUDGET_EXHAUSTED
            break
        x = pixels[-1]
        step = _corrected(here, x, share * way(x), target, corrector, share, tolerance, left - 1)
        spent.multiplied(here)
        rest = float(wide(way(x)).norm())
        open_shares.append(float(wide(step).norm()) / (share * rest) if rest else 0.0)
        tried = _longest_within(embed, x, step, target, tolerance, spent, SHORTEST / share, max_passes)
        rejected += tried.rejected
        if tried.point is None:
            status = tried.status
            break
        here = tried.point
        pixels.append(tried.pixels)
        embeddings.append(here.embedding)
        passes.append(spent.passes)
        moved.append(float(wide(tried.pixels - start).norm()))
        share = min(1.0, share * tried.scale * min(max(tried.factor, 0.3), 2.0))
        if observe:
            observe(len(pixels), steps)
        if len(moved) > RESTING and moved[-1] - moved[-1 - RESTING] < PROGRESS * length:
            # Where most of the way left is open it is the tolerance that stops the walk, not the shape of the class.
            status = Status.CONVERGED if min(open_shares[-RESTING:]) < HALF else Status.STALLED
    status = status or Status.CONVERGED
    return NullTrace(
        status=status,
        message=_message(status, moved[-1], len(pixels), steps),
        pixels=torch.stack(pixels),
        embeddings=torch.stack(embeddings),
        passes=tuple(passes),
        spent=spent,
        graph_bytes=memory.bytes,
        rejected=rejected,
    )


@dataclass(frozen=True, eq=False)
class _Tried:
    """The end of a step: its point and f there, or None and why there is none.

    `scale` is the share of the step that was gone, `factor` how much longer the planned one would be.
    """

    pixels: Tensor
    point: Jacobian | None
    status: Status | None
    scale: float
    factor: float
    rejected: int


def _longest_within(
    embed: Embed,
    x: Tensor,
    step: Tensor,
    target: Tensor,
    tolerance: float,
    spent: Spent,
    shortest: float,
    max_passes: int,
) -> _Tried:
    """Shorten a step until its end is within the tolerance, if need be to nothing; there must be a pass left."""
    scale, rejected = 1.0, 0
    while True:
        pixels = project(x + scale * step)
        point = Jacobian(embed, pixels)
        spent.embedded(point)
        drift = float((wide(point.embedding) - target).norm() / target.norm())
        factor = SAFETY * math.sqrt(tolerance / max(drift, tolerance / 100)) if math.isfinite(drift) else 0.0
        if drift <= tolerance:
            return _Tried(pixels, point, None, scale, factor, rejected)
        rejected += 1
        scale *= min(max(factor, 0.2), 0.7)
        if scale < shortest:
            return _Tried(x, None, Status.STALLED, scale, factor, rejected)
        if spent.passes == max_passes:
            return _Tried(x, None, Status.BUDGET_EXHAUSTED, scale, factor, rejected)


def _corrected(
    here: Jacobian,
    x: Tensor,
    wish: Tensor,
    target: Tensor,
    corrector: Corrector,
    share: float,
    tolerance: float,
    max_passes: int,
) -> Tensor:
    """The step that is wished for, less what it would do to the embedding; such that the box holds."""
    inside = project(x + wish)
    wanted = wide(here @ (inside - x).flatten()) + wide(here.embedding) - target
    room = torch.minimum(inside, 1 - inside).div(MARGIN).clamp(0, 1).flatten()
    stop = ACCURACY * tolerance * float(target.norm())
    correction = corrector.solve(here, room, wanted, share, stop, here.forwards + max_passes)
    return project(inside - correction.view_as(x)) - x


def _message(status: Status, moved: float, points: int, steps: int) -> str:
    so_far = f"after {points} points, {moved:.3g} from the start in L2"
    if status is Status.CONVERGED:
        if points == steps:
            return f"The walk took all its {points} points and is {moved:.3g} from the start in L2."
        return f"The walk came to rest {so_far}: the class goes no further this way."
    return {
        Status.BUDGET_EXHAUSTED: f"The passes allowed ran out {so_far}: allow more.",
        Status.STALLED: f"The tolerance stopped the walk {so_far}: allow a larger one, or take float64.",
        Status.NON_FINITE: "The embedding of the start is zero, NaN or infinite: there is nothing to keep.",
    }[status]
