"""What a trick of the hostile checkpoints is, and the hands that it is made with."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.checkpoints import build

CANARY = "canary"
"""The file that the code of a checkpoint would make, beside the checkpoints."""


@dataclass(frozen=True)
class Place:
    """Where a trick is played.

    Args:
        directory: The checkpoint, honest as yet.
        elsewhere: A directory that nobody named, with code and other weights.
        canary: What the code makes when it runs.
    """

    directory: Path
    elsewhere: Path
    canary: Path

    def code(self, name: str = "evil.py", directory: Path | None = None) -> None:
        """Write a module with classes of every kind that leaves the canary when it is imported."""
        kinds = ("Config", "Model", "Tokenizer", "Processor", "ImageProcessor")
        classes = "\n".join(f"class {kind}:\n    pass\n" for kind in kinds)
        text = f"open({str(self.canary)!r}, 'w').close()\n{classes}\n"
        ((directory or self.directory) / name).write_text(text)

    def change(self, file: str, path: str, value: object) -> None:
        """Set a key of a JSON file, which may be new; `path` has dots between keys."""
        target = self.directory / file
        content = json.loads(target.read_text()) if target.exists() else {}
        part, (*above, key) = content, path.split(".")
        for name in above:
            part = part.setdefault(name, {})
        part[key] = value
        target.write_text(json.dumps(content))


@dataclass(frozen=True)
class Trick:
    """One hostile checkpoint.

    Args:
        base: The honest one that it is made of, in `tests.checkpoints`.
        play: What is done to it.
        refused: What the refusal says; None if the trick is not read and the honest model is what is loaded.
        text: Whether it waits until a text is embedded.
        family: The family it is named by, where that is not the base's.
    """

    base: str
    play: Callable[[Place], None]
    refused: str | None
    text: bool = False
    family: str | None = None

    def make(self, root: Path) -> str:
        """Write the checkpoint and what lies around it below `root`; returns its spec."""
        place = Place(root / "checkpoint", root / "elsewhere", root / CANARY)
        spec = build(self.base, place.directory)
        build(self.base, place.elsewhere)
        place.code(directory=place.elsewhere)
        for file in ("config.json", "tokenizer_config.json", "preprocessor_config.json"):
            Place(place.elsewhere, root, place.canary).change(file, "auto_map", AUTO_MAP)
        self.play(place)
        return spec if self.family is None else f"{self.family}:{place.directory}"


AUTO_MAP: Mapping[str, Any] = {
    "AutoConfig": "evil.Config",
    "AutoModel": "evil.Model",
    "AutoModelForImageClassification": "evil.Model",
    "AutoTokenizer": ["evil.Tokenizer", "evil.Tokenizer"],
    "AutoImageProcessor": "evil.ImageProcessor",
    "AutoFeatureExtractor": "evil.ImageProcessor",
    "AutoProcessor": "evil.Processor",
}


def setting(file: str, path: str, value: object) -> Callable[[Place], None]:
    """The trick of one key."""
    return lambda place: place.change(file, path, value)


def code_in(file: str, path: str = "auto_map") -> Callable[[Place], None]:
    """The trick of code that a file names."""

    def play(place: Place) -> None:
        place.code()
        place.change(file, path, AUTO_MAP)

    return play


def empty_tensors(count: int) -> Callable[[Place], None]:
    """Many tensors without a number, after the honest ones."""

    def play(place: Place) -> None:
        (path,) = place.directory.glob("*.safetensors")
        raw = path.read_bytes()
        (length,) = struct.unpack("<Q", raw[:8])
        header, data = json.loads(raw[8 : 8 + length]), raw[8 + length :]
        end = len(data)
        header |= {f"z{i}": {"dtype": "F32", "shape": [0], "data_offsets": [end, end]} for i in range(count)}
        text = json.dumps(header, separators=(",", ":")).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)

    return play
