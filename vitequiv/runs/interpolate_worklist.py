"""From names on a command line to the pairs that paths connect."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vitequiv.errors import UsageError
from vitequiv.results.interpolate import PathKind
from vitequiv.runs.worklist import named, pairs_from_csv, plain


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


def ends_from_paths(paths: list[str], pairs: Path | None, kind: PathKind) -> list[Ends]:
    """Read `START [END]` or a pairs file.

    Args:
        paths: The names on the command line.
        pairs: CSV with the columns `source,target[,name]`, START and END; None for none.
        kind: The path, for only `null` can do without END.

    Returns:
        The pairs, in order.

    Raises:
        UsageError: If there are too few or too many names, one is empty or a folder, or the pairs file is at fault.
    """
    if pairs is not None:
        if paths:
            raise UsageError("Give either --pairs or START END, not both.")
        return [Ends(p.name, p.source, p.target) for p in pairs_from_csv(pairs) if p.source is not None]
    if not 1 <= len(paths) <= 2 or (len(paths) == 1 and kind is not PathKind.NULL):
        least = "START, and END if it is to lead somewhere," if kind is PathKind.NULL else "START and END"
        raise UsageError(f"Name {least} as in: vitequiv interpolate start.png end.png; got {len(paths)} names.")
    for text in paths:
        if not text:
            raise UsageError("A name is empty: is a variable of your script not set?")
        if Path(text).is_dir():
            raise UsageError(f"{text} is a folder: name one image, or many pairs with --pairs.")
    start = Path(paths[0])
    if len(paths) == 1:
        return [Ends(f"{plain(start.stem)}_null", start, None)]
    end = Path(paths[1])
    (pair,) = named([(start, end, None)])
    return [Ends(pair.name, start, end)]
