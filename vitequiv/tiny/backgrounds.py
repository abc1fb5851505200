"""What lies behind the shape: a field in [0, 1] that mixes two colours of the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vitequiv.tiny.arrays import Array, Labels

BACKGROUNDS: tuple[str, ...] = ("plain", "shaded", "cloudy", "striped", "checked", "speckled")
"""Kinds of background; a label is an index into this."""


def noise(count: int, size: int, cells: int, rng: np.random.Generator) -> Array:
    """Value noise: random numbers on a grid, joined smoothly (Perlin's fade curve).

    Args:
        count: Number of fields, B.
        size: Height and width in pixels.
        cells: Grid cells along each side; few cells are low frequencies.
        rng: Source of randomness.

    Returns:
        (B, size, size) in [0, 1].
    """
    grid = rng.random((count, cells + 1, cells + 1), dtype=np.float32)
    position = (np.arange(size, dtype=np.float32) + 0.5) * cells / size
    lower = np.minimum(position.astype(np.int64), cells - 1)
    fraction = position - lower
    fade = fraction * fraction * (3 - 2 * fraction)
    weights = np.zeros((size, cells + 1), dtype=np.float32)
    weights[np.arange(size), lower] = 1 - fade
    weights[np.arange(size), lower + 1] += fade
    return weights @ grid @ weights.T


def waves(coordinate: Array, periods: Array, phases: Array, sharpness: float, size: int) -> Array:
    """Stripes with edges about `1 / sharpness` pixels wide.

    Args:
        coordinate: (B, H, W) position across the stripes, in units of the image's side.
        periods: (B,) period of a pair of stripes in the same unit.
        phases: (B,) in [0, 1).
        sharpness: Slope at an edge per pixel.
        size: Side of the image in pixels.

    Returns:
        (B, H, W) in [0, 1].
    """
    wave = np.sin(np.float32(2 * np.pi) * (coordinate / periods[:, None, None] + phases[:, None, None]))
    slope: Array = (periods * (size * sharpness / (2 * np.pi)))[:, None, None]
    field: Array = np.clip(0.5 + wave * slope, 0, 1)
    return field


def rotated(x: Array, y: Array, angles: Array) -> tuple[Array, Array]:
    """Turn the axes.

    Args:
        x: Coordinates that broadcast against (B, H, W).
        y: The same, across.
        angles: (B,) in radians.

    Returns:
        Two (B, H, W) arrays: the coordinates along axes turned by the angle.
    """
    cosine, sine = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    return cosine * x + sine * y, cosine * y - sine * x


def mixing_field(kinds: Labels, size: int, rng: np.random.Generator) -> Array:
    """Draw the pattern of each background.

    Args:
        kinds: (B,) indices into `BACKGROUNDS`.
        size: Height and width in pixels.
        rng: Source of randomness.

    Returns:
        (B, size, size) in [0, 1]: how much of the second colour shows.
    """
    count = len(kinds)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    angles = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    u, v = rotated(axis[None, None, :], axis[None, :, None], angles)
    periods = rng.uniform(0.14, 0.45, count).astype(np.float32)
    phases = rng.random((2, count), dtype=np.float32)
    first = waves(u, periods, phases[0], 1.0, size)
    second = waves(v, periods, phases[1], 1.0, size)
    low, middle, fine = (noise(count, size, cells, rng) for cells in (3, 7, max(size // 3, 1)))
    fields = {
        "plain": np.zeros_like(low),
        "shaded": np.clip(0.5 + u, 0, 1),
        "cloudy": np.clip(1.6 * (0.7 * low + 0.3 * middle - 0.5) + 0.5, 0, 1),
        "striped": first,
        "checked": first + second - 2 * first * second,
        "speckled": np.clip(1.6 * (fine - 0.5) + 0.5, 0, 1),
    }
    mix = np.stack([fields[name] for name in BACKGROUNDS])
    return mix[kinds, np.arange(count)]
