"""The normal and the null space of a Jacobian, as projectors, and angles between normal spaces."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.precision import in_float64


@dataclass(frozen=True, eq=False)
class NormalSpace:
    """The row space of J, in which the embedding changes, and its complement, in which to first order it does not.

    The null space has m - r dimensions (150,144 for a ViT-S at 224 px), so it is only ever a projector.

    Args:
        basis: V, (m, r), orthonormal columns.
    """

    basis: Tensor

    def project(self, vectors: Tensor) -> Tensor:
        """The normal part, V V^T x, of (m,) or (m, k)."""
        vectors = vectors.to(self.basis)
        projected: Tensor = self.basis @ (self.basis.T @ vectors)
        return projected

    def project_null(self, vectors: Tensor) -> Tensor:
        """The null part, x - V V^T x, of (m,) or (m, k); taken twice, so that rounding leaves no normal part."""
        vectors = vectors.to(self.basis)
        for _ in range(2):
            vectors = vectors - self.project(vectors)
        return vectors

    def sample_normal(self, count: int, generator: torch.Generator) -> Tensor:
        """Unit vectors uniform on the sphere of the normal space, (m, count)."""
        weights = torch.randn((self.basis.shape[1], count), generator=generator, dtype=torch.float64)
        directions: Tensor = weights / weights.norm(dim=0)
        return self.basis @ directions.to(self.basis)

    def sample_null(self, count: int, generator: torch.Generator) -> Tensor:
        """Unit vectors uniform on the sphere of the null space, (m, count)."""
        gaussian = torch.randn((self.basis.shape[0], count), generator=generator, dtype=torch.float64)
        null = self.project_null(gaussian)
        directions: Tensor = null / null.norm(dim=0)
        return directions


def principal_angles(first: Tensor, second: Tensor) -> Tensor:
    """Principal angles between two spaces (Björck and Golub 1973).

    Small angles are taken from sines and large ones from cosines, since a cosine near 1 tells nothing of the angle.

    Args:
        first: Orthonormal basis (m, p).
        second: Orthonormal basis (m, q).

    Returns:
        min(p, q) angles in radians, rising, in [0, pi / 2], float64.
    """
    if first.shape[1] < second.shape[1]:
        first, second = second, first
    first, second = in_float64(first), in_float64(second)
    cross = first.T @ second  # (p, q), p >= q
    cosines = torch.linalg.svdvals(cross).clamp(max=1)  # falling, so the angles rise
    sines = torch.linalg.svdvals(second - first @ cross).clamp(max=1).flip(0)  # rising
    return torch.where(cosines.square() > 0.5, sines.asin(), cosines.acos())


def grassmann_distance(angles: Tensor) -> float:
    """The geodesic distance on the Grassmannian (Gallivan et al. 2003): the norm of the angles, in radians."""
    return math.sqrt(float(in_float64(angles).square().sum()))
