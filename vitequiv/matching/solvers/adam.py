"""Adam on pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.matching.linearisation import Linearisation

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class AdamState:
    """First and second moments (B, 3, H, W) and the number of steps taken."""

    mean: Tensor
    square: Tensor
    steps: int


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980, Algorithm 1) with its own defaults. Cost: 2 passes a step.

    `torch.optim.Adam` is not used because images leave the batch one by one, and their moments with them.

    Args:
        step_size: On pixels in [0, 1]; about the change of each pixel in the first steps.
    """

    step_size: float = 2e-3

    def init(self, pixels: Tensor) -> AdamState:
        """Moments start at zero."""
        return AdamState(torch.zeros_like(pixels), torch.zeros_like(pixels), 0)

    def step(self, state: AdamState, point: Linearisation, residual: Tensor) -> tuple[Tensor, AdamState]:
        """One step; see `Solver.step`."""
        gradient = point.pullback(residual)
        steps = state.steps + 1
        mean = BETA1 * state.mean + (1 - BETA1) * gradient
        square = BETA2 * state.square + (1 - BETA2) * gradient.square()
        direction = (mean / (1 - BETA1**steps)) / ((square / (1 - BETA2**steps)).sqrt() + EPSILON)
        return point.pixels - self.step_size * direction, AdamState(mean, square, steps)
