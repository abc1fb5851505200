"""From names on a command line to the list of pairs to match."""

from __future__ import annotations

import csv
import glob
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from vitequiv.errors import UsageError
from vitequiv.images.decode import IMAGE_SUFFIXES

STDIN = "-"
LONGEST_STEM = 80
"""Bytes; two of them and a number stay below the 255 that file systems allow."""


@dataclass(frozen=True)
class Pair:
    """One match to do.

    Args:
        name: The item's name: a plain file name, unique in the run.
        source: Where to start; None for noise.
        target: Whose embedding to match; None if the run has one target that is no image.
    """

    name: str
    source: Path | None
    target: Path | None


@dataclass(frozen=True)
class Item:
    """One image to look at.

    Args:
        name: The item's name: a plain file name, unique in the run.
        path: The image.
    """

    name: str
    path: Path


def images_from_paths(paths: Sequence[str], stdin: TextIO | None) -> list[Item]:
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
    found = [path for text in paths for path in expand(text, stdin)[0]]
    return [Item(name, path) for name, path in zip(unique(plain(path.stem) for path in found), found, strict=True)]


def pairs_from_paths(paths: Sequence[str], stdin: TextIO | None) -> tuple[list[Pair], list[str]]:
    """Read `SOURCE... TARGET`.

    Args:
        paths: Files, folders, glob patterns or `-` (names on standard input, one a line or separated by NUL); the last
            is the target, one file.
        stdin: Where `-` reads from.

    Returns:
        The pairs, and notes on what was left out (the target itself where a folder or pattern contains it).

    Raises:
        UsageError: If there is no source or no target, or a folder or pattern yields no image.
    """
    if len(paths) < 2:
        raise UsageError("Name at least one SOURCE and then the TARGET, as in: vitequiv match source.png target.png.")
    target = Path(paths[-1])
    if paths[-1] == STDIN or target.is_dir():
        raise UsageError(
            f"TARGET, the last name, must be one image file, got {paths[-1]!r}; use --pairs for many targets."
        )
    sources: list[Path] = []
    notes = []
    for text in paths[:-1]:
        found, expanded = expand(text, stdin)
        kept = [path for path in found if not (expanded and _same_file(path, target))]
        if len(kept) < len(found):
            notes.append(f"{target} is the target, so it is left out of the sources in {text}.")
        sources += kept
    if not sources:
        raise UsageError(f"There is no source image beside the target {target}.")
    return named([(source, target, None) for source in sources]), notes


def pairs_from_noise(paths: Sequence[str], stdin: TextIO | None) -> list[Pair]:
    """Read `TARGET...` for a start at noise.

    Args:
        paths: Files, folders, glob patterns or `-`; every image is a target.
        stdin: Where `-` reads from.

    Returns:
        The pairs, without sources.

    Raises:
        UsageError: If no target is named, or a folder or pattern yields no image.
    """
    if not paths:
        raise UsageError("Name at least one TARGET, as in: vitequiv match --init noise target.png.")
    return named([(None, path, None) for text in paths for path in expand(text, stdin)[0]])


def pairs_to_given(paths: Sequence[str], label: str, stdin: TextIO | None) -> list[Pair]:
    """Read `SOURCE...` where an option names the target.

    Args:
        paths: Files, folders, glob patterns or `-`; every image is a source.
        label: What the target is called.
        stdin: Where `-` reads from.

    Returns:
        The pairs, without targets.

    Raises:
        UsageError: If no source is named, or a folder or pattern yields no image.
    """
    if not paths:
        raise UsageError("Name at least one SOURCE: where an option names the target, every name is a source.")
    sources = [path for text in paths for path in expand(text, stdin)[0]]
    names = unique(f"{plain(source.stem)}_to_{plain(label)}" for source in sources)
    return [Pair(name, source, None) for name, source in zip(names, sources, strict=True)]


def noise_to_given(label: str) -> Pair:
    """The pair of a start at noise and a target that an option names, called `label`."""
    return Pair(f"noise_to_{plain(label)}", None, None)


def pairs_from_csv(path: Path) -> list[Pair]:
    """Read a pairs file.

    Args:
        path: CSV in UTF-8 with the columns `source`, `target` and optionally `name`, named in the first row; file
            names are relative to the current directory.

    Returns:
        The pairs, in order.

    Raises:
        UsageError: If the file cannot be read, has no such columns, no rows, or a row lacks one.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except OSError as error:
        raise UsageError(f"The pairs file {path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"The pairs file {path} is not CSV in UTF-8: {error}.") from None
    if not rows:
        raise UsageError(
            f"The pairs file {path} has no rows: its first line must be source,target and a pair a line follow."
        )
    if not {"source", "target"} <= set(rows[0]):
        raise UsageError(f"The pairs file {path} must name its columns source,target[,name] in its first line.")
    entries = []
    for number, row in enumerate(rows, start=2):
        source, target = (row.get("source") or "").strip(), (row.get("target") or "").strip()
        if not source or not target or "\0" in source + target:
            raise UsageError(f"Row {number} of the pairs file {path} lacks a source or a target.")
        entries.append((Path(source), Path(target), (row.get("name") or "").strip() or None))
    return named(entries)


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
        if stdin is None or stdin.closed:
            raise UsageError("Standard input is closed, so - can name no image: pipe the names in.")
        text_read = stdin.read()
        names = text_read.split("\0") if "\0" in text_read else text_read.splitlines()
        found = [Path(name) for name in names if name]
        what = "Standard input names"
    elif (path := Path(text)).is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
        what = f"The folder {text} holds"
    elif not path.exists() and glob.has_magic(text):
        matches = glob.glob(text, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
        found = sorted(path for path in map(Path, matches) if path.is_file())
        what = f"The pattern {text} matches"
    else:
        return [path], False
    if not found:
        raise UsageError(f"{what} no image: images end in {', '.join(sorted(IMAGE_SUFFIXES))}.")
    return found, True


def named(entries: Iterable[tuple[Path | None, Path, str | None]]) -> list[Pair]:
    """Give each pair a name that is a plain, unique file name.

    Args:
        entries: Source (None for noise), target and the name wished for (None for `SOURCE_to_TARGET`).

    Returns:
        The pairs in order; a name met before gets `-2`, `-3`, ... (compared without case, as some file systems do).
    """
    entries = list(entries)
    bases = [
        plain(wish) if wish else f"{plain(source.stem if source else 'noise')}_to_{plain(target.stem)}"
        for source, target, wish in entries
    ]
    return [Pair(name, s, t) for name, (s, t, _) in zip(unique(bases), entries, strict=True)]


def unique(names: Iterable[str]) -> list[str]:
    """Number the names that were met before, `-2`, `-3`, ..., compared without case, as some file systems do.

    Args:
        names: Any names.

    Returns:
        As many, all different.
    """
    used: set[str] = set()
    result = []
    for base in names:
        name, count = base, 1
        while name.casefold() in used:
            count += 1
            name = f"{base}-{count}"
        used.add(name.casefold())
        result.append(name)
    return result


def plain(text: str) -> str:
    """A file name without separators, control characters or leading dots, of bounded length."""
    name = re.sub(r"[^\w.+-]+", "_", text).lstrip(".")
    return name.encode()[:LONGEST_STEM].decode(errors="ignore") or "item"


def _same_file(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False
