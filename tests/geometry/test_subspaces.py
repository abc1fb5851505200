"""Projectors and angles with known answers."""

from __future__ import annotations

import math

import pytest
import torch

from tests.geometry.maps import M, orthonormal
from vitequiv.geometry.subspaces import NormalSpace, grassmann_distance, principal_angles

SPACE = NormalSpace(orthonormal(M, 7, 1))


@pytest.mark.parametrize("columns", [None, 4])
def test_projectors_are_idempotent_symmetric_and_complementary(columns):
    x = torch.randn((M, columns) if columns else (M,), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for project in (SPACE.project, SPACE.project_null):
        torch.testing.assert_close(project(project(x)), project(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(SPACE.project(x) + SPACE.project_null(x), x, rtol=0, atol=1e-12)
    assert SPACE.project(SPACE.project_null(x)).abs().max() < 1e-14


def test_samples_are_unit_vectors_of_their_space():
    generator = torch.Generator().manual_seed(3)
    normal, null = SPACE.sample_normal(500, generator), SPACE.sample_null(500, generator)
    for sample, mine, other in ((normal, SPACE.project, SPACE.project_null), (null, SPACE.project_null, SPACE.project)):
        torch.testing.assert_close(sample.norm(dim=0), torch.ones(500, dtype=torch.float64), rtol=1e-12, atol=0)
        torch.testing.assert_close(mine(sample), sample, rtol=0, atol=1e-12)
        assert other(sample).abs().max() < 1e-12
    # Uniform on the sphere of 7 dimensions: each coordinate has mean square 1/7; 500 samples, four standard errors.
    coordinates = SPACE.basis.T @ normal
    assert coordinates.square().mean(1).sub(1 / 7).abs().max() < 4 * math.sqrt(2 / 7 / 9 * 6 / 7 / 500)


@pytest.mark.parametrize("angles", [[0.0, 0.3, 1.0], [1e-9, 1e-5, math.pi / 2], [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("extra", [0, 2])
def test_principal_angles_of_spaces_made_with_them(angles, extra):
    frame = orthonormal(M, 6 + extra, 4)
    theta = torch.tensor(angles, dtype=torch.float64)
    first = torch.cat([frame[:, :3], frame[:, 6:]], dim=1)
    second = frame[:, :3] * theta.cos() + frame[:, 3:6] * theta.sin()
    turn = orthonormal(3, 3, 5)  # another basis of the same space
    for a, b in ((first, second @ turn), (second @ turn, first)):
        # A cosine alone would lose everything below 1e-8.
        torch.testing.assert_close(principal_angles(a, b), theta, rtol=1e-6, atol=1e-14)
    assert grassmann_distance(theta) == pytest.approx(math.sqrt(sum(t * t for t in angles)))
