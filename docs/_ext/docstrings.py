"""Docstrings as this project writes them, made ready for Sphinx, and the short names of types in them."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

CODE = re.compile(r"(`[^`]*`)")
LETTER = re.compile(r"(?<=: )(\w\.)$")
BEFORE_NAPOLEON = 400


def prepare(lines: list[str], typed: bool) -> list[str]:
    """Make one docstring ready.

    Args:
        lines: As autodoc found them.
        typed: The first line too is where napoleon looks for a type before a colon, as in an attribute's.

    Returns:
        Lines in which a bar is a bar (a norm, not a substitution of reStructuredText), `n.` is no item of a list, and
        no colon stands where napoleon would look for a type: none is written there.
    """
    made: list[str] = []
    for line in lines:
        parts = CODE.split(line)
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        text = LETTER.sub(r"\\\1", "".join(parts))
        if ":" in text and (made[-1].strip() == "Returns:" if made else typed):
            indent = text[: len(text) - len(text.lstrip())]
            head, _, _ = text.partition(":")
            cut = max(head.rfind(". ") + 2, head.find(" ", len(indent)) + 1)
            made.append(text[:cut].rstrip())
            text = indent + text[cut:]
        made.append(text)
    return made


def on_docstring(app: Sphinx, kind: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Called by autodoc for each docstring, which is changed in place."""
    lines[:] = prepare(lines, typed=kind in {"attribute", "data", "property"})


def on_missing(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node) -> nodes.Node | None:
    """Called for a name that leads nowhere: `Cost` in an annotation is the one documented object of that name."""
    if node["refdomain"] != "py":
        return None
    domain = env.domains.python_domain
    name = "." + node["reftarget"].rpartition(".")[2]
    found = [full for full in domain.objects if full.endswith(name)]
    if len(found) != 1:
        return None
    # Sphinx declares `node` narrower there than what its own event gives.
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, content)  # type: ignore[arg-type]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", on_docstring, priority=BEFORE_NAPOLEON)
    app.connect("missing-reference", on_missing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
