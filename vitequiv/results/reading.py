"""Reading what an earlier run wrote: it may have been edited, or planted, since."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

MAX_JSON_BYTES = 1 << 28
"""A trajectory of a million rows has a tenth of this."""


def read_regular(path: Path, limit: int) -> bytes:
    """Read a regular file.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Returns:
        Its bytes.

    Raises:
        ValueError: If it is a device or pipe, which could be waited for without end, or larger than the limit.
    """
    # With O_NONBLOCK a pipe does not wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is a device or pipe, not a file")
        if status.st_size > limit:
            raise ValueError(f"it has {status.st_size:,} bytes, more than the {limit:,} read")
        return file.read(limit)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Args:
        path: The file.

    Returns:
        What it holds.

    Raises:
        ValueError: If it is no JSON in UTF-8, is nested too deep for Python, or no regular file of ordinary size.
    """
    try:
        return json.loads(read_regular(path, MAX_JSON_BYTES).decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def artifact(folder: Path, name: object) -> Path:
    """Find a file that a result names.

    Args:
        folder: The result's folder.
        name: What its JSON calls the file.

    Returns:
        The path.

    Raises:
        ValueError: If the name leads out of the folder.
    """
    if not isinstance(name, str) or name in {"", ".", ".."} or Path(name).name != name or "\0" in name:
        raise ValueError(f"its JSON names {name!r}, which is no file of its folder")
    return folder / name
