"""The curves of a path (paper, Fig. 6 and 7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vitequiv.plots.drawing import figure_png
from vitequiv.plots.settings import fixed_settings
from vitequiv.results.interpolate import GeneralSummary, NullSummary, PathPoint, PathResult
from vitequiv.results.names import PathKind

BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
"""Okabe and Ito's colours, told apart by everybody."""
GREY = "#BBBBBB"
PIXELS = "L2, pixels in [0, 1]"


@fixed_settings()
def curve_png(result: PathResult, title: str, limit: float | None = None) -> bytes:
    """Draw what the embedding does along a path.

    Args:
        result: The path.
        title: The figure's title.
        limit: The cosine that a matched path was to keep, or the tolerance of a walk; drawn as a line.

    Returns:
        A PNG file of three panels. For `linear`: cosine to both ends, speed and slope, distance from the chord. For
        `matched`: cosine, relative residual, and how far the images went. For `null`: drift, how far the walk went
        beside straight lines, cosine to both ends. For a plugin's path: cosine to both ends, speed, how far it went.
    """
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    figure.suptitle(title, fontsize=10, parse_math=False)
    panels: Sequence[Axes] = figure.subplots(1, 3)
    if result.path == PathKind.LINEAR:
        _linear(panels, result.points)
    elif result.path == PathKind.MATCHED:
        _matched(panels, result.points, limit)
    elif isinstance(result.summary, NullSummary):
        _null(panels, result.points, result.summary, limit)
    elif isinstance(result.summary, GeneralSummary):
        _general(panels, result.points, result.summary)
    for axes in panels:
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
    return figure_png(figure, dpi=120)


def _linear(panels: Sequence[Axes], points: Sequence[PathPoint]) -> None:
    cosines, speed, chord = panels
    t = _column(points, "t")
    _ends(cosines, points, t)
    speed.plot(_halfway(t), _column(points[1:], "speed"), color=BLUE, marker=".", label="between two points")
    speed.plot(t, _column(points, "slope"), color=VERMILLION, linestyle="--", label="slope |J d| at a point")
    speed.set_ylabel("change of embedding per L2 of pixels")
    chord.plot(t, _column(points, "off_chord"), color=GREEN, marker=".")
    chord.set_ylabel("distance from the chord / its length")
    _from_zero(speed, chord)
    for axes in panels:
        axes.set_xlabel("t, share of the way from START to END")


def _matched(panels: Sequence[Axes], points: Sequence[PathPoint], goal: float | None) -> None:
    cosines, residual, moved = panels
    t = _column(points, "t")
    cosines.plot(t, _column(points, "cosine"), color=GREY, linewidth=5, label="to the embedding kept")
    _ends(cosines, points, t)
    if goal is not None:
        cosines.axhline(goal, color="grey", linestyle=":", label=f"to be kept: {goal:g}")
    residual.plot(t, _column(points, "relative_residual"), color=BLUE, marker=".", label="at the points")
    residual.plot(_halfway(t), _column(points[1:], "between"), "x", color=ORANGE, label="halfway between")
    residual.set_ylabel("relative distance to the embedding kept")
    moved.plot(t, _column(points, "covered"), color=BLUE, marker=".", label="along the way to END")
    moved.plot(t, _column(points, "nearer"), color=VERMILLION, marker=".", label="nearer to END")
    moved.plot([0, 1], [0, 1], color="grey", linestyle=":", label="straight line")
    moved.set(ylabel="share of the pixel distance covered", ylim=(min(0.0, *(p.nearer or 0 for p in points)), 1.02))
    _from_zero(residual)
    for axes in panels:
        axes.set(xlabel="t, share of the way from START to END", xlim=(-0.03, 1.03))


def _null(panels: Sequence[Axes], points: Sequence[PathPoint], summary: NullSummary, tolerance: float | None) -> None:
    drift, moved, cosines = panels
    l2 = _column(points, "l2")
    length = summary.length * _column(points, "t")
    drift.plot(length, _column(points, "relative_residual"), color=BLUE, marker=".", label="at the points")
    drift.plot(_halfway(length), _column(points[1:], "between"), "x", color=ORANGE, label="halfway between")
    if tolerance is not None:
        drift.axhline(tolerance, color="grey", linestyle=":", label=f"tolerance {tolerance:g}")
    drift.set_ylabel("relative drift of the embedding")
    moved.plot(length, l2, color=BLUE, marker=".", label="the walk")
    median = summary.yardstick.random_median
    moved.axhline(median, color=ORANGE, linestyle="--", label=f"random line at that drift: {median:.3g}")
    if summary.yardstick.straight is not None:
        straight = summary.yardstick.straight
        moved.axhline(straight, color=GREEN, linestyle="-.", label=f"line to END at that drift: {straight:.3g}")
    moved.set_ylabel(f"from START ({PIXELS})")
    _from_zero(drift, moved)
    _ends(cosines, points, length)
    for axes in panels:
        axes.set_xlabel(f"way walked ({PIXELS})")


def _general(panels: Sequence[Axes], points: Sequence[PathPoint], summary: GeneralSummary) -> None:
    cosines, speed, moved = panels
    length = summary.length * _column(points, "t")
    _ends(cosines, points, length)
    speed.plot(_halfway(length), _column(points[1:], "speed"), color=BLUE, marker=".", label="between two points")
    speed.set_ylabel("change of embedding per L2 of pixels")
    moved.plot(length, _column(points, "covered"), color=BLUE, marker=".", label="along the way to END")
    moved.plot(length, _column(points, "nearer"), color=VERMILLION, marker=".", label="nearer to END")
    moved.set_ylabel("share of the pixel distance covered")
    _from_zero(speed)
    for axes in panels:
        axes.set_xlabel(f"way gone ({PIXELS})")


def _ends(axes: Axes, points: Sequence[PathPoint], x: NDArray[np.float64]) -> None:
    axes.plot(x, _column(points, "cosine_start"), color=BLUE, marker=".", label="to START")
    if points[0].cosine_end is not None:
        axes.plot(x, _column(points, "cosine_end"), color=VERMILLION, marker=".", label="to END")
    axes.set_ylabel("cosine similarity of embeddings")


def _from_zero(*panels: Axes) -> None:
    for axes in panels:
        axes.set_ylim(0, axes.get_ylim()[1] * 1.03 or 1)


def _column(points: Sequence[PathPoint], name: str) -> NDArray[np.float64]:
    """One measure of all points; NaN, which leaves a gap, where it was not taken."""
    values = [getattr(point, name) for point in points]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _halfway(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return (x[1:] + x[:-1]) / 2
