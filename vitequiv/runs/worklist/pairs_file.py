"""Pairs files: CSV with a pair a row, read row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from vitequiv.errors import UsageError
from vitequiv.files.reading import FileError
from vitequiv.files.streams import is_pipe, open_stream
from vitequiv.images.naming import shown
from vitequiv.runs.target_choice import EmbeddingTarget, TextTarget, parse_embedding
from vitequiv.runs.worklist.items import Broken, Pair, WorkList
from vitequiv.runs.worklist.names import Numbering, plain

TARGET, TARGET_TEXT, TARGET_EMBEDDING = "target", "target_text", "target_embedding"
MAX_PAIRS_BYTES = 1 << 28
"""A million rows have half of this."""
IMAGES = (TARGET,)
"""The column of a target where only an image will do."""
ANY_TARGET = (TARGET, TARGET_TEXT, TARGET_EMBEDDING)
"""The columns of a target where `match` takes more than images."""


def pairs_from_csv(
    path: Path, columns: Sequence[str] = IMAGES, say: Callable[[str], None] = lambda _: None
) -> WorkList[Pair]:
    """Read a pairs file.

    The first line and the first row must be right, or nothing is done; a later row that is not is an item that fails.

    Args:
        path: CSV in UTF-8 with the columns `source`, some of `columns` and optionally `name`, named in the first row;
            file names are relative to the current directory. A pipe, such as `<(...)` gives, is read as it comes.
        columns: What may name a target; each row fills exactly one of them.
        say: Told that a pipe is read.

    Returns:
        The pairs, in order.

    Raises:
        UsageError: If the file cannot be read, is a device, has no such columns or no rows, or its first row is at
            fault.
    """
    piped = is_pipe(path)
    if piped:
        say(f"The pairs are read from the pipe {shown(path)} as they come, up to {MAX_PAIRS_BYTES:,} bytes.")
    rows = _read(path, columns)
    first = next(rows, None)
    if first is None:
        raise UsageError(
            f"The pairs file {shown(path)} has no rows: its first line must be source,target and a pair a line follow."
        )
    if isinstance(first, Broken):
        raise UsageError(first.message)
    if not piped:
        return WorkList(lambda: _read(path, columns))
    return WorkList(lambda: chain([first], rows), live=True)


def _read(path: Path, columns: Sequence[str]) -> Iterator[Pair | Broken]:
    number = Numbering()
    try:
        # Bytes that are not UTF-8 must cost their row alone.
        raw = open_stream(path, MAX_PAIRS_BYTES)
        with io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            if header is None:
                return
            _require(path, header, columns)
            while True:
                row_number = reader.line_num + 1
                try:
                    row = next(reader)
                    pair = _entry(header, row, columns, number) if row else None
                except StopIteration:
                    return
                except csv.Error as error:
                    pair = f"is not CSV in UTF-8: {error}"
                if isinstance(pair, str):
                    message = f"Row {row_number} of the pairs file {shown(path)} {pair}."
                    yield Broken(number(f"row-{row_number}"), message)
                elif pair is not None:
                    yield pair
    except OSError as error:
        raise UsageError(f"The pairs file {shown(path)} cannot be read: {error.strerror}.") from None
    except FileError as fault:
        raise UsageError(f"The pairs file {shown(path)} cannot be read: {fault}.") from None
    except csv.Error as error:
        raise UsageError(f"The pairs file {shown(path)} is not CSV in UTF-8: {error}.") from None


def _require(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    if "source" not in header or not set(columns) & set(header):
        others = f", with {' or '.join(columns[1:])} beside target or in its place" if columns[1:] else ""
        raise UsageError(
            f"The pairs file {shown(path)} must name its columns source,target[,name] in its first line{others}."
        )


def _entry(header: Sequence[str], row: Sequence[str], columns: Sequence[str], number: Numbering) -> Pair | str:
    """The pair of a row, or what is wrong with it."""
    if any(cell.strip() for cell in row[len(header) :]):
        return "has more cells than there are columns: put a cell that holds a comma in quotes"
    given_cells: Mapping[str, str] = dict(zip(header, row, strict=False))
    cells = {name: given_cells.get(name, "").strip() for name in ("source", "name", *columns)}
    try:
        "".join(cells.values()).encode()
    except UnicodeEncodeError:
        return "is not in UTF-8"
    filled = [name for name in columns if cells[name]]
    names = ", ".join(columns)
    if not cells["source"] or not filled or "\0" in cells["source"] + cells.get(TARGET, ""):
        return f"lacks a source or {f'a target ({names})' if columns[1:] else 'a target'}"
    if len(filled) > 1:
        return f"names {len(filled)} targets, {' and '.join(filled)}: leave all but one empty"
    source = Path(cells["source"])
    target: Path | None = None
    given: TextTarget | EmbeddingTarget | None = None
    if filled == [TARGET]:
        target = Path(cells[TARGET])
    elif filled == [TARGET_TEXT]:
        given = TextTarget(cells[TARGET_TEXT])
    else:
        given = parse_embedding(cells[TARGET_EMBEDDING])
        if given is None or "\0" in cells[TARGET_EMBEDDING]:
            return f"is at fault: target_embedding must be FILE or FILE#TENSOR, not {cells[TARGET_EMBEDDING]!r}"
    label = given.label if given else Path(cells[TARGET]).stem
    name = plain(cells["name"]) if cells["name"] else f"{plain(source.stem)}_to_{plain(label)}"
    return Pair(number(name), source, target, given)
