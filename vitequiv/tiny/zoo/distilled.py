"""Hard distillation through a token, as DeiT is trained (Touvron et al. 2020, arXiv 2012.12877, equation 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from vitequiv.tiny.captions import all_captions
from vitequiv.tiny.checkpoint import load_tiny_clip
from vitequiv.tiny.evaluation import as_input
from vitequiv.tiny.vocabulary import tokenize

if TYPE_CHECKING:
    from torch import Tensor

    from vitequiv.tiny.zoo.architectures import Architecture
    from vitequiv.tiny.zoo.bank import Bank, Draw

_CHUNK = 256


class Distilled:
    """The class token learns the label, the distillation token learns what the teacher says, half the loss each.

    The teacher is the embedded tiny-clip, classifying by the 64 captions; it looks at each scene of the bank once,
    upright. Half of each batch is seen as the image processor shows a scene: enlarged, and the centre cropped.

    Args:
        architecture: The architecture; its model has both heads.
        bank: The scenes of the run.
    """

    def __init__(self, architecture: Architecture, bank: Bank) -> None:
        self._architecture = architecture
        self.model: Any = architecture.build()
        self.trained = self.model
        self._taught = teacher_labels(bank)

    def loss(self, scenes: Draw) -> Tensor:
        """Measure a batch.

        Args:
            scenes: The scenes of the step.

        Returns:
            The mean of the two cross-entropies in nats.
        """
        pixels = self._architecture.normalise(scenes.images)
        pixels = torch.cat([self._as_shown(pixels[::2]), pixels[1::2]])
        order = torch.cat([torch.arange(len(pixels))[::2], torch.arange(len(pixels))[1::2]])
        output = self.model(pixel_values=pixels)
        by_label = F.cross_entropy(output.cls_logits.float(), scenes.labels[order])
        by_teacher = F.cross_entropy(output.distillation_logits.float(), self._taught[scenes.indices[order]])
        return (by_label + by_teacher) / 2

    def after_step(self, progress: float) -> None:
        """Nothing to do."""

    def _as_shown(self, pixels: Tensor) -> Tensor:
        edge, enlarged = pixels.shape[2], self._architecture.enlarged
        pixels = F.interpolate(pixels, (enlarged, enlarged), mode="bicubic", antialias=True)
        margin = (enlarged - edge) // 2
        return pixels[:, :, margin : margin + edge, margin : margin + edge]


def teacher_labels(bank: Bank) -> Tensor:
    """Let tiny-clip name every scene, about 1 ms each.

    Args:
        bank: N scenes.

    Returns:
        (N,) int64 classes.
    """
    teacher = load_tiny_clip()
    with torch.no_grad():
        tokens = torch.from_numpy(tokenize(all_captions()))
        captions = F.normalize(teacher.encode_text(tokens), dim=1)
        named = [
            (teacher.encode_image(as_input(bank.images[start : start + _CHUNK])) @ captions.T).argmax(dim=1)
            for start in range(0, len(bank.labels), _CHUNK)
        ]
    return torch.cat(named)
