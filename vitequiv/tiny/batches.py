"""Batches of training: scenes, captions, and which of them belong together.

In a plain contrastive batch two scenes of one class are false negatives of each other. Here each batch is drawn
at one level of detail, and all pairs of scene and caption that agree at this level share the target equally.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vitequiv.tiny.backgrounds import BACKGROUNDS
from vitequiv.tiny.captions import Detail, class_index, varied_captions
from vitequiv.tiny.colours import COLOURS
from vitequiv.tiny.scenes import Split, render, scene_rng
from vitequiv.tiny.shapes import SHAPES
from vitequiv.tiny.vocabulary import tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vitequiv.tiny.arrays import Array, Labels


BATCH_SIZE = len(SHAPES) * len(COLOURS)
"""Scenes a batch, so that a batch of colours and shapes shows each class exactly once."""

CYCLE = (
    Detail.COLOUR_SHAPE,
    Detail.COLOUR_SHAPE,
    Detail.WITH_BACKGROUND,
    Detail.COLOUR_SHAPE,
    Detail.COLOUR_SHAPE,
    Detail.SHAPE,
    Detail.COLOUR_SHAPE,
    Detail.COLOUR_SHAPE,
    Detail.WITH_BACKGROUND,
    Detail.COLOUR_SHAPE,
    Detail.COLOUR_SHAPE,
    Detail.COLOUR,
)
"""Levels of detail of successive batches."""


@dataclass(frozen=True)
class Batch:
    """One step's worth of training data.

    Attributes:
        images: (B, H, W, 3) uint8.
        tokens: (B, CONTEXT_LENGTH) int64.
        targets: (B, B) float32, symmetric, rows sum to 1: the share of caption j in image i.
    """

    images: npt.NDArray[np.uint8]
    tokens: Labels
    targets: Array


def training_batch(seed: int, step: int) -> Batch:
    """Draw the batch of a step.

    Args:
        seed: Seed of the run.
        step: Number of the step.

    Returns:
        A batch that depends on the two numbers alone.
    """
    rng = scene_rng(Split.TRAINING, seed, step)
    detail = CYCLE[step % len(CYCLE)]
    classes = rng.permutation(BATCH_SIZE)
    backgrounds = rng.integers(len(BACKGROUNDS), size=BATCH_SIZE)
    if detail is Detail.WITH_BACKGROUND:
        # Sixteen classes on four backgrounds each: only the background tells these apart.
        classes = np.repeat(classes[: BATCH_SIZE // 4], 4)
        backgrounds = np.concatenate([rng.permutation(len(BACKGROUNDS))[:4] for _ in range(BATCH_SIZE // 4)])
    shapes, colours = np.divmod(classes, len(COLOURS))
    scenes = render(shapes, colours, backgrounds, rng)
    captions = varied_captions(detail, shapes, colours, backgrounds, rng)
    same = _same(detail, shapes, colours, backgrounds)
    return Batch(scenes.images, tokenize(captions), same / same.sum(axis=1, keepdims=True))


def _same(detail: Detail, shapes: Labels, colours: Labels, backgrounds: Labels) -> Array:
    """Return (B, B), 1 where the caption of one scene is true of the other."""
    keys = {
        Detail.COLOUR_SHAPE: class_index(shapes, colours),
        Detail.WITH_BACKGROUND: class_index(shapes, colours) * len(BACKGROUNDS) + backgrounds,
        Detail.SHAPE: shapes,
        Detail.COLOUR: colours,
    }[detail]
    same: Array = (keys[:, None] == keys[None, :]).astype(np.float32)
    return same


def prefetched(seed: int, steps: int, ahead: int = 4) -> Iterator[Batch]:
    """Render batches in a worker thread, a few ahead of their use.

    Args:
        seed: Seed of the run.
        steps: Number of batches.
        ahead: Batches in waiting.

    Yields:
        The batches of steps 0 to `steps - 1`, in order, whatever the timing.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="scenes") as worker:
        waiting = [worker.submit(training_batch, seed, step) for step in range(min(ahead, steps))]
        for step in range(steps):
            batch = waiting.pop(0).result()
            if step + ahead < steps:
                waiting.append(worker.submit(training_batch, seed, step + ahead))
            yield batch
