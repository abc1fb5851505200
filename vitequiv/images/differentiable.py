"""A checkpoint's preprocessing as a differentiable function of the photo's own pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from vitequiv.images.preprocessing import Preprocessing, crop_box, resized_shape
from vitequiv.images.resample import exact_levels, resize_levels

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def differentiable(pre: Preprocessing, height: int, width: int) -> Callable[[Tensor], Tensor]:
    """Preprocessing of photos of one size: what `preprocess_uint8` gives, with gradients.

    Args:
        pre: The preprocessing.
        height: Height of the photos in pixels.
        width: Width of the photos in pixels.

    Returns:
        A function of pixels (B, 3, height, width), float32 or float64 in [0, 1], giving (B, 3, H, W) in [0, 1] at
        `pre.input_size`. For pixels on the 8-bit lattice it equals `preprocess_uint8(...) / 255` bit for bit; others
        are rounded to the lattice first. All roundings are straight-through, so its gradient is that of the linear
        resize and crop. Cost: two float64 products, 3 h w W + 3 h W H multiplications a photo of (h, w); about 1.5 s
        for 12 megapixels on one core.
    """
    shape = resized_shape(pre, height, width)
    top, left, bottom, right = crop_box(pre, height, width)
    inside = max(top, 0), max(left, 0), min(bottom, shape[0]), min(right, shape[1])
    padding = max(-left, 0), max(right - shape[1], 0), max(-top, 0), max(bottom - shape[0], 0)

    def preprocess(pixels: Tensor) -> Tensor:
        if tuple(pixels.shape[-3:]) != (3, height, width):
            raise ValueError(
                f"expected pixels of shape (B, 3, {height}, {width}), got {tuple(pixels.shape)}; "
                "make a new function for photos of another size"
            )
        levels = exact_levels(pixels)
        if pre.resize is not None:
            levels = resize_levels(levels, shape, pre.resize.filter, inside)
        else:
            levels = levels[..., inside[0] : inside[2], inside[1] : inside[3]]
        if pre.crop is not None and any(padding):
            fill = torch.tensor(pre.crop.fill_rgb, dtype=levels.dtype, device=levels.device)[:, None, None]
            levels = F.pad(levels - fill, padding) + fill
        # Divided in the caller's dtype: a whole number over 255 is then rounded once, as `array / 255` is.
        return levels.to(pixels.device, pixels.dtype) / 255

    return preprocess
