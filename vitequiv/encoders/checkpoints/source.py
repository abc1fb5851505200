"""Where a checkpoint is: a local directory, or a repository on the hub."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitequiv.encoders.checkpoints.hub import snapshot
from vitequiv.encoders.checkpoints.own import own_file
from vitequiv.errors import ModelError
from vitequiv.images.naming import shown

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
LOCAL, HUB = "local-dir:", "hf-hub:"
"""What open_clip and timm write before a directory, and before the name of a repository."""

MOST_JSON = 2**26
"""Bytes of one JSON file of a checkpoint; the largest known, a tokenizer's, have half of that."""


@dataclass(frozen=True)
class Wanted:
    """The files of a hub repository that make a checkpoint.

    Args:
        weights: Alternatives, best first; each is the shell patterns of files that belong together. Safetensors only:
            what is not asked for is not fetched.
        others: Shell patterns of configuration files.
    """

    weights: tuple[tuple[str, ...], ...]
    others: tuple[str, ...] = ()


def locate(checkpoint: str, spec: str, wanted: Wanted) -> Path:
    """Find a checkpoint's directory, fetching it from the hub if it is the name of a repository.

    Args:
        checkpoint: A directory or a hub name.
        spec: The encoder spec, for messages.
        wanted: The files wanted from the hub.

    Returns:
        A local directory.

    Raises:
        ModelError: If there is no such directory and it cannot be fetched either.
    """
    return local_directory(checkpoint, spec) or fetch(checkpoint, spec, wanted)


def fetch(repo: str, spec: str, wanted: Wanted) -> Path:
    """Bring a checkpoint here from the hub or find it in the cache.

    Args:
        repo: The repository's name.
        spec: The encoder spec, for messages.
        wanted: The files wanted; the first format of weights that the repository has is taken.

    Returns:
        A local directory.

    Raises:
        ModelError: If `repo` is no hub name, or the repository cannot be had or has no such weights.
    """
    if not _HUB_NAME.fullmatch(repo):
        raise ModelError(f"{repo!r} is neither a directory nor a hub name OWNER/NAME: check {spec}.")
    for patterns in wanted.weights:
        directory = snapshot(repo, (*wanted.others, *patterns), spec)
        if any(next(directory.glob(pattern), None) for pattern in patterns):
            return directory
    raise ModelError(
        f"The hub repository {repo} of {spec} has no {wanted.weights[0][0]}, and pickles are never fetched: "
        "name another, or a directory whose weights were converted as docs/how-to/own-checkpoint.md shows."
    )


def local_directory(checkpoint: str, spec: str) -> Path | None:
    """Tell a directory from a hub name.

    Args:
        checkpoint: What the user typed after the colon.
        spec: The encoder spec, for messages.

    Returns:
        The directory; None if it is not one and does not look like a path either.

    Raises:
        ModelError: If it is a file, or looks like a path and is not there.
    """
    path = Path(checkpoint).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise ModelError(f"{checkpoint} is a file: name the directory that holds the checkpoint in {spec}.")
    separators = {os.sep, os.altsep or os.sep, "\\"}
    if checkpoint[0] in {".", "~", *separators} or checkpoint[-1] in separators or checkpoint.count("/") > 1:
        raise ModelError(f"There is no directory {checkpoint}: check the path in {spec}.")
    return None


def prefixed_directory(checkpoint: str, spec: str, wanted: Wanted) -> Path | None:
    """Find the directory of a checkpoint that is named as open_clip and timm do.

    Args:
        checkpoint: A directory, `local-dir:DIR`, `hf-hub:OWNER/NAME`, or a name that only the library knows.
        spec: The encoder spec, for messages.
        wanted: The files wanted from the hub.

    Returns:
        The directory; None for a name of the library.

    Raises:
        ModelError: If there is no such directory, or the repository cannot be had.
    """
    if checkpoint.startswith(HUB):
        return fetch(checkpoint.removeprefix(HUB), spec, wanted)
    if not checkpoint.startswith(LOCAL):
        return local_directory(checkpoint, spec)
    directory = Path(checkpoint.removeprefix(LOCAL)).expanduser()
    if not directory.is_dir():
        raise ModelError(f"There is no directory {directory}: check the path in {spec}.")
    return directory


def read_json(path: Path, spec: str) -> dict[str, Any]:
    """Read a checkpoint's JSON file.

    Args:
        path: The file.
        spec: The encoder spec, for messages.

    Returns:
        Its object.

    Raises:
        ModelError: If it cannot be read, is too large, lies elsewhere or is not a JSON object.
    """
    target = own_file(path.parent, path.name, spec)
    if target is None:
        raise ModelError(f"The file {shown(path)} of {spec} is not there: fetch the checkpoint again.")
    try:
        with target.open("rb") as file:
            text = file.read(MOST_JSON + 1)
        if len(text) > MOST_JSON:
            raise ModelError(
                f"The file {shown(path)} of {spec} has more than {MOST_JSON >> 20} MiB, which no configuration needs: "
                "fetch the checkpoint again."
            )
        content = json.loads(text.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"The file {path} of {spec} cannot be read ({error}): fetch the checkpoint again.") from None
    if not isinstance(content, dict):
        raise ModelError(f"The file {path} of {spec} is not a JSON object: fetch the checkpoint again.")
    return content
