"""Local directional Lipschitz constants of an image, by group of directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from vitequiv.results.cost import Cost
from vitequiv.results.status import Status

if TYPE_CHECKING:
    from torch import Tensor


PLATEAU_ERROR = 0.1
"""The relative error of rounding and curvature together from which on a sweep of epsilon has no plateau."""


class Directions(StrEnum):
    """The groups of directions."""

    SINGULAR = "singular"
    """The right singular vectors of J (paper, Fig. 3)."""
    RANDOM = "random"
    """Uniform on the sphere of all pixels, as normalised Gaussian vectors are (Fig. 4, top left)."""
    NULL = "null"
    """Uniform on the sphere of the null space of J (Fig. 4, top right)."""
    MATCH = "match"
    """From the image to its match (Fig. 4, bottom)."""


SAMPLED = frozenset({Directions.RANDOM, Directions.NULL})
"""Groups that are samples; the others are all there is of their kind."""


@dataclass(frozen=True, eq=False)
class Group:
    """What was found along one group.

    Args:
        measured: Constants of Eq. 7 from forwards, (k,), float64.
        truncation: What a finer grid might add to each, (k,).
        floor: What rounding alone can make of a constant.
        derivatives: |J d| from the known J, for all directions asked for, (count,), float64; the first k are the
            measured ones.
        along: |J(x + a d) d| on the same grid for the first of the measured ones, (few, points), float64.
    """

    measured: Tensor
    truncation: Tensor
    floor: float
    derivatives: Tensor
    along: Tensor

    def to_dict(self, largest: float, sampled: bool) -> dict[str, Any]:
        """Returns statistics for JSON, with ratios to the largest singular value; standard errors only of samples."""
        truncation = float(self.truncation.median()) if len(self.truncation) else 0.0
        return {
            "measured": statistics(self.measured, largest, sampled),
            "derivative": statistics(self.derivatives, largest, sampled),
            "derivative_along": {
                "count": len(self.along),
                "at_image": self.along[:, self.along.shape[1] // 2].tolist(),
                "largest": self.along.max(dim=1).values.tolist(),
            },
            "error_budget": {"rounding_floor": self.floor, "truncation": truncation},
        }


def statistics(values: Tensor, largest: float, sampled: bool) -> dict[str, Any]:
    """Describe constants.

    Args:
        values: (k,), at least one.
        largest: s_1, for the ratio.
        sampled: Whether they are a sample of something, whose mean has a standard error.

    Returns:
        Count, mean with its standard error, quantiles, maximum and the mean's ratio to s_1.
    """
    import torch

    quantiles = torch.quantile(values, torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95], dtype=values.dtype)).tolist()
    mean = float(values.mean())
    error = float(values.std() / len(values) ** 0.5) if sampled and len(values) > 1 else None
    return {
        "count": len(values),
        "mean": mean,
        "standard_error": error,
        "quantiles": dict(zip(("5%", "25%", "50%", "75%", "95%"), quantiles, strict=True)),
        "max": float(values.max()),
        "ratio_to_sigma_1": mean / largest if largest else None,
    }


@dataclass(frozen=True)
class Checks:
    """Closed-form identities, measured.

    Args:
        singular: Largest relative difference of the constant along v_i from s_i, over the s_i a hundred times above
            the floor; None without the singular group.
        isotropic: Mean |J d|^2 over |J|_F^2 / m for uniform unit d, which is 1 in expectation; None without the
            random group.
        isotropic_error: Its standard error.
        null: Largest |J d| among null directions over s_1: what is left of J by rounding; None without the null group.
        null_leak: Largest |P_normal d| among the measured null directions, so that J accounts for at most s_1 times
            that of what was measured along them.
        forms: Largest relative difference of Eq. 7 from the largest |J(x + a d) d| on its grid, over the directions
            a hundred times above the floor; None where no direction was looked at along the grid, or none is so clear.
    """

    singular: float | None
    isotropic: float | None
    isotropic_error: float | None
    null: float | None
    null_leak: float | None
    forms: float | None


@dataclass(frozen=True, eq=False)
class LdlcResult:
    """Constants by group, with how epsilon was chosen.

    Args:
        status: How it ended.
        message: The same in a sentence.
        epsilon: Half the range, an L2 distance with pixels in [0, 1].
        chosen: Whether it was found by `sweep`.
        points: Grid points over the range.
        sweep: Rows (epsilon, constant, floor, curvature) of the search; empty if epsilon was given and none asked for.
        singular_values: The spectrum of J, falling.
        groups: By name.
        checks: The identities.
        cost: What it took.
    """

    status: Status
    message: str
    epsilon: float
    chosen: bool
    points: int
    sweep: tuple[Any, ...]
    singular_values: Tensor
    groups: Mapping[Directions, Group]
    checks: Checks
    cost: Cost

    @property
    def on_plateau(self) -> bool:
        """Whether epsilon was chosen where rounding and curvature together disturb little (see `PLATEAU_ERROR`)."""
        return self.chosen and min(row.error for row in self.sweep) < PLATEAU_ERROR

    def to_dict(self) -> dict[str, Any]:
        """Returns the `result` object of `ldlc.json`, without the samples."""
        largest = float(self.singular_values[0])
        return {
            "epsilon": {
                "value": self.epsilon,
                "chosen": self.chosen,
                "chosen_on_plateau": self.on_plateau,
                "points": self.points,
            },
            "sweep": list(self.sweep),
            "sigma_1": largest,
            "groups": {name: group.to_dict(largest, name in SAMPLED) for name, group in self.groups.items()},
            "checks": self.checks,
        }
