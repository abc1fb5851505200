"""A bank of rendered scenes, drawn from again and again in all eight orientations.

Rendering takes longer than a training step of the smaller models, so scenes are rendered once a run. A turned or
mirrored scene is a scene of the same class, since shapes lie at any angle and every shape is its own mirror image:
65,536 scenes serve as half a million.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from vitequiv.tiny.captions import class_index
from vitequiv.tiny.scenes import SIZE, Split, sample, scene_rng

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from torch import Tensor

    from vitequiv.tiny.arrays import Labels

BANK_SCENES = 65_536
"""Scenes a training run draws from."""

_CHUNK = 256
_ORIENTATIONS = 8


@dataclass(frozen=True)
class Bank:
    """Rendered scenes and their classes.

    Attributes:
        images: (N, H, W, 3) uint8 sRGB.
        coverage: (N, H, W) uint8: the share of each pixel that the shape covers, of 255.
        labels: (N,) classes, 0 to 63.
    """

    images: npt.NDArray[np.uint8]
    coverage: npt.NDArray[np.uint8]
    labels: Labels


@dataclass(frozen=True)
class Draw:
    """One step's worth of scenes.

    Attributes:
        images: (B, 3, H, W) uint8 sRGB, each in one of eight orientations.
        coverage: (B, H, W) uint8: the share of each pixel that the shape covers, of 255.
        labels: (B,) int64 classes.
        indices: (B,) int64 places in the bank.
    """

    images: Tensor
    coverage: Tensor
    labels: Tensor
    indices: Tensor


def render_bank(split: Split, seed: int, count: int, cache: Path | None = None) -> Bank:
    """Render scenes, about 1 ms each.

    Args:
        split: Training or held out.
        seed: Seed of the scenes.
        count: Number of scenes, N.
        cache: Folder to keep the rendered scenes in, for several runs of one seed; made if need be.

    Returns:
        The bank, which depends on the first three arguments alone.
    """
    path = cache / f"{split.name.lower()}-{seed}-{count}.npz" if cache is not None else None
    if path is not None and path.is_file():
        with np.load(path) as stored:
            return Bank(stored["images"], stored["coverage"], stored["labels"])
    images = np.empty((count, SIZE, SIZE, 3), dtype=np.uint8)
    coverage = np.empty((count, SIZE, SIZE), dtype=np.uint8)
    labels = np.empty(count, dtype=np.int64)
    for index, start in enumerate(range(0, count, _CHUNK)):
        scenes = sample(min(_CHUNK, count - start), scene_rng(split, seed, index))
        images[start : start + _CHUNK] = scenes.images
        coverage[start : start + _CHUNK] = np.rint(scenes.coverage * 255)
        labels[start : start + _CHUNK] = class_index(scenes.shapes, scenes.colours)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, images=images, coverage=coverage, labels=labels)
    return Bank(images, coverage, labels)


def as_images(images: npt.NDArray[np.uint8]) -> Tensor:
    """Turn rendered scenes into a tensor of images.

    Args:
        images: (B, H, W, 3) uint8.

    Returns:
        (B, 3, H, W) uint8.
    """
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def draw(bank: Bank, size: int, seed: int, step: int, background: float = 1.0) -> Draw:
    """Draw the scenes of a step.

    Args:
        bank: The bank.
        size: Number of scenes, B.
        seed: Seed of the run.
        step: Number of the step.
        background: Contrast of what is not the shape, in [0, 1]: at 0 it is flat, at 1 as it was rendered.

    Returns:
        The scenes, which depend on the arguments alone.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, step)))
    indices = rng.integers(len(bank.labels), size=size)
    images, coverage = as_images(bank.images[indices]), torch.from_numpy(bank.coverage[indices])
    if background < 1:
        images = _faded(images, coverage, background)
    parts = np.array_split(np.arange(size), _ORIENTATIONS)
    return Draw(
        torch.cat([_oriented(images[part], orientation) for orientation, part in enumerate(parts)]),
        torch.cat([_oriented(coverage[part], orientation) for orientation, part in enumerate(parts)]),
        torch.from_numpy(bank.labels[indices]),
        torch.from_numpy(indices),
    )


def _faded(images: Tensor, coverage: Tensor, background: float) -> Tensor:
    outside = 1 - coverage[:, None].float() / 255
    colour = (images * outside).sum((2, 3), keepdim=True) / outside.sum((2, 3), keepdim=True)
    return (images + (1 - background) * outside * (colour - images)).round().to(torch.uint8)


def _oriented(images: Tensor, orientation: int) -> Tensor:
    turned = torch.rot90(images, orientation % 4, (-2, -1))
    return turned.flip(-1) if orientation >= 4 else turned
