"""The figure of a match: its trajectory (paper, Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from vitequiv.matching.names import LossName
from vitequiv.plots.drawing import figure_png
from vitequiv.plots.settings import fixed_settings
from vitequiv.results.match import TrajectoryRow

_FORMULAS = {LossName.DISTANCE: "½|f(x) - f(target)|²", LossName.COSINE: "1 - cosine similarity"}


@fixed_settings()
def trajectory_png(
    rows: Sequence[TrajectoryRow], title: str, goal: float | None, minimised: LossName = LossName.DISTANCE
) -> bytes:
    """Draw loss, cosine similarity and mean pixel change against passes (paper, Fig. 5).

    Args:
        rows: The trajectory.
        title: What was matched to what.
        goal: The cosine to reach, drawn as a line; None for none.
        minimised: What the loss is.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    figure.suptitle(title, fontsize=10, parse_math=False)
    loss, cosine, change = figure.subplots(1, 3)
    passes = [row.passes for row in rows]
    style = {"linewidth": 1.5, "marker": "." if len(rows) < 30 else ""}
    loss.plot(passes, [row.loss for row in rows], color="tab:red", **style)
    if any(row.loss > 0 for row in rows):
        loss.set_yscale("log")
    loss.set_ylabel(f"loss  {_FORMULAS[minimised]}")
    cosine.plot(passes, [row.cosine for row in rows], color="tab:blue", **style)
    if goal is not None:
        cosine.axhline(goal, color="grey", linewidth=1, linestyle="--", label=f"goal {goal:g}")
        cosine.legend(loc="lower right", fontsize=8)
    cosine.set_ylabel("cosine similarity to the target")
    change.plot(passes, [row.mean_abs * 255 for row in rows], color="tab:green", **style)
    change.set_ylabel("mean pixel change (8-bit levels)")
    for axes in (loss, cosine, change):
        axes.set_xlabel("passes")
        axes.grid(alpha=0.3)
    return figure_png(figure, dpi=120)
