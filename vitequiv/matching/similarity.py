"""SSIM: how alike two images look, by their local means, contrasts and structure."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vitequiv.images.lattice import quantise
from vitequiv.precision import in_float64

RADIUS, SIGMA = 5, 1.5
"""The window: 11 x 11 pixels, Gaussian."""
C1, C2 = 0.01**2, 0.03**2
"""(K1 L)^2 and (K2 L)^2 for pixels in [0, 1], so L = 1."""


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity of two images as 8-bit files hold them (Wang et al. 2004, Eq. 13).

    The mean over channels and all windows inside the image of

        (2 m_a m_b + C1) (2 s_ab + C2) / ((m_a^2 + m_b^2 + C1) (s_a^2 + s_b^2 + C2)),

    with means m, variances s^2 and the covariance s_ab of population weights, under an 11 x 11 Gaussian window of sigma
    1.5 that sums to 1. It is scikit-image's `structural_similarity(a, b, gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=1, channel_axis=0)`.

    Args:
        a: (3, H, W) in [0, 1]; rounded to 8 bits first.
        b: The same shape.

    Returns:
        At most 1, which only equal images have; NaN where an edge is shorter than the window.
    """
    if min(a.shape[-2:]) <= 2 * RADIUS:
        return math.nan
    x, y = (in_float64(quantise(image.detach())) for image in (a, b))
    offsets = torch.arange(-RADIUS, RADIUS + 1, dtype=x.dtype, device=x.device)
    window = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    window = window / window.sum()

    def smooth(images: Tensor) -> Tensor:
        rows = torch.nn.functional.conv2d(images[:, None], window.view(1, 1, -1, 1))
        return torch.nn.functional.conv2d(rows, window.view(1, 1, 1, -1))[:, 0]

    mean_x, mean_y = smooth(x), smooth(y)
    variances = smooth(x * x) - mean_x**2 + smooth(y * y) - mean_y**2
    covariance = smooth(x * y) - mean_x * mean_y
    similar = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    return (similar / ((mean_x**2 + mean_y**2 + C1) * (variances + C2))).mean().item()
