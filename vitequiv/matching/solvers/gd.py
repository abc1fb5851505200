"""Gradient descent with a fixed step: the paper's procedure."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vitequiv.matching.linearisation import Linearisation


@dataclass(frozen=True)
class GradientDescent:
    """x <- x - step_size * J^T (f(x) - f(x_tg)) (paper, Eq. 4). Cost: 2 passes a step.

    Args:
        step_size: On pixels in [0, 1]. The paper uses 0.001 to 0.09 on its encoder; stable below 2 / sigma_1^2 of J.
    """

    step_size: float = 1e-3

    def init(self, pixels: Tensor) -> None:
        """Nothing is remembered."""
        del pixels

    def step(self, state: None, point: Linearisation, residual: Tensor) -> tuple[Tensor, None]:
        """One step down the gradient; see `Solver.step`."""
        return point.pixels - self.step_size * point.pullback(residual), state
