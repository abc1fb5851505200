"""Reading the work list and preparing its items, a bounded number ahead of the device."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic

from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.runs.engine.keep import Keeper
from vitequiv.runs.engine.task import D, Failure, I, Prepared, R, Task
from vitequiv.runs.failures import explain
from vitequiv.runs.worklist.items import Broken

WORKERS = 2
POLL = 0.1
"""Seconds between two looks at whether to stop."""


@dataclass(frozen=True, eq=False)
class Ready(Generic[I, D]):
    """An item as far as it has come without the device.

    Args:
        item: The item; None if the work list could not make it out.
        name: Its name.
        inputs: Its files, with digests as far as they are known.
        outcome: Its data, or why there are none; None if they are not needed.
        kept: Its envelope of an earlier run, if it need not be done again.
    """

    item: I | None
    name: str
    inputs: tuple[InputRecord, ...]
    outcome: Prepared[D] | Failure | None
    kept: Envelope | None = None


@dataclass(frozen=True, eq=False)
class Arrived(Generic[I, D]):
    """An item of the work list, on its way to being ready."""

    future: Future[Ready[I, D]]


@dataclass(frozen=True)
class Ended:
    """The work list has ended, for this reason if it was not its proper end."""

    error: BaseException | None


class Ahead(Generic[I, D, R]):
    """Reads a work list in one thread and prepares its items in a few others.

    Args:
        items: The work list.
        task: What to do.
        keeper: What need not be done again.
        inbox: Told `Arrived` for each item in order, and at last `Ended`.
        window: Items under way at most, from being read to `release`.
    """

    def __init__(
        self, items: Iterable[I | Broken], task: Task[I, D, R], keeper: Keeper, inbox: queue.Queue[Any], window: int
    ) -> None:
        self._task = task
        self._keeper = keeper
        self._inbox = inbox
        self._slots = threading.Semaphore(window)
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="vitequiv-prepare")
        # A daemon, for it may be waiting for a pipe when the run ends.
        threading.Thread(target=self._read, args=(items,), name="vitequiv-read", daemon=True).start()

    def release(self) -> None:
        """Say that one item has ended, which makes room for another."""
        self._slots.release()

    def again(self, item: I) -> Future[Ready[I, D]]:
        """Prepare an item whatever is kept of it."""
        return self._pool.submit(self._prepare, item)

    def stop(self) -> None:
        """Read and prepare nothing more; what is being prepared is waited for."""
        self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, items: Iterable[I | Broken]) -> None:
        error: BaseException | None = None
        try:
            for item in items:
                while not self._slots.acquire(timeout=POLL):
                    if self._stopped.is_set():
                        return
                if self._stopped.is_set():
                    return
                self._inbox.put(Arrived(self._pool.submit(self._look, item)))
        except BaseException as raised:  # to be raised in the caller's thread
            error = raised
        self._inbox.put(Ended(error))

    def _look(self, item: I | Broken) -> Ready[I, D]:
        if isinstance(item, Broken):
            return Ready(None, item.name, (), Failure(item.message))
        inputs: tuple[InputRecord, ...] = ()
        try:
            inputs = self._task.inputs(item)
            stored = self._keeper.stored(item.name, inputs, self._task.context_of(item))
        except BaseException as error:
            return Ready(
                item, item.name, inputs, Failure(explain(error, "Its inputs or an earlier result are at fault"))
            )
        return Ready(item, item.name, stored.inputs, None, stored) if stored else self._prepare(item)

    def _prepare(self, item: I) -> Ready[I, D]:
        inputs: tuple[InputRecord, ...] = ()
        try:
            inputs = self._task.inputs(item)
            prepared = self._task.prepare(item)
        except BaseException as error:
            return Ready(item, item.name, inputs, Failure(explain(error, self._task.blame)))
        return Ready(item, item.name, prepared.inputs, prepared)
