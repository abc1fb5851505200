"""The files of a checkpoint's own directory: no link out of it, no pipe, nothing too large to be one of them."""

from __future__ import annotations

import os
from pathlib import Path

from vitequiv.errors import ModelError
from vitequiv.images.naming import shown


def own_file(directory: Path, name: str, spec: str) -> Path | None:
    """Find a file of a checkpoint.

    Args:
        directory: The checkpoint's directory.
        name: The file's name in it.
        spec: The encoder spec, for messages.

    Returns:
        Where it lies, with links followed; None if there is none of this name.

    Raises:
        ModelError: If it is a link out of the directory, or no regular file (a pipe would be waited for).
    """
    path = directory / name
    if not os.path.lexists(path):
        return None
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise ModelError(f"The file {shown(path)} of {spec} is a link that leads nowhere: fetch it again.") from None
    if not any(target.is_relative_to(home) for home in _homes(directory.resolve())):
        raise ModelError(
            f"The file {shown(path)} of {spec} is a link out of its directory, and a checkpoint may not reach for "
            "other files: copy what it leads to into the directory."
        )
    if not target.is_file():
        raise ModelError(f"The file {shown(path)} of {spec} is no regular file: fetch it again.")
    return target


def _homes(directory: Path) -> tuple[Path, ...]:
    """Where a checkpoint's files may lie: its directory, and in a cache of the hub the blobs of the same repository."""
    repository = directory.parent.parent
    if directory.parent.name == "snapshots" and repository.name.startswith("models--"):
        return directory, repository / "blobs"
    return (directory,)
