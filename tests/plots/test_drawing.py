"""Titles of any length, in any script, are drawn without a warning (which the tests make an error)."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from vitequiv.plots.drawing import figure_png

pytestmark = pytest.mark.draws

TITLES = {
    "plain": "cat — tiny-clip",
    "long": "x" * 80 + "_to_" + "y" * 80 + " — tiny-clip",
    "wide": "日" * 120 + " — tiny-clip",
    "scripts": "日本語 العربية עברית हिन्दी \U0001f600 \udcff — tiny-clip".encode("utf-8", "replace").decode(),
    "mathematics": "$x^{2$ $\\bad$ — tiny-clip",
}


# The measuring at the end warns of letters; that the drawing does not is for the next test to say.
@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("name", list(TITLES))
def test_titles(name, alone):
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots(1, 1 if alone else 2, squeeze=False)[0]
    if alone:
        axes[0].set_title(TITLES[name], parse_math=False)
    else:
        figure.suptitle(TITLES[name], fontsize=10, parse_math=False)
    for one in axes:
        one.imshow(np.zeros((4, 4)))
        one.set_xticks([0, 1], ["日本", "$\\bad"])
        for label in one.get_xticklabels():
            label.set_parse_math(False)
    pixels = np.asarray(Image.open(io.BytesIO(figure_png(figure, dpi=80))).convert("L"))
    assert pixels.shape == (320, 560)
    renderer = FigureCanvasAgg(figure).get_renderer()
    title = axes[0].title if alone else next(t for t in figure.findobj(Text) if "tiny-clip" in t.get_text())
    extent = title.get_window_extent(renderer)
    assert extent.x0 >= 0
    assert extent.x1 <= figure.bbox.x1
    assert (title.get_text().count("\n") > 0) == (name in {"long", "wide"})


@pytest.mark.parametrize("name", list(TITLES))
def test_no_warning(name):
    figure = Figure(figsize=(7, 4), layout="constrained")
    figure.subplots().set_title(TITLES[name], parse_math=False)
    assert figure_png(figure, dpi=50).startswith(b"\x89PNG")


def test_a_long_name_in_a_legend_leaves_room_for_the_axes():
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    (line,) = axes.plot([1, 2])
    axes.legend([line], ["x" * 250 + "\udcff"], fontsize=8)
    figure_png(figure, dpi=50)  # a warning of the layout is an error here
    assert axes.get_position().width > 0.5
