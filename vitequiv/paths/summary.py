"""A path as a whole, from the measures of its points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from vitequiv.paths.linear import LinearTrace
from vitequiv.paths.null_walk import NullTrace
from vitequiv.paths.trace import Trace
from vitequiv.precision import wide
from vitequiv.results.interpolate import (
    GeneralSummary,
    LinearSummary,
    MatchedSummary,
    NullSummary,
    PathPoint,
    Yardstick,
)
from vitequiv.results.names import Reference
from vitequiv.results.status import Status


def linear_summary(trace: LinearTrace, points: Sequence[PathPoint]) -> LinearSummary:
    """Say how straight and how even the embedding's way is.

    Args:
        trace: The path.
        points: Its measures.

    Returns:
        The summary; NaN where the embedding is not finite.
    """
    length, chord = _way(trace.embeddings)
    along = wide(trace.pixels - trace.pixels[0]).flatten(1).norm(dim=1)
    integral = float(torch.trapezoid(wide(trace.slopes), along))
    return LinearSummary(
        embedding_length=length,
        chord=chord,
        detour=_times(length, chord),
        off_chord=_largest(point.off_chord for point in points),
        top_speed=_largest(point.speed for point in points),
        top_slope=_largest(point.slope for point in points),
        resolved=length / integral if integral else math.nan,
    )


def matched_summary(
    trace: Trace, points: Sequence[PathPoint], reference: Reference, straight: Tensor
) -> MatchedSummary:
    """Say how well a path kept to its embedding.

    Args:
        trace: The path.
        points: Its measures.
        reference: Whose embedding it is.
        straight: The last point's place on the straight line, (3, H, W).

    Returns:
        The summary.
    """
    last = points[-1]
    return MatchedSummary(
        reference=reference,
        reached=len(points) - (trace.status is not Status.CONVERGED),
        lowest_cosine=min(point.cosine for point in points),
        largest_between=_largest(point.between for point in points),
        correction=float(wide(trace.pixels[-1] - straight).norm()),
        covered=last.covered,
        nearer=last.nearer,
        l2=last.l2,
    )


def null_summary(trace: NullTrace, points: Sequence[PathPoint], straight_lines: Yardstick) -> NullSummary:
    """Say how far a walk went, and how little the embedding changed.

    Args:
        trace: The walk.
        points: Its measures.
        straight_lines: How far straight lines go at a drift of the tolerance.

    Returns:
        The summary.
    """
    last = points[-1]
    return NullSummary(
        l2=last.l2,
        length=float(walked(trace)[-1]),
        final_drift=last.relative_residual,
        largest_drift=_largest(point.relative_residual for point in points),
        largest_between=_largest(point.between for point in points),
        accepted=len(points) - 1,
        rejected=trace.rejected,
        covered=last.covered,
        nearer=last.nearer,
        yardstick=straight_lines,
        times_random=_times(last.l2, straight_lines.random_median),
        times_straight=None if straight_lines.straight is None else _times(last.l2, straight_lines.straight),
    )


def general_summary(trace: Trace, points: Sequence[PathPoint]) -> GeneralSummary:
    """Say where a plugin's path went.

    Args:
        trace: The path.
        points: Its measures.

    Returns:
        The summary; NaN where the embedding is not finite.
    """
    last = points[-1]
    embedding_length, chord = _way(trace.embeddings)
    return GeneralSummary(
        l2=last.l2,
        length=float(walked(trace)[-1]),
        embedding_length=embedding_length,
        chord=chord,
        detour=_times(embedding_length, chord),
        top_speed=_largest(point.speed for point in points),
        lowest_cosine_start=min(point.cosine_start for point in points),
        covered=last.covered,
        nearer=last.nearer,
    )


def walked(trace: Trace) -> Tensor:
    """Length of the way up to each point, (k,), from 0."""
    steps = wide(trace.pixels).flatten(1).diff(dim=0).norm(dim=1)
    return torch.cat([steps.new_zeros(1), steps.cumsum(0)])


def shares(trace: Trace) -> list[float]:
    """The share of the way walked up to each point; 0 where nothing moved."""
    along = walked(trace)
    places: list[float] = (along / along[-1]).tolist() if along[-1] > 0 else [0.0] * len(along)
    return places


def _way(embeddings: Tensor) -> tuple[float, float]:
    """Length of the way through embeddings (k, n), and the distance from the first to the last."""
    embeddings = wide(embeddings)
    return float(embeddings.diff(dim=0).norm(dim=1).sum()), float((embeddings[-1] - embeddings[0]).norm())


def _times(length: float, unit: float) -> float:
    return length / unit if unit else math.inf


def _largest(values: Iterable[float | None]) -> float | None:
    """The largest of those measured; None if there are none."""
    return max((value for value in values if value is not None), default=None)
