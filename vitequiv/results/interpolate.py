"""A path between images and how the embedding goes along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitequiv.results.cost import Cost
from vitequiv.results.envelope import jsonable
from vitequiv.results.names import Reference
from vitequiv.results.status import Status

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PathPoint:
    """One point of a path. The reference embedding is that of START, or the one that the path is matched to.

    Args:
        t: Place on the path: the share of the straight line for `linear` and `matched`, of the way walked for `null`.
        l2: Distance from START, pixels in [0, 1].
        covered: Share of the way from START to END: the projection on END - START; None without END.
        nearer: The same by distance: 1 - |x - END| / |START - END|; None without END.
        cosine: Cosine similarity to the reference embedding.
        relative_residual: Distance to the reference embedding over its norm.
        between: The relative residual halfway between the point before and this one; None where it is not measured.
        cosine_start: Cosine similarity to START's embedding.
        cosine_end: Cosine similarity to END's embedding; None without END.
        speed: Change of the embedding since the point before, over the change of the pixels; None at the first point,
            and where the pixels did not change.
        slope: |J d| here, for the unit direction d from START to END; None but for `linear`.
        off_chord: Distance of the embedding from the straight line between START's and END's, over the distance between
            these two; None but for `linear`.
        passes: Passes spent up to and including this point.
    """

    t: float
    l2: float
    covered: float | None
    nearer: float | None
    cosine: float
    relative_residual: float
    between: float | None
    cosine_start: float
    cosine_end: float | None
    speed: float | None
    slope: float | None
    off_chord: float | None
    passes: int


@dataclass(frozen=True)
class LinearSummary:
    """How straight and how even the embedding's way is.

    Args:
        embedding_length: Length of the way through the points' embeddings.
        chord: Distance from START's embedding to END's.
        detour: The first over the second; 1 for a straight way; infinite where the two embeddings are equal.
        off_chord: The largest distance from the straight line between both embeddings, over its length; None if the two
            are equal.
        top_speed: The largest speed between two points.
        top_slope: The largest |J d| at a point.
        resolved: Length of the way over the integral of |J d| (trapezoid rule): near 1 where the points lie dense
            enough to see every turn of the embedding.
    """

    embedding_length: float
    chord: float
    detour: float
    off_chord: float | None
    top_speed: float | None
    top_slope: float | None
    resolved: float


@dataclass(frozen=True)
class MatchedSummary:
    """How well the path kept to its embedding, and how far the images went.

    Args:
        reference: Whose embedding.
        reached: Points that met the goal.
        lowest_cosine: Over all points.
        largest_between: The largest relative residual halfway between two points.
        correction: L2 from the last point to its place on the straight line.
        covered: Share of the way from START to END at the last point, by projection.
        nearer: The same by distance.
        l2: Distance of the last point from START.
    """

    reference: Reference
    reached: int
    lowest_cosine: float
    largest_between: float | None
    correction: float
    covered: float | None
    nearer: float | None
    l2: float


@dataclass(frozen=True)
class Yardstick:
    """How far one can go in a straight line before the embedding has drifted by the tolerance.

    Args:
        random: L2 reached along random directions.
        random_median: Their median.
        straight: L2 reached from START straight towards END; None without END.
        forwards: Forwards that it took.
    """

    random: tuple[float, ...]
    random_median: float
    straight: float | None
    forwards: int


@dataclass(frozen=True)
class NullSummary:
    """How far the walk went and how little the embedding changed.

    Args:
        l2: Distance of the last point from START.
        length: Length of the way walked.
        final_drift: |f(x) - f(START)| / |f(START)| at the last point.
        largest_drift: The largest at any point.
        largest_between: The largest halfway between two points.
        accepted: Steps taken.
        rejected: Steps that left the tolerance and were shortened.
        covered: Share of the way from START to END at the last point, by projection; None without END.
        nearer: The same by distance.
        yardstick: Straight lines, at a drift of the tolerance, which the walk never reaches.
        times_random: `l2` over the median of random directions.
        times_straight: `l2` over that of the straight line to END; None without END.
    """

    l2: float
    length: float
    final_drift: float
    largest_drift: float | None
    largest_between: float | None
    accepted: int
    rejected: int
    covered: float | None
    nearer: float | None
    yardstick: Yardstick
    times_random: float
    times_straight: float | None


@dataclass(frozen=True)
class GeneralSummary:
    """Where a plugin's path went in pixels and in the embedding, whatever it set out to keep.

    Args:
        l2: Distance of the last point from START.
        length: Length of the way through the points.
        embedding_length: Length of the way through the points' embeddings.
        chord: Distance from the first of these to the last.
        detour: The length over the chord; infinite where these two embeddings are equal.
        top_speed: The largest speed between two points; None where nothing moved.
        lowest_cosine_start: The lowest cosine similarity to START's embedding.
        covered: Share of the way from START to END at the last point, by projection.
        nearer: The same by distance.
    """

    l2: float
    length: float
    embedding_length: float
    chord: float
    detour: float
    top_speed: float | None
    lowest_cosine_start: float
    covered: float | None
    nearer: float | None


#: Measures of the whole, by path.
Summary = LinearSummary | MatchedSummary | NullSummary | GeneralSummary


@dataclass(frozen=True)
class PathRecord:
    """The `result` of `interpolate.json`.

    Args:
        path: Which way it went: of `PathKind`, or a plugin's name.
        summary: Measures of the whole, by path.
        points: Measures of each point, in order.

    Raises:
        ValueError: If there is no point.
    """

    path: str
    summary: Summary
    points: tuple[PathPoint, ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("it has no points")


@dataclass(frozen=True, eq=False)
class PathResult:
    """One path.

    Args:
        status: How it ended.
        message: The same in a sentence.
        path: Which way it went: of `PathKind`, or a plugin's name.
        points: Measures of each point, in order.
        summary: Measures of the whole.
        pixels: The points, (k, 3, H, W) in [0, 1].
        embeddings: f there, (k, n).
        reference: The reference embedding, (n,).
        end: END's pixels, (3, H, W); None without END.
        cost: What it took, measurements included.
    """

    status: Status
    message: str
    path: str
    points: tuple[PathPoint, ...]
    summary: Summary
    pixels: Tensor
    embeddings: Tensor
    reference: Tensor
    end: Tensor | None
    cost: Cost

    def to_dict(self) -> dict[str, Any]:
        """Returns the `result` object of `interpolate.json`, a `PathRecord` as plain JSON types."""
        plain: dict[str, Any] = jsonable(PathRecord(self.path, self.summary, self.points))
        return plain
