"""The folder that the pages' commands run in: small photos under the names that the pages use, and checkpoints.

The checkpoints are the trained tiny ones, once as directories and once laid out as the hub's client keeps them, under
the names of the hub's repositories: what a page does with `--model beit` is done, on a smaller network.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
ZOO = ROOT / "vitequiv" / "tiny" / "zoo"
HUB = {
    "beit": "microsoft/beit-base-patch16-224",
    "swin": "microsoft/swin-tiny-patch4-window7-224",
    "deit": "facebook/deit-base-distilled-patch16-224",
}
LINE_BREAK = ("a.png", "b.png", "the cat.png", "two\nlines.png")
"""Names as people give them, for the page of shell recipes."""
PLAIN = ("cat.png", "coffee.png", "dog.png")


def build(folder: Path, photos: tuple[str, ...] = PLAIN) -> Path:
    """Returns the folder, filled."""
    cat, coffee = (Image.open(ROOT / "examples" / "photos" / name).convert("RGB") for name in ("cat.png", "coffee.png"))
    beside = ("a.png", "b.png", "photo.png", "cat.png", "dogs/one.png", "dogs/two.png", "dog.png", "a.jpg", "b.jpg")
    for number, name in enumerate([*(f"photos/{name}" for name in photos), *beside]):
        left = 15 * number % 200
        _save(cat.crop((left, 0, left + 250, 250)), folder / name)
    for number, name in enumerate(("target.png", "other.png", "coffee.png", "wolf.png")):
        left = 70 * number
        _save(coffee.crop((left, 0, left + 380, 380)), folder / name)
    cat.resize((160, 107)).save(folder / "photo.jpg", quality=95)
    (folder / "names.txt").write_text("a.png\nb.png\n")
    (folder / "pairs.csv").write_text("source,target\na.png,target.png\nb.png,other.png\n")
    shutil.copytree(ROOT / "examples", folder / "examples")
    for name, repository in HUB.items():
        shutil.copytree(ZOO / name, folder / f"my-{name}")
        _cache(folder / "hub-cache" / "hub", repository, ZOO / name)
    _old_formats(folder)
    return folder


def _save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.resize((64, 64)).save(path)


def _cache(cache: Path, repository: str, source: Path) -> None:
    folder = cache / f"models--{repository.replace('/', '--')}"
    revision = "0" * 40
    shutil.copytree(source, folder / "snapshots" / revision)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(revision)


def _old_formats(folder: Path) -> None:
    """Checkpoints as they were saved before safetensors."""
    weights = load_file(ZOO / "beit" / "model.safetensors")
    shutil.copytree(ZOO / "beit", folder / "old", ignore=shutil.ignore_patterns("*.safetensors"))
    for path in ("old/pytorch_model.bin", "pytorch_model.bin", "open_clip_pytorch_model.bin"):
        torch.save(weights, folder / path)
