"""The canvas that a checkpoint's own processor leaves alone.

A result of 224 x 224 pixels shown to a processor that resizes to 256 and crops 224 is resampled and thereby destroyed.
Set into the middle of a 256 x 256 canvas it passes untouched: the resize has nothing to do and the crop takes it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitequiv.images.preprocessing import Preprocessing, ResizeMode, crop_box, resized_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray


def canvas_shape(pre: Preprocessing) -> tuple[int, int]:
    """Shape of the image that the resize keeps as it is and the crop fits into.

    Args:
        pre: The preprocessing.

    Returns:
        (h, w) in pixels; (256, 256) for DeiT, (248, 248) for timm at crop_pct 0.9, the input size where nothing is cut.

    Raises:
        ValueError: If there is none, because the crop is larger than the resize and so always pads.
    """
    shape = pre.input_size
    if pre.resize is not None:
        shape = pre.resize.size
        if pre.crop is not None and pre.resize.mode is ResizeMode.SHORTEST:
            # Growing one edge leaves the shortest as it is.
            shape = max(shape[0], pre.crop.size[0]), max(shape[1], pre.crop.size[1])
    top, left, bottom, right = crop_box(pre, *shape)
    if resized_shape(pre, *shape) != shape or top < 0 or left < 0 or bottom > shape[0] or right > shape[1]:
        raise ValueError(f"no image passes {pre} unchanged, because its crop is larger than its resize and pads")
    return shape


def to_canvas(levels: NDArray[np.uint8], pre: Preprocessing) -> NDArray[np.uint8]:
    """Set an image of the encoder's input size where the crop will find it.

    Args:
        levels: (H, W, 3) of uint8 at `pre.input_size`.
        pre: The preprocessing.

    Returns:
        (h, w, 3) of uint8 at `canvas_shape(pre)`, the edges repeated outwards, such that
        `preprocess_uint8(pre, Image.fromarray(canvas))` equals `levels`.

    Raises:
        ValueError: If the shape or dtype is not as stated, or there is no such canvas.
    """
    if levels.shape != (*pre.input_size, 3) or levels.dtype != np.uint8:
        raise ValueError(f"expected uint8 of shape {(*pre.input_size, 3)}, got {levels.dtype} of shape {levels.shape}")
    height, width = canvas_shape(pre)
    top, left, bottom, right = crop_box(pre, height, width)
    return np.pad(levels, ((top, height - bottom), (left, width - right), (0, 0)), mode="edge")
