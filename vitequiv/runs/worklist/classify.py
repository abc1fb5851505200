"""From names on a command line to the rows of a matrix: images, and the three images of each saved match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from vitequiv.errors import ImageError, UsageError
from vitequiv.images.naming import shown
from vitequiv.runs.saved_matches import SavedMatch, match_folders, read_match
from vitequiv.runs.worklist.finding import expand
from vitequiv.runs.worklist.names import unique

IMAGE, SOURCE, TARGET, MATCHED = "image", "source", "target", "matched"


@dataclass(frozen=True)
class Row:
    """One image to classify.

    Args:
        name: What it is called in tables and plots, unique.
        role: `image`, `source`, `target` or `matched`.
        path: The file.
        sha256: The digest that it must have; None for any, which no source or target of a match may be.
    """

    name: str
    role: str
    path: Path
    sha256: str | None = None


@dataclass(frozen=True)
class MatchRows:
    """The rows of one saved match.

    Args:
        match: The match.
        source: Index of its source's row; None for a start at noise.
        target: Index of its target's row; None for a target that is no image.
        matched: Index of the row of its `matched.png`.
    """

    match: SavedMatch
    source: int | None
    target: int | None
    matched: int

    @property
    def indices(self) -> tuple[int, ...]:
        """The rows there are."""
        return tuple(i for i in (self.source, self.target, self.matched) if i is not None)


@dataclass(frozen=True)
class ClassifyWork:
    """Everything that a classify run looks at.

    Args:
        rows: Plain images, then sources and targets (each file once), then matched images.
        matches: The saved matches.
        failures: Names of matches that cannot be read, with the reason.
    """

    rows: tuple[Row, ...]
    matches: tuple[MatchRows, ...]
    failures: tuple[tuple[str, str], ...]


def work_from_paths(paths: Sequence[str], stdin: TextIO | None) -> ClassifyWork:
    """Read `IMAGE...`.

    Args:
        paths: Files, folders, glob patterns, `-` (names on standard input), or folders of saved matches.
        stdin: Where `-` reads from.

    Returns:
        The rows.

    Raises:
        UsageError: If nothing is named, or a folder or pattern yields no image.
    """
    if not paths:
        raise UsageError("Name at least one IMAGE: a file, a folder, a pattern, a folder of saved matches, or -.")
    images: list[Path] = []
    matches: list[SavedMatch] = []
    failures: list[tuple[str, str]] = []
    for text in paths:
        folders = match_folders(Path(text)) if text and text != "-" else []
        if not folders:
            images += expand(text, stdin)[0]
        for folder in folders:
            try:
                matches.append(read_match(folder, Path(text)))
            except ImageError as error:
                failures.append((shown(folder.name), error.message))
    return _arrange(images, matches, failures)


def _arrange(images: list[Path], matches: list[SavedMatch], failures: list[tuple[str, str]]) -> ClassifyWork:
    entries: dict[tuple[str, Path, str | None], int] = {}  # role, file, digest: each is a row

    def row(role: str, path: Path, sha256: str | None) -> int:
        return entries.setdefault((role, path, sha256), len(entries))

    # A file that is the source of one match and the target of another is one row, called by what it was first.
    originals: dict[tuple[Path, str | None], int] = {}

    def original(role: str, path: Path, sha256: str | None) -> int:
        key = (path, sha256)
        if key not in originals:
            originals[key] = row(role, path, sha256)
        return originals[key]

    for path in images:
        row(IMAGE, path, None)
    ends = []
    for match in matches:
        source = None if match.source is None else original(SOURCE, match.source, match.source_sha256)
        target = None if match.target is None else original(TARGET, match.target, match.target_sha256)
        ends.append((source, target))
    found = [
        MatchRows(match, source, target, row(MATCHED, match.artifact("matched"), None))
        for match, (source, target) in zip(matches, ends, strict=True)
    ]
    names = [shown(path.stem) for _, path, _ in entries]
    for rows in found:
        names[rows.matched] = rows.match.name
    return ClassifyWork(
        tuple(Row(name, role, path, sha256) for name, (role, path, sha256) in zip(unique(names), entries, strict=True)),
        tuple(found),
        tuple(failures),
    )
