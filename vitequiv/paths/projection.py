"""Corrections that keep the embedding where it is, without the matrix: damped least squares by conjugate gradients."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vitequiv.geometry.operator import Jacobian
from vitequiv.precision import wide

MEMORY = 100
"""Search directions of earlier systems that are kept to make the next ones easier; each is a vector of n numbers."""
COSTLIEST_PAIR = 3
"""Passes of one product with J^T and one with J, where the latter takes forward mode."""


@dataclass(frozen=True, eq=False)
class _Direction:
    """A search direction p, A p and p . A p of a system that was solved."""

    p: Tensor
    image: Tensor
    curvature: Tensor


@dataclass(eq=False)
class Corrector:
    """Solves (J W J^T + damping) y = b at one point of a walk after another, and gives the correction W J^T y.

    With b = J s + (f(x) - f0), the step s - W J^T y undoes to first order what the step s would do to the embedding and
    what is left to correct from before; it is the least such correction in the norm of W^-1.

    The damping leaves out directions whose singular values are so small that they cannot matter over a step, and that
    an exact correction would go very far along. The points of a walk are near each other, so each system begins at the
    last solution, and its search directions precondition the next: by the inverse BFGS matrix of the last `MEMORY` of
    them (Morales and Nocedal 2000, doi 10.1137/S1052623497327854).

    Args:
        damping: In squared units of singular values, above 0.
    """

    damping: float
    _directions: deque[_Direction] = field(default_factory=lambda: deque(maxlen=MEMORY))
    _rate: Tensor | None = None

    def solve(
        self, jacobian: Jacobian, weights: Tensor, wanted: Tensor, share: float, stop: float, max_passes: int
    ) -> Tensor:
        """Find the correction for one step.

        Args:
            jacobian: J at the point, with products counted there.
            weights: Diagonal of W, (m,), not negative.
            wanted: b, (n,), in wide precision.
            share: Length of the step, in one unit for all calls: solutions are taken as proportional to it.
            stop: |b - (J W J^T + damping) y| to come down to.
            max_passes: Where `jacobian.passes` must stop.

        Returns:
            W J^T y, (m,), in the dtype of J. Cost: 2 passes an iteration, and 2 to begin at the last solution.
        """
        correction = torch.zeros_like(weights)
        y, residual = torch.zeros_like(wanted), wanted
        if self._rate is not None and jacobian.passes + COSTLIEST_PAIR <= max_passes:
            y = share * self._rate
            correction = weights * (jacobian.T @ y)
            residual = wanted - wide(jacobian @ correction) - self.damping * y
        known = list(self._directions)
        preconditioned = _inverse_bfgs(known, residual)
        p, slope = preconditioned, residual @ preconditioned
        while float(residual.norm()) > stop and jacobian.passes + COSTLIEST_PAIR <= max_passes:
            pulled = weights * (jacobian.T @ p)
            image = wide(jacobian @ pulled) + self.damping * p
            curvature = p @ image
            if not float(curvature) > 0:  # rounding, or a map that is not finite
                break
            self._directions.append(_Direction(p, image, curvature))
            length = slope / curvature
            y = y + length * p
            correction = correction + length.to(pulled.dtype) * pulled
            residual = residual - length * image
            preconditioned = _inverse_bfgs(known, residual)
            before, slope = slope, residual @ preconditioned
            p = preconditioned + slope / before * p
        self._rate = y / share
        return correction


def _inverse_bfgs(directions: list[_Direction], vector: Tensor) -> Tensor:
    """Multiply by the inverse BFGS matrix of some pairs (Nocedal and Wright, Algorithm 7.4); the identity for none."""
    if not directions:
        return vector
    q = vector
    alphas = []
    for d in reversed(directions):
        alpha = d.p @ q / d.curvature
        alphas.append(alpha)
        q = q - alpha * d.image
    newest = directions[-1]
    q = newest.curvature / (newest.image @ newest.image) * q
    for d, alpha in zip(directions, reversed(alphas), strict=True):
        q = q + (alpha - d.image @ q / d.curvature) * d.p
    return q
