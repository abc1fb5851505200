"""The solver: a step rule; vitequiv has the loop, the budget, the goal and the box."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.matching.linearisation import Linearisation


@dataclass(frozen=True)
class Velocity:
    """The state: tensors with the batch first, so that vitequiv can drop images which have ended."""

    values: Tensor


@dataclass(frozen=True)
class Momentum:
    """v <- kept * v - step_size * J^T (f(x) - f(x_tg)); x <- x + v (B. T. Polyak 1964). Cost: 2 passes a step.

    Args:
        step_size: On pixels in [0, 1]; what `--step-size` sets.
        kept: Share of the velocity that is kept.
    """

    step_size: float = 1e-3
    kept: float = 0.9

    def init(self, pixels: Tensor) -> Velocity:
        """Start at rest."""
        return Velocity(torch.zeros_like(pixels))

    def step(self, state: Velocity, point: Linearisation, residual: Tensor) -> tuple[Tensor, Velocity]:
        """One step; see `vitequiv.matching.solver.Solver.step`."""
        velocity = self.kept * state.values - self.step_size * point.pullback(residual)
        return point.pixels + velocity, Velocity(velocity)
