"""Formulas as MathML, which browsers draw themselves: no script, no fonts, no network.

The converter is docutils' own, written in Python; what it does not know is an error of the build.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def convert(latex: str, block: bool) -> str:
    """Convert one formula.

    Args:
        latex: Without dollars.
        block: Displayed, on a line of its own.

    Returns:
        A `<math>` element.
    """
    return str(latex2mathml.tex2mathml(latex, as_block=block))


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in the text."""
    self.body.append(convert(node.astext(), block=False))
    raise nodes.SkipNode


def displayed(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula of its own."""
    self.body.append(f'<div class="formula">{convert(node.astext(), block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
