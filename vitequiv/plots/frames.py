"""The images of a path: a labelled strip and an animation (paper, Fig. 11 and 12)."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from vitequiv.images.lattice import to_uint8
from vitequiv.plots.drawing import figure_png
from vitequiv.plots.settings import fixed_settings
from vitequiv.results.interpolate import MatchedSummary, PathPoint, PathResult
from vitequiv.results.names import Reference

STRIP_FRAMES = 7
GIF_FRAMES = 60
SMALLEST_SIDE = 256
"""Smaller images are enlarged to at least this, each pixel to a square."""
FRAME_MS, LAST_FRAME_MS = 120, 1500
BAR = 6
"""Height of the bar below the image that shows the place on the path, in pixels."""
BLUE, GREY = (0, 114, 178), (220, 220, 220)


@fixed_settings()
def strip_png(result: PathResult, title: str) -> bytes:
    """Draw some frames of a path side by side with their places and cosines, and END if it is not the last of them.

    Args:
        result: The path.
        title: The figure's title.

    Returns:
        A PNG file.
    """
    chosen = [(result.pixels[i], _label(result, i)) for i in evenly(result.points, STRIP_FRAMES)]
    if result.end is not None and not bool((result.end == result.pixels[-1]).all()):
        chosen.append((result.end, "END itself"))
    heading = fill(title, 22 * len(chosen))  # so many letters are as wide as the frames
    lines = 1 + chosen[0][1].count("\n") + heading.count("\n")
    figure = Figure(figsize=(1.6 * len(chosen), 1.8 + 0.17 * lines), layout="compressed")
    figure.suptitle(heading, fontsize=9, parse_math=False)
    for axes, (pixels, label) in zip(figure.subplots(1, len(chosen)), chosen, strict=True):
        axes.imshow(to_uint8(pixels), interpolation="nearest" if pixels.shape[-1] < SMALLEST_SIDE else "antialiased")
        axes.set(xticks=[], yticks=[])
        axes.set_xlabel(label, fontsize=8)
    return figure_png(figure, dpi=150)


def path_gif(result: PathResult) -> bytes:
    """Animate a path.

    Args:
        result: The path.

    Returns:
        A GIF file that loops: a frame a point, or `GIF_FRAMES` of them spread evenly; the last one stays longer. Each
        is at the encoder's input size or a multiple of it, in 256 colours, with a bar below that shows t.
    """
    chosen = evenly(result.points, GIF_FRAMES)
    frames = [_frame(to_uint8(result.pixels[i]), result.points[i].t) for i in chosen]
    buffer = BytesIO()
    frames[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS],
        loop=0,
    )
    return buffer.getvalue()


def evenly(points: Sequence[PathPoint], count: int) -> list[int]:
    """Choose points at even places of a path.

    Args:
        points: All of them, t rising.
        count: How many at most, at least 2.

    Returns:
        Indices, rising, with the first and the last.
    """
    if len(points) <= count:
        return list(range(len(points)))
    t = np.array([point.t for point in points])
    places = np.linspace(t[0], t[-1], count)
    return sorted({int(np.abs(t - place).argmin()) for place in places})


def _label(result: PathResult, index: int) -> str:
    point = result.points[index]
    lines = [f"t = {point.t:.2f}", f"L2 {point.l2:.3g}", f"cos START {point.cosine_start:.4f}"]
    if point.cosine_end is not None:
        lines.append(f"cos END {point.cosine_end:.4f}")
    if isinstance(result.summary, MatchedSummary) and result.summary.reference is Reference.IMAGE:
        lines.append(f"cos image {point.cosine:.4f}")
    return "\n".join(lines)


def _frame(levels: NDArray[np.uint8], t: float) -> Image.Image:
    height, width = levels.shape[:2]
    factor = -(-SMALLEST_SIDE // min(height, width)) if min(height, width) < SMALLEST_SIDE else 1
    large = levels.repeat(factor, axis=0).repeat(factor, axis=1)
    bar = np.full((BAR, large.shape[1], 3), GREY, dtype=np.uint8)
    bar[:, : max(1, round(t * large.shape[1]))] = BLUE
    return Image.fromarray(np.concatenate([large, bar])).quantize(256)
