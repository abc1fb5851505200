"""How a path is written in a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike


def shown(path: str | PathLike[str]) -> str:
    r"""A path fit for one line of any terminal.

    Args:
        path: Any path, also one with line breaks or bytes that are not UTF-8.

    Returns:
        The path with what cannot be printed written as escapes such as `\n` or `\udcff`; two quotes if it is empty.
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(path)) or "''"
