"""The largest singular triplets without the matrix: Lanczos on J J^T, in n dimensions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.errors import ImageError
from vitequiv.geometry.operator import NON_FINITE, Jacobian
from vitequiv.geometry.spectrum import ROUNDING
from vitequiv.precision import in_float64


@dataclass(frozen=True, eq=False)
class Triplets:
    """The k largest singular triplets with what is known of their error.

    Args:
        singular_values: (k,), falling, float64.
        left: (n, k), orthonormal, float64.
        right: (m, k), orthonormal, float64.
        residuals: |J v - s u| / s of each (k,), from products really computed, no estimate; NaN for a zero value.
        converged: Whether every residual is within the tolerance asked for; never where a value is lost in rounding.
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
    verify: bool = False,
    observe: Callable[[int, int], None] | None = None,
) -> Triplets:
    """Find the largest singular triplets by Lanczos with full reorthogonalisation (Golub and Van Loan, 10.1 and 10.4).

    Each step computes p = J^T q and w = J p and keeps both. On the space of all q so far J J^T is then known exactly,
    so the triplets and their residuals |J v - s u| come from products already made. Where the space is exhausted
    it goes on from a new random direction. The residuals certify that each is a singular triplet. That they are the k
    largest holds for simple singular values; of a repeated one a single direction sees one copy, unless `verify`.

    Args:
        jacobian: The operator.
        count: k, from 1 to n.
        tolerance: Relative residual to reach for each triplet.
        max_steps: Lanczos steps allowed; by default n, which is the whole space.
        seed: Seed of the random directions.
        verify: Once converged, begin again from a random direction outside the space for as many steps, so that copies
            of repeated singular values are found too.
        observe: Told of steps done and steps allowed.

    Returns:
        The triplets. Cost: 2 passes a step, and 1 to build the graph for products with J. Memory: m numbers a step.

    Raises:
        ValueError: If the count is not between 1 and n.
        ImageError: If a product is NaN or infinite.
    """
    n, m = jacobian.shape
    if not 1 <= count <= min(n, m):
        raise ValueError(f"Between 1 and {min(n, m)} singular triplets can be asked for here, got {count}.")
    limit = min(max_steps or n, n)
    generator = torch.Generator().manual_seed(seed)
    basis, images = (torch.zeros(n, 0, dtype=torch.float64) for _ in range(2))
    rows: list[Tensor] = []  # p of each step, (m,), in the operator's own dtype
    following = torch.randn(n, generator=generator, dtype=torch.float64)
    least = count + 1  # one step more than triplets, so that the last has something to be converged against
    while True:
        following = _new_direction(following, basis, generator)
        basis = torch.cat([basis, following[:, None]], dim=1)
        rows.append(jacobian.pull(following))
        image = in_float64(jacobian @ rows[-1]).cpu()
        if not bool(image.isfinite().all()):
            raise ImageError(NON_FINITE)
        images = torch.cat([images, image[:, None]], dim=1)
        steps = basis.shape[1]
        if observe:
            observe(steps, limit)

        projected = basis.T @ images
        squares, weights = torch.linalg.eigh((projected + projected.T) / 2)
        kept = squares.argsort(descending=True)[:count]
        squares, weights = squares[kept].clamp_min(0), weights[:, kept]
        residuals = _residuals(basis, images, squares, weights)
        rounding = torch.finfo(jacobian.dtype).eps
        # A singular value lost in rounding beside the largest has no relative accuracy to wait for, and no residual
        # falls below what rounding in the products makes of it.
        lost = squares <= rounding * squares[0]
        at_floor = residuals <= ROUNDING * rounding * (squares[0] / squares).sqrt()
        done = steps >= least and bool(((residuals <= tolerance) | lost | at_floor).all())
        if steps == limit or (done and not verify):
            break
        following = image
        if done:
            verify, least = False, min(2 * steps, limit)
            following = torch.randn(n, generator=generator, dtype=torch.float64)
    # J = Q P^T on the space: an SVD of P loses less of the small values than the eigenvalues of P^T P did.
    right, values, turned = torch.linalg.svd(in_float64(torch.stack(rows, dim=1)).cpu(), full_matrices=False)
    right, values, weights = right[:, :count], values[:count], turned.T[:, :count]
    residuals = _residuals(basis, images, values.square(), weights)
    return Triplets(values, basis @ weights, right, residuals, bool((residuals <= tolerance).all()), steps)


def _residuals(basis: Tensor, images: Tensor, squares: Tensor, weights: Tensor) -> Tensor:
    """|J v - s u| / s of each triplet, from J J^T q of all q in the basis; NaN where s is 0."""
    norms: Tensor = (images @ weights - squares * (basis @ weights)).norm(dim=0)
    return norms / squares


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
