"""The result of `vitequiv ldlc` as JSON: statistics in place of the samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vitequiv.results.marks import Finite, Quantiles


@dataclass(frozen=True)
class EpsilonRecord:
    """The range of Eq. 7.

    Args:
        value: Half the range, an L2 distance with pixels in [0, 1].
        chosen: Whether it was chosen by the program.
        chosen_on_plateau: Whether it was, and the error there is below a tenth.
        points: Points of the grid.
    """

    value: Finite
    chosen: bool
    chosen_on_plateau: bool
    points: int


@dataclass(frozen=True)
class SweepRecord:
    """One epsilon of the search.

    Args:
        epsilon: Half the range, an L2 distance with pixels in [0, 1].
        constant: Median of the constant over three directions.
        floor: What rounding alone can make of it.
        curvature: Median relative change against four times the range.
        error: Both together, relative to the constant.
    """

    epsilon: float
    constant: float
    floor: float
    curvature: float
    error: float


@dataclass(frozen=True)
class Spread:
    """Constants, described.

    Args:
        count: How many there are.
        mean: Their mean.
        standard_error: Standard error of the mean; null for a single value and for `singular`, which is no sample.
        quantiles: By name, interpolated linearly.
        max: The largest.
        ratio_to_sigma_1: The mean over the largest singular value; null where that is 0.
    """

    count: int
    mean: float
    standard_error: float | None
    quantiles: Quantiles
    max: float
    ratio_to_sigma_1: float | None


@dataclass(frozen=True)
class AlongRecord:
    """|J(x + a d) d| on the grid of Eq. 7, for the first directions of the group.

    Args:
        count: Directions.
        at_image: For each, the value at the image.
        largest: For each, the largest value.
    """

    count: int
    at_image: tuple[float, ...]
    largest: tuple[float, ...]


@dataclass(frozen=True)
class ErrorBudget:
    """What may be wrong with the measured constants.

    Args:
        rounding_floor: What rounding alone can make of a constant.
        truncation: What putting back every other grid point added, median.
    """

    rounding_floor: float
    truncation: float


@dataclass(frozen=True)
class GroupRecord:
    """One group of directions.

    Args:
        measured: The constants of Eq. 7, by forwards.
        derivative: |J d|, from the known J.
        derivative_along: |J(x + a d) d| on the same grid.
        error_budget: What may be wrong with `measured`.
    """

    measured: Spread
    derivative: Spread
    derivative_along: AlongRecord
    error_budget: ErrorBudget


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


@dataclass(frozen=True)
class LdlcRecord:
    """The `result` of `ldlc.json`.

    Args:
        epsilon: The range.
        sweep: The search for epsilon, falling; empty if epsilon was given and none asked for.
        sigma_1: The largest singular value of J, which bounds every constant as epsilon goes to 0.
        groups: By name, those asked for.
        checks: Closed-form identities, measured.
    """

    epsilon: EpsilonRecord
    sweep: tuple[SweepRecord, ...]
    sigma_1: float
    groups: Mapping[str, GroupRecord]
    checks: Checks
