"""Every block of code in docs/ and README.md is run, and prints what the page says; what is not run is listed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests import programs
from tests.docs import figures, pages, world
from tests.docs.exceptions import ALTERNATIVES, ELSEWHERE, NOT_RUN, SMALLER

EVERY = sorted({"../README.md", *(path.relative_to(pages.DOCS).as_posix() for path in pages.DOCS.rglob("*.md"))})


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.mark.slow
@pytest.mark.parametrize("name", pages.names())
def test_page(name, quick_program, tmp_path, monkeypatch):
    programs.need(*pages.programs(name))
    photos = world.LINE_BREAK if name == "how-to/shell-recipes.md" else world.PLAIN
    folder = world.build(tmp_path / "world", photos)
    pages.write_files(name, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub-cache" / "hub")
    )  # for Python blocks
    document = pages.document(name, folder, quick_program.parent)
    examples = [example for example in document.examples() if not pages.unrun(name, str(example.parsed))]
    assert [str(example.parsed) for example in examples] == pages.commands(name)
    for example in examples:
        example.evaluate()
    if name == figures.PAGE:
        made = {name: figures.shrunk(folder / path).size for name, path in figures.FIGURES.items()}
        assert made == {path.stem: size_of(path) for path in figures.DIRECTORY.glob("*.png")}


def test_the_figures_are_those_of_the_tutorial_and_small():
    text = (pages.DOCS / figures.PAGE).read_text(encoding="utf-8")
    assert sorted(re.findall(r"!\[[^\]]*\]\(figures/([\w-]+)\.png\)", text)) == sorted(figures.FIGURES)
    sizes = {path.stem: path.stat().st_size for path in figures.DIRECTORY.iterdir()}
    assert set(sizes) == set(figures.FIGURES)
    assert {name: size for name, size in sizes.items() if size >= figures.MOST_BYTES} == {}


def test_every_block_is_of_a_known_language():
    found = {(name, info) for name in EVERY if name not in ELSEWHERE for info, _ in pages.blocks(name)}
    assert {(name, info) for name, info in found if " " not in info and info not in pages.LANGUAGES} == set()


def test_the_list_of_blocks_that_are_not_run_is_exact():
    meant = []
    for name in EVERY:
        for info, block in pages.blocks(name):
            entries = pages.unrun(name, block)
            assert entries or info != "console", f"{name}: {block}"
            meant += entries
    assert sorted(meant) == sorted(NOT_RUN)


def test_the_other_exceptions_are_exact():
    for name, smaller in SMALLER.items():
        text = "".join(pages.commands(name))
        assert [old for old, _ in smaller.words if old not in text] == [], name
    assert {*SMALLER, *ALTERNATIVES} <= set(pages.names())
    assert set(ELSEWHERE) <= set(EVERY)


def test_the_page_of_recipes_shows_every_tool_and_every_output():
    blocks = pages.blocks("how-to/shell-recipes.md")
    assert [info for info, _ in blocks] == ["sh", "text"] * (len(blocks) // 2)
    assert len(blocks) >= 20
    used = "\n".join(block for info, block in blocks if info == "sh")
    assert [tool for tool in ("find", "xargs", "parallel", "jq", "make") if tool not in used] == []
