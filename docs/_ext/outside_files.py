"""Pages of the site for files that live outside docs/, and links to them.

A page of docs/project/ includes one file, such as ../../SECURITY.md. In the repository links are between files; here
a link to an included file becomes one to its page, and the links of the included file are made to start from there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
INCLUDED = re.compile(r"^```\{include\} (\S+)$", re.MULTILINE)


def pages() -> dict[Path, Path]:
    """Returns the page that includes each file, both absolute."""
    found = {}
    for page in [DOCS / "index.md", *sorted((DOCS / "project").glob("*.md"))]:
        for name in INCLUDED.findall(page.read_text(encoding="utf-8")):
            found[(page.parent / name).resolve()] = page
    return found


def relink(text: str, of: Path, page: Path) -> str:
    """Make the links of a file right for the page that shows it.

    Args:
        text: The file's Markdown.
        of: The file.
        page: The page, which may be the file itself.

    Returns:
        The text; a link to an included file leads to its page, any other to where it led.
    """
    shown_by = pages()

    def target(match: re.Match[str]) -> str:
        to = (of.parent / match[1]).resolve()
        to = shown_by.get(to, to)
        return Path(os.path.relpath(to, page.parent)).as_posix() + (match[2] or "")

    return LINK.sub(target, text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""

    def page(name: str) -> Path:
        return Path(app.env.doc2path(name)).resolve()

    def on_read(app: Sphinx, name: str, content: list[str]) -> None:
        content[0] = relink(content[0], page(name), page(name))

    def on_include(app: Sphinx, file: Path, stem: str, content: list[str]) -> None:
        del stem  # MyST leaves the folder out of the page's name
        content[0] = relink(content[0], (DOCS / file).resolve(), page(app.env.docname))

    app.connect("source-read", on_read)
    app.connect("include-read", on_include)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
