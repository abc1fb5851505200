"""Gradient descent with Polyak's step: nothing to tune when the optimal value is known, and here it is 0."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.matching.linearisation import Linearisation
from vitequiv.matching.objective import squared_distance
from vitequiv.matching.solver import dot, per_image


@dataclass(frozen=True)
class Polyak:
    """x <- x - step_size * L / |g|^2 * g, with g = J^T (f(x) - f(x_tg)). Cost: 2 passes a step.

    The loss L is 0 at any match, so L / |g|^2 is Polyak's step (B. T. Polyak, Introduction to Optimization, 1987).

    Args:
        step_size: Relaxation factor in (0, 2); smaller values follow the gradient flow more closely and change
            the image less, for more passes.
    """

    step_size: float = 0.25

    def init(self, pixels: Tensor) -> None:
        """Nothing is remembered."""
        del pixels

    def step(self, state: None, point: Linearisation, residual: Tensor) -> tuple[Tensor, None]:
        """One step; see `Solver.step`. An image whose gradient is zero stays where it is."""
        gradient = point.pullback(residual)
        squared_norm = dot(gradient, gradient)
        length = torch.where(squared_norm > 0, squared_distance(residual) / squared_norm, 0.0)
        return point.pixels - self.step_size * per_image(length).to(gradient.dtype) * gradient, state
