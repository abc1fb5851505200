"""What the verbs have in common from the work list to the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from vitequiv.cli.each_model import for_each_model, model_items
from vitequiv.cli.engine import Place, placed
from vitequiv.cli.opened import Asked, opened
from vitequiv.cli.progress import items_progress
from vitequiv.cli.render import Column, Renderer
from vitequiv.errors import ExitCode
from vitequiv.results.envelope import Envelope, jsonable
from vitequiv.runs.directory import RunDirectory, remove_parts
from vitequiv.runs.worklist.items import ModelItem, WorkList

if TYPE_CHECKING:
    from vitequiv.batching import BatchSize
    from vitequiv.encoders.base import Encoder
    from vitequiv.runs.context import RunContext
    from vitequiv.runs.engine.task import Named, Task
    from vitequiv.runs.store import RunStore

PATIENCE = 1.0
"""Seconds without a name on standard input after which a batch starts with those that there are."""

Observe = TypeVar("Observe")
Progress = Callable[[int | None, bool], AbstractContextManager[Observe | None]]
"""From the number of items, None if unknown, and whether to be quiet, to what a task tells its progress."""


@dataclass(frozen=True, eq=False)
class Begun:
    """A run whose model is loaded.

    Args:
        context: What its items share.
        encoder: The model.
        task: From what a task tells its progress to the task.
        batch_size: Items computed together; None to choose.
        within: How many images an item's work puts together, for verbs that do one item at a time.
    """

    context: RunContext
    encoder: Encoder
    task: Callable[[Any], Task[Any, Any, Any]]
    batch_size: int | None = 1
    within: BatchSize | None = None

    def settle(self, asked: Asked, directory: RunDirectory, here: bool) -> None:
        """Settle what is put together within an item: as in the run that is resumed, else by the free memory.

        Args:
            asked: The options.
            directory: The run's directory.
            here: Whether it is computed in this process.
        """
        from vitequiv.batching import settle_for
        from vitequiv.runs.record import earlier_batch_size

        if self.within is None:
            return
        if self.within.now is None and asked.resume:
            self.within.now = earlier_batch_size(directory.record, self.encoder.spec)
        if here:
            settle_for(self.within, self.encoder)

    @property
    def recorded_size(self) -> int | None:
        """What the run's record says of the size."""
        return self.within.now if self.within else self.batch_size


def run_verb(
    asked: Asked,
    work: WorkList[Named],
    begin: Callable[[RunDirectory, Place], Begun],
    columns: Sequence[Column],
    progress: Progress[Any],
    after: Callable[[Envelope], None] = lambda _: None,
) -> None:
    """Do all items of a work list, show them, and leave with the exit code that fits.

    Args:
        asked: The options.
        work: The items.
        begin: Loads the model; called once the directory is ready, and where to compute.
        columns: Of the table.
        progress: Shows the progress.
        after: Told each envelope after it was shown; its result is of plain JSON types.

    Raises:
        Exit: If an item failed or did not converge.
    """
    names = None if work.live else lambda: (item.name for item in work.read())
    with opened(asked, names) as directory, placed(asked.ray, asked.device) as place:
        begun = begin(directory, place)
        renderer = Renderer(asked.output_format, columns)
        total = None if work.live else sum(1 for _ in work.read())
        afar = place.elsewhere is not None  # where only the items that end are seen
        begun.settle(asked, directory, here=not afar)
        with (items_progress if afar else progress)(total, asked.quiet) as observe, ExitStack() as stack:
            from vitequiv.runs.engine.loop import run_items

            task = begun.task(None if afar else observe)  # first, for what is wrong with the wish may show only here
            keeper = stack.enter_context(store(asked, directory, begun))
            computer = stack.enter_context(place.computer(begun.encoder, task, asked.say))
            envelopes = run_items(
                work.read(),
                task,
                batch_size=begun.batch_size or keeper.record.batch_size,
                keeper=keeper,
                patience=PATIENCE if work.live else None,
                say=asked.say,
                computer=computer,
            )
            # Closed here, not when it is collected: an interrupt while one item is shown must not lose the next.
            with closing(envelopes):  # type: ignore[type-var]  # it is a generator
                for envelope in envelopes:
                    plain = replace(envelope, result=jsonable(envelope.result))
                    renderer.item(plain)
                    after(plain)
                    if afar and observe:
                        observe()
    renderer.finish(str(asked.out))
    if not renderer.all_converged:
        raise typer.Exit(ExitCode.ITEM_FAILED)


def run_models(
    asked: Asked,
    models: Sequence[str],
    load: Callable[[str], Encoder],
    begin: Callable[[Encoder, RunDirectory], Begun],
    progress: Progress[Any],
    show: Callable[[Envelope], None],
) -> ExitCode:
    """Do one item a model, each model loaded once; one that cannot be had does not stop the rest.

    Args:
        asked: The options.
        models: Specs.
        load: From a spec to an encoder.
        begin: From an encoder to its run.
        progress: Shows the progress.
        show: Shows an item that has ended; its result is of plain JSON types.

    Returns:
        OK, or the code of the first model that could not be had; each has been printed. What was kept of items in hand
        goes when the last has ended.
    """
    items = model_items(models)
    keeper: RunStore | None = None
    with opened(asked, lambda: iter(items)) as directory, ExitStack() as stack:
        if asked.resume:
            models = _spelled_before(directory, models)

        def work_with(encoder: Encoder, item: str) -> None:
            nonlocal keeper
            from vitequiv.runs.engine.loop import run_items

            begun = begin(encoder, directory)
            begun.settle(asked, directory, here=True)
            with progress(None, asked.quiet) as observe:
                task = begun.task(observe)  # first, for what is wrong with the wish may show only here
                if keeper is None:
                    keeper = stack.enter_context(store(asked, directory, begun))
                else:
                    keeper.turn_to(begun.context, begun.recorded_size)
                envelopes = list(run_items([ModelItem(item)], task, keeper=keeper, say=asked.say))
            for envelope in envelopes:
                show(replace(envelope, result=jsonable(envelope.result)))

        code = for_each_model(models, load, work_with)
        remove_parts(directory)
        return code


def _spelled_before(directory: RunDirectory, models: Sequence[str]) -> list[str]:
    """The specs as the run that is resumed spelled them, so that each finds its folder again."""
    from vitequiv.runs.meanings import as_before
    from vitequiv.runs.record import read_record

    old = read_record(directory.record)
    before = old.settings.get("model") if old else None
    return as_before(models, before.value if before else None)


@contextmanager
def store(asked: Asked, directory: RunDirectory, begun: Begun) -> Iterator[RunStore]:
    """Open a run directory's records.

    Args:
        asked: The options.
        directory: The directory, locked.
        begun: The run.

    Yields:
        The keeper of results.
    """
    from vitequiv.runs.store import RunStore

    keeper = RunStore(directory, begun.context, asked.existing, begun.recorded_size, asked.say)
    try:
        yield keeper
    finally:
        keeper.close()
