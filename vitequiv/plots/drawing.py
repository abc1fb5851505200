"""From a figure to a PNG, whatever script the names in it are written in."""

from __future__ import annotations

import warnings
from functools import cache
from io import BytesIO
from textwrap import fill

from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.legend import Legend
from matplotlib.text import Text

from vitequiv.plots.settings import fixed_settings

WIDE_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Source Han Sans", "WenQuanYi Micro Hei", "Hiragino Sans", "PingFang SC",
    "Yu Gothic", "MS Gothic", "Microsoft YaHei", "Malgun Gothic", "Noto Sans", "Noto Sans Arabic", "Noto Sans Hebrew",
    "Noto Sans Devanagari", "Arial Unicode MS", "Unifont",
)  # fmt: skip
"""Fonts of common systems that have what matplotlib's own font lacks; those installed are asked in this order."""

LONGEST = 1000
"""Letters of a text that are drawn."""


@cache
def _families() -> tuple[str, ...]:
    there = set(fontManager.get_font_names())
    return ("sans-serif", *(name for name in WIDE_FONTS if name in there))


def figure_png(figure: Figure, dpi: int) -> bytes:
    r"""Draw a figure.

    Args:
        figure: The figure, made within `fixed_settings`. A title that is wider, or a legend that takes more than half
            of it, is broken into lines. Text that is not ASCII falls back on the fonts installed; a letter that none of
            them has becomes a box, without matplotlib's warning for each; what is no letter is written as `\udcff`.
        dpi: Dots an inch.

    Returns:
        A PNG file.
    """
    families = list(_families())
    for text in figure.findobj(Text):
        text.set_fontfamily(families)  # of all: the text of tick labels is only known when they are drawn
        # Half a letter, as names that are not UTF-8 have, cannot be drawn.
        text.set_text(text.get_text()[:LONGEST].encode("utf-8", "backslashreplace").decode())
    buffer = BytesIO()
    with fixed_settings(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s)Glyph .* missing from", category=UserWarning)
        renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
        for title in _titles(figure):
            _fit(title, 0.98 * figure.bbox.width, renderer)
        for legend in figure.findobj(Legend):
            for text in legend.get_texts():
                _fit(text, 0.5 * figure.bbox.width, renderer)
        figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def _titles(figure: Figure) -> list[Text]:
    """The titles that have the whole width to themselves."""
    above = getattr(figure, "_suptitle", None)
    alone = [axes.title for axes in figure.axes] if len(figure.axes) == 1 else []
    return [title for title in (above, *alone) if title is not None]


def _fit(text: Text, pixels: float, renderer: RendererBase) -> None:
    """Break a text into lines: the layout gives up where one is wider than its figure."""
    whole = text.get_text()
    letters = len(whole)
    while letters > 1 and (width := text.get_window_extent(renderer).width) > pixels:
        # The longest line need not shrink in proportion, so that it may take a few turns.
        letters = min(letters - 1, int(letters * pixels / width))
        text.set_text(fill(whole, max(1, letters), break_on_hyphens=False))
