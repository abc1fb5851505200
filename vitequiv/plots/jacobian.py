"""The figures of a Jacobian: its spectrum (paper, Fig. 3) and its right singular vectors as images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vitequiv.plots.drawing import figure_png
from vitequiv.plots.settings import fixed_settings


@fixed_settings()
def spectrum_png(
    spectra: Mapping[str, Sequence[float]], title: str, rank: int | None, tolerance: float | None
) -> bytes:
    """Draw singular values on a logarithmic scale, two images overlaid if two are given.

    Args:
        spectra: Falling singular values by image.
        title: The figure's title.
        rank: The numerical rank of the first, marked by a line; None for none.
        tolerance: What is not told from zero, marked by a line; None for none.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    lines = {}  # by label: matplotlib itself leaves out of a legend what begins with an underscore
    for (name, values), style in zip(spectra.items(), ("-", "--", ":"), strict=False):
        positive = np.array([value if value > 0 else np.nan for value in values])
        marker = "o" if len(positive) <= 64 else ""
        (lines[name],) = axes.plot(np.arange(1, len(positive) + 1), positive, style, marker=marker, markersize=3)
    if any(value > 0 for values in spectra.values() for value in values):
        axes.set_yscale("log")
    if rank is not None:
        lines[f"numerical rank {rank}"] = axes.axvline(rank, color="grey", linewidth=1)
    if tolerance:
        label = f"tolerance {tolerance:.1e}"
        lines[label] = axes.axhline(tolerance, color="tab:red", linewidth=1, linestyle=":")
    axes.set_title(title, parse_math=False)
    axes.set(xlabel="index", ylabel="singular value")
    axes.grid(alpha=0.3)
    for text in axes.legend(list(lines.values()), list(lines), fontsize=8).get_texts():
        text.set_parse_math(False)
    return _png(figure)


@fixed_settings()
def vector_png(vector: NDArray[np.floating], title: str) -> bytes:
    """Draw a right singular vector as an image: its colours about grey, and its channel mean with a signed scale.

    Args:
        vector: (3, H, W); a unit vector, so its sign is arbitrary and its scale that of one pixel.
        title: The figure's title.

    Returns:
        A PNG file.
    """
    largest = float(np.abs(vector).max()) or 1.0
    mean = vector.mean(axis=0)
    bound = float(np.abs(mean).max()) or 1.0
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    figure.suptitle(title, fontsize=10, parse_math=False)
    colour, signed = figure.subplots(1, 2)
    colour.imshow(np.clip(0.5 + vector.transpose(1, 2, 0) / (2 * largest), 0, 1))
    colour.set_title(f"colours; grey is 0, full range ±{largest:.3g}", fontsize=8)
    shown = signed.imshow(mean, cmap="RdBu_r", vmin=-bound, vmax=bound)
    signed.set_title("mean of the channels", fontsize=8)
    figure.colorbar(shown, ax=signed)
    for axes in (colour, signed):
        axes.set_axis_off()
    return _png(figure)


def _png(figure: Figure) -> bytes:
    return figure_png(figure, dpi=110)
