"""How each family is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitequiv.tiny.zoo.distilled import Distilled
from vitequiv.tiny.zoo.masked_reconstruction import MaskedReconstruction
from vitequiv.tiny.zoo.masked_siamese import MaskedSiamese
from vitequiv.tiny.zoo.supervised import Supervised

if TYPE_CHECKING:
    from collections.abc import Callable

    from vitequiv.tiny.zoo.architectures import Architecture
    from vitequiv.tiny.zoo.bank import Bank
    from vitequiv.tiny.zoo.objective import Objective


@dataclass(frozen=True)
class TrainingRecipe:
    """The objective and its numbers.

    Attributes:
        objective: Makes the objective, with a fresh model in it.
        steps: Number of steps.
        batch_size: Scenes a step.
        muon_rate: Peak learning rate of the matrices between hidden features.
        adamw_rate: Peak learning rate of all else.
        fade_in: Share of the run in which the contrast of the backgrounds rises from 0 to 1.
    """

    objective: Callable[[Architecture, Bank], Objective]
    steps: int
    batch_size: int = 64
    muon_rate: float = 0.02
    adamw_rate: float = 2e-3
    fade_in: float = 0.0

    def background(self, progress: float) -> float:
        """Say how much of the backgrounds shows.

        Args:
            progress: The share of the run that is done, in [0, 1).

        Returns:
            Their contrast, in [0, 1].
        """
        return 1.0 if progress >= self.fade_in else progress / self.fade_in


RECIPES = {
    "swin": TrainingRecipe(Supervised, 6000),
    "deit": TrainingRecipe(Distilled, 4500, fade_in=0.25),
    "beit": TrainingRecipe(Supervised, 3500, fade_in=0.25),
    "vitmae": TrainingRecipe(MaskedReconstruction, 8000, fade_in=0.5),
    "vitmsn": TrainingRecipe(MaskedSiamese, 2500, muon_rate=0.005, adamw_rate=5e-4),
}
"""By the name of the family."""
