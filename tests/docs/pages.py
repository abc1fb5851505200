"""The pages, and their blocks as Sybil finds them."""

from __future__ import annotations

import re
from pathlib import Path

from sybil import Document, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from tests.docs import shell
from tests.docs.exceptions import ELSEWHERE, NOT_RUN
from tests.docs.world import ROOT

DOCS = ROOT / "docs"
LANGUAGES = {"sh", "python", "text", "console"}
"""`sh` and `python` are run. `text` right below `sh` is what it prints, else no code. `console` is not run, and listed.
A block with a name, such as `text pairs.csv`, is a file, there before the page's first command."""
PROGRAMS = {"awk", "find", "grep", "jq", "make", "parallel", "sed", "xargs"}
"""What the pages call that is neither a shell's own nor coreutils'."""
CALLED = re.compile(r"(?:^|[|;&(`]|\b(?:do|then|command)\b)\s*([\w.-]+)", re.MULTILINE)
FENCE = re.compile(r"^```([^`\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SYBIL = Sybil(parsers=[PythonCodeBlockParser(), CodeBlockParser("sh", shell.run)], path=str(ROOT))


def names() -> list[str]:
    """Returns the pages that have blocks to run, relative to docs/."""
    found = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    return [name for name in ["../README.md", *found] if name not in ELSEWHERE and commands(name)]


def blocks(name: str) -> list[tuple[str, str]]:
    """Returns a page's blocks as (words after the fence, text); Sphinx's directives left out."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return [(info, block) for info, block in FENCE.findall(text) if not info.startswith("{")]


def unrun(name: str, block: str) -> list[tuple[str, str]]:
    """Returns the entries of the list of blocks that are not run which mean this one."""
    begin = block.removeprefix("$ ")
    return [(page, start) for page, start in NOT_RUN if page == name and begin.startswith(start)]


def commands(name: str) -> list[str]:
    """Returns the blocks of a page that are run."""
    return [block for info, block in blocks(name) if info in {"sh", "python"} and not unrun(name, block)]


def programs(name: str) -> set[str]:
    """Returns the programs of the system that a page's blocks call, and Bash for any."""
    shown = [block for info, block in blocks(name) if info == "sh" and not unrun(name, block)]
    return {"bash"} | (set(CALLED.findall("\n".join(shown))) & PROGRAMS) if shown else set()


def write_files(name: str, folder: Path) -> None:
    """Write a page's blocks that are files."""
    for info, block in blocks(name):
        _, _, file = info.partition(" ")
        if file:
            (folder / file).write_text(block, encoding="utf-8")


def document(name: str, folder: Path, program: Path) -> Document:
    """Returns the page, ready to be run in the folder, with the directory that `vitequiv` is in."""
    page = SYBIL.parse(DOCS / name)
    page.namespace.update(_page=name, _folder=folder, _bin=program)
    return page
