"""How often the model names a held-out scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vitequiv.tiny.captions import all_captions, class_index
from vitequiv.tiny.colours import COLOURS
from vitequiv.tiny.scenes import Split, sample, scene_rng
from vitequiv.tiny.vocabulary import tokenize

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from vitequiv.tiny.model import TinyClip

_BATCH_SIZE = 256


@dataclass(frozen=True)
class ZeroShot:
    """Accuracies over held-out scenes; chance is 1/64, 1/8 and 1/8.

    Attributes:
        top1: Share of scenes whose most similar of the 64 captions is their own.
        shape: Share whose most similar caption has the right shape.
        colour: Share whose most similar caption has the right colour.
        scenes: Number of scenes.
    """

    top1: float
    shape: float
    colour: float
    scenes: int


def as_input(images: npt.NDArray[np.uint8]) -> Tensor:
    """Prepare scenes for `TinyClip.encode_image`.

    Args:
        images: (B, H, W, 3) uint8.

    Returns:
        (B, 3, H, W) float32 in [-1, 1].
    """
    import torch

    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def zero_shot(model: TinyClip, count: int, seed: int) -> ZeroShot:
    """Classify held-out scenes among the 64 canonical captions.

    Args:
        model: The model.
        count: Number of scenes; one forward each.
        seed: Seed of the held-out scenes; these are never training scenes, whatever the seed.

    Returns:
        The accuracies.
    """
    import torch

    tokens = torch.from_numpy(tokenize(all_captions()))
    right = np.zeros(3)
    for index, start in enumerate(range(0, count, _BATCH_SIZE)):
        scenes = sample(min(_BATCH_SIZE, count - start), scene_rng(Split.HELD_OUT, seed, index))
        with torch.no_grad():
            named = model(as_input(scenes.images), tokens).argmax(dim=1).numpy()
        shapes, colours = np.divmod(named, len(COLOURS))
        right += [
            (named == class_index(scenes.shapes, scenes.colours)).sum(),
            (shapes == scenes.shapes).sum(),
            (colours == scenes.colours).sum(),
        ]
    top1, shape, colour = (right / count).tolist()
    return ZeroShot(top1=top1, shape=shape, colour=colour, scenes=count)
