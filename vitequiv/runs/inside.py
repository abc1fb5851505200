"""Folders and files of a run that are what they seem: not links to somewhere else."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from vitequiv.errors import OutputError
from vitequiv.files.links import leads_inside
from vitequiv.images.naming import shown


def make_inside(folder: Path, root: Path) -> None:
    """Make a folder, or find that it is there.

    Args:
        folder: A folder below `root`.
        root: The run's directory; it may itself be a link, for the user named it.

    Raises:
        OutputError: If the folder leads out of the run's directory, as a link in a directory that others may write to
            could. (Files that are renamed into place need no
            such care: that replaces a link and never follows it.)
        OSError: If the system refuses.
    """
    folder.mkdir(exist_ok=True)
    require_inside(folder, root)


def require_inside(folder: Path, root: Path) -> None:
    """Refuse a folder that leads out of the run's directory.

    Args:
        folder: A folder below `root`; it need not be there.
        root: The directory; it may itself be a link, for the user named it.

    Raises:
        OutputError: If it does.
    """
    if not leads_inside(folder, root):
        raise OutputError(
            f"{shown(folder)} is a link that leads out of the run's directory: remove it or choose another --out."
        )


def is_inside(path: Path, root: Path) -> bool:
    """Whether a path is no link, and does not lead out of a directory by way of one.

    Args:
        path: A path below `root`; it need not be there.
        root: The directory; it may itself be a link, for the user named it.

    Returns:
        The answer.
    """
    return not path.is_symlink() and leads_inside(path, root)


def require_own_file(path: Path) -> None:
    """Refuse to open for writing what is no file of its own.

    That is a link, which opening follows and renaming into place does not; or a device, a pipe or a folder.

    Args:
        path: A file of the run's directory; it need not be there.

    Raises:
        OSError: If it is a link or something else.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, f"{shown(path.name)} is a link, which is not written through")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"{shown(path.name)} is a folder, device or pipe, not a file")
