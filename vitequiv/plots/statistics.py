"""The figure of matches of random pairs: cosines, sizes of the change, and rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitequiv.plots.classify import png
from vitequiv.plots.settings import fixed_settings
from vitequiv.results.statistics import PairStatistics

GREY, ORANGE, BLUE, GREEN = "#999999", "#E69F00", "#0072B2", "#009E73"
"""Of the colours of Okabe and Ito, which stay apart for colour-blind readers."""

RATES = {
    "converged": "converged",
    "takes_target_class": "takes the target's class",
    "flipped": "... of those that\nhad another before",
    "same_class_before": "had it before",
    "accuracy": "classifier is right\non the originals",
}


@fixed_settings()
def statistics_png(result: PairStatistics, null: Sequence[float], spec: str) -> bytes:
    """Draw the statistics of one encoder.

    Args:
        result: The statistics.
        null: Cosines of all pairs of drawn images.
        spec: The encoder.

    Returns:
        A PNG file: cumulative distributions of the cosines (all drawn images among each other, pairs before, pairs
        after), histograms of the L2 norm, PSNR, SSIM and, where there is one, LPIPS of the change, and the rates with
        their 95 % intervals.
    """
    figure = Figure(figsize=(10, 6.6), layout="constrained")
    across = " across classes" if result.different_class else ""
    title = f"{spec}: {result.count} random pairs{across} of {result.population} images, seed {result.seed}"
    figure.suptitle(title, fontsize=11, parse_math=False)
    sizes = [pair.perturbation for pair in result.pairs if pair.perturbation]
    shown = [
        ([size.l2 for size in sizes], "L2 of the change (pixels in [0, 1])", BLUE),
        ([size.psnr_db for size in sizes], "PSNR of the 8-bit image (dB)", GREEN),
        ([size.ssim for size in sizes], "SSIM of the 8-bit image", ORANGE),
    ]
    if perceptual := [size.lpips for size in sizes if size.lpips is not None]:
        shown.append((perceptual, "LPIPS of the 8-bit image", GREY))
    top, bottom = figure.subfigures(2, 1, squeeze=False)[:, 0]
    cosines, rates = top.subplots(1, 2)
    _cosines(cosines, result, null)
    _rates(rates, result)
    histograms = bottom.subplots(1, len(shown))
    for axes, (values, label, colour) in zip(histograms, shown, strict=True):
        _histogram(axes, values, label, colour)
    return png(figure)


def _cosines(axes: Axes, result: PairStatistics, null: Sequence[float]) -> None:
    before = _finite(pair.cosine_before for pair in result.pairs)
    after = _finite(pair.cosine_after for pair in result.pairs)
    null = _finite(null)
    # Cumulative: a histogram of cosines that all end at the goal is one bar beside which nothing else can be seen.
    if null:
        axes.ecdf(null, label=f"any two drawn ({len(null)})", color=GREY, linewidth=4, alpha=0.6)
    if before:
        axes.ecdf(before, label=f"before ({len(before)})", color=ORANGE, linewidth=1.6)
    if after:
        axes.ecdf(after, label=f"after ({len(after)})", color=BLUE, linewidth=1.6, linestyle="--")
    axes.set(xlabel="cosine similarity of the embeddings", ylabel="share of pairs at or below")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7.5, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, columnspacing=1, handlelength=1.5)


def _finite(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and np.isfinite(value)]


def _rates(axes: Axes, result: PairStatistics) -> None:
    shown = [(label, result.rates[name]) for name, label in RATES.items() if result.rates[name].trials]
    for place, (_, rate) in enumerate(shown):
        if rate.rate is None or rate.low is None or rate.high is None:
            continue
        axes.plot([rate.low, rate.high], [place, place], color=BLUE, linewidth=2.5, solid_capstyle="butt")
        axes.plot([rate.rate], [place], "o", color=BLUE)
        text = f"{rate.successes}/{rate.trials}"
        axes.annotate(text, (1.03, place), va="center", fontsize=8, annotation_clip=False)
    axes.set_yticks(range(len(shown)), [label for label, _ in shown], fontsize=8)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(shown) - 0.4, -0.6), xlabel="rate, with 95 % interval (Wilson)")
    axes.grid(axis="x", alpha=0.3)


def _histogram(axes: Axes, values: Sequence[float], label: str, colour: str) -> None:
    finite = _finite(values)
    axes.set(xlabel=label, ylabel="pairs")
    if finite:
        axes.hist(finite, bins=min(30, max(5, len(finite) // 3)), color=colour)
        mean = float(np.mean(finite))
        axes.axvline(mean, color="black", linewidth=1, linestyle=":", label=f"mean {mean:.3g}")
        axes.legend(fontsize=8)
