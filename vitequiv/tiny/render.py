"""Procedural scenes as image files, a folder a class: data for the tiny models that needs no network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitequiv.images.save import save_png
from vitequiv.tiny.backgrounds import BACKGROUNDS
from vitequiv.tiny.colours import COLOURS
from vitequiv.tiny.scenes import SIZE, Split, render, scene_rng
from vitequiv.tiny.shapes import SHAPES


def class_folder(shape: int, colour: int) -> str:
    """Name the folder of a class, such as `red_star`.

    Args:
        shape: Index into `SHAPES`.
        colour: Index into `COLOURS`.

    Returns:
        The name.
    """
    return f"{COLOURS[colour]}_{SHAPES[shape]}"


def write_scenes(directory: Path, count: int, seed: int, size: int = SIZE) -> list[Path]:
    """Write held-out scenes, spread evenly over the 64 classes.

    Args:
        directory: Where to; made if needed.
        count: How many.
        seed: Seed; the same seed gives the same scenes, and a smaller count the first of them. None of them was ever
            trained on.
        size: Height and width in pixels, at least 16.

    Returns:
        The files, `COLOUR_SHAPE/COLOUR_SHAPE-SEED-NUMBER.png`.
    """
    classes = len(SHAPES) * len(COLOURS)
    paths = []
    for block in range(0, count, classes):
        rng = scene_rng(Split.HELD_OUT, seed, block // classes)
        order = rng.permutation(classes)
        shapes, colours = np.divmod(order, len(COLOURS))
        backgrounds = rng.integers(len(BACKGROUNDS), size=classes)
        images = render(shapes, colours, backgrounds, rng, size).images
        for i in range(min(classes, count - block)):
            folder = class_folder(int(shapes[i]), int(colours[i]))
            paths.append(directory / folder / f"{folder}-{seed}-{block + i:05}.png")
            save_png(paths[-1], images[i])
    return paths
