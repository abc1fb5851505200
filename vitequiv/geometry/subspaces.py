"""The normal and the null space of a Jacobian, as projectors, and angles between normal spaces."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from vitequiv.precision import in_float64

BLOCK = 8
"""Rows of V that are widened to float64 at a time, as a multiple of its columns."""


@dataclass(frozen=True, eq=False)
class NormalSpace:
    """The row space of J, in which the embedding changes, and its complement, in which to first order it does not.

    The null space has m - r dimensions (150,144 for a ViT-S at 224 px), so it is only ever a projector.

    Args:
        basis: V, (m, r), its columns orthonormal to the rounding of the dtype it is stored in. The projectors take the
            rest out through V^T V, in float64 on a part of the rows after the other, and are idempotent to float64's
            rounding for a V in float32 too.
    """

    basis: Tensor

    @cached_property
    def _factor(self) -> Tensor:
        """The Cholesky factor of V^T V."""
        gram = in_float64(self.basis.new_zeros(self.basis.shape[1], self.basis.shape[1]))
        for part in self._parts():
            rows = in_float64(self.basis[part])
            gram += rows.T @ rows
        factor: Tensor = torch.linalg.cholesky(gram)
        return factor

    def _parts(self) -> Iterator[slice]:
        block = BLOCK * max(self.basis.shape[1], 1)
        return (slice(begin, begin + block) for begin in range(0, self.basis.shape[0], block))

    def overlaps(self, vectors: Tensor) -> Tensor:
        """V^T x of (m,) or (m, k), in float64: how much of each basis vector there is in x."""
        vectors = in_float64(vectors).to(self._factor.device)
        found = torch.zeros((self.basis.shape[1], *vectors.shape[1:]), dtype=torch.float64, device=vectors.device)
        for part in self._parts():
            found += in_float64(self.basis[part]).T @ vectors[part]
        return found

    def _combine(self, weights: Tensor) -> Tensor:
        """V w."""
        return torch.cat([in_float64(self.basis[part]) @ weights for part in self._parts()])

    def project(self, vectors: Tensor) -> Tensor:
        """The normal part, V (V^T V)^-1 V^T x, of (m,) or (m, k), in float64."""
        found = self.overlaps(vectors)
        weights = torch.cholesky_solve(found[:, None] if found.ndim == 1 else found, self._factor)
        return self._combine(weights[:, 0] if found.ndim == 1 else weights)

    def project_null(self, vectors: Tensor) -> Tensor:
        """The null part, x less its normal part, of (m,) or (m, k); taken twice, so that rounding leaves none."""
        vectors = in_float64(vectors).to(self._factor.device)
        for _ in range(2):
            vectors = vectors - self.project(vectors)
        return vectors

    def sample_normal(self, count: int, generator: torch.Generator) -> Tensor:
        """Unit vectors uniform on the sphere of the normal space, (m, count)."""
        weights = torch.randn((self.basis.shape[1], count), generator=generator, dtype=torch.float64)
        weights = (weights / weights.norm(dim=0)).to(self._factor.device)
        return self._combine(torch.linalg.solve_triangular(self._factor.T, weights, upper=True))

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
