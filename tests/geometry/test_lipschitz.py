"""Directional Lipschitz constants with known answers."""

from __future__ import annotations

import math

import pytest
import torch

from tests.geometry.maps import Counting, M, curved, image, linear, orthonormal, reference, with_singular_values
from vitequiv.geometry.lipschitz import directional_constants, plateau, sweep_epsilon

A = with_singular_values([3.0, 2.0, 1.0, 0.5, 0.1])


@pytest.mark.parametrize("points", [3, 5, 9])
@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 10.0])
def test_a_linear_map_has_the_constant_of_its_matrix(points, epsilon):
    directions = orthonormal(M, 7, 3)
    found = directional_constants(linear(A), image(), directions, epsilon, points=points)
    # float64 differences of numbers of size 1 over spacings down to 2.5e-4.
    torch.testing.assert_close(found.values, (A @ directions).norm(dim=0), rtol=0, atol=1e-10)
    assert found.floor < 1e-10


def test_along_the_singular_vectors_it_is_the_singular_values():
    right = torch.linalg.svd(A, full_matrices=False).Vh.T
    found = directional_constants(linear(A), image(), right, 0.5)
    torch.testing.assert_close(
        found.values, torch.tensor([3.0, 2.0, 1.0, 0.5, 0.1], dtype=torch.float64), rtol=1e-10, atol=0
    )


def test_neighbours_suffice():
    directions, epsilon, points = orthonormal(M, 4, 3), 2.0, 9
    found = directional_constants(curved, image(), directions, epsilon, points=points)
    offsets = torch.linspace(-epsilon, epsilon, points, dtype=torch.float64)
    for k in range(4):
        embedded = curved(torch.stack([image() + t * directions[:, k].view_as(image()) for t in offsets]))
        quotients = [
            (embedded[i] - embedded[j]).norm() / (offsets[j] - offsets[i])
            for i in range(points)
            for j in range(i + 1, points)
        ]
        assert float(found.values[k]) == pytest.approx(float(max(quotients)), rel=1e-12)


def test_it_approaches_the_largest_derivative_from_below_and_says_how_near_it_is():
    direction, epsilon = orthonormal(M, 1, 3), 4.0
    fine = torch.linspace(-epsilon, epsilon, 2001, dtype=torch.float64)
    derivative = max(
        float((reference(curved, image() + t * direction[:, 0].view_as(image())) @ direction).norm())
        for t in fine[::10]
    )
    errors = []
    for points in (9, 33, 129):
        found = directional_constants(curved, image(), direction, epsilon, points=points)
        errors.append(derivative - float(found.values[0]))
        assert errors[-1] > -1e-4, "never above the constant"
        # The error is of second order in the spacing, so halving it once more would add a third of the last gain.
        assert errors[-1] <= float(found.truncation[0]) + 1e-4
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_forwards_are_counted_and_x_itself_is_embedded_once(batch_size):
    embed = Counting(curved)
    found = directional_constants(embed, image(), orthonormal(M, 6, 3), 0.1, points=5, batch_size=batch_size)
    assert embed.images == found.forwards == 6 * 4 + 1


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_no_more_images_at_once_than_asked_for(batch_size):
    sizes = []

    def watched(pixels):
        sizes.append(len(pixels))
        return curved(pixels)

    found = directional_constants(watched, image(), orthonormal(M, 6, 3), 0.1, points=9, batch_size=batch_size)
    assert max(sizes) <= batch_size
    reference_values = directional_constants(curved, image(), orthonormal(M, 6, 3), 0.1, points=9).values
    torch.testing.assert_close(found.values, reference_values, rtol=1e-12, atol=0)


def test_what_is_not_finite_is_refused():
    def bursting(pixels):
        return curved(pixels) + torch.where(pixels.sum(dim=(1, 2, 3)) > 1e3, torch.inf, 0.0)[:, None]

    ones = torch.full((M, 1), M**-0.5, dtype=torch.float64)
    with pytest.raises(ValueError, match="NaN or infinite within 1e"):
        directional_constants(bursting, image(), ones, 1e4)


def test_the_sweep_is_for_the_grid_that_will_be_measured_on():
    pixels, directions = image().float(), orthonormal(M, 2, 3)
    few, many = (
        sweep_epsilon(lambda x: curved(x.double()).float(), pixels, directions, points=points) for points in (3, 101)
    )
    assert len(many) < len(few), "what is too small for the finer grid is left out"
    assert many[0].floor == pytest.approx(50 * few[0].floor)
    check = min(row.epsilon for row in many)
    directional_constants(lambda x: curved(x.double()).float(), pixels, directions, check, points=101)


def test_the_rounding_floor_is_what_a_null_direction_shows():
    matrix = A.float()
    null = torch.linalg.svd(A, full_matrices=True).Vh[10:14].T
    found = directional_constants(linear(matrix), image().float(), null, 1e-2)
    assert (found.values <= found.floor).all()
    assert (found.values > found.floor / 1e4).all(), "a floor far above the noise would be no information"


def test_the_plateau_lies_between_rounding_and_curvature():
    def embed(pixels):
        return curved(pixels.double()).float()

    right = torch.linalg.svd(reference(curved, image()), full_matrices=False)
    rows = sweep_epsilon(embed, image().float(), right.Vh[:2].T, largest=4.0)
    best = plateau(rows)
    assert rows[0].epsilon > best.epsilon > rows[-1].epsilon
    assert best.constant == pytest.approx(float(right.S[:2].median()), rel=max(0.01, 2 * best.error))
    assert rows[0].error > best.error < rows[-1].error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": 4}, "odd number"),
        ({"points": 1}, "odd number"),
        ({"epsilon": 0.0}, "positive number"),
        ({"epsilon": math.nan}, "positive number"),
        ({"epsilon": 1e-14}, "lost in the rounding"),
        ({"directions": torch.zeros(M, 1, dtype=torch.float64)}, "length 1"),
        ({"directions": 2 * orthonormal(M, 1, 3)}, "length 1"),
    ],
)
def test_misuse(change, message):
    arguments = {"directions": orthonormal(M, 2, 3), "epsilon": 0.1, **change}
    with pytest.raises(ValueError, match=message):
        directional_constants(curved, image(), **arguments)
