"""Supervised classification, as BEiT is fine-tuned (arXiv 2106.08254) and Swin is trained (arXiv 2103.14030)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

    from vitequiv.tiny.zoo.architectures import Architecture
    from vitequiv.tiny.zoo.bank import Bank, Draw


class Supervised:
    """Cross-entropy over the 64 classes.

    Args:
        architecture: The architecture; its model has a classifier.
    """

    def __init__(self, architecture: Architecture, _: Bank) -> None:
        self._normalise = architecture.normalise
        self.model: Any = architecture.build()
        self.trained = self.model

    def loss(self, scenes: Draw) -> Tensor:
        """Measure a batch.

        Args:
            scenes: The scenes of the step.

        Returns:
            The cross-entropy in nats.
        """
        logits = self.model(pixel_values=self._normalise(scenes.images)).logits
        return F.cross_entropy(logits.float(), scenes.labels)

    def after_step(self, progress: float) -> None:
        """Nothing to do."""
