"""What is in a folder, asked so that no name and no permission ends in a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vitequiv.errors import UsageError
from vitequiv.images.naming import shown
from vitequiv.images.suffixes import IMAGE_SUFFIXES


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; a name too long for the system, or one with a null character, is none."""
    return _ask(path.is_dir)


def is_there(path: Path) -> bool:
    """Whether there is anything of this name."""
    return _ask(path.exists)


def is_image_name(path: Path) -> bool:
    """Whether a file in a folder is taken for an image: by its suffix, and not hidden, as `._photo.jpg` of macOS is."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def images_in(folder: Path) -> tuple[Path, ...]:
    """List the images of a folder, not those of its sub-folders.

    Args:
        folder: The folder.

    Returns:
        Files with an image's suffix that are not hidden, sorted.
    """
    return tuple(sorted(path for path in entries(folder) if is_image_name(path) and _ask(path.is_file)))


def entries(folder: Path) -> list[Path]:
    """List a folder.

    Args:
        folder: The folder.

    Returns:
        What is in it, in no order.

    Raises:
        UsageError: If it cannot be read.
    """
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise UsageError(
            f"The folder {shown(folder)} cannot be read ({error.strerror}): change its permissions or name another."
        ) from None


def _ask(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (OSError, ValueError):  # pathlib lets some errors through, such as those of a name that is too long
        return False
