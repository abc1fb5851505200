"""What a checkpoint's weight files hold, by their headers: the measure of every size that its configuration states."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vitequiv.errors import ModelError

MOST_TENSORS = 20_000
"""In one checkpoint; the largest image encoders have some 2,000."""

LONGEST_HEADER = 2**24
"""Bytes, which name several times that many tensors."""


@dataclass(frozen=True)
class Held:
    """The tensors of a checkpoint.

    Args:
        shapes: The shape of each, by name.
    """

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def numbers(self) -> int:
        """How many numbers all tensors have together."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def longest(self) -> int:
        """The longest side of any tensor."""
        return max((side for shape in self.shapes.values() for side in shape), default=0)

    def __str__(self) -> str:
        return f"{self.numbers:,} numbers in {len(self.shapes):,} tensors, none longer than {self.longest:,}"


def header_length(path: Path) -> int:
    """How long the header of a safetensors file says that it is.

    Args:
        path: A safetensors file.

    Returns:
        The length in bytes; 0 if the file is too short to have one.
    """
    with path.open("rb") as file:
        return int.from_bytes(file.read(8).ljust(8, b"\0"), "little")


def read_held(files: Iterable[Path], spec: str) -> Held:
    """Read the headers of weight files that `check_weight_file` has passed.

    Args:
        files: Safetensors files.
        spec: The encoder spec, for messages.

    Returns:
        What they hold.

    Raises:
        ModelError: If they hold more tensors than any encoder has.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        with path.open("rb") as file:
            header = json.loads(file.read(8 + header_length(path))[8:])
        shapes |= {name: tuple(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__"}
        if len(shapes) > MOST_TENSORS:
            raise ModelError(
                f"The weights of {spec} are {len(shapes):,} tensors, and no more than {MOST_TENSORS:,} are read: "
                "no image encoder has so many."
            )
    return Held(shapes)
