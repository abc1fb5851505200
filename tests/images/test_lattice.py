"""Rounding to 8 bits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.images.samples import as_pixels, noise
from vitequiv.images.lattice import from_uint8, quantise, to_uint8


def test_every_level_survives_the_round_trip() -> None:
    levels = np.arange(256 * 3, dtype=np.uint16).reshape(16, 16, 3).astype(np.uint8)
    pixels = from_uint8(levels)
    assert pixels.shape == (3, 16, 16)
    assert pixels.dtype == torch.float32
    np.testing.assert_array_equal(to_uint8(pixels), levels)
    assert torch.equal(quantise(pixels), pixels)
    assert torch.equal(pixels[None], as_pixels(levels))  # type: ignore[arg-type]


@given(st.floats(-1, 2, width=32))
def test_rounds_to_the_nearest_level_within_the_range(value: float) -> None:
    pixels = torch.full((3, 1, 1), value)
    rounded = quantise(pixels)
    nearest = min(max(value, 0.0), 1.0)
    assert abs(rounded[0, 0, 0].item() - nearest) <= 0.5 / 255 + 1e-7  # half a level and float32's last bit
    assert to_uint8(pixels)[0, 0, 0] == round(rounded[0, 0, 0].item() * 255)


def test_rounding_adds_an_l2_of_0_44_and_no_brightness_where_truncating_darkens() -> None:
    pixels = torch.rand(3, 224, 224, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    error = quantise(pixels) - pixels
    # Uniform errors: sqrt(n / 12) / 255 with a relative spread of about 1 / sqrt(n), a quarter of a per cent.
    assert math.isclose(error.norm().item(), 0.439, rel_tol=0.01)
    assert abs(error.mean().item()) * 255 < 0.005
    truncated = torch.floor(pixels * 255) / 255 - pixels
    assert math.isclose(truncated.norm().item(), 0.878, rel_tol=0.01)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_not_saved(value: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        to_uint8(torch.full((3, 2, 2), value))


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"\(3, H, W\), got \(1, 3, 2, 2\)"):
        to_uint8(torch.zeros(1, 3, 2, 2))
    with pytest.raises(ValueError, match="got float64"):
        from_uint8(np.zeros((2, 2, 3)))  # type: ignore[arg-type]


def test_the_array_is_pillows() -> None:
    image = noise(5, 7)
    np.testing.assert_array_equal(to_uint8(as_pixels(image)[0]), np.asarray(image))
