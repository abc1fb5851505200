"""|J d| for many directions of a known J: linear algebra, no passes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vitequiv.precision import in_float64

BLOCK = 64
"""Rows of J and directions that are multiplied in float64 at a time."""


def gains(matrix: Tensor, vectors: Tensor) -> Tensor:
    """Compute |J d| in float64.

    Args:
        matrix: J, (n, m).
        vectors: d, (m, k).

    Returns:
        (k,), float64, on the CPU.
    """
    squares = torch.zeros(vectors.shape[1], dtype=torch.float64)
    for rows in torch.split(matrix, BLOCK):
        wide = in_float64(rows)
        for begin in range(0, vectors.shape[1], BLOCK):
            part = slice(begin, begin + BLOCK)
            squares[part] += (wide @ vectors[:, part].to(wide)).square().sum(0).cpu()
    return squares.sqrt()


def gains_in_law(values: Tensor, outside: int, count: int, generator: torch.Generator) -> Tensor:
    """Draw |J d| for d uniform on the unit sphere of a space, without making d.

    A uniform d is g / |g| for a Gaussian g, and of g only its components z along right singular vectors enter J g, so
    |J d| = |S z| / sqrt(|z|^2 + c) with c chi-squared.

    Args:
        values: Singular values of J in the space, (r,), float64.
        outside: Dimensions of the space beyond those.
        count: How many to draw.
        generator: Seeds them.

    Returns:
        (count,), float64.
    """
    inside = torch.randn((count, len(values)), generator=generator, dtype=torch.float64)
    # torch draws chi-squared variables only from its global generator; NumPy's is seeded from ours.
    seed = int(torch.randint(2**62, (), generator=generator))
    chisquare = np.random.default_rng(seed).chisquare(outside, count) if outside else np.zeros(count)
    lengths = (inside.square().sum(1) + torch.from_numpy(chisquare)).sqrt()
    drawn: Tensor = (inside * values).norm(dim=1) / lengths
    return drawn
