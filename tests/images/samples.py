"""Photos and noise that the tests of this folder share."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import skimage.data
import torch
from PIL import Image

PHOTOS = ("chelsea.png", "astronaut.png", "coffee.png", "rocket.jpg")

# (height, width): one pixel, one pixel wide, very tall and wide, around the input sizes, odd margins (300 x 455).
SHAPES = (
    (1, 1),
    (1, 30),
    (30, 1),
    (300, 9),
    (9, 300),
    (223, 225),
    (224, 224),
    (248, 248),
    (256, 257),
    (300, 455),
    (455, 300),
    (97, 500),
    (511, 130),
)


@cache
def photo(name: str) -> Image.Image:
    return Image.open(Path(skimage.data.__file__).with_name(name)).convert("RGB")


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    """Half of it black and white, where clipping between the passes shows most."""
    generator = np.random.default_rng([seed, height, width])
    levels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    hard = generator.integers(0, 2, (height, width, 3), dtype=np.uint8) * 255
    return Image.fromarray(np.where(np.arange(width)[:, None] < width / 2, levels, hard).astype(np.uint8))


def as_pixels(image: Image.Image, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """(1, 3, h, w) in [0, 1]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(dtype) / 255


def as_levels(pixels: torch.Tensor) -> np.ndarray:
    """(H, W, 3) of float32 k/255, to compare with `levels / 255` bit for bit."""
    return pixels[0].permute(1, 2, 0).numpy()
