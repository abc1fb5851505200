"""The documentation site: `sphinx-build -W --keep-going -n -b html docs OUT` (no network is needed)."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))

from vitequiv import __version__  # noqa: E402 # after the path, as all that follows

project = "vitequiv"
author = "The vitequiv developers"
copyright = author
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_reference",
    "docstrings",
    "outside_files",
    "mathml",
]
root_doc = "index"
# README.md is the index that people read in the repository; index.md includes it.
exclude_patterns = ["README.md", "_ext", "_static"]

myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 4

highlight_language = "text"
# Sphinx would turn quotes and dashes into others, also where they are part of a command in a heading.
smartquotes = False
html_theme = "furo"
html_title = f"vitequiv {__version__}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
# Docstrings put code in single backticks.
default_role = "code"
# Names of other libraries, whose own sites would have to be asked.
nitpick_ignore_regex = [
    ("py:.*", r"(torch|nn|numpy|np|PIL|pathlib|collections|typing|Tensor|Image)\b.*"),
    ("py:class", r"vitequiv\..*\.Registry"),  # an argument for tests alone
    ("py:class", r"vitequiv\.results\.marks\..*|names=|required=True|'\d+%'"),  # what JSON Schemas say of a field
    ("py:class", "AtImage|PathRequest"),  # known to type checkers alone where they are named, and described below that
]
