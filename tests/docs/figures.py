"""The figures of docs/tutorial.md, from its own commands: `python -m tests.docs.figures` runs it and renews them."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from PIL import Image

from tests import preloaded
from tests.docs import pages, world

PAGE = "tutorial.md"
DIRECTORY = pages.DOCS / "figures"
FIGURES = {
    "trajectory": "run/star-as-ring/trajectory.png",
    "report": "run/report.png",
    "spectrum": "local/red-star/spectrum.png",
    "ldlc": "local/red-star/ldlc.png",
    "line-curve": "line/red-star_to_matched/curve.png",
    "path-strip": "path/red-star_to_blue-ring/strip.png",
    "path-curve": "path/red-star_to_blue-ring/curve.png",
    "noise": "noise/report.png",
}
"""Each figure's name, and the file of the tutorial that it is."""
MOST_BYTES, WIDEST, COLOURS = 100_000, 1000, 40


def run_page(folder: Path) -> None:
    """Run the tutorial in a folder, with its files."""
    world.build(folder)
    pages.write_files(PAGE, folder)
    with preloaded.installed(folder.parent) as program:
        for example in pages.document(PAGE, folder, program).examples():
            example.evaluate()


def shrunk(path: Path) -> Image.Image:
    """Returns a figure as it is kept: small enough for a page."""
    image = Image.open(path).convert("RGB")
    image.thumbnail((WIDEST, 10 * WIDEST), Image.Resampling.LANCZOS)
    return image.quantize(COLOURS)


def renew(folder: Path) -> None:
    """Take the figures from a folder in which the tutorial has run."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, path in FIGURES.items():
        shrunk(folder / path).save(DIRECTORY / f"{name}.png", optimize=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        run_page(Path(temporary) / "world")
        renew(Path(temporary) / "world")
