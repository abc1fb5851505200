"""Embeddings in two dimensions: principal components (Pearson 1901) of the unit vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from vitequiv.plots.classify import short

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, the yellow left out, which is too faint for lines."""
NAMED = 6
"""Matches up to which points are named."""

Floats = NDArray[np.float64]


def unit_rows(vectors: Floats) -> Floats:
    """Normalise rows; zero rows stay zero.

    Args:
        vectors: (B, n).

    Returns:
        (B, n).
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), dtype=np.float64)


def principal_components(vectors: Floats, count: int = 2) -> tuple[Floats, Floats]:
    """Project vectors on the directions of largest variance.

    Args:
        vectors: (B, n).
        count: Directions.

    Returns:
        Coordinates (B, count), each direction's sign such that its largest coordinate is positive, and the share of the
        variance along each, (count,); zeros beyond the rank.
    """
    centred = vectors - vectors.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    coordinates = np.zeros((len(vectors), count))
    shares = np.zeros(count)
    kept = min(count, len(values))
    coordinates[:, :kept] = left[:, :kept] * values[:kept]
    extreme = np.abs(coordinates).argmax(axis=0)
    coordinates *= np.where(coordinates[extreme, np.arange(count)] < 0, -1.0, 1.0)
    total = float((values**2).sum())
    shares[:kept] = values[:kept] ** 2 / total if total > 0 else 0
    return coordinates, shares


def draw_projection(axes: Axes, matches: Sequence[tuple[str, str, Mapping[str, Floats]]]) -> None:
    """Draw sources, matched images and targets of one model, each match in its target's colour.

    Args:
        axes: Where.
        matches: Source's name, target's name, and the embeddings `saved`, `target` and perhaps `start`, (n,); those
            that are not finite are left out.
    """
    matches = [match for match in matches if all(np.isfinite(vector).all() for vector in match[2].values())]
    if not matches:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no finite embeddings", ha="center", va="center")
        return
    points = unit_rows(np.stack([e[key] for _, _, e in matches for key in ("start", "saved", "target") if key in e]))
    coordinates, shares = principal_components(points)
    place = iter(coordinates)
    targets = list(dict.fromkeys(target for _, target, _ in matches))
    taken: list[Floats] = []
    for source, target, embeddings in matches:
        colour = COLOURS[targets.index(target) % len(COLOURS)]
        start = next(place) if "start" in embeddings else None
        saved, end = next(place), next(place)
        if start is not None:
            axes.plot(*zip(start, saved, strict=True), color=colour, linewidth=1, alpha=0.7, zorder=1)
            axes.plot(*start, "o", color=colour, markersize=7, zorder=2)
        axes.plot(*zip(saved, end, strict=True), color=colour, linewidth=1, linestyle=":", zorder=1)
        axes.plot(*saved, "^", markeredgecolor=colour, markerfacecolor="none", markersize=9, zorder=3)
        axes.plot(*end, "*", color=colour, markersize=13, markeredgecolor="white", markeredgewidth=0.5, zorder=2)
        named = [(start, source), (end, target)] if len(matches) <= NAMED else []
        for point, name in named:
            if point is None or any(np.allclose(point, other) for other in taken):
                continue
            taken.append(point)
            axes.annotate(short(name), point, xytext=(6, 6), textcoords="offset points", fontsize=8, parse_math=False)
    axes.set(
        xlabel=f"principal component 1 ({shares[0]:.0%} of the variance)",
        ylabel=f"principal component 2 ({shares[1]:.0%})",
    )
    axes.margins(0.18)
    axes.grid(alpha=0.3)
    marks = (("o", "full", "original"), ("^", "none", "matched"), ("*", "full", "target"))
    handles = [
        # matplotlib's types know fillstyle as a literal; here it is one of two of them, in a variable.
        Line2D([], [], marker=marker, linestyle="", color="#555555", fillstyle=fill, label=label)  # type: ignore[arg-type]
        for marker, fill, label in marks
    ]
    axes.legend(handles=handles, fontsize=8, loc="best")
