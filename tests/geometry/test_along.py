"""Derivatives along segments, against dense Jacobians at each point."""

from __future__ import annotations

import pytest
import torch

from tests.geometry.maps import M, curved, image, orthonormal, reference
from tests.geometry.test_operator import BackwardOnly
from vitequiv.errors import ModelError
from vitequiv.geometry.along import derivatives_along
from vitequiv.geometry.lipschitz import directional_constants, grid

DIRECTIONS = orthonormal(M, 3, 3)
OFFSETS = grid(2.0, 5)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_it_is_the_dense_jacobian_at_each_point(batch_size):
    found = derivatives_along(curved, image(), DIRECTIONS, OFFSETS, batch_size=batch_size)
    known = torch.tensor(
        [
            [float((reference(curved, image() + a * d.view_as(image())) @ d).norm()) for a in OFFSETS]
            for d in DIRECTIONS.T
        ],
        dtype=torch.float64,
    )
    torch.testing.assert_close(found.values, known, rtol=1e-12, atol=1e-14)
    assert (found.forwards, found.vjps, found.jvps) == (0, 0, 2 * 15), "forward mode: two passes a point"


def test_no_quotient_exceeds_the_derivative_on_a_fine_grid():
    offsets = grid(2.0, 401)
    largest = derivatives_along(curved, image(), DIRECTIONS, offsets).values.max(dim=1).values
    quotients = directional_constants(curved, image(), DIRECTIONS, 2.0, points=401).values
    # Mean value inequality; between the points the derivative can exceed its values on them by second order.
    assert (quotients <= largest * (1 + 1e-4)).all()
    torch.testing.assert_close(quotients, largest, rtol=1e-3, atol=0)


class NoForwardMode(torch.autograd.Function):
    """A layer that can be differentiated backwards, as often as one likes, but not forwards."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent * ctx.saved_tensors[0].cos()


def test_where_there_is_no_forward_mode_two_backward_passes_do():
    found = derivatives_along(lambda x: NoForwardMode.apply(x.flatten(1)), image(), DIRECTIONS[:, :1], OFFSETS)
    d = DIRECTIONS[:, 0]
    known = torch.stack([((image().flatten() + a * d).cos() * d).norm() for a in OFFSETS])
    torch.testing.assert_close(found.values[0], known, rtol=1e-12, atol=0)
    assert (found.forwards, found.vjps, found.jvps) == (5, 5, 5)


def test_a_model_with_neither_is_an_error():
    with pytest.raises(ModelError, match="cannot be computed"):
        derivatives_along(lambda x: BackwardOnly.apply(x.flatten(1)), image(), DIRECTIONS, OFFSETS)


def test_no_directions_cost_nothing():
    found = derivatives_along(curved, image(), DIRECTIONS[:, :0], OFFSETS)
    assert found.values.shape == (0, 5)
    assert found.jvps == 0


@pytest.mark.parametrize("points", range(3, 31, 2))
def test_the_grid_has_an_exact_zero_and_equal_spacing(points):
    offsets = grid(0.1, points)
    assert offsets[points // 2] == 0
    assert len(offsets) == points
    torch.testing.assert_close(offsets.diff(), torch.full((points - 1,), 0.2 / (points - 1), dtype=torch.float64))
