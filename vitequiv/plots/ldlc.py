"""The figure of directional Lipschitz constants: per singular direction over the spectrum, and histograms by group."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vitequiv.results.ldlc import Directions, LdlcResult

TITLES = {
    Directions.SINGULAR: "right singular vectors",
    Directions.RANDOM: "random directions",
    Directions.NULL: "random directions in the null space",
    Directions.MATCH: "direction of the match",
}


def ldlc_png(result: LdlcResult, title: str) -> bytes:
    """Draw a result on one page (paper, Fig. 3 and 4).

    Args:
        result: The result.
        title: The figure's title.

    Returns:
        A PNG file: the constants along the singular vectors over the singular values, if that group is there, then a
        histogram a group with mean, rounding floor and, where there are more, |J d| of the directions not measured.
    """
    groups = list(result.groups)
    panels = len(groups) + (Directions.SINGULAR in result.groups)
    columns = 2 if panels > 1 else 1
    rows = -(-panels // columns)
    figure = Figure(figsize=(5.2 * columns, 3.2 * rows), layout="constrained")
    figure.suptitle(
        f"{title}\nepsilon {result.epsilon:.3g}, sigma 1 {float(result.singular_values[0]):.4g}", fontsize=10
    )
    axes = iter(figure.subplots(rows, columns, squeeze=False).flat)
    if Directions.SINGULAR in result.groups:
        _over_the_spectrum(next(axes), result)
    for name in groups:
        _histogram(next(axes), result, name)
    for unused in axes:
        unused.set_axis_off()
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _over_the_spectrum(axes: Axes, result: LdlcResult) -> None:
    measured = result.groups[Directions.SINGULAR].measured
    index = np.arange(1, len(measured) + 1)
    axes.plot(index, _array(result.singular_values)[: len(measured)], label="singular value")
    axes.plot(index, _array(measured), ".", markersize=3, label="constant along its vector")
    axes.axhline(result.groups[Directions.SINGULAR].floor, color="grey", linestyle=":", label="rounding floor")
    axes.set_yscale("log")
    axes.set(xlabel="index", title="constants along the right singular vectors")
    axes.legend(fontsize=7)


def _histogram(axes: Axes, result: LdlcResult, name: Directions) -> None:
    group = result.groups[name]
    measured = _array(group.measured)
    axes.set(title=f"{TITLES[name]} ({len(measured)} measured)", xlabel="constant", ylabel="density")
    if len(measured) == 1:
        axes.axvline(measured[0], color="tab:blue", label=f"{measured[0]:.3g}")
        axes.set_xlim(0, 1.3 * measured[0] or 1.0)
    else:
        derivatives = _array(group.derivatives)
        if len(derivatives) > len(measured):
            axes.hist(derivatives, bins=60, density=True, alpha=0.4, label=f"|J d| of {len(derivatives)}")
        axes.hist(measured, bins=30, density=True, histtype="step", label="measured by Eq. 7")
        axes.axvline(float(measured.mean()), color="tab:red", linewidth=1, label=f"mean {measured.mean():.3g}")
    if measured.max() < 100 * group.floor:
        axes.axvline(group.floor, color="grey", linestyle=":", label=f"rounding floor {group.floor:.1e}")
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-2, 3))
    axes.legend(fontsize=7)


def _array(values: Tensor) -> np.ndarray:
    return np.asarray(values.cpu())
