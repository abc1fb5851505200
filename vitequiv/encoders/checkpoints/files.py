"""Weight files: whole, and data rather than code: safetensors alone, no pickle is ever opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitequiv.encoders.checkpoints.quiet import reason
from vitequiv.encoders.checkpoints.source import read_json
from vitequiv.errors import ModelError
from vitequiv.images.naming import shown

INDEX = "model.safetensors.index.json"
"""Where transformers lists the shards of a checkpoint in several files."""


def check_weights(directory: Path, spec: str, expected: Sequence[str]) -> None:
    """Refuse a directory whose weights are missing, damaged or a pickle, before a library opens them.

    Args:
        directory: The checkpoint's directory.
        spec: The encoder spec, for messages.
        expected: Shell patterns of weight files in the order in which the library looks for them; those of the first
            pattern that matches are checked.

    Raises:
        ModelError: If there is none, one is cut short or not what its name says, or the library would take a pickle.
    """
    for pattern in expected:
        files = _shards(directory, spec) if pattern == INDEX else sorted(directory.glob(pattern))
        for file in files:
            check_weight_file(file, spec)
        if files:
            return
    raise ModelError(f"The directory {directory} of {spec} has no weights, such as {expected[0]}: fetch it again.")


def _shards(directory: Path, spec: str) -> list[Path]:
    index = directory / INDEX
    if not index.is_file():
        return []
    weight_map = read_json(index, spec).get("weight_map")
    names = sorted({str(name) for name in weight_map.values()}) if isinstance(weight_map, dict) else []
    if not names:
        raise ModelError(f"The file {index} of {spec} names no weight files: fetch the checkpoint again.")
    outside = [name for name in names if Path(name).name != name]
    if outside:
        raise ModelError(
            f"The file {index} of {spec} names {shown(outside[0])}, which is not in its directory: "
            "a checkpoint may not reach for other files."
        )
    absent = [name for name in names if not (directory / name).is_file()]
    if absent:
        raise ModelError(
            f"The checkpoint {spec} lacks {len(absent)} of its {len(names)} weight files, among them "
            f"{shown(absent[0])}: fetch it again."
        )
    return [directory / name for name in names]


def check_weight_file(path: Path, spec: str) -> None:
    """Check one weight file: its header against its length; tensors are left for later.

    Args:
        path: A `.safetensors` file.
        spec: The encoder spec, for messages.

    Raises:
        ModelError: If it is damaged or something else, such as a pickle, which could run code.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():  # a pipe would be waited for
        raise ModelError(f"The weight file {path} of {spec} is no regular file: fetch it again.")
    try:
        with path.open("rb") as file:
            start = file.read(64).lstrip().lower()
    except OSError as error:
        raise ModelError(f"The weight file {path} of {spec} cannot be read ({error.strerror}).") from None
    if start.startswith(b"<"):
        raise ModelError(f"The weight file {path} of {spec} is a web page, not weights: download it again.")
    if start.startswith(b"version https://git-lfs"):
        raise ModelError(
            f"The weight file {path} of {spec} is a git-lfs pointer: run 'git lfs pull' where it came from."
        )
    if path.suffix != ".safetensors":
        raise ModelError(
            f"The weight file {path} of {spec} is a pickle, which could run code and is never opened: convert it to "
            "safetensors, as docs/how-to/own-checkpoint.md shows, and move it away."
        )
    try:
        with safe_open(path, framework="pt") as tensors:
            tensors.keys()
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"The weight file {path} of {spec} is damaged ({reason(error)}): download or copy it again."
        ) from None
