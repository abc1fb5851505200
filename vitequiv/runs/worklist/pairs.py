"""Work lists of pairs, from the ways in which sources and targets can be named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from vitequiv.errors import UsageError
from vitequiv.images.folders import is_folder
from vitequiv.runs.worklist.finding import STDIN, find
from vitequiv.runs.worklist.items import Pair, WorkList
from vitequiv.runs.worklist.names import Numbering, plain

Entry = tuple[Path | None, Path, str | None]
"""Source (None for noise), target and the name wished for (None for `SOURCE_to_TARGET`)."""


def pairs_from_paths(
    paths: Sequence[str], stdin: TextIO | None, say: Callable[[str], None] = lambda _: None
) -> WorkList[Pair]:
    """Read `SOURCE... TARGET`.

    Args:
        paths: Files, folders, glob patterns or `-` (names on standard input, one a line or separated by NUL); the last
            is the target, one file.
        stdin: Where `-` reads from.
        say: Told what is left out: the target itself where a folder, a pattern or standard input contains it.

    Returns:
        The pairs, in order.

    Raises:
        UsageError: If there is no source or no target, or a folder or pattern yields no image.
    """
    if len(paths) < 2:
        raise UsageError("Name at least one SOURCE and then the TARGET, as in: vitequiv match source.png target.png.")
    target = Path(paths[-1])
    if paths[-1] == STDIN or is_folder(target):
        raise UsageError(
            f"TARGET, the last name, must be one image file, got {paths[-1]!r}; use --to for many targets."
        )
    found = find(paths[:-1], stdin)
    said = False

    def sources() -> Iterator[Path]:
        nonlocal said
        for path, looked_for in found.read():
            if looked_for and _same_file(path, target):
                if not said:
                    say(f"{target} is the target, so it is left out of the sources.")
                said = True
            else:
                yield path

    if not found.live and next(sources(), None) is None:
        raise UsageError(f"There is no source image beside the target {target}.")
    return WorkList(lambda: naming((source, target, None) for source in sources()), found.live)


def pairs_from_noise(paths: Sequence[str], stdin: TextIO | None) -> WorkList[Pair]:
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
    found = find(paths, stdin)
    return WorkList(lambda: naming((None, path, None) for path, _ in found.read()), found.live)


def pairs_to_given(paths: Sequence[str], label: str, stdin: TextIO | None) -> WorkList[Pair]:
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
    found = find(paths, stdin)

    def read() -> Iterator[Pair]:
        number = Numbering()
        return (Pair(number(f"{plain(path.stem)}_to_{plain(label)}"), path, None) for path, _ in found.read())

    return WorkList(read, found.live)


def noise_to_given(label: str) -> WorkList[Pair]:
    """The pair of a start at noise and a target that an option names, called `label`."""
    return WorkList(lambda: iter([Pair(f"noise_to_{plain(label)}", None, None)]))


def pairs_to_each(
    sources: Sequence[str], targets: Sequence[str], stdin: TextIO | None, say: Callable[[str], None] = lambda _: None
) -> WorkList[Pair]:
    """Pair every source with every target.

    Args:
        sources: Files, folders, glob patterns or `-`.
        targets: Likewise; all of them are read before the first pair.
        stdin: Where `-` reads from.
        say: Told what is left out: an image with itself, where a folder, a pattern or standard input made that pair.

    Returns:
        The pairs, source by source.

    Raises:
        UsageError: If no source is named, both sides are to be read from standard input, or a name yields no image.
    """
    if not sources:
        raise UsageError("Name at least one SOURCE: with --to, every name is a source.")
    if STDIN in sources and STDIN in targets:
        raise UsageError("Standard input, -, can name either the sources or the targets, not both.")
    left = find(sources, stdin)
    right = [(path, looked_for, _identity(path)) for path, looked_for in find(targets, stdin).read()]

    def entries() -> Iterator[Entry | None]:
        """The pairs; None for one that is left out."""
        for source, source_found in left.read():
            number = _identity(source)
            for target, target_found, other in right:
                same = number is not None and number == other
                yield None if same and (source_found or target_found) else (source, target, None)

    if not left.live:
        kept = [entry is not None for entry in entries()]
        if not any(kept):
            raise UsageError("Every pair would be of an image with itself: name another source or another --to.")
        dropped = len(kept) - sum(kept)
        what = "1 pair of an image with itself is" if dropped == 1 else f"{dropped} pairs of an image with itself are"
        if dropped:
            say(f"{what} left out.")
    return WorkList(lambda: naming(entry for entry in entries() if entry is not None), left.live)


def naming(entries: Iterable[Entry]) -> Iterator[Pair]:
    """Give each pair a name that is a plain, unique file name.

    Args:
        entries: Sources, targets and wishes.

    Yields:
        The pairs in order, each as its entry comes; names met before are numbered.
    """
    number = Numbering()
    for source, target, wish in entries:
        yield Pair(number(pair_name(source, target, wish)), source, target)


def named(entries: Iterable[Entry]) -> list[Pair]:
    """All pairs of `naming`.

    Args:
        entries: Sources, targets and wishes.

    Returns:
        The pairs.
    """
    return list(naming(entries))


def pair_name(source: Path | None, target: Path, wish: str | None) -> str:
    """The name of a pair, plain but perhaps not unique."""
    return plain(wish) if wish else f"{plain(source.stem if source else 'noise')}_to_{plain(target.stem)}"


def _same_file(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False


def _identity(path: Path) -> tuple[int, int] | None:
    """What is the same for two names of one file; None for a file that is not there."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
