"""Work lists of single images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from vitequiv.errors import UsageError
from vitequiv.runs.worklist.finding import find
from vitequiv.runs.worklist.items import Item, WorkList
from vitequiv.runs.worklist.names import Numbering, plain


def images_from_paths(paths: Sequence[str], stdin: TextIO | None) -> WorkList[Item]:
    """Read `IMAGE...`.

    Args:
        paths: Files, folders, glob patterns or `-` (names on standard input).
        stdin: Where `-` reads from.

    Returns:
        The images, in order.

    Raises:
        UsageError: If no image is named, or a folder or pattern yields none.
    """
    if not paths:
        raise UsageError("Name at least one IMAGE: a file, a folder, a pattern, or - for names on standard input.")
    found = find(paths, stdin)

    def read() -> Iterator[Item]:
        number = Numbering()
        return (Item(number(plain(path.stem)), path) for path, _ in found.read())

    return WorkList(read, found.live)
