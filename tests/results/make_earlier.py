"""Keep a small run directory as this version writes it: `python -m tests.results.make_earlier`, once a minor version.

`tests/results/earlier/<version>/` then stays as it is, for later versions to read. Everything is made by the command;
what nobody reads again is left out, and a picture that is only shown to people is replaced by a tiny one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copy2

from PIL import Image

from vitequiv._version import __version__
from vitequiv.tiny.render import write_scenes

EARLIER = Path(__file__).parent / "earlier"
LABELS = "red star,green ring,blue circle"
COMMANDS = (
    ("match", "scenes/a.png", "missing.png", "scenes/b.png", "--cosine", "0.7", "--max-passes", "200"),
    ("jacobian", "scenes/a.png", "--method", "topk", "--k", "4"),
    ("ldlc", "scenes/a.png", "--count", "8", "--measured", "2", "--along", "1", "--epsilon", "1"),
    ("interpolate", "scenes/a.png", "scenes/b.png", "--steps", "5"),
    ("classify", "scenes", "--labels", LABELS),
    ("statistics", "scenes", "--count", "2", "--cosine", "0.7", "--max-passes", "200"),
)
KEPT = ("*.json", "*.jsonl", "matched.png", "matched.safetensors", "statistics.png")


def make(out: Path) -> None:
    """Run every verb into one directory, and keep what is read again.

    Args:
        out: The directory to make.
    """
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "scenes").mkdir()
        for path, new in zip(write_scenes(work / "all", 3, 6), "abc", strict=True):
            path.rename(work / "scenes" / f"{new}.png")
        for command in COMMANDS:
            subprocess.run(
                [sys.executable, "-m", "vitequiv", *command, "--out", "run", "--quiet"],
                cwd=work,
                env={**os.environ, "VITEQUIV_DISABLE_PLUGINS": "1"},
                check=command[0] != "match",  # one of its items is missing
            )
        Image.new("RGB", (2, 2)).save(work / "tiny.png")
        for path in sorted(path for pattern in KEPT for path in (work / "run").rglob(pattern)):
            kept = out / path.relative_to(work / "run")
            kept.parent.mkdir(parents=True, exist_ok=True)
            copy2(work / "tiny.png" if path.name == "statistics.png" else path, kept)


if __name__ == "__main__":
    make(EARLIER / __version__)
