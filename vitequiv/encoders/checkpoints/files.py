"""Weight files: whole, and data rather than code."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from pathlib import Path

from vitequiv.encoders.checkpoints.quiet import quiet, reason
from vitequiv.encoders.checkpoints.source import read_json
from vitequiv.errors import ModelError

_CODE = re.compile(r"unsupported (global|class)|unrecognized function", re.IGNORECASE)
"""How torch's restricted unpickler speaks of what could run code."""


def check_weights(directory: Path, spec: str, expected: Sequence[str]) -> None:
    """Refuse a directory whose weights are missing, damaged or unsafe, before a library opens them.

    Args:
        directory: The checkpoint's directory.
        spec: The encoder spec, for messages.
        expected: Shell patterns of weight files in the order in which the library looks for them; those of the first
            pattern that matches are checked.

    Raises:
        ModelError: If there is none, one is cut short or not what its name says, or a pickle holds more than tensors.
    """
    for index in sorted(directory.glob("*.index.json")):
        shards = {str(name) for name in read_json(index, spec).get("weight_map", {}).values()}
        absent = sorted(name for name in shards if not (directory / name).is_file())
        if absent:
            raise ModelError(
                f"The checkpoint {spec} lacks {len(absent)} of its {len(shards)} weight files, among them {absent[0]}: "
                "fetch it again."
            )
    for pattern in expected:
        files = sorted(directory.glob(pattern))
        for file in files:
            check_weight_file(file, spec)
        if files:
            return
    raise ModelError(f"The directory {directory} of {spec} has no weights, such as {expected[0]}: fetch it again.")


def check_weight_file(path: Path, spec: str) -> None:
    """Check one weight file.

    Args:
        path: A `.safetensors` file, whose header is checked against its length, or a file of `torch.save`, of which
            only tensors and plain containers are accepted.
        spec: The encoder spec, for messages.

    Raises:
        ModelError: If it is damaged, something else, or would run code.
    """
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if start.startswith(b"<"):
        raise ModelError(f"The weight file {path} of {spec} is a web page, not weights: download it again.")
    if start.startswith(b"version https://git-lfs"):
        raise ModelError(
            f"The weight file {path} of {spec} is a git-lfs pointer: run 'git lfs pull' where it came from."
        )
    if path.suffix == ".safetensors":
        _check_safetensors(path, spec)
    else:
        _check_pickle(path, spec)


def _check_safetensors(path: Path, spec: str) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as tensors:
            tensors.keys()
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"The weight file {path} of {spec} is damaged ({reason(error)}): download or copy it again."
        ) from None


def _check_pickle(path: Path, spec: str) -> None:
    import torch

    try:
        with quiet():
            try:
                torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            except RuntimeError as error:
                if "mmap" not in str(error):
                    raise
                torch.load(path, map_location="cpu", weights_only=True)  # the format before torch 1.6 cannot be mapped
    except pickle.UnpicklingError as error:
        # Not torch's own words: they advise to load the file all the same.
        if _CODE.search(str(error)):
            raise ModelError(
                f"The weight file {path} of {spec} holds Python objects beside tensors, which could run code and are "
                "never loaded: convert it to safetensors."
            ) from None
        raise ModelError(_damaged(path, spec, "not a pickle of tensors")) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ModelError(_damaged(path, spec, reason(error))) from None


def _damaged(path: Path, spec: str, why: str) -> str:
    return f"The weight file {path} of {spec} is damaged or no file of torch.save ({why}): download or copy it again."
