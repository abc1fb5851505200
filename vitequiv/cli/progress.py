"""The progress bar of a run, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vitequiv.cli.console import error_console, is_watched

if TYPE_CHECKING:
    from vitequiv.matching.progress import Observer
    from vitequiv.matching.progress import Progress as MatchProgress


@contextmanager
def match_progress(items: int | None, quiet: bool) -> Iterator[Observer | None]:
    """Show loss, cosine and the time left while matches run.

    Args:
        items: Pairs in the run; None if that is not known.
        quiet: Show nothing.

    Yields:
        The observer to give to the run; None if nothing is to be shown.
    """
    console = error_console()
    if quiet or not is_watched(console):
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("loss {task.fields[loss]}  cosine {task.fields[cosine]}  left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("matching", total=items, loss="-", cosine="-")
        before, last = 0, 0

        def observe(progress: MatchProgress) -> None:
            nonlocal before, last
            if progress.ended < last:  # another batch has begun
                before += last
            last = progress.ended
            batch = progress.active + progress.ended
            bar.update(
                task,
                completed=before + progress.fraction * batch,
                description=f"matching {before + 1}-{before + batch}" + (f" of {items}" if items else ""),
                loss=f"{progress.loss:.3g}",
                cosine=f"{progress.cosine:.4f}",
            )

        yield observe


@contextmanager
def rows_progress(quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show how many rows of a Jacobian, or steps of Lanczos, are done and the time left at most.

    Args:
        quiet: Show nothing.

    Yields:
        The observer of how many are done and how many there are; None if nothing is to be shown.
    """
    console = error_console()
    if quiet or not is_watched(console):
        yield None
        return
    columns = (
        TextColumn("Jacobian"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Jacobian", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def points_progress(quiet: bool, what: str = "points") -> Iterator[Callable[[int, int], None] | None]:
    """Show how many points of a path, or other things, are done, and of how many at most.

    Args:
        quiet: Show nothing.
        what: What is counted.

    Yields:
        The observer of how many are done and how many there are; None if nothing is to be shown.
    """
    console = error_console()
    if quiet or not is_watched(console):
        yield None
        return
    columns = (TextColumn(what), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def items_progress(items: int | None, quiet: bool) -> Iterator[Callable[[], None] | None]:
    """Show how many items of a run have ended, where what is done within one cannot be seen.

    Args:
        items: Items in the run; None if that is not known.
        quiet: Show nothing.

    Yields:
        To be called when an item has ended; None if nothing is to be shown.
    """
    console = error_console()
    if quiet or not is_watched(console):
        yield None
        return
    columns = (
        TextColumn("items"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("items", total=items)
        yield lambda: bar.advance(task)
