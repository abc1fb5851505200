"""The eight colours of the scenes, and colours that keep clear of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vitequiv.tiny.arrays import Array


ANCHORS: Mapping[str, tuple[int, int, int]] = MappingProxyType({
    "red": (215, 35, 35),
    "orange": (245, 135, 20),
    "yellow": (245, 225, 45),
    "green": (40, 160, 60),
    "cyan": (35, 205, 215),
    "blue": (40, 70, 215),
    "purple": (125, 45, 165),
    "pink": (250, 135, 190),
})
"""8-bit sRGB by colour name; the order of the names is the order of the labels."""

COLOURS: tuple[str, ...] = tuple(ANCHORS)
"""Names of the colours; a label is an index into this."""

PALETTE: Array = np.array(list(ANCHORS.values()), dtype=np.float32) / 255
"""(8, 3) anchors in [0, 1]."""

_MIN_CONTRAST = 0.45
_CANDIDATES = 12


def contrasting(colours: Array, count: int, rng: np.random.Generator) -> Array:
    """Draw random colours that stand off from a given one, so that a shape is never lost in what lies behind it.

    Args:
        colours: (B, 3) colours to keep clear of, in [0, 1].
        count: How many to draw for each.
        rng: Source of randomness.

    Returns:
        (B, count, 3) colours in [0, 1], at Euclidean distance 0.45 or more wherever one of 12 candidates is.
    """
    candidates = rng.random((len(colours), count, _CANDIDATES, 3), dtype=np.float32)
    # Real surroundings are mostly muted: pull each candidate a random way towards its own grey.
    grey = candidates.mean(axis=-1, keepdims=True)
    muting = rng.random((len(colours), count, _CANDIDATES, 1), dtype=np.float32)
    candidates += muting * (grey - candidates)
    distance = np.linalg.norm(candidates - colours[:, None, None], axis=-1)
    # The first candidate that is far enough; argmax of a boolean is the first True.
    chosen = np.where((distance >= _MIN_CONTRAST).any(-1), (distance >= _MIN_CONTRAST).argmax(-1), distance.argmax(-1))
    return np.take_along_axis(candidates, chosen[..., None, None], axis=2)[:, :, 0]
