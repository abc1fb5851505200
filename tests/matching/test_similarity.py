"""SSIM against scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from tests.cli.conftest import CAT, COFFEE
from vitequiv.images.lattice import quantise
from vitequiv.matching.similarity import ssim


def photo(path, size=(96, 64)) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(path).convert("RGB").resize(size))).permute(2, 0, 1).float() / 255


def noise(scale: float) -> torch.Tensor:
    return scale * torch.randn(3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (photo(CAT), photo(COFFEE)),
        (photo(CAT), (photo(CAT) + noise(0.02)).clamp(0, 1)),
        (photo(CAT), (photo(CAT) + noise(0.3)).clamp(0, 1)),
        (photo(CAT), 1 - photo(CAT)),
        (photo(COFFEE), photo(COFFEE).mean((1, 2), keepdim=True).expand(3, 64, 96)),
        (torch.zeros(3, 11, 11), torch.ones(3, 11, 11)),
        (photo(CAT).double(), photo(COFFEE).double()),
    ],
    ids=["two-photos", "little-noise", "much-noise", "negative", "flat", "black-and-white", "float64"],
)
def test_against_scikit_image(a, b):
    x, y = (quantise(image).double().numpy() for image in (a, b))
    expected = structural_similarity(
        x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=0
    )
    # scikit-image sums the same float64 products in another order; variances cancel at about 1e-16 / C2 = 1e-13.
    # The inputs are rounded to 8 bits in float32 on both sides, so they are equal.
    assert ssim(a, b) == pytest.approx(expected, abs=1e-11)


def test_only_equal_files_are_alike():
    assert ssim(photo(CAT), photo(CAT)) == 1
    assert ssim(photo(CAT), photo(CAT) + 0.4 / 255) == 1, "the 8-bit files are equal"
    assert ssim(photo(CAT), (photo(CAT) + 1 / 255).clamp(0, 1)) < 1


def test_an_image_smaller_than_the_window_has_none():
    assert math.isnan(ssim(torch.zeros(3, 10, 64), torch.zeros(3, 10, 64)))
