"""What the Jacobian at one image looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitequiv.results.cost import Cost
from vitequiv.results.envelope import jsonable
from vitequiv.results.names import Method
from vitequiv.results.status import Status

if TYPE_CHECKING:
    from torch import Tensor


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


@dataclass(frozen=True)
class Comparison:
    """How the normal spaces of two images lie to each other; for `topk`, the spans of the leading right vectors.

    Args:
        dimensions: Of the two spaces.
        principal_angles: In radians, rising.
        grassmann_distance: Their Euclidean norm, in radians.
    """

    dimensions: tuple[int, int]
    principal_angles: tuple[float, ...]
    grassmann_distance: float


@dataclass(frozen=True)
class JacobianRecord:
    """The `result` of `jacobian.json`.

    Args:
        method: How the triplets were found.
        shape: [n, m]: embedding dimension, and 3 x height x width.
        singular_values: Falling; min(n, m) of them for `full`, k for `topk`.
        residuals: |J v - s u| / s by index, from 0: for `full` of some triplets, for `topk` of all.
        rank: The numerical rank; null for `topk`.
        summary: Numbers over the whole spectrum; null for `topk`.
        comparison: With `--compare`; else null.
    """

    method: Method
    shape: tuple[int, int]
    singular_values: tuple[float, ...]
    residuals: Mapping[int, float]
    rank: RankReport | None
    summary: SpectrumSummary | None
    comparison: Comparison | None


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

    def to_dict(self, comparison: Comparison | None = None) -> dict[str, Any]:
        """Write down the `result` object of `jacobian.json`, which has no vectors.

        Args:
            comparison: With another image; None for none.

        Returns:
            A `JacobianRecord` as plain JSON types.
        """
        record = JacobianRecord(
            method=self.method,
            shape=self.shape,
            singular_values=tuple(self.singular_values.tolist()),
            residuals=self.residuals,
            rank=self.rank,
            summary=self.summary,
            comparison=comparison,
        )
        plain: dict[str, Any] = jsonable(record)
        return plain
