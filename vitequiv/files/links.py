"""Where links lead."""

from __future__ import annotations

import errno
from pathlib import Path


def leads_inside(path: Path, root: Path) -> bool:
    """Whether a path lies in a directory once all links are followed.

    Args:
        path: The path; nothing need be there.
        root: The directory; it may itself be a link.

    Returns:
        The answer; links in a circle lead nowhere.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:  # `resolve` says nothing of it since Python 3.13
            return False
    except ValueError:
        return False
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):
        return False
