"""The paper's Fig. 1 from saved results: images, projected embeddings, and the matrices before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from vitequiv.images.difference import DIFFERENCE_GAIN
from vitequiv.plots.classify import chosen_columns, draw_matrix, png, short
from vitequiv.plots.projection import draw_projection, unit_rows
from vitequiv.plots.settings import fixed_settings

if TYPE_CHECKING:
    from vitequiv.runs.report_data import ClassView, MatchView, ModelView

SHOWN = 8
"""Matches whose images are drawn in the composite figure."""
COLUMNS = 4
"""Columns of images at least, so that few are not drawn huge."""
ENTRIES = 24
"""Images in a matrix."""
WIDTH = 13.0
LONGEST = 200
"""Letters of a model's name."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Part:
    """A strip of the figure: what it shows, its height in inches, and what draws it."""

    what: str
    height: float
    draw: Callable[[SubFigure], None]


@fixed_settings()
def report_png(models: Sequence[ModelView]) -> tuple[bytes | None, list[str]]:
    """Draw all models below each other.

    Args:
        models: At least one with matches or classifications.

    Returns:
        A PNG file, None if nothing can be drawn; and what was left out of it, for it could not be drawn.
    """
    parts = [part for model in models for part in _parts(model)]
    try:
        return _compose(parts), []
    except Exception:  # which part it is shows only when each is drawn alone
        whole = [part for part in parts if _draws(part)]
        lost = [part.what for part in parts if part not in whole]
        return (_compose(whole) if whole else None), lost


def _compose(parts: Sequence[_Part]) -> bytes:
    figure = Figure(figsize=(WIDTH, sum(part.height for part in parts)), layout="constrained")
    below = figure.subfigures(len(parts), 1, squeeze=False, height_ratios=[part.height for part in parts])
    for subfigure, part in zip(below[:, 0], parts, strict=True):
        part.draw(subfigure)
    return png(figure)


def _draws(part: _Part) -> bool:
    try:
        _compose([part])
    except Exception:
        return False
    return True


def _parts(model: ModelView) -> list[_Part]:
    parts: list[_Part] = []
    if model.matches:
        columns = max(min(len(model.matches), SHOWN), COLUMNS)
        height = 0.4 + 4 * (min(WIDTH / columns, 2.0) + 0.35)
        parts.append(_Part("the images", height, partial(draw_images, model=model)))
        parts.append(_Part("the embeddings", 5.2, partial(draw_embeddings, matches=model.matches)))
    for view in model.classes:
        rows = max(len(split(view)[0]), len(split(view)[1]))
        height = 2.4 + 0.28 * min(rows, ENTRIES)
        parts.append(_Part("a matrix of classes", height, partial(draw_classes, model=model, view=view)))
    return parts


@fixed_settings()
def embeddings_png(matches: Sequence[MatchView]) -> bytes:
    """Draw the projection alone, and below it both cosine matrices; for a narrow page.

    Args:
        matches: Matches of one model.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(7, 15), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1)
    _draw_embeddings(figure, (top, middle, bottom), matches)
    return png(figure)


@fixed_settings()
def classes_png(model: ModelView, view: ClassView) -> bytes:
    """Draw the classification before and after below each other; for a narrow page.

    Args:
        model: The model.
        view: Its classification.

    Returns:
        A PNG file.
    """
    before, after = split(view)
    rows = [min(len(part), ENTRIES) for part in (before, after) if part]
    figure = Figure(figsize=(8, sum(2.4 + 0.3 * count for count in rows)), layout="constrained")
    _draw_classes(figure, model, view, vertical=True)
    return png(figure)


def draw_images(figure: SubFigure, model: ModelView) -> None:
    """Draw originals, matched images, differences and targets, a column a match.

    Args:
        figure: Where.
        model: A model with matches.
    """
    matches = model.matches[:SHOWN]
    more = f" (the first {SHOWN} of {len(model.matches)} matches)" if len(model.matches) > SHOWN else ""
    figure.suptitle(f"{short(model.spec, LONGEST)}{more}", fontsize=12, parse_math=False)
    axes = figure.subplots(4, max(len(matches), COLUMNS), squeeze=False)
    for column in axes.T:
        for one in column:
            one.set_axis_off()
    for column, view in zip(axes.T, matches, strict=False):
        cosine = view.number("cosine", "saved")
        titles = (
            short(view.source_name, 22),
            f"→ {short(view.target_name, 20)}\ncosine {_number(cosine, '.4f')}",
            f"difference x {DIFFERENCE_GAIN}",
            f"target: {short(view.target_name, 18)}",
        )
        for one, image, title in zip(
            column, (view.start, view.matched, view.difference, view.target), titles, strict=True
        ):
            one.set_title(title, fontsize=8, parse_math=False)
            if image is None:
                why = "file moved\nor changed" if view.match.target else "no image"
                one.text(0.5, 0.5, why, ha="center", va="center", fontsize=8)
            else:
                one.imshow(image, interpolation="nearest")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form) if abs(value) < 10 else f"{value:.3g}"


def draw_embeddings(figure: SubFigure, matches: Sequence[MatchView]) -> None:
    """Draw the projection and the cosine matrices beside each other.

    Args:
        figure: Where.
        matches: Matches of one model.
    """
    axes = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
    _draw_embeddings(figure, tuple(axes), matches)


def _draw_embeddings(figure: Figure | SubFigure, axes: tuple[Axes, ...], matches: Sequence[MatchView]) -> None:
    projection, before, after = axes
    draw_projection(projection, [(m.source_name, m.target_name, m.embeddings) for m in matches])
    projection.set_title("embeddings (unit vectors)", fontsize=10)
    whole = [m for m in matches if "start" in m.embeddings]
    for one, key, title in ((before, "start", "cosine similarity before"), (after, "saved", "cosine similarity after")):
        vectors, names = matrix_entries(whole if key == "start" else matches, key)
        if not names:
            one.set_axis_off()
            continue
        units = unit_rows(vectors)
        draw_matrix(one, units @ units.T, names, names, (-1.0, 1.0))
        one.set_title(title, fontsize=10)
    shown = ScalarMappable(Normalize(-1, 1), "viridis")
    figure.colorbar(shown, ax=after, label="cosine similarity", fraction=0.05, pad=0.02)


def matrix_entries(matches: Sequence[MatchView], key: str) -> tuple[Floats, list[str]]:
    """List what a cosine matrix compares.

    Args:
        matches: Matches of one model.
        key: `start` for the originals, `saved` for the matched images.

    Returns:
        Their embeddings and then those of the targets, each once and finite, at most `ENTRIES` in all; and the names.
    """
    found: dict[str, Floats] = {}
    for view in matches:
        name = view.source_name if key == "start" else f"{view.source_name} → {view.target_name}"
        found.setdefault(name, view.embeddings[key])
    for view in matches:
        found.setdefault(view.target_name, view.embeddings["target"])
    names = [name for name, vector in found.items() if np.isfinite(vector).all()][:ENTRIES]
    return (np.stack([found[name] for name in names]) if names else np.zeros((0, 0))), names


def draw_classes(figure: SubFigure, model: ModelView, view: ClassView) -> None:
    """Draw the classification before and after beside each other.

    Args:
        figure: Where.
        model: The model.
        view: Its classification.
    """
    _draw_classes(figure, model, view, vertical=False)


def split(view: ClassView) -> tuple[list[int], list[int]]:
    """Tell the rows of originals from those of matched images.

    Args:
        view: A classification.

    Returns:
        Both lists of rows.
    """
    after = [i for i, role in enumerate(view.roles) if role == "matched"]
    return [i for i, role in enumerate(view.roles) if role != "matched"], after


def _draw_classes(figure: Figure | SubFigure, model: ModelView, view: ClassView, vertical: bool) -> None:
    before, after = split(view)
    parts = [(rows[:ENTRIES], title) for rows, title in ((before, "before"), (after, "after")) if rows]
    columns = chosen_columns(view.probabilities[[row for rows, _ in parts for row in rows]])
    labels = [view.labels[i] for i in columns]
    figure.suptitle(f"{short(model.spec, LONGEST)}: classification ({view.kind})", fontsize=11, parse_math=False)
    if vertical:
        ratios = [1.6 + 0.3 * len(rows) for rows, _ in parts]
        grid = figure.subplots(len(parts), 1, squeeze=False, height_ratios=ratios).ravel()
    else:
        grid = figure.subplots(1, len(parts), squeeze=False).ravel()
    for axes, (rows, title) in zip(grid, parts, strict=True):
        values = view.probabilities[np.ix_(rows, columns)]
        shown = draw_matrix(axes, values, [view.names[i] for i in rows], labels)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("class")
    figure.colorbar(shown, ax=list(grid), label="probability", fraction=0.05, pad=0.02)
