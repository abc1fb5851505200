"""The number of attention heads, which no state dict tells.

The published checkpoint, and the classes it comes from, have 16 heads at vision widths 1,280 (ViT-H) and 1,024 (ViT-L),
and 16 and 12 at text widths 1,024 and 768: those of OpenCLIP's models of these names. At any other width a guess would
load and give wrong embeddings without a word, so it is asked for, in a JSON file beside the checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vitequiv.encoders.checkpoints.source import read_json
from vitequiv.errors import ModelError

_KNOWN = {"vision_heads": {1280: 16, 1024: 16}, "text_heads": {1024: 16, 768: 12}}


@dataclass(frozen=True)
class Heads:
    """Attention heads of both towers."""

    vision: int
    text: int


def find_heads(path: Path, vision_width: int, text_width: int, spec: str) -> Heads:
    """Find the number of heads.

    Args:
        path: The checkpoint's file; beside it may be one of the same name with `.json`, such as
            `{"vision_heads": 4, "text_heads": 2}`.
        vision_width: Width of the image tower.
        text_width: Width of the text tower.
        spec: The encoder spec, for messages.

    Returns:
        What that file says, else what the width implies.

    Raises:
        ModelError: If neither says, or what the file says is no number of heads of that width.
    """
    file = path.with_suffix(".json")
    said = read_json(file, spec) if file.is_file() else {}
    counts = []
    for name, width in (("vision_heads", vision_width), ("text_heads", text_width)):
        count = said.get(name, _KNOWN[name].get(width))
        if count is None:
            raise ModelError(
                f"The checkpoint {spec} does not tell its number of attention heads, and none is known for width "
                f'{width}: write {{"vision_heads": N, "text_heads": N}} into {file}.'
            )
        if type(count) is not int or count < 1 or width % count:
            raise ModelError(f"{name} in {file} must be a whole number that divides {width}, got {count!r}.")
        counts.append(count)
    return Heads(*counts)
