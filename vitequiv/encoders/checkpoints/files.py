"""Weight files: whole, and data rather than code: safetensors alone, no pickle is ever opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitequiv.encoders.checkpoints.held import LONGEST_HEADER, Held, header_length, read_held
from vitequiv.encoders.checkpoints.own import own_file
from vitequiv.encoders.checkpoints.quiet import reason
from vitequiv.encoders.checkpoints.source import read_json
from vitequiv.errors import ModelError
from vitequiv.images.naming import shown

INDEX = "model.safetensors.index.json"
"""Where transformers lists the shards of a checkpoint in several files."""


@dataclass(frozen=True)
class Weights:
    """The weight files of a checkpoint, checked.

    Args:
        files: Where each lies, by the name that the library looks for; the first is the one that it takes.
        held: What they hold.
        index: The file of each tensor, if there are several files.
    """

    files: Mapping[str, Path]
    held: Held
    index: Mapping[str, str] | None = None

    @property
    def first(self) -> Path:
        """The file of a library that reads only one."""
        return next(iter(self.files.values()))


def check_weights(directory: Path, spec: str, expected: Sequence[str]) -> Weights:
    """Refuse a directory whose weights are missing, damaged or a pickle, before a library opens them.

    Args:
        directory: The checkpoint's directory.
        spec: The encoder spec, for messages.
        expected: Shell patterns of weight files in the order in which the library looks for them; those of the first
            pattern that matches are checked.

    Returns:
        The files that were checked.

    Raises:
        ModelError: If there is none, one is cut short or not what its name says, lies outside of the directory, or the
            library would take a pickle.
    """
    for pattern in expected:
        index = _shards(directory, spec) if pattern == INDEX else None
        names = sorted(set(index.values()) if index else {path.name for path in directory.glob(pattern)})
        if names:
            files = {name: _own_weights(directory, name, spec) for name in names}
            return Weights(files, read_held(files.values(), spec), index)
    raise ModelError(f"The directory {directory} of {spec} has no weights, such as {expected[0]}: fetch it again.")


def _own_weights(directory: Path, name: str, spec: str) -> Path:
    target = own_file(directory, name, spec)
    check_weight_file(directory / name, spec)
    assert target is not None, "it was listed"
    return target


def _shards(directory: Path, spec: str) -> dict[str, str] | None:
    index = directory / INDEX
    if own_file(directory, INDEX, spec) is None:
        return None
    weight_map = read_json(index, spec).get("weight_map")
    if not weight_map or not isinstance(weight_map, dict):
        raise ModelError(f"The file {index} of {spec} names no weight files: fetch the checkpoint again.")
    names = {str(name) for name in weight_map.values()}
    outside = sorted(name for name in names if Path(name).name != name)
    if outside:
        raise ModelError(
            f"The file {index} of {spec} names {shown(outside[0])}, which is not in its directory: "
            "a checkpoint may not reach for other files."
        )
    absent = sorted(name for name in names if own_file(directory, name, spec) is None)
    if absent:
        raise ModelError(
            f"The checkpoint {spec} lacks {len(absent)} of its {len(names)} weight files, among them "
            f"{shown(absent[0])}: fetch it again."
        )
    return {str(tensor): str(name) for tensor, name in weight_map.items()}


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
    length = header_length(path)
    if LONGEST_HEADER < length < path.stat().st_size:
        raise ModelError(
            f"The weight file {path} of {spec} lists its tensors in {length:,} bytes, and no more than "
            f"{LONGEST_HEADER:,} are read: no image encoder has so many."
        )
    try:
        with safe_open(path, framework="pt") as tensors:
            tensors.keys()
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"The weight file {path} of {spec} is damaged ({reason(error)}): download or copy it again."
        ) from None
