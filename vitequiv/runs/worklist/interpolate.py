"""From names on a command line to the pairs that paths connect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vitequiv.errors import UsageError
from vitequiv.images.folders import is_folder
from vitequiv.results.names import PathKind
from vitequiv.runs.worklist.items import Broken, Pair, WorkList
from vitequiv.runs.worklist.names import plain
from vitequiv.runs.worklist.pairs import named
from vitequiv.runs.worklist.pairs_file import pairs_from_csv


@dataclass(frozen=True)
class Ends:
    """One path to go.

    Args:
        name: The item's name: a plain file name, unique in the run.
        start: Where it starts.
        end: Where it leads; None for a random direction.
    """

    name: str
    start: Path
    end: Path | None


def ends_from_paths(
    paths: list[str], pairs: Path | None, kind: str, say: Callable[[str], None] = lambda _: None
) -> WorkList[Ends]:
    """Read `START [END]` or a pairs file.

    Args:
        paths: The names on the command line.
        pairs: CSV with the columns `source,target[,name]`, START and END; None for none.
        kind: The path, for only `null` can do without END.
        say: Told that a pipe is read.

    Returns:
        The pairs, in order.

    Raises:
        UsageError: If there are too few or too many names, one is empty or a folder, or the pairs file is at fault.
    """
    if pairs is not None:
        if paths:
            raise UsageError("Give either --pairs or START END, not both.")
        found = pairs_from_csv(pairs, say=say)
        return WorkList(lambda: map(_ends, found.read()), found.live)
    if not 1 <= len(paths) <= 2 or (len(paths) == 1 and kind != PathKind.NULL):
        least = "START, and END if it is to lead somewhere," if kind == PathKind.NULL else "START and END"
        raise UsageError(f"Name {least} as in: vitequiv interpolate start.png end.png; got {len(paths)} names.")
    for text in paths:
        if not text:
            raise UsageError("A name is empty: is a variable of your script not set?")
        if is_folder(Path(text)):
            raise UsageError(f"{text} is a folder: name one image, or many pairs with --pairs.")
    start = Path(paths[0])
    if len(paths) == 1:
        return WorkList(lambda: iter([Ends(f"{plain(start.stem)}_null", start, None)]))
    end = Path(paths[1])
    (pair,) = named([(start, end, None)])
    return WorkList(lambda: iter([Ends(pair.name, start, end)]))


def _ends(pair: Pair | Broken) -> Ends | Broken:
    if isinstance(pair, Broken) or pair.source is None:
        return pair if isinstance(pair, Broken) else Broken(pair.name, "This pair has no START.")
    return Ends(pair.name, pair.source, pair.target)
