"""The box [0, 1] that every image lives in."""

from __future__ import annotations

from torch import Tensor


def project(pixels: Tensor) -> Tensor:
    """The nearest point of the box, in any norm.

    Args:
        pixels: Any shape.

    Returns:
        Pixels in [0, 1]; NaN stays NaN, so that it is seen.
    """
    return pixels.clamp(0, 1)


def free_part(gradient: Tensor, pixels: Tensor) -> Tensor:
    """The part of a gradient that a descent step can follow without leaving the box.

    Args:
        gradient: (B, 3, H, W).
        pixels: Points of the box, the same shape.

    Returns:
        The gradient, zero where the pixel is at a bound and -gradient points out.
    """
    blocked = ((pixels <= 0) & (gradient > 0)) | ((pixels >= 1) & (gradient < 0))
    return gradient.masked_fill(blocked, 0)
