"""Scenes of known class, and encoders."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vitequiv import load_encoder
from vitequiv.tiny.captions import class_index
from vitequiv.tiny.colours import COLOURS
from vitequiv.tiny.scenes import Split, sample, scene_rng
from vitequiv.tiny.shapes import SHAPES

NAMES = tuple(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS)
"""The 64 classes, in the order of `class_index`."""


@pytest.fixture(scope="session")
def clip():
    return load_encoder("tiny-clip")


def draw(count: int, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """Held-out scenes, (count, 3, 64, 64), and their classes."""
    drawn = sample(count, scene_rng(Split.HELD_OUT, seed))
    pixels = torch.from_numpy(drawn.images).permute(0, 3, 1, 2).float().div(255)
    return pixels, class_index(drawn.shapes, drawn.colours)


@pytest.fixture(scope="session")
def scenes():
    """96 held-out scenes, (96, 3, 64, 64), and their classes."""
    return draw(96, 41)


@pytest.fixture(scope="session")
def many_scenes():
    """1,024 held-out scenes to learn classes from, and 256 others."""
    return draw(1024, 51), draw(256, 52)
