"""The objective of embedding matching and the measures of success."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vitequiv.matching.names import LossName
from vitequiv.precision import wide

Chart = Callable[[Tensor], Tensor]
"""From embeddings (B, n) to what a loss compares, (B, n); every loss is half the squared distance of that."""


def as_it_is(embedding: Tensor) -> Tensor:
    """The chart of the distance."""
    return embedding


def direction(embedding: Tensor) -> Tensor:
    """The chart of the cosine: for unit vectors, half the squared distance is 1 - cosine.

    So every solver that works on residuals, whatever it makes of them, takes the cosine as well.

    Args:
        embedding: (B, n).

    Returns:
        Unit vectors (B, n) in the same precision; a zero row stays zero.
    """
    return torch.nn.functional.normalize(embedding, dim=1)


CHARTS: Mapping[LossName, Chart] = {LossName.DISTANCE: as_it_is, LossName.COSINE: direction}


def squared_distance(residual: Tensor) -> Tensor:
    """Half the squared distance to the target (paper, Eq. 3), or of the two in another chart.

    Args:
        residual: f(x) - f(x_tg), (B, n), or the difference of their charts.

    Returns:
        Losses (B,), in wide precision. Its cotangent is the residual itself, so its gradient is J^T residual (Eq. 4).
    """
    return wide(residual).square().sum(1) / 2


def cosine_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between rows, in wide precision.

    Args:
        a: Embeddings (B, n).
        b: Embeddings (B, n).

    Returns:
        Cosines (B,) in [-1, 1]; 0 where a row is zero, for a zero vector has no direction.
    """
    return torch.nn.functional.cosine_similarity(wide(a), wide(b), dim=1, eps=1e-30)


def relative_residual(residual: Tensor, target: Tensor) -> Tensor:
    """Distance to the target over the target's norm.

    Args:
        residual: f(x) - f(x_tg), (B, n).
        target: f(x_tg), (B, n).

    Returns:
        Ratios (B,), in wide precision, at least 0; infinite for a zero target that is not met.
    """
    distance: Tensor = torch.linalg.vector_norm(wide(residual), dim=1)
    size: Tensor = torch.linalg.vector_norm(wide(target), dim=1)
    return distance / size
