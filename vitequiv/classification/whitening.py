"""A view of embeddings in which what they all share, and how images of one class differ, does not count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.classification.cosine import unit
from vitequiv.precision import wide

ROUNDING = 1e-6
"""Unit embeddings of one image differ by about so much in float32 with the batch that it is in: no spread to learn."""


@dataclass(frozen=True, eq=False)
class Whitening:
    """Unit embeddings, centred and whitened, as directions.

    Args:
        centre: The mean of the class means, (n,).
        matrix: W with W.T @ W the inverse of the shrunk covariance within classes, (n, n).
        shrinkage: Weight of the sphere in that covariance, in (0, 1]; with 1, W is the identity.
    """

    centre: Tensor
    matrix: Tensor
    shrinkage: float

    def __call__(self, embeddings: Tensor) -> Tensor:
        """See embeddings so.

        Args:
            embeddings: (B, n).

        Returns:
            (B, n) of length 1, in wide precision.
        """
        return unit((unit(embeddings) - self.centre) @ self.matrix.T)


def fit_whitening(classes: Sequence[Tensor]) -> Whitening:
    """Learn from examples what to take away.

    The covariance is that of unit embeddings about the mean of their class, pooled over the classes: the one linear
    discriminant analysis divides by (Fisher 1936). It is shrunk towards a sphere, because there are often fewer
    examples than dimensions.

    Args:
        classes: The embeddings of each class's examples, (K, n), K at least 1.

    Returns:
        The view. Cost: one Cholesky factor of n x n.
    """
    units = [unit(examples) for examples in classes]
    means = [each.mean(0) for each in units]
    within = torch.cat([each - mean for each, mean in zip(units, means, strict=True)]).double().cpu()
    centre = torch.stack(means).mean(0)
    freedom, n = len(within) - len(classes), within.shape[1]
    covariance = within.T @ within / max(freedom, 1)
    spread = float(covariance.trace()) > ROUNDING**2
    shrinkage = oracle_shrinkage(covariance, freedom) if spread else 1.0
    sphere = torch.eye(n, dtype=torch.float64)
    if shrinkage < 1:
        covariance = (1 - shrinkage) * covariance + shrinkage * covariance.trace() / n * sphere
        lower = torch.linalg.cholesky(covariance)
        sphere = torch.linalg.solve_triangular(lower, sphere, upper=False)
    return Whitening(centre, sphere.to(centre), shrinkage)


def oracle_shrinkage(covariance: Tensor, freedom: int) -> float:
    """Choose how much of the sphere to mix in: oracle approximating shrinkage.

    Chen, Wiesel, Eldar and Hero 2010 (arXiv 0907.4698), equation 23. It reads nothing but the covariance and its
    degrees of freedom, is never 0, and is 1 where those cannot tell a direction from another.

    Args:
        covariance: S, (n, n), symmetric and positive semidefinite.
        freedom: Its degrees of freedom: examples less classes.

    Returns:
        The weight of trace(S)/n times the identity; S itself has the rest.
    """
    n = len(covariance)
    squares, square = float(wide(covariance).square().sum()), float(covariance.trace()) ** 2
    spread = (freedom + 1 - 2 / n) * (squares - square / n)
    if freedom < 1 or spread <= 0:
        return 1.0
    return min(1.0, ((1 - 2 / n) * squares + square) / spread)
