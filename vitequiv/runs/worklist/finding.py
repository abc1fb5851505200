"""The image files that names on a command line stand for."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

from vitequiv.errors import UsageError
from vitequiv.images.folders import images_in, is_folder, is_there
from vitequiv.images.suffixes import IMAGE_SUFFIXES
from vitequiv.runs.worklist.stdin import read_names

STDIN = "-"


@dataclass(frozen=True)
class Found:
    """Image files that names on a command line stand for.

    Args:
        read: Reads them in order; each with whether it was looked for, in a folder, by a pattern or on standard input,
            rather than named itself.
        live: Whether some come from standard input, so that they can be read but once.
    """

    read: Callable[[], Iterator[tuple[Path, bool]]]
    live: bool


def find(paths: Sequence[str], stdin: TextIO | None) -> Found:
    """Find the files that names stand for, those on standard input as they come.

    Args:
        paths: Files, folders, glob patterns or `-`.
        stdin: Where `-` reads from.

    Returns:
        The files.

    Raises:
        UsageError: If a folder, a pattern or standard input yields no image, or `-` is there twice.
    """
    if paths.count(STDIN) > 1:
        raise UsageError("- stands for the names on standard input, which can be read but once: give it once.")
    parts: list[list[Path] | None] = []
    looked_for: list[bool] = []
    for text in paths:
        files, looked = (None, True) if text == STDIN else expand(text, stdin)
        parts.append(files)
        looked_for.append(looked)
    live = STDIN in paths
    # The first name is waited for here, for there to be none is a mistake that need not wait for the model.
    names = _on_stdin(stdin) if live else iter(())

    def read() -> Iterator[tuple[Path, bool]]:
        for part, looked in zip(parts, looked_for, strict=True):
            for path in names if part is None else part:
                yield path, looked

    return Found(read, live)


def _on_stdin(stdin: TextIO | None) -> Iterator[Path]:
    names = map(Path, read_names(_open(stdin)))
    first = next(names, None)
    if first is None:
        raise UsageError(_no_image("Standard input names"))
    return chain([first], names)


def expand(text: str, stdin: TextIO | None) -> tuple[list[Path], bool]:
    """Find the files that one name stands for.

    Args:
        text: A file, a folder (its images, not those of its sub-folders), a glob pattern (`**` for any depth) or `-`.
        stdin: Where `-` reads from.

    Returns:
        The files, sorted where the order is ours to choose, and whether more than the name itself was looked for. A
        file that does not exist is returned: it fails later, by itself.

    Raises:
        UsageError: If a folder, a pattern or standard input yields no image.
    """
    if not text:
        raise UsageError("A name is empty: is a variable of your script not set?")
    if text == STDIN:
        found = [Path(name) for name in read_names(_open(stdin))]
        what = "Standard input names"
    elif is_folder(path := Path(text)):
        found = list(images_in(path))
        what = f"The folder {text} holds"
    elif not is_there(path) and glob.has_magic(text):
        matches = glob.glob(text, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
        found = sorted(path for path in map(Path, matches) if path.is_file())
        what = f"The pattern {text} matches"
    else:
        return [path], False
    if not found:
        raise UsageError(_no_image(what))
    return found, True


def _open(stdin: TextIO | None) -> TextIO:
    if stdin is None or stdin.closed:
        raise UsageError("Standard input is closed, so - can name no image: pipe the names in.")
    return stdin


def _no_image(what: str) -> str:
    return f"{what} no image: images end in {', '.join(sorted(IMAGE_SUFFIXES))}."
