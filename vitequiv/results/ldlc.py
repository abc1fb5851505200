"""Local directional Lipschitz constants of an image, by group of directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from vitequiv.results.cost import Cost
from vitequiv.results.envelope import jsonable
from vitequiv.results.ldlc_record import (
    AlongRecord,
    EpsilonRecord,
    ErrorBudget,
    GroupRecord,
    LdlcRecord,
    Spread,
    SweepRecord,
)
from vitequiv.results.ldlc_record import Checks as Checks  # part of this module's interface
from vitequiv.results.status import Status

if TYPE_CHECKING:
    from torch import Tensor


PLATEAU_ERROR = 0.1
"""The relative error of rounding and curvature together from which on a sweep of epsilon has no plateau."""


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
        sampled: Whether they are a sample, and not all there is of their kind.
    """

    measured: Tensor
    truncation: Tensor
    floor: float
    derivatives: Tensor
    along: Tensor
    sampled: bool

    def record(self, largest: float) -> GroupRecord:
        """Describe the group.

        Args:
            largest: s_1, for the ratios.

        Returns:
            Statistics for JSON.
        """
        truncation = float(self.truncation.median()) if len(self.truncation) else 0.0
        return GroupRecord(
            measured=statistics(self.measured, largest, self.sampled),
            derivative=statistics(self.derivatives, largest, self.sampled),
            derivative_along=AlongRecord(
                count=len(self.along),
                at_image=tuple(self.along[:, self.along.shape[1] // 2].tolist()),
                largest=tuple(self.along.max(dim=1).values.tolist()),
            ),
            error_budget=ErrorBudget(self.floor, truncation),
        )


def statistics(values: Tensor, largest: float, sampled: bool) -> Spread:
    """Describe constants.

    Args:
        values: (k,), at least one.
        largest: s_1, for the ratio.
        sampled: Whether they are a sample of something, whose mean has a standard error.

    Returns:
        Their statistics.
    """
    import torch

    quantiles = torch.quantile(values, torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95], dtype=values.dtype)).tolist()
    mean = float(values.mean())
    error = float(values.std() / len(values) ** 0.5) if sampled and len(values) > 1 else None
    return Spread(
        count=len(values),
        mean=mean,
        standard_error=error,
        quantiles=dict(zip(("5%", "25%", "50%", "75%", "95%"), quantiles, strict=True)),
        max=float(values.max()),
        ratio_to_sigma_1=mean / largest if largest else None,
    )


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
        groups: By name: of `Directions`, or a plugin's.
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
    groups: Mapping[str, Group]
    checks: Checks
    cost: Cost

    @property
    def on_plateau(self) -> bool:
        """Whether epsilon was chosen where rounding and curvature together disturb little (see `PLATEAU_ERROR`)."""
        return self.chosen and min(row.error for row in self.sweep) < PLATEAU_ERROR

    def to_dict(self) -> dict[str, Any]:
        """Returns the `result` object of `ldlc.json`, a `LdlcRecord` as plain JSON types, without the samples."""
        largest = float(self.singular_values[0])
        record = LdlcRecord(
            epsilon=EpsilonRecord(self.epsilon, self.chosen, self.on_plateau, self.points),
            sweep=tuple(SweepRecord(**asdict(row), error=row.error) for row in self.sweep),
            sigma_1=largest,
            groups={name: group.record(largest) for name, group in self.groups.items()},
            checks=self.checks,
        )
        plain: dict[str, Any] = jsonable(record)
        return plain
