"""When a match is good enough."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.matching.names import DEFAULT_COSINE, DEFAULT_MAX_PASSES
from vitequiv.matching.objective import cosine_similarity, direction, relative_residual
from vitequiv.precision import wide


@dataclass(frozen=True)
class Goal:
    """The goal of a match and the means allowed for it.

    Args:
        cosine: Cosine similarity to reach, in (-1, 1]; None if it does not matter.
        residual: Relative residual to come down to, above 0; None if it does not matter. If both are given,
            both must hold.
        max_passes: Passes allowed an image; never exceeded.
        on_lattice: Whether the goal must hold for the image rounded to 8 bits as well, so that it survives being saved.
            Costs one forward each time the unrounded image meets it.

    Raises:
        ValueError: If there is no goal or a value is out of range.
    """

    cosine: float | None = DEFAULT_COSINE
    residual: float | None = None
    max_passes: int = DEFAULT_MAX_PASSES
    on_lattice: bool = True

    def __post_init__(self) -> None:
        if self.cosine is None and self.residual is None:
            raise ValueError("A goal needs a cosine, a residual or both.")
        if self.cosine is not None and not -1 < self.cosine <= 1:
            raise ValueError(f"The cosine to reach must be in (-1, 1], got {self.cosine}.")
        if self.residual is not None and not self.residual > 0:
            raise ValueError(f"The relative residual to reach must be above 0, got {self.residual}.")
        if self.max_passes < 1:
            raise ValueError(f"At least one pass must be allowed, got {self.max_passes}.")

    def met(self, embedding: Tensor, target: Tensor, margin: float = 0.0) -> Tensor:
        """Decide which images meet the goal.

        Args:
            embedding: f(x), (B, n).
            target: f(x_tg), (B, n).
            margin: By how much, relatively, 1 - cosine and the residual must be smaller than the goal asks.

        Returns:
            Booleans (B,); False for anything that is not finite.
        """
        met = torch.ones(len(embedding), dtype=torch.bool, device=embedding.device)
        if self.cosine is not None:
            met &= cosine_similarity(embedding, target) >= 1 - (1 - margin) * (1 - self.cosine)
        if self.residual is not None:
            met &= relative_residual(embedding - target, target) <= (1 - margin) * self.residual
        return met

    def slack(self, embedding: Tensor, target: Tensor) -> Tensor:
        """How much is to spare, as a share of the distance to the target that the goal allows.

        For the cosine it is the distance of unit vectors, whose half square is 1 - cosine; so both goals are distances,
        nearly linear in the image on the way to the target. Differentiable.

        Args:
            embedding: f(x), (B, n).
            target: f(x_tg), (B, n).

        Returns:
            The smaller one of the two goals' (B,), in wide precision, at most 1: at least 0 where the goal is met.
        """
        shares = []
        if self.cosine is not None:
            allowed = max(2 * (1 - self.cosine), 1e-24) ** 0.5
            shares.append(
                torch.linalg.vector_norm(direction(wide(embedding)) - direction(wide(target)), dim=1) / allowed
            )
        if self.residual is not None:
            shares.append(relative_residual(embedding - target, target) / self.residual)
        return 1 - torch.stack(shares).amax(0)
