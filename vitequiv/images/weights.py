"""Pillow's resampling weights, to the last bit.

Pillow resizes 8-bit images with 22-bit fixed-point weights. What follows is the arithmetic of `precompute_coeffs` and
`normalize_coeffs_8bpc` in Pillow's `src/libImaging/Resample.c`, in the same order of double-precision operations, and
of `ImagingScaleAffine` in `Geometry.c` for NEAREST.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitequiv.images.preprocessing import Filter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PRECISION_BITS = 32 - 8 - 2
# Pillow writes these two as C floats, which are then widened.
_HAMMING_A, _HAMMING_B = float(np.float32(0.54)), float(np.float32(0.46))


def _sinc(x: Array) -> Array:
    angle = np.where(x == 0, 1.0, x * np.pi)
    return np.where(x == 0, 1.0, np.sin(angle) / angle)


def _box(x: Array) -> Array:
    return np.where((x > -0.5) & (x <= 0.5), 1.0, 0.0)


def _bilinear(x: Array) -> Array:
    x = np.abs(x)
    return np.where(x < 1, 1 - x, 0.0)


def _hamming(x: Array) -> Array:
    x = np.abs(x)
    inside = np.where(x == 0, 1.0, _sinc(x) * (_HAMMING_A + _HAMMING_B * np.cos(x * np.pi)))
    return np.where(x < 1, inside, 0.0)


def _bicubic(x: Array, a: float = -0.5) -> Array:
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x: Array) -> Array:
    return np.where((x >= -3) & (x < 3), _sinc(x) * _sinc(x / 3), 0.0)


_KERNELS: dict[Filter, tuple[Callable[[Array], Array], float]] = {
    Filter.BOX: (_box, 0.5),
    Filter.BILINEAR: (_bilinear, 1.0),
    Filter.HAMMING: (_hamming, 1.0),
    Filter.BICUBIC: (_bicubic, 2.0),
    Filter.LANCZOS: (_lanczos, 3.0),
}
"""Kernel and the half width of its support."""


def weights(in_size: int, out_size: int, kernel: Filter, start: int = 0, stop: int | None = None) -> Array:
    """One pass of Pillow's resize along one axis, as a matrix.

    Every entry is a multiple of 2**-22, so products with 8-bit levels and their sums are exact in float64.

    Args:
        in_size: Length of the axis before, in pixels.
        out_size: Length of the axis after, in pixels.
        kernel: The filter.
        start: First row wanted, for a crop after the resize.
        stop: One past the last row wanted; all up to `out_size` if None.

    Returns:
        (stop - start, in_size) of float64; the rows sum to 1 up to the rounding of the weights. NEAREST is one-hot.
    """
    rows = np.arange(out_size if stop is None else stop)
    matrix = np.zeros((len(rows) - start, in_size))
    scale = in_size / out_size
    if kernel is Filter.NEAREST:
        # Pillow adds the step up instead of multiplying, and so do its rounding errors.
        steps = np.full(len(rows), scale)
        steps[0] = scale * 0.5
        matrix[np.arange(len(matrix)), np.cumsum(steps)[start:].astype(np.int64)] = 1.0
        return matrix
    evaluate, half_width = _KERNELS[kernel]
    stretch = max(scale, 1.0)
    centre = (rows[start:] + 0.5) * scale
    first = np.maximum((centre - half_width * stretch + 0.5).astype(np.int64), 0)
    count = np.minimum((centre + half_width * stretch + 0.5).astype(np.int64), in_size) - first
    taps = np.arange(count.max())
    inside = taps < count[:, None]
    values = np.where(inside, evaluate((taps + first[:, None] - centre[:, None] + 0.5) * (1.0 / stretch)), 0.0)
    total = np.cumsum(values, axis=1)[:, -1:]  # one by one, as Pillow adds; np.sum would add in pairs
    values = values / np.where(total == 0, 1.0, total) * (1 << PRECISION_BITS)
    fixed = np.trunc(values + np.copysign(0.5, values))
    row, tap = np.nonzero(inside)
    matrix[row, first[row] + tap] = fixed[row, tap] / (1 << PRECISION_BITS)
    return matrix
