"""From names on a command line to work lists, read as they are needed."""

from __future__ import annotations

import glob
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TextIO, TypeVar

from vitequiv.errors import UsageError
from vitequiv.images.folders import images_in, is_folder, is_there
from vitequiv.images.suffixes import IMAGE_SUFFIXES
from vitequiv.runs.directory import JOURNAL_NAME, RECORD_SUFFIX
from vitequiv.runs.names_on_stdin import read_names

if TYPE_CHECKING:
    from vitequiv.runs.target_choice import EmbeddingTarget, TextTarget

STDIN = "-"
LONGEST_STEM = 80
"""Bytes; two of them and a number stay below the 255 that file systems allow."""


@dataclass(frozen=True)
class Pair:
    """One match to do.

    Args:
        name: The item's name: a plain file name, unique in the run.
        source: Where to start; None for noise.
        target: Whose embedding to match; None if that is no image.
        given: The target, no image, of this pair alone; None if it has an image or the run has one for all.
    """

    name: str
    source: Path | None
    target: Path | None
    given: TextTarget | EmbeddingTarget | None = None


@dataclass(frozen=True)
class Item:
    """One image to look at.

    Args:
        name: The item's name: a plain file name, unique in the run.
        path: The image.
    """

    name: str
    path: Path


@dataclass(frozen=True)
class ModelItem:
    """One model to look at, for verbs whose item is all that is done in it.

    Args:
        name: The item's name: a plain file name, unique in the run.
    """

    name: str


@dataclass(frozen=True)
class Broken:
    """An item that cannot be made out, for example a row of a pairs file without a target.

    Args:
        name: The item's name, unique in the run.
        message: Why, in a sentence.
    """

    name: str
    message: str


I_co = TypeVar("I_co", covariant=True)


@dataclass(frozen=True)
class WorkList(Generic[I_co]):
    """What is to be done, in order.

    Args:
        read: Reads the list from its beginning, an item at a time.
        live: Whether the list comes from a pipe: its end is not known, and it can be read but once.
    """

    read: Callable[[], Iterator[I_co | Broken]]
    live: bool = False


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


Entry = tuple[Path | None, Path, str | None]
"""Source (None for noise), target and the name wished for (None for `SOURCE_to_TARGET`)."""


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


class Numbering:
    """Numbers the names that were met before, `-2`, `-3`, ..., compared without case, as some file systems do.

    Names of the run directory's own files count as met.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._last: dict[str, int] = {}

    def __call__(self, base: str) -> str:
        """Returns the name, numbered if need be, and remembers it."""
        count = self._last.get(base.casefold(), 0)
        while True:
            count += 1
            name = base if count == 1 else f"{base}-{count}"
            key = name.casefold()
            if key not in self._used and key != JOURNAL_NAME and not key.endswith(RECORD_SUFFIX):
                break
        self._last[base.casefold()] = count
        self._used.add(key)
        return name


def unique(names: Iterable[str]) -> list[str]:
    """Number the names that were met before; see `Numbering`.

    Args:
        names: Any names.

    Returns:
        As many, all different.
    """
    number = Numbering()
    return [number(name) for name in names]


RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
"""Names that Windows keeps for devices, also before a suffix."""


def plain(text: str) -> str:
    """A file name for any system.

    Args:
        text: Any text.

    Returns:
        Letters, digits and `_.+-` of bounded length, in one spelling of accents, so that file systems which do not tell
        spellings apart see what `unique` sees; no dot or dash at the front, no dot at the end, no device of Windows.
    """
    name = re.sub(r"[^\w.+-]+", "_", unicodedata.normalize("NFC", text)).lstrip(".-")
    name = name.encode()[:LONGEST_STEM].decode(errors="ignore").rstrip(".") or "item"
    return f"{name}_" if name.partition(".")[0].lower() in RESERVED else name


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
