"""What the Jacobian at one image looks like."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from vitequiv.results.cost import Cost
from vitequiv.results.status import Status

if TYPE_CHECKING:
    from torch import Tensor


class Method(StrEnum):
    """How the singular triplets are found."""

    FULL = "full"
    """All of them, from all rows of J: n vjps."""
    TOPK = "topk"
    """The k largest by Lanczos, without the matrix."""


@dataclass(frozen=True)
class SpectrumSummary:
    """Numbers that describe a whole spectrum.

    Args:
        frobenius_norm: |J|_F.
        stable_rank: |J|_F^2 / s_1^2.
        effective_rank: exp of the spectral entropy (Roy and Vetterli 2007).
        spectral_entropy: -sum p log p with p = s / sum s, in nats.
        condition_number: s_1 / s_r over the numerical rank r.
    """

    frobenius_norm: float
    stable_rank: float
    effective_rank: float
    spectral_entropy: float
    condition_number: float


@dataclass(frozen=True)
class RankReport:
    """The numerical rank and what it lacks.

    Args:
        rank: Singular values above the tolerance.
        tolerance: Singular values up to here are not told from zero in the dtype in use.
        deficit: min(n, m) - rank.
        radial_gain: |J^T f| / (s_1 |f|): 0 for an embedding of constant norm, which cannot grow or shrink.
        explanation: What a deficit of this kind comes from.
    """

    rank: int
    tolerance: float
    deficit: int
    radial_gain: float
    explanation: str


@dataclass(frozen=True, eq=False)
class JacobianResult:
    """The singular value decomposition of J = df/dx at one image.

    Args:
        status: Converged, or stalled where rounding keeps residuals of `topk` above the tolerance.
        message: The same in a sentence.
        method: How it was found.
        shape: (n, m).
        singular_values: Falling: min(n, m) of them for `full`, k for `topk`; float64.
        left: U, (n, r) or (n, k), float64.
        right: V, (m, r) in the dtype of J, or (m, k) in float64.
        residuals: |J v - s u| / s by index: for `full` of some triplets by independent products, for `topk` of all.
        rank: The rank report; None for `topk`, which cannot know.
        summary: Numbers over the whole spectrum; None for `topk`.
        cost: What it took.
    """

    status: Status
    message: str
    method: Method
    shape: tuple[int, int]
    singular_values: Tensor
    left: Tensor
    right: Tensor
    residuals: dict[int, float]
    rank: RankReport | None
    summary: SpectrumSummary | None
    cost: Cost

    def to_dict(self) -> dict[str, Any]:
        """Returns the `result` object of `jacobian.json`, without the vectors."""
        return {
            "method": self.method,
            "shape": self.shape,
            "singular_values": self.singular_values.tolist(),
            "residuals": self.residuals,
            "rank": self.rank,
            "summary": self.summary,
        }
