"""The progress bar of a run, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from vitequiv.cli.render import error_console

if TYPE_CHECKING:
    from vitequiv.matching.loop import Observer
    from vitequiv.matching.loop import Progress as MatchProgress


@contextmanager
def match_progress(items: int, batch_size: int, quiet: bool) -> Iterator[Observer | None]:
    """Show loss, cosine and the time left while matches run.

    Args:
        items: Pairs in the run.
        batch_size: Pairs optimised together.
        quiet: Show nothing.

    Yields:
        The observer to give to the run; None if nothing is to be shown.
    """
    console = error_console()
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("loss {task.fields[loss]}  cosine {task.fields[cosine]}"),
        TextColumn("time left at most"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("matching", total=1.0, loss="-", cosine="-")
        done, last = 0, 0

        def observe(progress: MatchProgress) -> None:
            nonlocal done, last
            if progress.passes < last:  # a new batch has begun
                done = min(done + batch_size, items)
            last = progress.passes
            share = min(progress.passes / progress.max_passes, 1.0)
            batch = progress.active + progress.ended
            # An image that has ended counts as done; one that goes on, by the passes it has spent of those allowed.
            completed = (done + progress.ended + progress.active * share) / max(items, done + batch)
            bar.update(
                task,
                completed=completed,
                description=f"matching {done + 1}-{done + batch} of {items}",
                loss=f"{progress.loss:.3g}",
                cosine=f"{progress.cosine:.4f}",
            )

        yield observe
