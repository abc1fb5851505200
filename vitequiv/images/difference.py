"""The difference of two images, made visible (paper, Fig. 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DIFFERENCE_GAIN = 50


def difference_image(
    before: NDArray[np.uint8], after: NDArray[np.uint8], gain: int = DIFFERENCE_GAIN
) -> NDArray[np.uint8]:
    """The absolute difference of two 8-bit images, multiplied so that it can be seen (paper, Fig. 2).

    Args:
        before: (H, W, 3).
        after: The same shape.
        gain: The factor.

    Returns:
        (H, W, 3), clipped at 255; black where nothing changed.
    """
    difference = np.abs(after.astype(np.int64) - before.astype(np.int64))
    amplified: NDArray[np.uint8] = np.clip(difference * gain, 0, 255).astype(np.uint8)
    return amplified
