"""The loop: items in, envelopes out, in the order of the work list; preparing and writing overlap with computing."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Generic

import torch

from vitequiv.batching import largest
from vitequiv.results.envelope import Envelope
from vitequiv.results.status import Status
from vitequiv.runs.engine.ahead import POLL, Ahead, Arrived, Ended, Ready
from vitequiv.runs.engine.behind import Behind, Lost
from vitequiv.runs.engine.computer import Computed, Computer, Here, Job
from vitequiv.runs.engine.keep import Keeper, NothingKept
from vitequiv.runs.engine.task import D, Failure, I, Prepared, R, Task
from vitequiv.runs.failures import explain
from vitequiv.runs.interrupt import Interrupted, check, shielded
from vitequiv.runs.worklist.items import Broken

BATCHES_AROUND = 2
"""One prepared ahead of those computed, one written behind them; of one item each until their size is known."""
BATCHES_UNDER_WAY = BATCHES_AROUND + 1
"""Where one is computed at a time, as in this process."""


def run_items(
    items: Iterable[I | Broken],
    task: Task[I, D, R],
    *,
    batch_size: int | None = 1,
    keeper: Keeper | None = None,
    patience: float | None = None,
    say: Callable[[str], None] = lambda _: None,
    computer: Computer[D, R] | None = None,
) -> Iterator[Envelope]:
    """Do all items of a work list; one failure never stops the rest.

    Batches are cut by the place in the work list, also where a resumed run needs only some of a batch: an item's
    numbers depend, in their last bits, on what it is computed together with.

    Args:
        items: The work list, read as it is needed, in a thread of its own.
        task: What to do.
        batch_size: Items computed together; None to choose from the free memory.
        keeper: What need not be done again, and where ended items are recorded.
        patience: Seconds to wait for the next item before a batch starts without it, for lists that come from a pipe;
            None to wait for full batches.
        say: Told what the user should know.
        computer: Where batches are computed; None for this process.

    Yields:
        An envelope an item, in order, as soon as it is written and recorded. Before `Interrupted` is raised, after a
        signal, all that was computed is written and yielded; before an error of the work list, all items before it.
    """
    with shielded():
        if computer is None:
            computer = Here(task.work, torch.device(task.context.environment.device), batch_size, say)
        run = _Run(items, task, batch_size, keeper or NothingKept(), patience, computer)
        try:
            yield from run.go()
        finally:
            run.close()


class _Run(Generic[I, D, R]):
    def __init__(
        self,
        items: Iterable[I | Broken],
        task: Task[I, D, R],
        batch_size: int | None,
        keeper: Keeper,
        patience: float | None,
        computer: Computer[D, R],
    ) -> None:
        self._task = task
        self._computer = computer
        self._cut = batch_size  # where batches are cut, whatever the memory then allows
        self._keeper = keeper
        self._patience = patience
        self._device = torch.device(task.context.environment.device)
        self._inbox: queue.Queue[Any] = queue.Queue()
        self._arrived: deque[Arrived[I, D]] = deque()
        self._jobs: deque[Job[I, D, R]] = deque()
        self._ended: Ended | None = None
        self._writing = 0
        self._batches = BATCHES_AROUND + computer.capacity
        self._window = self._batches * (batch_size or 1)
        self._owed = 0  # items whose room is not given back, for it was lent
        self._ahead: Ahead[I, D, R] = Ahead(items, task, keeper, self._inbox, self._window)
        self._behind = Behind(keeper, self._inbox)

    def go(self) -> Iterator[Envelope]:
        group: list[Ready[I, D]] = []
        full, waited = False, 0.0
        try:
            while True:
                check()
                late = self._patience is not None and waited >= self._patience
                over = self._ended is not None and not self._arrived
                if self._jobs and self._jobs[0].future.done():
                    yield from self._collect()
                elif group and (over or late or full) and len(self._jobs) < self._computer.capacity:
                    yield from self._submit(group)
                    group, full, waited = [], False, 0.0
                elif self._arrived and not full:
                    group.append(self._await(self._arrived.popleft()))
                    full, waited = self._full(group), 0.0
                elif over and not (group or self._jobs or self._writing):
                    break
                else:
                    try:
                        yield from self._take(self._inbox.get(timeout=POLL))
                    except queue.Empty:
                        waited += POLL
        except Interrupted:
            self._ahead.stop()
            self._jobs = deque(job for job in self._jobs if job.computed)
            while self._jobs:
                yield from self._collect()
            while self._writing:
                yield from self._take(self._inbox.get())
            raise
        if self._ended and self._ended.error:
            raise self._ended.error

    def close(self) -> None:
        """End the threads; what was computed is written, also when the caller stops listening."""
        self._ahead.stop()
        while self._jobs:
            job = self._jobs.popleft()
            if job.computed:
                self._hand_over(job)
        self._behind.close()

    def _take(self, message: Any) -> Iterator[Envelope]:
        if isinstance(message, Arrived):
            self._arrived.append(message)
        elif isinstance(message, Ended):
            self._ended = message
        elif isinstance(message, Lost):
            self._writing = 0
            raise message.error
        elif not isinstance(message, Computed):
            self._writing -= 1
            self._room(1)
            yield message.envelope

    def _room(self, items: int) -> None:
        """Let so many more items be under way; fewer if the number is negative."""
        for _ in range(items):
            if self._owed:
                self._owed -= 1
            else:
                self._ahead.release()
        self._owed += max(0, -items)

    def _await(self, message: Arrived[I, D]) -> Ready[I, D]:
        while True:
            check()
            try:
                return message.future.result(timeout=POLL)
            except TimeoutError:
                continue

    def _full(self, group: list[Ready[I, D]]) -> bool:
        """Whether a batch is complete; its size is settled by the first item that can be measured."""
        if self._cut is None:
            fresh = next((ready.outcome for ready in group if isinstance(ready.outcome, Prepared)), None)
            if fresh is None and len(group) < largest(self._device):
                self._room(1)  # it holds no pixels
                self._window += 1
                return False
            self._cut = self._computer.size(None if fresh is None else fresh.data)
            self._keeper.sized(self._cut)
            self._room(self._batches * self._cut - self._window)
        return len(group) >= self._cut

    def _submit(self, group: list[Ready[I, D]]) -> Iterator[Envelope]:
        """Have a batch computed."""
        future: Future[Callable[[], list[R | Failure]]] = Future()
        if any(isinstance(ready.outcome, Prepared) for ready in group):
            # What is kept already takes part, for the others' sake.
            group = [self._whole(ready) for ready in group]
            yield from self._alone()
            future = self._computer.submit([
                ready.outcome.data for ready in group if isinstance(ready.outcome, Prepared)
            ])
        else:
            future.set_result(list)
        self._jobs.append(Job(group, future))
        future.add_done_callback(lambda _: self._inbox.put(Computed()))

    def _collect(self) -> Iterator[Envelope]:
        """Take the results of the first batch, and hand it over to be written."""
        yield from self._alone()
        self._hand_over(self._jobs.popleft())

    def _alone(self) -> Iterator[Envelope]:
        """Wait until nothing is being written, where results may not be in memory beside others."""
        while not self._task.overlap and self._writing:
            yield from self._take(self._inbox.get())

    def _hand_over(self, job: Job[I, D, R]) -> None:
        results = job.future.result()()
        results.reverse()
        group = job.group
        while group:
            ready = group.pop(0)
            result = results.pop() if isinstance(ready.outcome, Prepared) else None
            self._put(ready, result)

    def _whole(self, ready: Ready[I, D]) -> Ready[I, D]:
        if ready.kept is None or ready.item is None:
            return ready
        return replace(ready, outcome=self._await(Arrived(self._ahead.again(ready.item))).outcome)

    def _put(self, ready: Ready[I, D], result: R | Failure | None) -> None:
        task = self._task

        def write() -> Envelope:
            if ready.kept is not None:
                return ready.kept
            if isinstance(ready.outcome, Failure):
                failure = ready.outcome
            elif isinstance(result, Failure):
                failure = result
            elif ready.outcome is None or ready.item is None or result is None:
                raise RuntimeError(f"{ready.name} came to be written without a result.")
            else:
                try:
                    return task.write(ready.item, ready.outcome, result)
                except BaseException as error:
                    failure = Failure(explain(error, "The result was found but could not be written"))
            return task.context_of(ready.item).envelope(ready.name, Status.FAILED, failure.message, ready.inputs)

        self._writing += 1
        self._behind.put(write)
