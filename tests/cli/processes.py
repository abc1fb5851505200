"""The command in processes that tests signal, feed and kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image

from vitequiv.tiny.scenes import Split, sample, scene_rng

QUICK = ("--cosine", "0.8", "--quiet", "--format", "json")


def pairs_file(folder: Path, count: int) -> Path:
    """Pairs of renders that differ, so that batches hold items that end at different times."""
    scenes = []
    for i, levels in enumerate(sample(count + 1, scene_rng(Split.HELD_OUT, 5)).images):
        scenes.append(folder / f"scene{i}.png")
        Image.fromarray(levels).save(scenes[-1])
    path = folder / "pairs.csv"
    path.write_text("source,target\n" + "".join(f"{a},{b}\n" for a, b in pairwise(scenes)))
    return path


def start(
    folder: Path, *arguments: object, program: Sequence[object] = (sys.executable, "-m", "vitequiv"), **options
) -> subprocess.Popen:
    return subprocess.Popen(
        [*map(str, program), *map(str, arguments)],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> tuple[str, str]:
    """What a process still prints; `communicate` would lose what `readline` has read beyond its line."""
    assert process.stdout is not None
    assert process.stderr is not None
    if process.stdin is not None:
        process.stdin.close()
    printed, errors = process.stdout.read(), process.stderr.read()
    process.wait(timeout=300)
    process.stdout.close()
    process.stderr.close()
    return printed, errors


def ended(out: Path) -> int:
    try:
        return (out / "results.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0
