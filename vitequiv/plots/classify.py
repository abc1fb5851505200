"""The matrix of class probabilities, image by class (paper, Fig. 1 d and h)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vitequiv.plots.drawing import figure_png
from vitequiv.plots.settings import fixed_settings

if TYPE_CHECKING:
    from torch import Tensor

COLUMNS = 20
"""Classes drawn; of more, those that are most probable for some image and can be seen."""
ROWS = 60
"""Images drawn with their names; more get thin rows without."""
CELLS = 240
"""Cells up to which probabilities are printed."""
CROWDED = 15
"""Columns from which names stand upright."""
ARROW = " → "
LONGEST = 28
"""Characters of a name."""


@fixed_settings()
def matrix_png(
    names: Sequence[str], labels: Sequence[str], probabilities: Tensor, title: str, originals: int | None = None
) -> bytes:
    """Draw probabilities as a heat map.

    Args:
        names: The B images.
        labels: The C classes.
        probabilities: (B, C).
        title: The figure's title.
        originals: How many rows come before the matched images, marked by a gap; None for no matched ones.

    Returns:
        A PNG file.
    """
    values = np.asarray(probabilities.cpu(), dtype=np.float64)
    columns = chosen_columns(values)
    shown = values[:, columns]
    height = 0.3 * len(names) if len(names) <= ROWS else 8.0
    figure = Figure(figsize=(max(5.0, 2.6 + 0.5 * len(columns)), max(2.4, 1.9 + height)), layout="constrained")
    axes = figure.subplots()
    mappable = draw_matrix(axes, shown, names, [labels[i] for i in columns])
    if originals is not None and 0 < originals < len(names):
        axes.axhline(originals - 0.5, color="white", linewidth=4)
    left_out = len(labels) - len(columns)
    more = f"\nthe {len(columns)} most probable of {len(labels)} classes" if left_out else ""
    figure.suptitle(title + more, fontsize=10, parse_math=False)
    axes.set(xlabel="class")
    figure.colorbar(mappable, ax=axes, label="probability", fraction=0.05, pad=0.02)
    return png(figure)


def chosen_columns(values: NDArray[np.float64], limit: int = COLUMNS) -> list[int]:
    """Choose the classes to draw.

    Args:
        values: Probabilities (B, C).
        limit: How many at most.

    Returns:
        All columns if they are few enough, else those of the largest probabilities of any image that can be seen, in
        order.
    """
    if values.shape[1] <= limit:
        return list(range(values.shape[1]))
    highest = values.max(axis=0)
    order = np.argsort(-highest, kind="stable")[:limit]
    seen = order[highest[order] >= 0.005]
    return sorted((seen if len(seen) >= 2 else order[:2]).tolist())


def draw_matrix(
    axes: Axes,
    values: NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    limits: tuple[float, float] = (0.0, 1.0),
) -> ScalarMappable:
    """Draw a matrix with named rows and columns, with its numbers where they are few.

    Args:
        axes: Where.
        values: (B, C).
        rows: B names.
        columns: C names.
        limits: What the ends of the colour scale stand for.

    Returns:
        What a colour bar needs.
    """
    low, high = limits
    image = axes.imshow(values, cmap="viridis", vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    crowded = len(columns) > CROWDED
    axes.set_xticks(range(len(columns)), [short(name) for name in columns], rotation=90 if crowded else 60, ha="right")
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    if len(rows) <= ROWS:
        axes.set_yticks(range(len(rows)), [short(name) for name in rows])
    else:
        axes.set_yticks([])
        axes.set_ylabel(f"{len(rows)} images, in the order of the JSON")
    for label in axes.get_xticklabels():
        label.set_rotation_mode("anchor")
        label.set_verticalalignment("center" if crowded else "top")
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_fontsize(7 if crowded else 8)
        label.set_parse_math(False)
    axes.tick_params(which="minor", length=0)
    if values.size <= CELLS:
        for (row, column), value in np.ndenumerate(values):
            if low == 0 and abs(value) < 0.005:
                continue  # a matrix of probabilities is mostly zero
            bright = value > low + 0.6 * (high - low)
            text = f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.0f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color="black" if bright else "white")
    return image


def short(name: str, longest: int = LONGEST) -> str:
    """A name that fits beside a matrix; of SOURCE → TARGET some of both."""
    if len(name) <= longest:
        return name
    source, arrow, target = name.partition(ARROW)
    if arrow:
        room = longest - len(ARROW)
        kept = max(room // 2, room - len(target))  # a short one leaves its room to the other
        return short(source, kept) + arrow + short(target, room - min(len(source), kept))
    return f"{name[: longest - 1]}…"


def png(figure: Figure) -> bytes:
    """Render a figure.

    Args:
        figure: The figure.

    Returns:
        A PNG file.
    """
    return figure_png(figure, dpi=120)
