"""Masked reconstruction, as ViTMAE is trained (He et al. 2021, arXiv 2111.06377)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from vitequiv.tiny.zoo.architectures import Architecture
    from vitequiv.tiny.zoo.bank import Bank, Draw


class MaskedReconstruction:
    """The encoder sees a random quarter of the patches; the decoder guesses the pixels of the others.

    Args:
        architecture: The architecture; its model has a decoder, and a loss of its own.
    """

    def __init__(self, architecture: Architecture, _: Bank) -> None:
        self._normalise = architecture.normalise
        self.model: Any = architecture.build()
        self.trained = self.model

    def loss(self, scenes: Draw) -> Tensor:
        """Measure a batch.

        Args:
            scenes: The scenes of the step; their labels are not looked at.

        Returns:
            The mean squared error over the hidden patches, in normalised pixels.
        """
        loss: Tensor = self.model(pixel_values=self._normalise(scenes.images)).loss
        return loss

    def after_step(self, progress: float) -> None:
        """Nothing to do."""
