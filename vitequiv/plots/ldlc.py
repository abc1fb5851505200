"""The figure of directional Lipschitz constants: per singular direction over the spectrum, and histograms by group."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vitequiv.plots.drawing import figure_png
from vitequiv.plots.settings import fixed_settings
from vitequiv.results.ldlc import Group, LdlcResult
from vitequiv.results.names import Directions

BLUE, VERMILION = "#0072B2", "#D55E00"
"""Told apart by colour-blind readers (Okabe and Ito 2008)."""

TITLES: dict[str, str] = {
    Directions.SINGULAR: "right singular vectors",
    Directions.RANDOM: "random directions",
    Directions.NULL: "random directions in the null space",
    Directions.MATCH: "direction of the match",
}


@fixed_settings()
def ldlc_png(result: LdlcResult, title: str) -> bytes:
    """Draw a result on one page (paper, Fig. 3 and 4).

    Args:
        result: The result.
        title: The figure's title.

    Returns:
        A PNG file: the constants along the singular vectors over the singular values, if that group is there; a
        histogram a group with mean, rounding floor and, where there are more, |J d| of the directions not measured;
        and the sweep of epsilon, if one was made.
    """
    groups = list(result.groups)
    panels = len(groups) + (Directions.SINGULAR in result.groups) + bool(result.sweep)
    columns = 2 if panels > 1 else 1
    rows = -(-panels // columns)
    figure = Figure(figsize=(5.2 * columns, 3.2 * rows), layout="constrained")
    figure.suptitle(
        f"{title}\nepsilon {result.epsilon:.3g}, sigma 1 {float(result.singular_values[0]):.4g}",
        fontsize=10,
        parse_math=False,
    )
    axes = iter(figure.subplots(rows, columns, squeeze=False).flat)
    if Directions.SINGULAR in result.groups:
        _over_the_spectrum(next(axes), result)
    for name in groups:
        _histogram(next(axes), result, name)
    if result.sweep:
        _sweep(next(axes), result)
    for unused in axes:
        unused.set_axis_off()
    return figure_png(figure, dpi=110)


def _over_the_spectrum(axes: Axes, result: LdlcResult) -> None:
    measured = result.groups[Directions.SINGULAR].measured
    index = np.arange(1, len(measured) + 1)
    axes.plot(index, _array(result.singular_values)[: len(measured)], label="singular value")
    axes.plot(index, _array(measured), ".", markersize=3, label="constant along its vector")
    axes.axhline(result.groups[Directions.SINGULAR].floor, color="grey", linestyle=":", label="rounding floor")
    axes.set_yscale("log")
    axes.set(xlabel="index", title="constants along the right singular vectors")
    axes.legend(fontsize=7)


def _histogram(axes: Axes, result: LdlcResult, name: str) -> None:
    group = result.groups[name]
    measured = _array(group.measured)
    axes.set(title=f"{TITLES.get(name, name)} ({len(measured)} measured)", xlabel="constant", ylabel="density")
    if len(measured) == 1 and len(group.along):
        _segment(axes, result, group)
        return
    if len(measured) == 1:
        axes.axvline(measured[0], color=BLUE, label=f"{measured[0]:.3g}")
        axes.set_xlim(0, 1.3 * measured[0] or 1.0)
    elif name == Directions.SINGULAR and measured.min() > 0:  # over many orders of magnitude
        axes.hist(
            measured, bins=np.geomspace(measured.min(), measured.max(), 31).tolist(), histtype="step", color="black"
        )
        axes.set(xscale="log", ylabel="singular vectors")
    else:
        _known(axes, group, measured)
        axes.hist(measured, bins=30, density=True, histtype="step", color="black", label="measured by Eq. 7")
    if len(measured) > 1:
        axes.axvline(float(measured.mean()), color=VERMILION, linewidth=1, label=f"mean {measured.mean():.3g}")
    if measured.max() < 100 * group.floor:
        axes.axvline(group.floor, color="grey", linestyle=":", label=f"rounding floor {group.floor:.1e}")
    if axes.get_xscale() == "linear":
        axes.ticklabel_format(axis="x", style="sci", scilimits=(-2, 3))
    axes.legend(fontsize=7)


def _known(axes: Axes, group: Group, measured: np.ndarray) -> None:
    """|J d| of all directions: a histogram, or, where it is nothing beside what was measured, its largest in words."""
    derivatives = _array(group.derivatives)
    if derivatives.max() < 0.01 * measured.max():
        axes.plot([], [], " ", label=f"|J d| of {len(derivatives)}: at most {derivatives.max():.1e}")
        if len(group.along):
            along = float(group.along.max())
            axes.axvline(along, color=BLUE, linewidth=1, label=f"largest |J(x + a d) d|, {along:.2g}")
    elif len(derivatives) > len(measured):
        axes.hist(derivatives, bins=60, density=True, alpha=0.4, color=BLUE, label=f"|J d| of {len(derivatives)}")


def _segment(axes: Axes, result: LdlcResult, group: Group) -> None:
    """The one direction of a group: the derivative over the range, and what Eq. 7 makes of it."""
    measured = float(group.measured[0])
    offsets = np.linspace(-result.epsilon, result.epsilon, group.along.shape[1])
    axes.plot(offsets, _array(group.along[0]), "o-", color=BLUE, markersize=3, label="|J(x + a d) d|")
    axes.axhline(measured, color=VERMILION, linewidth=1, label=f"constant by Eq. 7, {measured:.3g}")
    axes.set(xlabel="a, L2 distance from the image", ylabel="|J d|")
    axes.set_ylim(0, 1.3 * max(measured, float(group.along.max())) or 1.0)
    axes.legend(fontsize=7)


def _sweep(axes: Axes, result: LdlcResult) -> None:
    """The constant over epsilon, with its error on the way to rounding and to curvature."""
    epsilons = np.array([row.epsilon for row in result.sweep])
    constants = np.array([row.constant for row in result.sweep])
    errors = np.array([row.curvature * row.constant + row.floor for row in result.sweep])
    axes.plot(epsilons, constants, "o-", color=BLUE, markersize=3, label="constant, median of three directions")
    axes.plot(epsilons, errors, "s--", color=VERMILION, markersize=3, label="rounding and curvature together")
    axes.axvline(result.epsilon, color="grey", linestyle=":", label=f"epsilon in use, {result.epsilon:.2g}")
    axes.set(xscale="log", yscale="log", title="choosing epsilon", xlabel="epsilon, L2 distance", ylabel="constant")
    axes.legend(fontsize=7)


def _array(values: Tensor) -> np.ndarray:
    return np.asarray(values.cpu())
