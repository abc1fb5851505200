"""What a training objective is to the training loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vitequiv.tiny.zoo.bank import Draw


class Objective(Protocol):
    """A model on its way to being trained.

    Attributes:
        model: The transformers model that is saved in the end.
        trained: All that is trained: the model, and what the objective puts beside it.
    """

    model: nn.Module
    trained: nn.Module

    def loss(self, scenes: Draw) -> Tensor:
        """Measure a batch.

        Args:
            scenes: The scenes of the step.

        Returns:
            A scalar.
        """
        ...

    def after_step(self, progress: float) -> None:
        """Do what is to be done once the weights have moved.

        Args:
            progress: The share of the run that is done, in (0, 1].
        """
        ...
