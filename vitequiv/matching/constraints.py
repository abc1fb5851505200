"""How far a match may go from its start, beside the box [0, 1]."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.images.lattice import quantise
from vitequiv.matching.box import project
from vitequiv.matching.solver import per_image
from vitequiv.precision import wide

NEWTON_STEPS = 60
"""More than it ever takes; the point is inside the ball after any number of them."""


@dataclass(frozen=True)
class Constraints:
    """The points x of the box with |x - start|_inf <= linf and |x - start|_2 <= l2; by default the box alone.

    Args:
        linf: The most that any value may change, in (0, 1]; None for no limit.
        l2: The most that an image may change in the Euclidean norm, pixels in [0, 1], above 0; None for no limit.

    Raises:
        ValueError: If a limit is out of range.
    """

    linf: float | None = None
    l2: float | None = None

    def __post_init__(self) -> None:
        if self.linf is not None and not 0 < self.linf <= 1:
            raise ValueError(f"linf must be above 0 and at most 1, pixels being in [0, 1], got {self.linf}.")
        if self.l2 is not None and not 0 < self.l2 < math.inf:
            raise ValueError(f"l2 must be a number above 0, got {self.l2}.")

    def project(self, pixels: Tensor, start: Tensor) -> Tensor:
        """The nearest point, in the Euclidean norm, that all of the constraints allow.

        Box and linf together are a box with bounds lo and hi, around the start. With the ball, the Lagrangian
        |x - z|^2 + lambda (|x - start|^2 - l2^2) is separable, so its minimum over the bounds is the clamp of
        start + (z - start) / (1 + lambda) (KKT), and lambda >= 0 is the least for which that is in the ball.

        Args:
            pixels: z, (B, 3, H, W).
            start: (B, 3, H, W) in [0, 1].

        Returns:
            Points (B, 3, H, W), which keep the limits but for the rounding of the pixels' precision; NaN stays NaN.
        """
        if self.linf is None and self.l2 is None:
            return project(pixels)
        origin, z = wide(start), wide(pixels)
        room = 1.0 if self.linf is None else self.linf
        low, high = (origin - room).clamp_min(0), (origin + room).clamp_max(1)
        if self.l2 is not None:
            way = z - origin
            reach = torch.where(way > 0, high - origin, origin - low)
            z = origin + per_image(_scale(way.flatten(1), reach.flatten(1), self.l2)) * way
        return torch.minimum(torch.maximum(z, low), high).to(pixels.dtype)

    def round(self, pixels: Tensor, start: Tensor) -> Tensor:
        """A point near by that an 8-bit file can hold and all of the constraints allow.

        Each value is rounded and put between the levels that the box and linf allow. Where that leaves the ball, values
        go one level towards the start, first those that gain most length for what it moves them away from `pixels`.

        Args:
            pixels: Points that keep the limits, (B, 3, H, W).
            start: (B, 3, H, W) in [0, 1].

        Returns:
            Multiples of 1/255 (B, 3, H, W). Where the start is none, so that no level may be within linf of a value, it
            becomes the level nearest to it; then the ball, too, is kept as far as levels can.
        """
        if self.linf is None and self.l2 is None:
            return quantise(pixels)
        origin, z = 255 * wide(start), 255 * wide(pixels)
        room = 255.0 if self.linf is None else 255 * self.linf
        low, high = (origin - room - SLACK).ceil().clamp_min(0), (origin + room + SLACK).floor().clamp_max(255)
        low, high = torch.where(low > high, origin.round(), low), torch.where(low > high, origin.round(), high)
        levels = torch.minimum(torch.maximum(z.round(), low), high)
        if self.l2 is not None:
            limit = (255 * self.l2) ** 2 + SLACK
            for i in range(len(levels)):
                levels[i] = _into_ball(levels[i].flatten(), z[i].flatten(), origin[i].flatten(), limit).view_as(z[i])
        return (levels / 255).to(pixels.dtype)


SLACK = 1e-3
"""What rounding of float32 pixels may seem to add to a limit, in levels (or their squares, summed)."""

BOX = Constraints()
"""The box alone."""


def _scale(way: Tensor, reach: Tensor, radius: float) -> Tensor:
    """Find a = 1 / (1 + lambda) with sum_i min(a |way_i|, reach_i)^2 = radius^2, or 1 if the sum is less there.

    In a^2 the sum is concave and piecewise linear, so Newton's method from the left, where nothing is clamped, never
    passes the solution and ends on it after finitely many steps (in practice below ten).

    Args:
        way: z - start (B, m).
        reach: How far each value may go that way, at least 0, (B, m).
        radius: Above 0.

    Returns:
        Factors (B,) in (0, 1].
    """
    length, squared, bounds = way.abs(), way.square(), reach.square()
    scale: Tensor = (radius / torch.linalg.vector_norm(length, dim=1)).clamp_max(1)
    for _ in range(NEWTON_STEPS):
        free = scale[:, None] * length < reach
        left = radius**2 - torch.where(free, 0.0, bounds).sum(1)
        rising = torch.where(free, squared, 0.0).sum(1)
        # All clamped and still inside: the factor does not matter.
        further = torch.where(rising > 0, left.clamp_min(0) / rising, 1.0).sqrt().clamp_max(1)
        if not bool((further > scale).any()):
            break
        scale = torch.maximum(scale, further)
    return scale


def _into_ball(levels: Tensor, wanted: Tensor, origin: Tensor, limit: float) -> Tensor:
    """Move levels (m,) towards their origin, one at a time, until their squared distance to it is within a limit."""
    while True:
        change = levels - origin
        excess = change.square().sum() - limit
        inwards = -change.sign()
        gain = 2 * change.abs() - 1  # of squared length, by one level inwards
        if excess <= 0 or not bool((gain > 0).any()):
            return levels
        harm = 1 + 2 * inwards * (levels - wanted)  # to the squared distance from what is wanted
        order = torch.where(gain > 0, harm / gain.clamp_min(1e-9), torch.inf).argsort(stable=True)
        order = order[: int((gain > 0).sum())]
        needed = int((gain[order].cumsum(0) < excess).sum()) + 1
        levels = levels.clone()
        levels[order[:needed]] += inwards[order[:needed]]
