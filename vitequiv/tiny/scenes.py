"""Procedural scenes: one coloured shape, turned, scaled and placed at random, over a varied and cluttered background.

The embedded default encoder is trained and examined on these. NumPy alone; a batch of 64 at 64 px takes about 0.05 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vitequiv.tiny.backgrounds import BACKGROUNDS, mixing_field, noise, rotated, waves
from vitequiv.tiny.colours import COLOURS, PALETTE, contrasting
from vitequiv.tiny.shapes import SHAPES, signed_distance

if TYPE_CHECKING:
    from vitequiv.tiny.arrays import Array, Labels

SIZE = 64
"""Default side of a scene in pixels."""

_BLOBS_BEHIND = 3
_LINES_BEHIND = 2


class Split(IntEnum):
    """Which purpose a scene serves; the first word of its seed, so that no two purposes can ever share one."""

    TRAINING = 1
    HELD_OUT = 2


@dataclass(frozen=True)
class Scenes:
    """A batch of scenes and what is on them.

    Attributes:
        images: (B, H, W, 3) uint8 sRGB.
        shapes: (B,) indices into `SHAPES`.
        colours: (B,) indices into `COLOURS`.
        backgrounds: (B,) indices into `BACKGROUNDS`.
        coverage: (B, H, W) float32 in [0, 1]: the share of each pixel that the shape covers.
    """

    images: npt.NDArray[np.uint8]
    shapes: Labels
    colours: Labels
    backgrounds: Labels
    coverage: Array


def scene_rng(split: Split, seed: int, index: int = 0) -> np.random.Generator:
    """Make the generator of one batch.

    Args:
        split: Training or held out; the streams of the two are disjoint by construction.
        seed: Seed of the run, not negative.
        index: Number of the batch in the run, not negative.

    Returns:
        A generator that depends on the three numbers alone.
    """
    return np.random.default_rng(np.random.SeedSequence((int(split), seed, index)))


def sample(count: int, rng: np.random.Generator, size: int = SIZE) -> Scenes:
    """Draw scenes with shape, colour and background uniform and independent.

    Args:
        count: Number of scenes, B.
        rng: Source of randomness.
        size: Height and width in pixels.

    Returns:
        The scenes.
    """
    shapes = rng.integers(len(SHAPES), size=count)
    colours = rng.integers(len(COLOURS), size=count)
    backgrounds = rng.integers(len(BACKGROUNDS), size=count)
    return render(shapes, colours, backgrounds, rng, size)


def render(shapes: Labels, colours: Labels, backgrounds: Labels, rng: np.random.Generator, size: int = SIZE) -> Scenes:
    """Draw scenes with the given content; all else is random.

    Args:
        shapes: (B,) indices into `SHAPES`.
        colours: (B,) indices into `COLOURS`.
        backgrounds: (B,) indices into `BACKGROUNDS`.
        rng: Source of randomness.
        size: Height and width in pixels, at least 16.

    Returns:
        The scenes.

    Raises:
        ValueError: If the labels differ in length or the size is too small to show a shape.
    """
    if not len(shapes) == len(colours) == len(backgrounds):
        raise ValueError(
            f"labels must have one length, got {len(shapes)}, {len(colours)}, {len(backgrounds)}; "
            "pass one shape, colour and background a scene"
        )
    if size < 16:
        raise ValueError(f"size must be at least 16 px to show a shape, got {size}")
    colour = np.clip(PALETTE[colours] + rng.normal(0, 0.03, (len(colours), 3)).astype(np.float32), 0, 1)
    image = _behind(backgrounds, colour, size, rng)
    coverage = _place(shapes, size, rng)
    surface = colour[:, None, None] * _shading(len(shapes), size, rng)[..., None]
    image += coverage[..., None] * (surface - image)
    _draw_lines(image, contrasting(colour, 1, rng), rng, probability=0.3, width=(0.6, 1.2))
    image = _photograph(image, rng)
    return Scenes(np.rint(image * 255).astype(np.uint8), shapes, colours, backgrounds, coverage)


def _uniform(rng: np.random.Generator, low: float, high: float, shape: int | tuple[int, ...]) -> Array:
    return low + (high - low) * rng.random(shape, dtype=np.float32)


def _grid(size: int) -> tuple[Array, Array]:
    """Return pixel centres in [0, 1]: x as (1, 1, W), y as (1, H, 1), downwards."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    return axis[None, None, :], axis[None, :, None]


def _place(shapes: Labels, size: int, rng: np.random.Generator) -> Array:
    """Return the (B, H, W) coverage of each shape at a random scale, turn and place."""
    count = len(shapes)
    radius = _uniform(rng, 0.2, 0.42, count)
    margin = 0.95 * radius[:, None]
    centre = margin + (1 - 2 * margin) * rng.random((count, 2), dtype=np.float32)
    x, y = _grid(size)
    u, v = rotated(x - centre[:, :1, None], centre[:, 1:, None] - y, _uniform(rng, 0, 2 * np.pi, count))
    distance = signed_distance(shapes, u / radius[:, None, None], v / radius[:, None, None])
    return np.clip(0.5 - distance * (radius * size)[:, None, None], 0, 1)


def _behind(backgrounds: Labels, avoid: Array, size: int, rng: np.random.Generator) -> Array:
    """Return background and clutter, (B, H, W, 3) in [0, 1]."""
    pair = contrasting(avoid, 2, rng)
    mix = mixing_field(backgrounds, size, rng)
    image = pair[:, 0, None, None] + mix[..., None] * (pair[:, 1] - pair[:, 0])[:, None, None]
    for _ in range(_BLOBS_BEHIND):
        _draw_blobs(image, contrasting(avoid, 1, rng), rng)
    for _ in range(_LINES_BEHIND):
        _draw_lines(image, contrasting(avoid, 1, rng), rng, probability=0.5, width=(1.0, 2.5))
    return image


def _draw_blobs(image: Array, colour: Array, rng: np.random.Generator) -> None:
    """Half the scenes get one more small ellipse or box with a soft outline."""
    count, size = image.shape[:2]
    x, y = _grid(size)
    centre = rng.random((count, 2), dtype=np.float32)
    u, v = rotated(x - centre[:, :1, None], y - centre[:, 1:, None], _uniform(rng, 0, np.pi, count))
    radii = _uniform(rng, 0.03, 0.1, (2, count, 1, 1))
    u, v = u / radii[0], v / radii[1]
    boxed = rng.random((count, 1, 1)) < 0.5
    distance = np.where(boxed, np.maximum(np.abs(u), np.abs(v)), np.hypot(u, v)) - 1
    softness = _uniform(rng, 0.3, 1.0, (count, 1, 1))
    opacity = _uniform(rng, 0.5, 1.0, (count, 1, 1)) * (rng.random((count, 1, 1)) < 0.5)
    alpha = opacity.astype(np.float32) * np.clip(0.5 - distance * size * radii.min(axis=0) * softness, 0, 1)
    image += alpha[..., None] * (colour[:, :1, None] - image)


def _draw_lines(
    image: Array, colour: Array, rng: np.random.Generator, probability: float, width: tuple[float, float]
) -> None:
    """Some scenes get one straight line, `width` pixels thick, from edge to edge."""
    count, size = image.shape[:2]
    x, y = _grid(size)
    through = _uniform(rng, 0.1, 0.9, (count, 2))
    _, across = rotated(x - through[:, :1, None], y - through[:, 1:, None], _uniform(rng, 0, np.pi, count))
    half = _uniform(rng, width[0] / 2, width[1] / 2, (count, 1, 1))
    present = (rng.random((count, 1, 1)) < probability).astype(np.float32)
    alpha = present * np.clip(0.5 + half - np.abs(across) * size, 0, 1)
    image += alpha[..., None] * (colour[:, :1, None] - image)


def _shading(count: int, size: int, rng: np.random.Generator) -> Array:
    """Return the texture of the surface: a factor (B, H, W) around 1 of light, stripes and mottle."""
    x, y = _grid(size)
    light, _ = rotated(x - 0.5, y - 0.5, _uniform(rng, 0, 2 * np.pi, count))
    across, _ = rotated(x - 0.5, y - 0.5, _uniform(rng, 0, 2 * np.pi, count))
    stripes = waves(across, _uniform(rng, 0.06, 0.16, count), rng.random(count, dtype=np.float32), 0.5, size)
    strength = _uniform(rng, 0, 1, (3, count, 1, 1))
    strength[1] *= rng.random((count, 1, 1)) < 0.4
    mottle = noise(count, size, 8, rng)
    light = 0.3 * strength[0] * light
    stripes = 0.16 * strength[1] * (stripes - 0.5)
    mottle = 0.24 * strength[2] * (mottle - 0.5)
    factor: Array = 1 + light + stripes + mottle
    return factor


def _photograph(image: Array, rng: np.random.Generator) -> Array:
    """Return the image with mild exposure, contrast and sensor noise, in [0, 1]."""
    count = len(image)
    gain = _uniform(rng, 0.88, 1.1, (count, 1, 1, 1))
    offset = _uniform(rng, -0.04, 0.04, (count, 1, 1, 1))
    grain = _uniform(rng, 0, 0.03, (count, 1, 1, 1)) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image * gain + offset + grain, 0, 1)
