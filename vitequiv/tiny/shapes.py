"""The eight shapes of the scenes as signed distance functions.

Each takes coordinates `x`, `y` (arrays of one form, the shape centred at 0 with about unit radius, `y` upwards) and
returns the distance to the outline in the same unit, negative inside. The distances are exact near straight edges and
within a few per cent elsewhere, which is all that antialiasing over one pixel needs.

Source of the constructions: I. Quilez, "2D distance functions", https://iquilezles.org/articles/distfunctions2d/.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vitequiv.tiny.arrays import Array, Labels


_STAR_INNER_RADIUS = 0.42
_HEART_SCALE = 0.62


def _circle(x: Array, y: Array) -> Array:
    return np.hypot(x, y) - 0.86


def _square(x: Array, y: Array) -> Array:
    return np.maximum(np.abs(x), np.abs(y)) - 0.76


def _triangle(x: Array, y: Array) -> Array:
    side = np.abs(x) * np.float32(np.sqrt(0.75)) + y * 0.5
    return np.maximum(side, -y) - 0.52


def _star(x: Array, y: Array) -> Array:
    # Fold the plane onto half a spike: the inner corner lies at angle 0, the tip at 36 degrees.
    spike = np.float32(2 * np.pi / 5)
    angle = np.abs(np.mod(np.arctan2(x, y), spike) - spike / 2)
    radius = np.hypot(x, y)
    edge_x = np.cos(spike / 2) - _STAR_INNER_RADIUS
    edge_y = np.sin(spike / 2)
    length = np.hypot(edge_x, edge_y)
    distance: Array = (radius * np.cos(angle) - _STAR_INNER_RADIUS) * edge_y - radius * np.sin(angle) * edge_x
    return np.asarray(distance / length, dtype=np.float32)


def _cross(x: Array, y: Array) -> Array:
    wide = np.maximum(np.abs(x) - 0.95, np.abs(y) - 0.28)
    tall = np.maximum(np.abs(y) - 0.95, np.abs(x) - 0.28)
    return np.minimum(wide, tall)


def _ring(x: Array, y: Array) -> Array:
    return np.abs(np.hypot(x, y) - 0.72) - 0.21


def _heart(x: Array, y: Array) -> Array:
    x, y = np.abs(x) * _HEART_SCALE, y * _HEART_SCALE + 0.55
    lobe = np.hypot(x - 0.25, y - 0.75) - np.sqrt(2) / 4
    along = 0.5 * np.maximum(x + y, 0)
    tip = np.sqrt(np.minimum(x**2 + (y - 1) ** 2, (x - along) ** 2 + (y - along) ** 2)) * np.sign(x - y)
    distance: Array = (np.where(x + y > 1, lobe, tip) / _HEART_SCALE).astype(np.float32)
    return distance


def _crescent(x: Array, y: Array) -> Array:
    distance: Array = np.maximum(np.hypot(x - 0.1, y) - 0.95, 0.72 - np.hypot(x - 0.5, y))
    return distance


SIGNED_DISTANCE: Mapping[str, Callable[[Array, Array], Array]] = MappingProxyType({
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "heart": _heart,
    "crescent": _crescent,
})
"""Signed distance by shape name; the order of the names is the order of the labels."""

SHAPES: tuple[str, ...] = tuple(SIGNED_DISTANCE)
"""Names of the shapes; a label is an index into this."""


def signed_distance(shapes: Labels, x: Array, y: Array) -> Array:
    """Evaluate every scene's own shape.

    Args:
        shapes: (B,) indices into `SHAPES`.
        x: (B, H, W) coordinates in the shape's frame, unit radius.
        y: (B, H, W), upwards.

    Returns:
        (B, H, W) signed distances, negative inside.
    """
    distance = np.empty_like(x)
    for label, name in enumerate(SHAPES):
        chosen = np.flatnonzero(shapes == label)
        if chosen.size:
            distance[chosen] = SIGNED_DISTANCE[name](x[chosen], y[chosen])
    return distance
