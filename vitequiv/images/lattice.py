"""The 8-bit lattice: what pixels become when they are saved.

Rounding each value to the nearest k/255 moves it by at most 1/510 and by 1/sqrt(12) levels root mean square, which
adds an L2 of about sqrt(150528 / 12) / 255 = 0.44 to a 224 x 224 image. Truncating would add 0.88 and darken it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


def quantise(pixels: Tensor) -> Tensor:
    """The nearest pixels that an 8-bit file can hold.

    Args:
        pixels: Any shape, floating point; clipped to [0, 1] first.

    Returns:
        The same shape and dtype, each value k/255 for a whole k; NaN stays NaN. The gradient is zero.
    """
    return (pixels.clamp(0, 1) * 255).round() / 255


def to_uint8(pixels: Tensor) -> NDArray[np.uint8]:
    """Pixels as the 8-bit array that Pillow takes.

    Args:
        pixels: (3, H, W), floating point; clipped to [0, 1].

    Returns:
        (H, W, 3) of rounded levels.

    Raises:
        ValueError: If the shape is another or a value is not finite.
    """
    if pixels.ndim != 3 or pixels.shape[0] != 3:
        raise ValueError(f"expected pixels of shape (3, H, W), got {tuple(pixels.shape)}; pass one image of a batch")
    if not bool(pixels.isfinite().all()):
        raise ValueError("pixels hold NaN or infinity and cannot be rounded to 8 bits; check the status of the result")
    values = (quantise(pixels.detach()) * 255).float().cpu().numpy()
    return np.ascontiguousarray(np.rint(values).astype(np.uint8).transpose(1, 2, 0))


def from_uint8(levels: NDArray[np.uint8]) -> Tensor:
    """An 8-bit array as pixels.

    Args:
        levels: (H, W, 3) of uint8.

    Returns:
        (3, H, W) float32 in [0, 1]; `to_uint8` gives the levels back.

    Raises:
        ValueError: If the shape or dtype is another.
    """
    import torch

    if levels.ndim != 3 or levels.shape[2] != 3 or levels.dtype != np.uint8:
        raise ValueError(f"expected uint8 of shape (H, W, 3), got {levels.dtype} of shape {levels.shape}")
    return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1))).float() / 255
