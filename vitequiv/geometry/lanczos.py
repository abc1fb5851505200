"""The largest singular triplets without the matrix: Lanczos on J J^T, in n dimensions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.geometry.operator import Jacobian
from vitequiv.geometry.spectrum import ROUNDING
from vitequiv.precision import in_float64


@dataclass(frozen=True, eq=False)
class Triplets:
    """The k largest singular triplets with what is known of their error.

    Args:
        singular_values: (k,), falling, float64.
        left: (n, k), float64.
        right: (m, k), float64.
        residuals: |J v - s u| / s of each (k,), from products really computed, no estimate; NaN for a zero value.
        converged: Whether every residual is within the tolerance asked for.
        steps: Lanczos steps, a vjp and a jvp each.
    """

    singular_values: Tensor
    left: Tensor
    right: Tensor
    residuals: Tensor
    converged: bool
    steps: int


def top_triplets(
    jacobian: Jacobian,
    count: int,
    *,
    tolerance: float = 1e-3,
    max_steps: int | None = None,
    seed: int = 0,
    observe: Callable[[int, int], None] | None = None,
) -> Triplets:
    """Find the largest singular triplets by Lanczos with full reorthogonalisation (Golub and Van Loan, 10.1 and 10.4).

    Each step computes p = J^T q and w = J p and keeps both. On the space of all q so far J J^T is then known exactly,
    so the triplets and their residuals |J v - s u| come from products already made. Where the space is exhausted
    (repeated or zero singular values) it goes on from a new random direction.

    Args:
        jacobian: The operator.
        count: k, from 1 to n.
        tolerance: Relative residual to reach for each triplet.
        max_steps: Lanczos steps allowed; by default n, which is the whole space.
        seed: Seed of the random directions.
        observe: Told of steps done and steps allowed.

    Returns:
        The triplets. Cost: 2 passes a step, and 1 to build the graph for products with J. Memory: m numbers a step.

    Raises:
        ValueError: If the count is not between 1 and n.
    """
    n, m = jacobian.shape
    if not 1 <= count <= min(n, m):
        raise ValueError(f"Between 1 and {min(n, m)} singular triplets can be asked for here, got {count}.")
    limit = min(max_steps or n, n)
    generator = torch.Generator().manual_seed(seed)
    basis, images = (torch.zeros(n, 0, dtype=torch.float64) for _ in range(2))
    rows: list[Tensor] = []  # p of each step, (m,), in the operator's own dtype
    following = torch.randn(n, generator=generator, dtype=torch.float64)
    while True:
        following = _new_direction(following, basis, generator)
        basis = torch.cat([basis, following[:, None]], dim=1)
        rows.append(jacobian.pull(following))
        image = in_float64(jacobian @ rows[-1]).cpu()
        images = torch.cat([images, image[:, None]], dim=1)
        steps = basis.shape[1]
        if observe:
            observe(steps, limit)

        projected = basis.T @ images
        squares, weights = torch.linalg.eigh((projected + projected.T) / 2)
        kept = squares.argsort(descending=True)[:count]
        squares, weights = squares[kept].clamp_min(0), weights[:, kept]
        left = basis @ weights
        residuals = (images @ weights - squares * left).norm(dim=0) / squares
        rounding = torch.finfo(jacobian.dtype).eps
        # A singular value lost in rounding beside the largest has no relative accuracy to wait for.
        done = (residuals <= tolerance) | (squares <= rounding * squares[0])
        # Nor does a residual fall below what rounding in the products makes of it.
        at_floor = residuals <= ROUNDING * rounding * (squares[0] / squares).sqrt()
        converged = steps >= count and bool(done.all())
        if steps == limit or (steps > count and bool((done | at_floor).all())):
            break
        following = image
    values = squares.sqrt()
    right = in_float64(torch.stack(rows, dim=1)).cpu() @ weights / values.clamp_min(torch.finfo(torch.float64).tiny)
    return Triplets(values, left, right, residuals, converged, steps)


def _new_direction(vector: Tensor, basis: Tensor, generator: torch.Generator) -> Tensor:
    """The part of a vector outside a space, of unit length; a random one where nothing but rounding is outside."""
    length = vector.norm()
    for _ in range(3):
        outside = vector - basis @ (basis.T @ vector)
        outside = outside - basis @ (basis.T @ outside)
        norm = outside.norm()
        if norm > 1e-10 * length:
            unit: Tensor = outside / norm
            return unit
        vector = torch.randn(len(vector), generator=generator, dtype=torch.float64)
        length = vector.norm()
    raise ArithmeticError("a random direction lay three times in a space of lower dimension")
